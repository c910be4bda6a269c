//! The keys of a policy's test file.

use crate::policy::read::words::Kind::{Anything, Duration, Either, Fields, Percentage};
use crate::policy::read::words::Kind::{In, List, Map, Money, NameIn, Pattern, Size, Text, Truth, Whole, Word};
use crate::policy::read::words::{Kind, PRICE, REQUIRED, Section, key};

const MOMENT: Kind = Pattern(
    "a time: `2027-01-15`, `2027-01-15T10:00` in the policy's zone, or RFC 3339",
    ".*",
);
const KEYS: &[&str] = &["up", "cooling", "missing", "limited"];
pub(super) const STAYS: &[&str] = &["kept", "moves", "leaves", "tool_loop", "reasoning", "none"];
const REACHED: &[&str] = &["requests", "tokens", "in_flight"];
/// The used share, or signals by their names.
const SIGNALS: Kind = Either(&[Text, Fields(&Text)]);
const SWITCH: Kind = Either(&[Truth, Word(&["on", "off"])]);
const HEALTH: Kind = Either(&[Word(STATES), Fields(&Text)]);
const STATES: &[&str] = &["up", "down", "cold", "cooling", "no_credential"];

#[rustfmt::skip]
pub(in crate::policy) static SUITE: Section = Section {
    what: "a test file",
    keys: &[
        key("policy", Text, "the policy beside it", "quickstart.yaml", "which policy it tests: a file or folder, relative to the test file"),
        key("given", In(&GIVEN), "", "{budgets: {month: 85%}}", "the state before every test"),
        key("request", Either(&[Text, In(&REQUEST)]), "", "chat", "what every test asks, as far as it does not say otherwise"),
        key("expect", In(&EXPECT), "", "{degraded: false}", "what every test expects besides its own"),
        key("tests", List(&In(&TEST)), REQUIRED, "[{request: chat, expect: {model: qwen-max}}]", "the tests"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static TEST: Section = Section {
    what: "a test",
    keys: &[
        key("name", Text, "its number", "licensed first", "what it promises"),
        key("given", In(&GIVEN), "", "{providers: {qwen: down}}", "the state, laid over what the file gives"),
        key("request", Either(&[Text, In(&REQUEST)]), "", "{model: chat, input: 20k}", "what is asked, laid over the file's"),
        key("expect", In(&EXPECT), "", "{model: deepseek}", "what must come of it"),
        key("cases", List(&In(&ROW)), "", "[{request: {tools: true}, expect: {model: qwen-max}}]", "a table: each row is laid over the test and is a test of its own"),
        key("steps", List(&In(&STEP)), "", "[{after: 10m, expect: {plans: []}}]", "several requests over time; what is given stays until a step says otherwise"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static ROW: Section = Section {
    what: "a case",
    keys: &[
        key("name", Text, "its number", "with tools", "what it promises"),
        key("given", In(&GIVEN), "", "{budgets: {month: 99%}}", "laid over the test's"),
        key("request", Either(&[Text, In(&REQUEST)]), "", "{tools: true}", "laid over the test's"),
        key("expect", In(&EXPECT), "", "{model: qwen-max}", "laid over the test's"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static STEP: Section = Section {
    what: "a step",
    keys: &[
        key("name", Text, "its number", "Qwen is back", "what it promises"),
        key("after", Duration, "0s", "10m", "the time that passes before it, under what was given until then"),
        key("given", In(&GIVEN), "", "{providers: {qwen: up}}", "laid over the step before"),
        key("request", Either(&[Text, In(&REQUEST)]), "", "{model: chat}", "laid over the test's"),
        key("expect", In(&EXPECT), "", "{plans: [outage]}", "what must come of it"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static GIVEN: Section = Section {
    what: "`given`",
    keys: &[
        key("time", MOMENT, "noon of 1 December 2026", "2027-01-15T10:00", "when it is"),
        key("budgets", Map(&SIGNALS), "", "{month: 85%, teams: {left: 2 USD, forecast: 130%}}", "by name: the used share, or a map of signals and `left`"),
        key("providers", Map(&HEALTH), "", "{qwen: down, rival: {error_rate: 20%}}", "by name: `up`, `down`, `cold`, `cooling`, `no_credential`, or a map of signals and `state`"),
        key("models", Map(&HEALTH), "", "{qwen-max: cooling}", "by name: as providers"),
        key("licenses", Map(&Fields(&Anything)), "", "{enterprise: {days_left: 10}}", "by name: signals, or other dates and limits than the policy has"),
        key("prices", Map(&Either(&[Percentage, In(&PRICE), List(&In(&PRICE))])), "", "{qwen-max: {input: 4 USD/M, output: 12 USD/M}}", "by model: another price, in the policy's own words, or a percentage of the present one"),
        key("plans", Map(&SWITCH), "", "{austerity: true}", "by name: activated or released by hand"),
        key("conversation", In(&CONVERSATION), "", "{model: qwen-max, cached: 90%}", "what the request goes on with, where its route keeps conversations"),
        key("speeds", Map(&In(&SPEED)), "", "{qwen-max: {first_token: 400ms, per_second: 60}}", "by model: how fast it answered lately"),
        key("answers", Map(&Size), "", "{qwen-max: 300}", "by model: output tokens that its answers lately had"),
        key("meters", Map(&In(&METERS)), "", "{qwen-max: {ladder: 80M}}", "by model: where the counters of its price stand in their period"),
        key("limits", In(&USED_UP), "", "{clients: {search: requests}}", "limits of the policy that are used up"),
        key("keys", Map(&Map(&Word(KEYS))), "", "{qwen: {second: cooling}}", "by provider and key: `up`, `cooling`, `missing`, `limited`"),
        key("attempted", List(&NameIn("models")), "", "[qwen-max]", "models that the request was sent to already, in vain"),
        key("signals", Fields(&Text), "", "{'budget(\"month\").used': 85%}", "any signal, as a condition writes it"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static REQUEST: Section = Section {
    what: "`request`",
    keys: &[
        key("model", Text, "required, here or in what it is laid over", "chat", "what the application writes in `model`; `planb/NAME` asks for one model"),
        key("client", NameIn("clients"), "", "search", "who asks; brings its own tags"),
        key("tags", Map(&Text), "", "{team: search}", "of the request"),
        key("use", Word(&["commercial", "internal", "research"]), "", "research", "what the answer is for"),
        key("territory", Text, "", "EU", "where it is used"),
        key("headers", Map(&Text), "", "{x-env: canary}", "as the application sends them"),
        key("dialect", Text, "chat", "chat", "how it is asked"),
        key("input", Size, "1k", "20k", "input tokens"),
        key("output", Size, "", "2k", "the application's own bound on the answer (`max_tokens`)"),
        key("choices", Whole(1, 128), "1", "2", "how many answers (`n`)"),
        key("thinking", Either(&[SWITCH, Size]), "", "true", "switched on or off, or with a budget of tokens"),
        key("tools", SWITCH, "false", "true", "it has tools"),
        key("images", SWITCH, "false", "true", "it has images"),
        key("audio", SWITCH, "false", "true", "it sends or wants sound"),
        key("json_schema", SWITCH, "false", "true", "it asks for a JSON schema"),
        key("stream", SWITCH, "false", "true", "the answer is streamed"),
        key("min_quality", Whole(0, 100), "", "70", "`x-planb-min-quality`"),
        key("max_cost", Money, "", "0.05 USD", "`x-planb-max-cost`"),
        key("fields", Fields(&Anything), "", "{logprobs: true}", "other fields of its body, by name"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static EXPECT: Section = Section {
    what: "`expect`",
    keys: &[
        key("model", NameIn("models"), "", "deepseek", "the model that is asked first; `none` where the request is refused"),
        key("order", List(&NameIn("models")), "", "[deepseek, tiny]", "all candidates, in their order"),
        key("plans", List(&NameIn("plans")), "", "[austerity]", "the plans in force, no others"),
        key("reasons", Map(&Text), "", "{qwen-max: plan}", "by model: why it is no candidate (a reason's word), or `candidate`"),
        key("route", NameIn("routes"), "", "chat", "the route that takes the request"),
        key("refused", Either(&[SWITCH, Whole(400, 599)]), "", "402", "whether it is refused, or with which status"),
        key("message", Text, "", "come back tomorrow", "what a refusal's message contains"),
        key("cost_at_most", Money, "", "0.02 USD", "of the first model, at worst"),
        key("cost_at_least", Money, "", "0.001 USD", "of the first model, at worst"),
        key("degraded", SWITCH, "", "true", "a plan made it another answer than the route's first choice"),
        key("output_cap", Either(&[Size, Text]), "", "4k", "the bound that planb sends of its own accord; `none` for none"),
        key("dropped", List(&Text), "", "[logprobs]", "fields that do not go to the first model"),
        key("keys", List(&Text), "", "[first, second]", "keys with which the first model may be asked now"),
        key("conversation", Word(STAYS), "", "kept", "what becomes of the conversation; `none` where there is none to keep"),
        key("headers", Map(&Text), "", "{x-planb-plan: austerity}", "of the answer; `none` for one that is not there"),
        key("snapshot", SWITCH, "false", "true", "the whole explanation stays as `--update` wrote it beside the file"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static CONVERSATION: Section = Section {
    what: "`conversation`",
    keys: &[
        key("model", NameIn("models"), REQUIRED, "qwen-max", "which answered last"),
        key("cached", Either(&[Percentage, Text]), "100%", "90%", "the share of the prompt that its cache has; `expired` for none any more"),
        key("lock", Word(&["tools", "reasoning"]), "", "tools", "why only that model can go on: the request answers its tool call, or carries its reasoning"),
        key("from", NameIn("models"), "", "deepseek", "where the conversation was before"),
        key("replanned", SWITCH, "false", "true", "other plans are active than when it answered"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static SPEED: Section = Section {
    what: "a speed",
    keys: &[
        key("first_token", Duration, "0s", "400ms", "until the first token"),
        key("per_second", Whole(1, 1_000_000), "at once", "60", "tokens after it"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static METERS: Section = Section {
    what: "`meters`",
    keys: &[
        key("ladder", Text, "", "80M", "tokens, or money where the ladder counts that"),
        key("free", Size, "", "900k", "tokens of the free quota that are used"),
        key("commit", Text, "", "300 USD", "of the commitment, in the price's own currency"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(super) static USED_UP: Section = Section {
    what: "`limits`",
    keys: &[
        key("clients", Map(&Word(REACHED)), "", "{search: requests}", "by client: which of its limits"),
        key("routes", Map(&Word(REACHED)), "", "{chat: in_flight}", "by route"),
        key("providers", Map(&Word(REACHED)), "", "{qwen: tokens}", "by provider"),
        key("models", Map(&Word(REACHED)), "", "{qwen-max: requests}", "by model"),
    ],
    later: &[],
};
