//! What a test can give of the moment, and what it can expect: each key has its effect, and a promise that does not hold fails.

use super::{REASONS, Verdict, play};
use crate::policy::cases::read;
use crate::policy::{SourceFile, Sources};
use std::path::PathBuf;

const POLICY: &str = "
providers:
  many: {vendor: openai, keys: [{name: first, key: env:A}, {name: second, key: env:B}], limits: {requests: 60/min}}
  picky: {vendor: mistral, api_key: env:M, on_unsupported: drop}
  home: {vendor: llama.cpp}
models:
  big: {provider: many, supply: licensed, quality: 90, context: 100k, max_output: 8k, limits: {in_flight: 4}, price: {input: 2 USD/M, cache_read: 0.2 USD/M, output: 6 USD/M}}
  stepped: {provider: picky, supply: competitor, quality: 80, context: 100k, max_output: 8k, price: {input: 3 USD/M, output: 6 USD/M, ladder: {per: month, kind: marginal, steps: [{above: 10M, input: 0.3 USD/M, output: 0.6 USD/M}]}}}
  own: {provider: home, supply: local, quality: 50, context: 32k, max_output: 4k}
clients: {search: {key: env:C, limits: {requests: 10/min}}}
routes:
  - {name: cheap, try: [big, stepped], pick: cheapest, limits: {in_flight: 9}}
  - {name: fast, try: [big, stepped, own], pick: fastest}
  - {name: chat, try: [big, stepped, own]}
";

fn failures(tests: &str) -> Vec<String> {
    let policy = Sources::single("p.yaml", PathBuf::new(), POLICY);
    let test = SourceFile {
        name: "p.test.yaml".to_owned(),
        text: tests.to_owned(),
    };
    let cases = read(&policy, &test, &REASONS).unwrap_or_else(|found| {
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", told.join("\n"))
    });
    let verdicts = cases.iter().flat_map(|case| {
        let verdicts = Verdict::of(case, &play(case)).into_iter();
        verdicts.flat_map(|verdict| {
            let name = case.name.clone();
            let told = move |failure: &super::Failure| format!("{name}: {failure:?}");
            verdict.failures.iter().map(told).collect::<Vec<_>>()
        })
    });
    verdicts.collect()
}

#[test]
fn each_thing_that_can_be_given_has_its_effect() {
    let tests = "
request: {model: chat, output: 1k}
tests:
  - {name: a price by itself, request: {model: cheap, input: 20k}, expect: {model: big, conversation: none}}
  - {name: a warm cache weighs, request: {model: cheap, input: 20k}, given: {conversation: {model: stepped, cached: 100%}}, expect: {conversation: moves, model: big}}
  - {name: it stays where it is cheap, request: {model: cheap, input: 20k}, given: {conversation: {model: big}}, expect: {conversation: kept, model: big}}
  - {name: a lock holds, request: {model: cheap}, given: {conversation: {model: stepped, lock: tools}}, expect: {conversation: tool_loop, model: stepped}}
  - {name: reasoning holds, request: {model: cheap}, given: {conversation: {model: stepped, lock: reasoning, cached: expired}}, expect: {conversation: reasoning, model: stepped}}
  - {name: out is out, request: {model: cheap}, given: {conversation: {model: stepped, lock: tools}, models: {stepped: down}}, expect: {conversation: leaves, model: big}}
  - name: the fastest
    request: {model: fast}
    given: {speeds: {big: {first_token: 4s, per_second: 50}, stepped: {first_token: 1s, per_second: 50}, own: {first_token: 1s, per_second: 20}}}
    expect: {order: [stepped, big, own]}
    cases:
      - {}
      - {given: {answers: {own: 1, stepped: 900}}, expect: {order: [own, big, stepped]}}
  - {name: far up the ladder, request: {model: cheap, input: 20k}, given: {meters: {stepped: {ladder: 50M}}}, expect: {model: stepped, cost_at_most: 0.01 USD}}
  - {name: a client at its limit, request: {client: search}, given: {limits: {clients: {search: requests}}}, expect: {refused: 429, model: none, route: chat, message: 'client `search`'}}
  - {name: a route at its limit, request: {model: cheap}, given: {limits: {routes: {cheap: in_flight}}}, expect: {refused: 429, message: limits.in_flight}}
  - {name: a provider at its limit, given: {limits: {providers: {many: requests}}}, expect: {model: stepped, reasons: {big: rate_limit}}}
  - {name: a model at its limit, given: {limits: {models: {big: in_flight}}}, expect: {model: stepped, reasons: {big: in_flight}}}
  - {name: all at their limits, request: planb/big, given: {limits: {providers: {many: requests}}}, expect: {refused: 429}}
  - {name: one key rests, given: {keys: {many: {first: cooling}}}, expect: {model: big, keys: [second]}}
  - {name: both do, given: {keys: {many: {first: cooling, second: missing}}}, expect: {model: stepped, reasons: {big: cooling}}}
  - {name: none is there, given: {keys: {many: {first: missing, second: missing}}}, expect: {reasons: {big: missing_credential}}}
  - {name: one is at its limit, given: {keys: {many: {first: limited, second: missing}}}, expect: {reasons: {big: rate_limit}}}
  - {name: all is well, expect: {model: big, keys: [first, second], dropped: []}}
  - {name: attempted, given: {attempted: [big]}, expect: {order: [stepped, own], reasons: {big: attempted}}}
  - {name: what a vendor refuses, request: {fields: {logprobs: true, seed: 7}}, given: {attempted: [big]}, expect: {model: stepped, dropped: [logprobs], headers: {x-planb-dropped: logprobs}}}
  - {name: what another takes, request: {fields: {logprobs: true}}, expect: {model: big, dropped: [], headers: {x-planb-dropped: none}}}
  - {name: nonsense, request: {fields: {stream: 5}}, expect: {refused: 400, message: stream}}
";
    assert_eq!(failures(tests), [""; 0]);
}

#[test]
fn a_promise_that_does_not_hold_fails() {
    let tests = "
request: {model: chat, output: 1k}
tests:
  - {name: dropped, expect: {dropped: [seed]}}
  - {name: keys, expect: {keys: [first]}}
  - {name: conversation, expect: {conversation: kept}}
";
    let failed = failures(tests);
    assert_eq!(failed.len(), 3, "{failed:#?}");
}

#[test]
fn what_the_policy_does_not_have_cannot_be_given() {
    for (given, part) in [
        ("limits: {models: {own: requests}}", "has no `limits.requests`"),
        ("limits: {clients: {serch: requests}}", "did you mean `search`?"),
        ("meters: {big: {ladder: 3M}}", "has no `ladder`"),
        ("keys: {many: {third: cooling}}", "third"),
        ("keys: {many: {first: coling}}", "did you mean `cooling`?"),
        ("conversation: {cached: 90%}", "needs `model`"),
        ("conversation: {model: big, cached: most}", "write `90%`"),
        ("conversation: {model: big, lock: tool}", "did you mean `tools`?"),
        ("speeds: {big: {per_second: 0}}", "tokens a second"),
        ("attempted: [bog]", "did you mean `big`?"),
    ] {
        let policy = Sources::single("p.yaml", PathBuf::new(), POLICY);
        let test = SourceFile {
            name: "p.test.yaml".to_owned(),
            text: format!("tests: [{{request: chat, given: {{{given}}}}}]"),
        };
        let found = read(&policy, &test, &REASONS).unwrap_err();
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|line| line.contains(part)),
            "{given}\n{}",
            told.join("\n")
        );
    }
}
