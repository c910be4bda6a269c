//! A disk that turns bits, cuts files short, or forgets sectors: the ledger refuses, or says what is wrong, or has lost
//! nothing. `PLANB_FLIPS=2000` plays as many; a hundred and fifty otherwise.

use super::*;
use crate::ledger::connection::open;
use crate::ledger::mark;
use crate::ledger::soundness::damage;
use crate::ledger::verify::verify;
use std::panic::AssertUnwindSafe;

const FLIPS: u64 = 150;

fn flips() -> u64 {
    let told = std::env::var("PLANB_FLIPS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(FLIPS)
}

fn chance(seed: &mut u64) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap()
}

fn spoil(bytes: &mut Vec<u8>, seed: &mut u64) -> String {
    let at = chance(seed) % bytes.len().max(1);
    match chance(seed) % 8 {
        0 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        1 => {
            let end = (at / 512 * 512 + 512).min(bytes.len());
            bytes[at / 512 * 512..end].fill(0);
            format!("no sector at {at}")
        }
        _ => {
            let bit = chance(seed) % 8;
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of {at}")
        }
    }
}

/// What people and budgets go by.
#[derive(Debug, PartialEq, Eq)]
struct Sums {
    accounts: (i64, i64),
    attempts: (i64, i64),
    hours: (i64, i64),
}

fn sums(path: &Path) -> rusqlite::Result<Sums> {
    let connection = open(path)?;
    let two = |sql: &str| -> rusqlite::Result<(i64, i64)> {
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    };
    Ok(Sums {
        // What the crash left is held, and more of it is no loss.
        accounts: two("SELECT coalesce(sum(posted), 0), coalesce(sum(held - unaccounted), 0) FROM accounts")?,
        attempts: two("SELECT count(*), coalesce(sum(amount), 0) FROM attempts")?,
        hours: two("SELECT coalesce(sum(attempts), 0), coalesce(sum(posted + held), 0) FROM spend_hours")?,
    })
}

/// A ledger in use: its file, and the log that is not yet brought into it.
async fn in_use(path: &Path) -> Daemon {
    let budgets = [
        budget("month", 1_000_000, None, Period::Month),
        budget("teams", 500_000, Some(Each::Tag("team".into())), Period::Day),
    ];
    let mut daemon = Daemon::start(path, &budgets, noon()).await;
    for number in 0..160 {
        let team = ["a", "b"][number % 2];
        let end = if number % 9 == 0 { End::Hold } else { End::Post(usd(70)) };
        daemon.spend(100, team, end).await;
        if number % 8 == 0 {
            daemon.ledger.flush().await.unwrap();
        }
    }
    daemon.ledger.flush().await.unwrap();
    daemon
}

/// Silence is what must not be: with less money than before.
fn says_or_has(path: &Path, before: &Sums, what: &str) -> bool {
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| Ledger::open(path, noon())));
    let Ok((ledger, _)) = opened.unwrap_or_else(|_| panic!("{what}: it panicked")) else {
        return false;
    };
    drop(ledger);
    let told = open(path)
        .map_err(LedgerError::Read)
        .and_then(|mut connection| damage(&mut connection));
    if !matches!(told, Ok(None)) {
        return false;
    }
    // What cannot be read is told wherever it is needed.
    let Ok(found) = sums(path) else { return false };
    if found == *before {
        return true;
    }
    // Budgets go by the accounts, and those are right; the rest is for `planb ledger check` to find.
    let broken = verify(path).map_or(true, |proofs| proofs.iter().any(|proof| !proof.broken.is_empty()));
    let accounts = found.accounts == before.accounts;
    assert!(broken && accounts, "{what}: {found:?}, and it was {before:?}");
    false
}

#[tokio::test]
async fn no_turned_bit_or_cut_tail_of_the_file_loses_money_in_silence() {
    let (directory, path) = place();
    in_use(&path).await.ledger.close().await.unwrap();
    let (bytes, before) = (std::fs::read(&path).unwrap(), sums(&path).unwrap());
    let noted = mark::reached(&path).expect("it is noted how far the ledger has come");
    let mut well = 0;
    for number in 0..flips() {
        let (mut seed, mut spoiled) = (number, bytes.clone());
        let what = spoil(&mut spoiled, &mut seed);
        let place = directory.path().join(format!("{number}"));
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join(FILE_NAME), spoiled).unwrap();
        // As it would be noted of this file.
        mark::Mark::of(&place.join(FILE_NAME)).note(noted);
        well += u64::from(says_or_has(&place.join(FILE_NAME), &before, &what));
        let _ = std::fs::remove_dir_all(place);
    }
    assert!(well < flips(), "no damage was seen at all");
}

#[tokio::test]
async fn no_turned_bit_or_cut_tail_of_the_log_loses_money_in_silence() {
    let (directory, path) = place();
    let daemon = in_use(&path).await;
    let log = |ledger: &Path| ledger.with_extension("sqlite-wal");
    let (bytes, logged) = (std::fs::read(&path).unwrap(), std::fs::read(log(&path)).unwrap());
    let before = sums(&path).unwrap();
    let (start, syncs) = mark::reached(&path).expect("it is noted how far the ledger has come");
    assert!(syncs > 10, "{syncs}");
    let mut refused = 0;
    for number in 0..flips() {
        let (mut seed, mut spoiled) = (number, logged.clone());
        let what = spoil(&mut spoiled, &mut seed);
        let place = directory.path().join(format!("{number}"));
        std::fs::create_dir(&place).unwrap();
        let copy = place.join(FILE_NAME);
        std::fs::write(&copy, &bytes).unwrap();
        std::fs::write(log(&copy), spoiled).unwrap();
        // As it would be noted of this file.
        mark::Mark::of(&copy).note((start, syncs));
        refused += u64::from(!says_or_has(&copy, &before, &what));
        let _ = std::fs::remove_dir_all(place);
    }
    assert!(refused > 0 && refused < flips(), "{refused}");
    daemon.ledger.close().await.unwrap();
}

#[tokio::test]
async fn an_older_copy_over_the_same_file_is_told_and_taken_when_somebody_means_it() {
    let (_directory, path) = place();
    let daemon = in_use(&path).await;
    let copy = path.with_extension("copy");
    crate::ledger::copy::back_up(&path, &copy).unwrap();
    daemon.ledger.close().await.unwrap();
    in_use(&path).await.ledger.close().await.unwrap();
    // Over it, not in its place.
    std::fs::write(&path, std::fs::read(&copy).unwrap()).unwrap();
    let refused = Ledger::open(&path, noon()).unwrap_err().to_string();
    let mark = mark::path_of(&path);
    assert!(
        refused.contains("older copy") && refused.contains(&mark.display().to_string()),
        "{refused}"
    );
    std::fs::remove_file(mark).unwrap();
    Ledger::open(&path, noon()).unwrap();
}
