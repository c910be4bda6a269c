//! What the integration tests share: the real daemon as a process, scripted providers that keep an invoice, a webhook
//! receiver that checks signatures, and a plain HTTP client. Waiting is always on a state, bounded by one cap.

pub mod cent;
pub mod client;
pub mod daemon;
pub mod disk;
pub mod fault;
pub mod home;
pub mod policy;
pub mod postgres;
pub mod power;
pub mod sink;
pub mod sse;
pub mod upstream;
pub mod wire;

pub use cent::{CENT, cents, one_cent};
pub use client::{Answer, Call};
pub use daemon::{Daemon, named, run};
pub use disk::Disk;
pub use home::Home;
pub use policy::{COMPETITOR, LICENSED, LOCAL, Policy};
pub use postgres::Postgres;
pub use sink::Sink;
pub use upstream::{Price, Upstream, Usage, completion};
pub use wire::{Gate, Reply, Seen};

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for a state before it fails with the last thing it saw.
pub const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(25);

/// Asks `probe` until it answers `Ok`; fails with its last `Err`.
pub async fn until<T, P, F>(what: &str, probe: P) -> T
where
    P: FnMut() -> F,
    F: Future<Output = Result<T, String>>,
{
    until_within(PATIENCE, what, probe).await
}

/// As [`until`], for the few states that take longer by design (a probe each 30 to 60 seconds).
pub async fn until_within<T, P, F>(patience: Duration, what: &str, mut probe: P) -> T
where
    P: FnMut() -> F,
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > patience => panic!("never came true: {what}; last seen: {seen}"),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// A decimal string such as `0.00042` in nano-units.
pub fn nanos(decimal: &str) -> i64 {
    let (sign, digits) = decimal.strip_prefix('-').map_or((1, decimal), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 9, "more than nine decimals: {decimal}");
    let parse = |text: &str| -> i64 { text.parse().unwrap_or_else(|_| panic!("not a decimal: {decimal}")) };
    sign * (parse(whole) * 1_000_000_000 + parse(&format!("{fraction:0<9}")))
}

/// A port nobody listens on at the moment, outside the range from which the system hands ports out: none of the many
/// listeners and connections of the other tests can be given it meanwhile.
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Several test processes may run side by side.
    let start = std::process::id().wrapping_mul(197);
    loop {
        let at = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + at % COUNT).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

mod tests {
    use super::*;

    #[test]
    fn decimals_become_nano_units() {
        assert_eq!(nanos("0"), 0);
        assert_eq!(nanos("2000"), 2_000_000_000_000);
        assert_eq!(nanos("0.00042"), 420_000);
        assert_eq!(nanos("-1.5"), -1_500_000_000);
    }
}
