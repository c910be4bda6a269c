//! Courses driven by hand, and by random faults.

use super::*;
use crate::catalog::Vendor;
use crate::failure::{Connect, Fault, Phase, classify};
use http::HeaderMap;
use jiff::Timestamp;
use proptest::prelude::*;

const DEADLINE: Uptime = Duration::from_secs(300);

fn at(milliseconds: u64) -> Uptime {
    Duration::from_millis(milliseconds)
}

fn judged(fault: &Fault<'_>) -> Failure {
    classify(Vendor::Openai, fault, Timestamp::UNIX_EPOCH)
}

fn answered(status: u16) -> Failure {
    judged(&Fault::Response {
        status,
        headers: &HeaderMap::new(),
        body: b"",
    })
}

fn refused() -> Failure {
    judged(&Fault::Connect(Connect::Refused))
}

fn candidates(contexts: &[Option<u64>]) -> Vec<Candidate> {
    let number = contexts.iter().enumerate();
    number
        .map(|(n, context)| Candidate {
            model: ModelId(n),
            provider: ProviderId(n),
            context: *context,
        })
        .collect()
}

fn limits(attempts: u8) -> Limits {
    Limits {
        attempts,
        deadline: DEADLINE,
        round_filters: false,
    }
}

fn course(count: usize) -> Step {
    begin(candidates(&vec![Some(1000); count]), limits(3), 7, at(0))
}

fn turn(step: Step) -> Turn {
    match step {
        Step::Try(turn) => turn,
        other => panic!("expected a turn, not {other:?}"),
    }
}

fn ending(step: Step) -> Ending {
    match step {
        Step::Tell(ending) => ending,
        other => panic!("expected an ending, not {other:?}"),
    }
}

fn fail(step: Step, failure: Failure) -> Step {
    turn(step).sent().failed(failure, false, true, at(10))
}

fn class(ending: Ending) -> Class {
    match ending {
        Ending::Failed(failed) => failed.failure.class,
        other => panic!("expected a failure, not {other:?}"),
    }
}

#[test]
fn a_failure_moves_on_and_a_success_ends() {
    let step = fail(course(2), answered(500));
    let second = turn(step);
    assert_eq!((second.candidate(), second.number(), second.is_repeat()), (1, 2, false));
    assert_eq!(second.sent().succeeded(), Ending::Answered);
}

#[test]
fn nothing_moves_after_the_first_content() {
    let cut = judged(&Fault::Truncated);
    let step = turn(course(3)).sent().failed(cut, true, true, at(10));
    assert_eq!(class(ending(step)), Class::TruncatedStream);
}

#[test]
fn a_cut_before_any_content_moves_on() {
    assert_eq!(turn(fail(course(2), judged(&Fault::Truncated))).candidate(), 1);
}

#[test]
fn a_bad_request_and_a_safety_refusal_are_told() {
    assert_eq!(class(ending(fail(course(3), answered(400)))), Class::BadRequest);
    let filtered = judged(&Fault::StreamError {
        data: br#"{"error":{"code":"content_filter"}}"#,
        committed: false,
    });
    assert_eq!(class(ending(fail(course(3), filtered.clone()))), Class::ContentFiltered);
    let open = Limits {
        round_filters: true,
        ..limits(3)
    };
    let step = begin(candidates(&[None, None]), open, 7, at(0));
    assert_eq!(turn(fail(step, filtered)).candidate(), 1);
}

#[test]
fn a_context_overflow_goes_only_where_there_is_more_room() {
    let overflow = judged(&Fault::StreamError {
        data: br#"{"error":{"code":"context_length_exceeded"}}"#,
        committed: false,
    });
    let sizes = [Some(1000), Some(1000), None, Some(500), Some(2000)];
    let step = begin(candidates(&sizes), limits(3), 7, at(0));
    let step = fail(step, overflow.clone());
    let Step::Try(turn) = step else {
        panic!("the largest takes it")
    };
    assert_eq!(turn.candidate(), 4);
    assert_eq!(
        class(ending(turn.sent().failed(overflow, false, true, at(20)))),
        Class::ContextTooLong
    );
}

#[test]
fn a_refusal_is_no_attempt() {
    let step = turn(course(4)).refused(NotTaken::Money, at(0));
    let step = turn(step).refused(NotTaken::Resting { until: at(9) }, at(0));
    let third = turn(step);
    assert_eq!((third.candidate(), third.number()), (2, 1));
    let step = third.refused(NotTaken::Money, at(0));
    let step = turn(step).refused(NotTaken::Barred, at(0));
    let Ending::NothingLeft(why) = ending(step) else {
        panic!("nothing was sent")
    };
    let expected = [
        NotTaken::Money,
        NotTaken::Resting { until: at(9) },
        NotTaken::Money,
        NotTaken::Barred,
    ];
    assert_eq!(why, expected.into_iter().enumerate().collect::<Vec<_>>());
}

#[test]
fn a_refused_connection_is_tried_once_more_where_that_takes_no_attempt_from_others() {
    let again = turn(fail(course(2), refused()));
    assert_eq!((again.candidate(), again.is_repeat()), (0, true));
    let other = turn(again.sent().failed(refused(), false, true, at(11)));
    assert_eq!(other.candidate(), 1);
    assert_eq!(
        turn(fail(course(3), refused())).candidate(),
        1,
        "three candidates need all three attempts"
    );
    let unrepeated = turn(course(2)).sent().failed(refused(), false, false, at(10));
    assert_eq!(turn(unrepeated).candidate(), 1, "the retry budget is spent");
}

#[test]
fn a_dead_kept_connection_is_repeated_on_a_fresh_one_and_that_was_the_further_attempt() {
    let dead = judged(&Fault::Lost {
        reused: true,
        response_started: false,
    });
    let again = turn(fail(course(1), dead.clone()));
    assert!(again.fresh_connection());
    assert_eq!(
        class(ending(again.sent().failed(dead.clone(), false, true, at(20)))),
        Class::ConnectionLost
    );
    assert_eq!(
        turn(fail(course(2), dead)).candidate(),
        1,
        "the one further attempt belongs to the other candidate"
    );
}

#[test]
fn an_unknown_bill_allows_one_further_attempt() {
    let silent = judged(&Fault::Timeout {
        phase: Phase::FirstToken,
        stream: false,
    });
    let step = fail(fail(course(3), silent), answered(500));
    assert_eq!(class(ending(step)), Class::UpstreamError);
}

#[test]
fn the_same_candidate_is_asked_again_only_when_no_other_is_left() {
    let step = fail(fail(course(2), answered(500)), answered(500));
    let Step::Wait(pause) = step else { panic!("a backoff") };
    assert!(pause.until() > at(10) && pause.until() <= at(10) + LONGEST_WAIT);
    let last = turn(pause.over(at(2_000)));
    assert_eq!((last.number(), last.is_repeat()), (3, true));
    assert_eq!(
        class(ending(last.sent().failed(answered(500), false, true, at(2_001)))),
        Class::UpstreamError
    );
}

#[test]
fn a_repeat_does_not_wait_past_ten_seconds_nor_into_the_last_second() {
    let mut far = answered(429);
    far.hint = Some(Duration::from_secs(60));
    assert_eq!(class(ending(fail(course(1), far))), Class::RateLimited);
    let close = Limits {
        deadline: at(1_400),
        ..limits(3)
    };
    let step = begin(candidates(&[None]), close, 7, at(0));
    assert_eq!(class(ending(fail(step, answered(500)))), Class::UpstreamError);
}

#[test]
fn the_deadline_ends_it() {
    let step = turn(course(3)).sent().failed(answered(500), false, true, DEADLINE);
    assert_eq!(class(ending(step)), Class::UpstreamError);
    assert_eq!(
        ending(turn(course(3)).refused(NotTaken::Money, DEADLINE)),
        Ending::NothingLeft(vec![(0, NotTaken::Money)])
    );
}

#[test]
fn an_empty_answer_has_one_fallback_and_a_second_one_is_delivered() {
    let empty = judged(&Fault::Empty { stream: false });
    assert_eq!(
        ending(fail(fail(course(3), empty.clone()), empty.clone())),
        Ending::AnsweredEmpty
    );
    assert_eq!(class(ending(fail(course(1), empty))), Class::EmptyCompletion);
}

#[test]
fn a_cold_server_is_waited_for_only_when_there_is_nobody_else() {
    let step = turn(course(2)).refused(NotTaken::Cold, at(0));
    let step = fail(step, answered(401));
    let Step::Warm(warming) = step else {
        panic!("the cold one is what is left")
    };
    assert_eq!(warming.candidate(), 0);
    let late = turn(warming.ready(DEADLINE * 3, DEADLINE * 2));
    assert_eq!((late.candidate(), late.is_repeat()), (0, false));
    let step = turn(course(1)).refused(NotTaken::Cold, at(0));
    let Step::Warm(warming) = step else {
        panic!("nobody else")
    };
    let why = vec![(0, NotTaken::Cold), (0, NotTaken::NotReady)];
    assert_eq!(ending(warming.not_ready(at(1))), Ending::NothingLeft(why));
}

#[test]
fn a_server_that_is_cold_again_after_the_wait_is_not_waited_for_twice() {
    let Step::Warm(warming) = turn(course(1)).refused(NotTaken::Cold, at(0)) else {
        panic!("nobody else")
    };
    let step = turn(warming.ready(DEADLINE, at(1))).refused(NotTaken::Cold, at(1));
    assert!(matches!(ending(step), Ending::NothingLeft(why) if why.len() == 2));
}

#[test]
fn repeats_leave_the_last_attempt_to_a_cold_server() {
    let step = turn(course(2)).refused(NotTaken::Cold, at(0));
    let Step::Wait(pause) = fail(step, answered(500)) else {
        panic!("two attempts left, one cold server")
    };
    let step = turn(pause.over(at(3_000)))
        .sent()
        .failed(answered(500), false, true, at(3_000));
    assert!(matches!(step, Step::Warm(_)));
}

fn any_failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        prop::sample::select(vec![400u16, 401, 402, 404, 413, 429, 500, 503]).prop_map(answered),
        Just(refused()),
        any::<bool>().prop_map(|reused| judged(&Fault::Lost {
            reused,
            response_started: false
        })),
        Just(judged(&Fault::Timeout {
            phase: Phase::FirstToken,
            stream: true
        })),
        Just(judged(&Fault::Truncated)),
        any::<bool>().prop_map(|stream| judged(&Fault::Empty { stream })),
    ]
}

#[derive(Clone, Debug)]
enum Event {
    Refuse(NotTaken),
    Fail(Box<Failure>, bool, bool),
    Succeed,
}

fn any_event() -> impl Strategy<Value = Event> {
    let refusal = prop::sample::select(vec![NotTaken::Money, NotTaken::Cold, NotTaken::Barred]);
    prop_oneof![
        1 => refusal.prop_map(Event::Refuse),
        6 => (any_failure(), prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(failure, committed, may_repeat)| Event::Fail(Box::new(failure), committed, may_repeat)),
        1 => Just(Event::Succeed),
    ]
}

proptest! {
    #[test]
    fn every_course_ends_within_its_bounds(
        sizes in prop::collection::vec(prop::option::of(1u64..4), 0..6),
        attempts in 1u8..=3,
        seed in any::<u64>(),
        events in prop::collection::vec((any_event(), 0u64..40_000), 40),
    ) {
        let (mut now, mut begun, mut ended, mut sent, mut holds) = (at(0), 0u8, 0u8, Vec::new(), None);
        let mut step = begin(candidates(&sizes), limits(attempts), seed, now);
        let mut events = events.into_iter();
        let ending = loop {
            step = match step {
                Step::Tell(ending) => break ending,
                Step::Wait(pause) => {
                    prop_assert!(pause.until() > now && pause.until() <= now + LONGEST_WAIT);
                    prop_assert!(pause.until() + LAST_MOMENT <= DEADLINE);
                    now = pause.until();
                    pause.over(now)
                }
                Step::Warm(warming) => warming.ready(DEADLINE, now),
                Step::Try(turn) => {
                    prop_assert!(now < DEADLINE);
                    prop_assert!(!turn.is_repeat() || sent.contains(&turn.candidate()));
                    let Some((event, pause)) = events.next() else { panic!("it does not end") };
                    match event {
                        Event::Refuse(why) => turn.refused(why, now),
                        Event::Fail(failure, committed, may_repeat) => {
                            sent.push(turn.candidate());
                            prop_assert_eq!(turn.number(), begun + 1);
                            begun += 1;
                            let attempt = turn.sent();
                            now += at(pause);
                            ended += 1;
                            if failure.billing == Billing::Hold {
                                holds.get_or_insert(begun);
                            }
                            let told = committed || failure.fallback == Fallback::No;
                            let step = attempt.failed(*failure, committed, may_repeat, now);
                            prop_assert!(!told || matches!(step, Step::Tell(_)));
                            step
                        }
                        Event::Succeed => {
                            begun += 1;
                            ended += 1;
                            Step::Tell(turn.sent().succeeded())
                        }
                    }
                }
            };
        };
        prop_assert_eq!(begun, ended);
        prop_assert!(begun <= attempts);
        prop_assert!(holds.is_none_or(|first| begun <= first + 1));
        prop_assert!(begun > 0 || matches!(ending, Ending::NothingLeft(_)));
    }
}

#[test]
fn a_course_that_failed_goes_on_with_who_is_found_since_within_its_own_bounds() {
    let failed = |step: Step| match ending(step) {
        Ending::Failed(failed) => failed,
        other => panic!("expected a failure, not {other:?}"),
    };
    let first = failed(turn(course(1)).sent().failed(answered(500), false, false, at(10)));
    assert!(first.may_go_on(at(10)) && !first.may_go_on(DEADLINE));
    let second = turn(first.go_on(candidates(&[Some(1000)]), at(10)));
    assert_eq!(second.number(), 2, "attempts are counted on");
    let third = failed(second.sent().failed(answered(502), false, false, at(20))).go_on(candidates(&[None]), at(20));
    let told = failed(turn(third).sent().failed(answered(503), false, false, at(30)));
    assert!(!told.may_go_on(at(30)), "three attempts and no more");
    for closed in [answered(400), judged(&Fault::Truncated)] {
        let committed = closed.class == Class::TruncatedStream;
        let step = turn(course(1)).sent().failed(closed, committed, false, at(10));
        assert!(!failed(step).may_go_on(at(10)));
    }
    let first = failed(turn(course(1)).sent().failed(answered(500), false, false, at(10)));
    let refused = turn(first.go_on(candidates(&[None]), at(10))).refused(NotTaken::Money, at(10));
    assert_eq!(
        class(ending(refused)),
        Class::UpstreamError,
        "the failure is what the client is told"
    );
}
