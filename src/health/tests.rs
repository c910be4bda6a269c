//! Health as its users meet it: claims, outcomes, listings, reloads.

use super::*;
use crate::catalog::Vendor;
use crate::failure::{Connect, Fault, classify};
use http::HeaderMap;
use jiff::Timestamp;
use proptest::prelude::*;

const ON: Options = Options {
    breaker: true,
    cooldown: true,
};
const NO_COOLDOWN: Options = Options {
    breaker: true,
    cooldown: false,
};
const NO_BREAKER: Options = Options {
    breaker: false,
    cooldown: true,
};

fn at(seconds: u64) -> Uptime {
    Duration::from_secs(seconds)
}

fn key(model: &str) -> ModelKey {
    ModelKey {
        endpoint: "https://qwen/v1".into(),
        upstream_model: model.into(),
        credential: "env:K".into(),
    }
}

fn answered(status: u16) -> Failure {
    let headers = HeaderMap::new();
    classify(
        Vendor::Deepseek,
        &Fault::Response {
            status,
            headers: &headers,
            body: b"",
        },
        Timestamp::UNIX_EPOCH,
    )
}

fn refused() -> Failure {
    classify(
        Vendor::Deepseek,
        &Fault::Connect(Connect::Refused),
        Timestamp::UNIX_EPOCH,
    )
}

fn send(health: &mut Health, key: &ModelKey, options: Options, outcome: Outcome<'_>, now: Uptime) {
    let claim = health.ask(key, options, now).unwrap();
    health.end(claim, outcome, now);
}

fn broken(health: &mut Health, key: &ModelKey) {
    (0..5).for_each(|_| send(health, key, ON, Outcome::Failed(&refused()), at(0)));
}

fn is_ready(health: &Health, key: &ModelKey, now: Uptime) -> bool {
    health.verdict(key, ON, now) == Verdict::Ready
}

fn is_up(health: &Health, now: Uptime) -> bool {
    health
        .provider_state("https://qwen/v1", &[key("max"), key("flash")], now)
        .is_up()
}

#[test]
fn a_verdict_claims_nothing() {
    let mut health = Health::default();
    broken(&mut health, &key("max"));
    for _ in 0..100 {
        assert!(is_ready(&health, &key("max"), at(2)));
    }
    assert!(health.ask(&key("max"), ON, at(2)).unwrap().is_probe());
    let waiting = health.ask(&key("max"), ON, at(2)).unwrap_err();
    assert!(matches!(
        waiting,
        Verdict::Wait {
            reason: WaitReason::Probing(Trip::Run),
            ..
        }
    ));
}

#[test]
fn five_hundred_waiting_clients_make_one_probe() {
    let mut health = Health::default();
    broken(&mut health, &key("max"));
    let claims: Vec<_> = (0..500)
        .filter_map(|_| health.ask(&key("max"), ON, at(3)).ok())
        .collect();
    assert_eq!(claims.len(), 1);
}

#[test]
fn after_arrears_the_whole_credential_rests_and_returns_in_steps() {
    let mut health = Health::default();
    send(&mut health, &key("flash"), ON, Outcome::Ok, at(0));
    send(&mut health, &key("max"), ON, Outcome::Failed(&answered(402)), at(0));
    for model in ["max", "flash"] {
        assert!(!is_ready(&health, &key(model), at(599)));
        let claims: Vec<_> = (0..500)
            .filter_map(|_| health.ask(&key(model), ON, at(600)).ok())
            .collect();
        assert_eq!(claims.len(), 1, "{model}");
    }
}

#[test]
fn a_provider_is_down_with_one_open_breaker_until_any_model_of_it_succeeds() {
    let mut health = Health::default();
    assert!(is_up(&health, at(0)), "without traffic nothing speaks against it");
    broken(&mut health, &key("max"));
    let state = health.provider_state("https://qwen/v1", &[key("max"), key("flash")], at(1));
    assert_eq!(
        state,
        ProviderHealth::Down {
            reason: Trip::Run,
            since: at(0)
        }
    );
    send(&mut health, &key("flash"), ON, Outcome::Ok, at(1));
    assert!(is_up(&health, at(1)));
}

#[test]
fn a_rate_limit_cools_and_is_not_down() {
    let mut health = Health::default();
    send(&mut health, &key("max"), ON, Outcome::Failed(&answered(429)), at(0));
    let state = health.provider_state("https://qwen/v1", &[key("max")], at(1));
    assert_eq!(
        state,
        ProviderHealth::Cooling {
            until: at(4),
            reason: Class::RateLimited
        }
    );
    assert!(state.is_up());
    assert!(is_ready(&health, &key("flash"), at(1)));
}

#[test]
fn a_listing_brings_a_provider_back_and_a_failed_probe_takes_it_down_again() {
    let mut health = Health::default();
    let endpoint: Arc<str> = "https://qwen/v1".into();
    broken(&mut health, &key("max"));
    health.listed(&endpoint, "env:K", Listing::Dead, at(1));
    assert!(!is_up(&health, at(1)));
    health.listed(&endpoint, "env:K", Listing::Alive, at(1));
    assert!(is_up(&health, at(1)));
    let probe = health.ask(&key("max"), ON, at(1)).unwrap();
    assert!(probe.is_probe());
    health.end(probe, Outcome::Failed(&refused()), at(1));
    assert!(!is_up(&health, at(1)));
}

#[test]
fn a_good_listing_clears_a_refused_key_but_not_arrears_before_their_time() {
    let endpoint: Arc<str> = "https://qwen/v1".into();
    let mut health = Health::default();
    send(&mut health, &key("max"), ON, Outcome::Failed(&answered(401)), at(0));
    assert!(!is_up(&health, at(5000)));
    health.listed(&endpoint, "env:K", Listing::Reachable, at(5000));
    assert!(
        !is_up(&health, at(5000)),
        "an address that answers 404 says nothing of the key"
    );
    health.listed(&endpoint, "env:K", Listing::Alive, at(5001));
    assert!(is_up(&health, at(5001)) && is_ready(&health, &key("max"), at(5001)));

    let mut health = Health::default();
    send(&mut health, &key("max"), ON, Outcome::Failed(&answered(402)), at(0));
    for second in (30..600).step_by(30) {
        health.listed(&endpoint, "env:K", Listing::Alive, at(second));
        assert!(!is_up(&health, at(second)) && !is_ready(&health, &key("max"), at(second)));
    }
    health.listed(&endpoint, "env:K", Listing::Alive, at(600));
    assert!(is_up(&health, at(600)) && is_ready(&health, &key("max"), at(600)));
}

#[test]
fn a_new_key_and_a_reload_are_tried_at_once() {
    let mut health = Health::default();
    send(&mut health, &key("max"), ON, Outcome::Failed(&answered(401)), at(0));
    health.key_changed("env:OTHER", at(1));
    assert!(!is_ready(&health, &key("max"), at(1)));
    health.key_changed("env:K", at(1));
    assert!(health.ask(&key("max"), ON, at(1)).unwrap().is_probe());

    send(&mut health, &key("flash"), ON, Outcome::Failed(&answered(404)), at(0));
    health.reloaded(at(2));
    assert!(is_ready(&health, &key("flash"), at(2)));
}

#[test]
fn a_reload_keeps_what_is_still_named() {
    let mut health = Health::default();
    broken(&mut health, &key("max"));
    broken(&mut health, &key("flash"));
    health.keep(|key| key.upstream_model.as_ref() == "max");
    assert!(!is_ready(&health, &key("max"), at(1)));
    assert!(is_ready(&health, &key("flash"), at(1)));
}

#[test]
fn breaker_none_and_cooldown_none_pass_every_failure_on() {
    let mut health = Health::default();
    (0..20).for_each(|_| send(&mut health, &key("max"), NO_BREAKER, Outcome::Failed(&refused()), at(0)));
    (0..20).for_each(|_| {
        send(
            &mut health,
            &key("flash"),
            NO_COOLDOWN,
            Outcome::Failed(&answered(429)),
            at(0),
        )
    });
    assert_eq!(health.verdict(&key("max"), NO_BREAKER, at(0)), Verdict::Ready);
    assert_eq!(health.verdict(&key("flash"), NO_COOLDOWN, at(0)), Verdict::Ready);
}

#[test]
fn a_refused_key_is_down_also_without_a_breaker() {
    let mut health = Health::default();
    send(
        &mut health,
        &key("max"),
        NO_BREAKER,
        Outcome::Failed(&answered(401)),
        at(3),
    );
    let state = health.provider_state("https://qwen/v1", &[key("max")], at(4));
    assert_eq!(
        state,
        ProviderHealth::Down {
            reason: Trip::Told(Class::Auth),
            since: at(3)
        }
    );
}

#[test]
fn first_tokens_make_a_moving_average() {
    let mut health = Health::default();
    for milliseconds in [800, 1600] {
        let mut claim = health.ask(&key("max"), ON, at(0)).unwrap();
        health.answering(&mut claim, Duration::from_millis(milliseconds), at(0));
        health.end(claim, Outcome::Ok, at(0));
    }
    assert_eq!(health.first_token(&key("max")), Some(Duration::from_millis(900)));
}

proptest! {
    /// Whatever happened, once all is quiet and the longest wait is over, the model is tried again.
    #[test]
    fn nothing_is_shut_out_for_ever(events in prop::collection::vec((0u8..9, 0u64..200), 0..120)) {
        let (mut health, mut now, mut open) = (Health::default(), at(0), Vec::new());
        let failures = [answered(500), answered(429), answered(402), answered(401), answered(503), refused()];
        for (event, pause) in events {
            now += at(pause);
            match event {
                0 | 1 => open.extend(health.ask(&key("max"), ON, now).ok()),
                2 => if let Some(claim) = open.pop() { health.end(claim, Outcome::Ok, now) },
                3 => if let Some(claim) = open.pop() { health.end(claim, Outcome::Abandoned, now) },
                4.. => if let Some(claim) = open.pop() {
                    health.end(claim, Outcome::Failed(&failures[usize::from(event) % failures.len()]), now);
                },
            }
        }
        for claim in open {
            health.end(claim, Outcome::Abandoned, now);
        }
        prop_assert!(is_ready(&health, &key("max"), now + at(86_400)));
    }
}
