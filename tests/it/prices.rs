//! Prices that depend on what was used before go on where they stood, over a crash too.

use crate::support::{Daemon, LICENSED, Policy, cents, one_cent};

#[tokio::test(flavor = "multi_thread")]
async fn a_ladder_goes_on_where_it_stood_after_a_crash() {
    let upstream = cents().await;
    let line = format!(
        "provider: {}, name: {}, {LICENSED}, price: {{input: 0 USD/M, output: 10 USD/M, \
         ladder: {{per: year, steps: [{{above: 1010, output: 5 USD/M}}]}}}}",
        upstream.name,
        upstream.model(),
    );
    let policy = Policy::new()
        .provider(&upstream, "")
        .model_line("first", &line)
        .route("name: chat, try: [first]")
        .budget("month", "limit: 100 USD, per: month");
    let mut daemon = Daemon::start(&policy).await;
    let first = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(first.header("x-planb-cost"), Some("0.01 USD"));
    daemon.decision(&first).await;
    daemon.kill9();
    daemon.restart().await;
    let second = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(second.header("x-planb-cost"), Some("0.005 USD"), "the next bracket");
}
