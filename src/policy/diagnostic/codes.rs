//! Every code that a diagnostic can have, and what it means: for the reference, for SARIF's rules and for whoever
//! greps a log. A code that is not here fails the tests.

/// Code, meaning; in the order of the alphabet.
#[rustfmt::skip]
pub const CODES: &[(&str, &str)] = &[
    ("always-holds", "a plan whose condition holds whatever its signals say"),
    ("bad-name", "a name with characters that names cannot have"),
    ("bad-url", "not written as an address is"),
    ("bad-value", "not written as that kind of value is"),
    ("both-keys", "`key` (or `api_key`) and `keys` together"),
    ("cost-cap", "a cost cap under which no model of the route gives even a short answer"),
    ("cut-off", "a condition that a comment cuts off"),
    ("duplicate-key", "a key is given twice in one map; both places are shown"),
    ("duplicate-name", "a name is defined twice; both places are shown"),
    ("duty", "what a licence asks of people and nobody said is done"),
    ("egress", "an address that may not be called"),
    ("empty-policy", "no provider, no model and no route"),
    ("ends-soon", "a licence or a model that ends within a period of the budgets that cover it"),
    ("exposed", "the policy would open a daemon to the network without clients"),
    ("literal-credential", "a secret itself, where the policy should say where it is"),
    ("lost-successor", "a line of successors that leads in a circle, or to a model that has retired by then"),
    ("mirror-budget", "`covers` on a budget that pays for a mirror's shadow calls"),
    ("missing-key", "something required is not there"),
    ("missing-rate", "an amount in a currency whose worth in the policy's is not said"),
    ("missing-value", "a key with nothing behind it"),
    ("mixed-currencies", "a second currency in one price"),
    ("mixed-spaces", "a route whose models make vectors that do not compare"),
    ("never-holds", "a comparison or a condition that can never hold"),
    ("never-matches", "a comparison with a text that the value never is"),
    ("no-effect", "something that changes nothing"),
    ("no-fallback", "a hard budget that ends a route when it is spent"),
    ("no-format", "`planb fmt` cannot lay the file out without changing what it means"),
    ("no-plan-b", "all models of a route fail or end together"),
    ("no-quality", "a route needs a quality, and a candidate has none"),
    ("not-here", "it has no meaning for this vendor, or in this place"),
    ("not-licensed", "terms that refuse every request, or every one that does not say what it is for or where"),
    ("not-yet", "planb knows it, and this version does not do it"),
    ("nothing-left", "a combination that leaves a route without a model"),
    ("retired", "a model or a name of it that has ended"),
    ("same-key", "two clients with the same key"),
    ("shadowed", "an earlier route takes every request of this one"),
    ("stale-price", "a price that nobody has looked at for 90 days"),
    ("syntax", "a condition that cannot be read at that place"),
    ("too-large", "larger, deeper or longer than a policy may be"),
    ("type", "a condition that puts values of different kinds together"),
    ("unknown-function", "conditions have no such function"),
    ("unknown-key", "this map has no such key"),
    ("unknown-name", "nothing in the policy is called that"),
    ("unknown-signal", "conditions have no such value"),
    ("unknown-timezone", "no time zone is called that"),
    ("unknown-word", "not one of the words that may stand there"),
    ("unpriced", "a hosted model without a price under a hard budget"),
    ("unquoted", "a condition without quotes, which YAML may cut"),
    ("unreadable", "a file cannot be read"),
    ("untouched", "a budget that no request touches"),
    ("wrong-environment", "a condition reads what only the other kind of condition can read"),
    ("wrong-shape", "a map, a list or a single value where another of them belongs"),
    ("yaml", "not YAML, or not the part of it that a policy uses"),
];

/// What a code means; `None` for no code.
pub fn meaning(code: &str) -> Option<&'static str> {
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, meaning)| *meaning)
}
