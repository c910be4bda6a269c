//! The live signals of `when`, `until` and `warm_when`.

use super::Environment::State;
use super::Type::{Bool, Number, Text};
use super::{Live, Signature, Source, Subject, Type};

const fn live(live: Live, subject: Subject, kind: Type, words: [&'static str; 3]) -> Signature {
    Signature::new(State, subject, Source::Live(live), kind, words)
}

const fn budget(of: Live, field: &'static str, kind: Type, words: [&'static str; 3]) -> Signature {
    live(of, Subject::Budget, kind, words).field(field)
}

const fn provider(of: Live, field: &'static str, kind: Type, words: [&'static str; 3]) -> Signature {
    live(of, Subject::Provider, kind, words).field(field)
}

const fn model(of: Live, field: &'static str, words: [&'static str; 3]) -> Signature {
    live(of, Subject::Model, Number, words).field(field)
}

const fn license(of: Live, field: &'static str, words: [&'static str; 3]) -> Signature {
    live(of, Subject::License, Number, words).field(field)
}

pub(super) const STATE: [Signature; 19] = [
    budget(
        Live::BudgetUsed,
        "used",
        Number,
        [
            "share of the limit",
            "budget(\"month\").used > 0.8",
            "What is posted and held, over the limit; of a budget with `each`, its fullest key. Under a hard budget it never reaches 1.",
        ],
    ),
    budget(
        Live::BudgetRemaining,
        "remaining",
        Number,
        [
            "money in the policy's currency",
            "budget(\"month\").remaining < 50",
            "The limit less what is posted, held and reserved, never below 0; of a budget with `each`, of the key that has least.",
        ],
    ),
    budget(
        Live::BudgetForecast,
        "forecast",
        Number,
        [
            "share of the limit",
            "budget(\"month\").forecast > 1.05",
            "What the whole period would cost at its pace so far if no plan were active: each request counts as what its first choice without plans would have cost. Silent until 2 % of the period have passed or 100 requests have come; of a budget with `each`, of its dearest key.",
        ],
    ),
    budget(
        Live::BudgetBurn,
        "burn",
        Number,
        [
            "money an hour, in the policy's currency",
            "budget(\"month\").burn > 25",
            "What was posted and held in the last 60 minutes; of a budget with `each`, of the key that spends fastest.",
        ],
    ),
    budget(
        Live::BudgetExhausted,
        "exhausted",
        Bool,
        [
            "true or false",
            "budget(\"month\").exhausted",
            "Less is left than a usual request may cost. Stays so to the period's end, or until the limit is raised.",
        ],
    ),
    provider(
        Live::ProviderUp,
        "up",
        Bool,
        [
            "true or false",
            "!provider(\"qwen\").up",
            "The provider answers: it has its key, and no breaker of it is open.",
        ],
    ),
    provider(
        Live::ProviderCooling,
        "cooling",
        Bool,
        [
            "true or false",
            "provider(\"qwen\").cooling",
            "The provider asked for a pause (a rate limit, an overload) that is not over.",
        ],
    ),
    provider(
        Live::ProviderErrorRate,
        "error_rate",
        Number,
        [
            "share of attempts, 0 to 1",
            "provider(\"qwen\").error_rate > 0.2",
            "Attempts of the last 5 minutes that the provider failed, over all that it ended; a request's own fault is none of the provider's. Known from 10 attempts on. A provider that is kept from traffic is judged by its free listing.",
        ],
    ),
    provider(
        Live::ProviderFirstToken,
        "first_token_p95",
        Number,
        [
            "seconds",
            "provider(\"qwen\").first_token_p95 > 8",
            "The time to a stream's first content that 95 of 100 streams of the last 10 minutes kept. Known from 20 streams on.",
        ],
    ),
    provider(
        Live::ProviderQuotaLeft,
        "quota_left",
        Number,
        [
            "share of the quota, 0 to 1",
            "provider(\"qwen\").quota_left < 0.1",
            "The scarcest of the quotas that the provider's last answer told in its headers (requests, tokens, five-hour and weekly windows); of several keys, of the one with most left.",
        ],
    ),
    provider(
        Live::ProviderBalance,
        "balance",
        Number,
        [
            "money in the policy's currency",
            "provider(\"deepseek\").balance < 20",
            "Prepaid money that is left, where the vendor tells it: asked every 10 minutes.",
        ],
    ),
    model(
        Live::ModelUnitCost,
        "unit_cost",
        [
            "money per million tokens, in the policy's currency",
            "model(\"big\").unit_cost > 5",
            "What a million tokens cost now in the recent mix (input, cached input, output) of the routes that list the model, not in its own traffic; three tokens in for one out before any request.",
        ],
    ),
    model(
        Live::ModelPriceChange,
        "price_change",
        [
            "ratio",
            "model(\"big\").price_change > 1.2",
            "`unit_cost` over what the same mix cost 30 days ago, under the policy that was in force then; 1 where nothing changed.",
        ],
    ),
    license(
        Live::LicenseDaysLeft,
        "days_left",
        [
            "days",
            "license(\"qwen\").days_left < 14",
            "Whole days until the licence expires: 0 on its last day, negative after it.",
        ],
    ),
    license(
        Live::LicenseSeats,
        "seats",
        [
            "share of the seats",
            "license(\"qwen\").seats > 0.9",
            "Declared seats over those that the licence allows.",
        ],
    ),
    license(
        Live::LicenseUsers,
        "users",
        [
            "share of the users",
            "license(\"qwen\").users > 0.9",
            "Users over those that the licence allows: the declared ones, or those counted this month (of UTC) if they are more.",
        ],
    ),
    live(
        Live::Hour,
        Subject::Hour,
        Number,
        [
            "0 to 23",
            "hour >= 22 || hour < 6",
            "The hour of the day in the policy's time zone.",
        ],
    ),
    live(
        Live::Weekday,
        Subject::Weekday,
        Text,
        [
            "`mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`",
            "weekday in [\"sat\", \"sun\"]",
            "The day of the week in the policy's time zone.",
        ],
    ),
    live(
        Live::Date,
        Subject::Date,
        Text,
        [
            "a date",
            "date >= \"2026-12-24\"",
            "Today in the policy's time zone; dates compare by the calendar.",
        ],
    ),
];
