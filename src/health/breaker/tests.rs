//! A breaker told by outcomes and seconds.

use super::*;

fn at(seconds: u64) -> Uptime {
    Duration::from_secs(seconds)
}

fn send(breaker: &mut Breaker, answer: Answer, now: Uptime) {
    assert_eq!(breaker.verdict(now), Verdict::Ready);
    let grant = breaker.claim(now);
    breaker.end(grant, answer, now);
}

fn opened() -> Breaker {
    let mut breaker = Breaker::default();
    (0..RUN).for_each(|_| send(&mut breaker, Answer::Failed, at(0)));
    breaker
}

fn reason(breaker: &Breaker, now: Uptime) -> Option<WaitReason> {
    match breaker.verdict(now) {
        Verdict::Ready => None,
        Verdict::Wait { reason, .. } => Some(reason),
    }
}

#[test]
fn five_in_a_row_open_it_and_four_do_not() {
    let mut breaker = Breaker::default();
    for _ in 0..20 {
        (0..RUN).for_each(|_| breaker.end(Grant::default(), Answer::Ok, at(0)));
        (0..RUN - 1).for_each(|_| breaker.end(Grant::default(), Answer::Failed, at(0)));
    }
    assert_eq!(breaker.trip(), None);
    let breaker = opened();
    assert_eq!(
        breaker.verdict(at(1)),
        Verdict::Wait {
            until: at(2),
            reason: WaitReason::BreakerOpen(Trip::Run)
        }
    );
}

#[test]
fn a_bad_minute_opens_it_without_any_run() {
    let mut breaker = Breaker::default();
    for round in 0..7 {
        for answer in [Answer::Ok, Answer::Failed, Answer::Failed] {
            if breaker.trip().is_none() {
                breaker.end(Grant::default(), answer, at(round * 5));
            }
        }
    }
    assert_eq!(breaker.trip(), Some(Trip::Rate));
}

#[test]
fn failures_of_an_hour_ago_are_forgotten() {
    let mut breaker = Breaker::default();
    for hour in 0..50 {
        breaker.end(Grant::default(), Answer::Failed, at(hour * 3600));
        breaker.end(Grant::default(), Answer::Failed, at(hour * 3600));
        breaker.end(Grant::default(), Answer::Ok, at(hour * 3600));
    }
    assert_eq!(breaker.trip(), None);
}

#[test]
fn the_wait_doubles_with_each_failed_probe_up_to_two_minutes() {
    let (mut breaker, mut now, mut waits) = (opened(), at(0), Vec::new());
    for _ in 0..9 {
        let Verdict::Wait { until, .. } = breaker.verdict(now) else {
            panic!("open")
        };
        waits.push((until - now).as_secs());
        now = until;
        send(&mut breaker, Answer::Failed, now);
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 120, 120, 120]);
}

#[test]
fn five_hundred_waiting_clients_make_one_probe_and_return_in_steps() {
    let mut breaker = opened();
    let grants = |breaker: &mut Breaker| {
        let mut grants = Vec::new();
        for _ in 0..500 {
            if breaker.verdict(at(2)) == Verdict::Ready {
                grants.push(breaker.claim(at(2)));
            }
        }
        grants
    };
    for expected in [1, 1, 2, 4] {
        let passed = grants(&mut breaker);
        assert_eq!(passed.len(), expected);
        // One success a step; the others are abandoned and must not count.
        for (n, grant) in passed.into_iter().enumerate() {
            breaker.end(grant, if n == 0 { Answer::Ok } else { Answer::Abandoned }, at(2));
        }
    }
}

#[test]
fn an_abandoned_probe_lets_the_next_one_go() {
    let mut breaker = opened();
    send(&mut breaker, Answer::Abandoned, at(2));
    send(&mut breaker, Answer::Ok, at(2));
    assert_eq!(breaker.trip(), None);
}

#[test]
fn a_lost_probe_does_not_keep_it_open_for_ever() {
    let mut breaker = opened();
    let lost = breaker.claim(at(2));
    assert_eq!(reason(&breaker, at(60)), Some(WaitReason::Probing(Trip::Run)));
    let second = breaker.claim(at(2) + PROBE_LOST);
    breaker.end(lost, Answer::Ok, at(1000));
    assert_eq!(breaker.trip(), Some(Trip::Run));
    breaker.end(second, Answer::Ok, at(1000));
    assert_eq!(breaker.trip(), None);
}

#[test]
fn attempts_from_before_the_outage_change_nothing() {
    let mut breaker = Breaker::default();
    let early = breaker.claim(at(0));
    (0..RUN).for_each(|_| send(&mut breaker, Answer::Failed, at(0)));
    breaker.end(early, Answer::Failed, at(1));
    breaker.end(early, Answer::Ok, at(1));
    assert_eq!(
        breaker.verdict(at(1)),
        Verdict::Wait {
            until: at(2),
            reason: WaitReason::BreakerOpen(Trip::Run)
        }
    );
}

#[test]
fn an_answering_probe_has_succeeded_before_its_stream_ends() {
    let mut breaker = opened();
    let mut probe = breaker.claim(at(2));
    breaker.answering(&mut probe);
    assert_eq!((breaker.trip(), breaker.verdict(at(2))), (None, Verdict::Ready));
    breaker.end(probe, Answer::Ok, at(90));
}

#[test]
fn a_sign_of_life_makes_the_next_attempt_a_probe() {
    let mut breaker = Breaker::default();
    breaker.end(
        Grant::default(),
        Answer::Tripped {
            trip: Trip::Told(Class::Auth),
            firm: at(0),
        },
        at(0),
    );
    assert_eq!(
        reason(&breaker, at(10)),
        Some(WaitReason::BreakerOpen(Trip::Told(Class::Auth)))
    );
    breaker.resume(at(10));
    assert!(breaker.claim(at(10)).is_probe());
}

#[test]
fn what_is_firm_heeds_no_sign_before_its_time() {
    let mut breaker = Breaker::default();
    let trip = Trip::Told(Class::QuotaExhausted);
    breaker.end(Grant::default(), Answer::Tripped { trip, firm: at(100) }, at(0));
    breaker.resume(at(10));
    assert_eq!(reason(&breaker, at(11)), Some(WaitReason::BreakerOpen(trip)));
    breaker.forgive(at(12));
    assert_eq!(breaker.verdict(at(12)), Verdict::Ready);
}
