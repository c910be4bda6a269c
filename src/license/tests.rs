use super::*;
use crate::money::{Currency, Money};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shanghai() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

/// To the end of January 31 in Shanghai.
fn enterprise() -> License {
    License {
        uses: Uses::of([Use::Commercial, Use::Internal]),
        starts: Some(at("2026-01-31T16:00:00Z")),
        term: Some(Term {
            last_day: "2027-01-31".parse().unwrap(),
            end: at("2027-01-31T16:00:00Z"),
            warn: SignedDuration::from_hours(30 * 24),
        }),
        ..License::open("qwen-enterprise".into())
    }
}

fn ask<'a>(purpose: &'a str, territory: &'a str) -> Ask<'a> {
    Ask { purpose, territory }
}

const NOW: &str = "2026-11-23T12:00:00Z";

#[test]
fn the_last_day_counts_to_its_end() {
    let license = enterprise();
    assert_eq!(license.permits(Ask::default(), at("2027-01-31T15:59:59Z")), Ok(()));
    let expired = license.permits(Ask::default(), at("2027-01-31T16:00:00Z")).unwrap_err();
    assert_eq!(expired.to_string(), "ended with 2027-01-31");
    assert!(!expired.is_of_request());
    let early = license.permits(Ask::default(), at("2026-01-31T15:59:59Z")).unwrap_err();
    assert_eq!(early.to_string(), "begins on 2026-01-31T16:00:00Z");
}

#[test]
fn days_are_those_of_the_calendar_in_the_policys_zone() {
    let license = enterprise();
    let left = |when: &str| license.days_left(at(when), &shanghai()).unwrap();
    assert_eq!(left("2027-01-31T15:59:59Z"), 0, "the last day");
    assert_eq!(left("2027-01-31T16:00:00Z"), -1);
    assert_eq!(left("2027-01-17T10:00:00Z"), 14);
    assert_eq!(left("2026-11-23T12:00:00Z"), 69);
    assert_eq!(License::open("x".into()).days_left(at(NOW), &shanghai()), None);
}

#[test]
fn it_is_expiring_within_its_warning_and_then_expired() {
    let license = enterprise();
    assert!(!license.is_expiring(at("2027-01-01T15:59:59Z")));
    assert!(license.is_expiring(at("2027-01-01T16:00:00Z")));
    assert!(license.is_expiring(at("2027-01-31T15:59:59Z")));
    assert!(!license.is_expiring(at("2027-01-31T16:00:00Z")));
    assert!(license.has_expired(at("2027-01-31T16:00:00Z")));
}

#[test]
fn a_use_that_nobody_stated_counts_as_commercial() {
    let license = enterprise();
    assert_eq!(license.permits(ask("", ""), at(NOW)), Ok(()));
    let breach = license.permits(ask("research", ""), at(NOW)).unwrap_err();
    assert_eq!(breach.to_string(), "permits commercial, internal, not research use");
    assert!(breach.is_of_request());
    let internal = License {
        uses: Uses::of([Use::Internal]),
        ..License::open("x".into())
    };
    assert_eq!(internal.permits(ask("internal", ""), at(NOW)), Ok(()));
    assert!(internal.permits(ask("", ""), at(NOW)).is_err());
    assert!(
        internal.permits(ask("something", ""), at(NOW)).is_err(),
        "a word that means nothing"
    );
}

#[test]
fn an_enumeration_of_territories_must_be_met_and_an_exception_must_be_hit() {
    let place = |code: &str| Territory::parse(code).unwrap();
    let only = License {
        territories: vec![place("CN"), place("SG")],
        ..License::open("x".into())
    };
    assert_eq!(only.permits(ask("", "CN"), at(NOW)), Ok(()));
    assert!(only.permits(ask("", "DE"), at(NOW)).is_err());
    assert!(only.permits(ask("", ""), at(NOW)).is_err(), "nobody said where");
    let except = License {
        territories: vec![place("EU")],
        except_territories: vec![place("FR")],
        ..License::open("x".into())
    };
    assert_eq!(except.permits(ask("", "DE"), at(NOW)), Ok(()));
    assert!(except.permits(ask("", "FR"), at(NOW)).is_err());
    assert!(except.permits(ask("", "EU"), at(NOW)).is_err(), "it may be France");
}

#[test]
fn seats_and_gpus_are_bounded_and_told_as_shares() {
    let mut license = enterprise();
    license.seats = Some(Count {
        max: Some(50),
        declared: Some(40),
        as_of: None,
    });
    license.gpus = Some(Count {
        max: Some(8),
        declared: Some(8),
        as_of: None,
    });
    assert_eq!(license.permits(Ask::default(), at(NOW)), Ok(()));
    assert_eq!(license.seats_used(), Some(0.8));
    assert_eq!(license.users_used(None), None);
    assert_eq!(
        license.users_used(Some(7)),
        None,
        "nothing is allowed, so there is no share"
    );
    license.gpus = license.gpus.map(|count| Count {
        declared: Some(9),
        ..count
    });
    let breach = license.permits(Ask::default(), at(NOW)).unwrap_err();
    assert_eq!(breach.to_string(), "holds up to 8 GPUs, and 9 are declared");
}

#[test]
fn a_service_that_is_forbidden_ends_it_where_it_is_offered() {
    let mut license = enterprise();
    license.service.allowed = false;
    assert_eq!(license.permits(Ask::default(), at(NOW)), Ok(()));
    license.service.offered = true;
    assert_eq!(license.permits(Ask::default(), at(NOW)), Err(Breach::Service));
}

#[test]
fn a_fee_is_told_as_written() {
    let fee = Fee {
        amount: Money::parse("2000").unwrap(),
        currency: Currency::USD,
        per: Per::Month,
    };
    assert_eq!(fee.to_string(), "2000 USD/month");
}
