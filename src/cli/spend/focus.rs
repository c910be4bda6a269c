//! Spend as the FinOps cost export: FOCUS 1.2, its mandatory columns, those that say what was used, and planb's own as
//! `x_` columns. One line for each charge and each correction.
//!
//! planb knows what an operator pays a provider, not who bills it: `BillingAccountId`, `InvoiceIssuerName`,
//! `ProviderName` and `PublisherName` are the policy's name of the provider. Billing periods are months of UTC.

use crate::cli::csv as comma;
use crate::ledger::charges::Charge;
use crate::money::Money;
use crate::period::Period;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// In alphabetical order, as the specification lists them, planb's own last.
const COLUMNS: [&str; 39] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "Tags",
    "x_Attempts",
    "x_CachedInputTokens",
    "x_Client",
    "x_HeldCost",
    "x_InputTokens",
    "x_OutputTokens",
    "x_Route",
    "x_Supply",
];

pub fn csv(charges: &[Charge]) -> String {
    let mut text = comma::line(COLUMNS.iter().map(|name| (*name).to_owned()));
    for charge in charges {
        let Some(periods) = Periods::of(&charge.period) else {
            continue;
        };
        if charge.attempts > 0 || charge.posted != Money::ZERO || charge.held != Money::ZERO {
            text.push_str(&line(charge, &periods, false));
        }
        if charge.adjusted != Money::ZERO {
            text.push_str(&line(charge, &periods, true));
        }
    }
    text
}

/// `corrects`: the line of what a ladder re-rated, which has money and no quantity.
fn line(charge: &Charge, periods: &Periods, corrects: bool) -> String {
    let cost = if corrects { charge.adjusted } else { charge.posted };
    // What a commitment had paid for was billed when it was bought.
    let billed = if corrects { cost } else { cost.minus(charge.prepaid) };
    let tokens = charge.input.saturating_add(charge.output).to_string();
    let (quantity, unit) = if corrects {
        (String::new(), "")
    } else {
        (tokens, "Tokens")
    };
    let what = if corrects {
        "Volume price correction"
    } else {
        "Inference"
    };
    let held = if corrects { Money::ZERO } else { charge.held };
    let count = |number: i64| if corrects { String::new() } else { number.to_string() };
    let words = |text: &str| text.to_owned();
    let cells: [String; COLUMNS.len()] = [
        billed.to_string(),
        words(&charge.provider),
        words(&charge.provider),
        words("Provider"),
        words(&charge.currency),
        periods.billed.1.clone(),
        periods.billed.0.clone(),
        words(if corrects { "Adjustment" } else { "Usage" }),
        String::new(),
        format!("{what} with {} at {}", charge.model, charge.provider),
        words("Usage-Based"),
        periods.charged.1.clone(),
        periods.charged.0.clone(),
        quantity.clone(),
        words(unit),
        cost.to_string(),
        cost.to_string(),
        words(&charge.provider),
        cost.to_string(),
        words(if corrects { "" } else { "Standard" }),
        quantity,
        words(unit),
        words(&charge.provider),
        words(&charge.provider),
        words(&charge.model),
        words(&charge.model),
        words("Model"),
        words("AI and Machine Learning"),
        words("Model inference"),
        words("Generative AI"),
        words(&charge.tags),
        count(charge.attempts),
        count(charge.cached),
        words(&charge.client),
        held.to_string(),
        count(charge.input),
        count(charge.output),
        words(&charge.route),
        words(&charge.supply),
    ];
    comma::line(cells.into_iter())
}

/// Beginning and exclusive end, as the specification writes times.
struct Periods {
    charged: (String, String),
    billed: (String, String),
}

impl Periods {
    /// Of `2026-11-23`, or of `2026-11-23T10`.
    fn of(period: &str) -> Option<Self> {
        let hourly = period.len() > 10;
        let rest = if hourly { ":00:00Z" } else { "T00:00:00Z" };
        let start: Timestamp = format!("{period}{rest}").parse().ok()?;
        let end = start
            .checked_add(SignedDuration::from_hours(if hourly { 1 } else { 24 }))
            .ok()?;
        let month = Period::Month.span(start, &TimeZone::UTC);
        let both = |start: Timestamp, end: Timestamp| (start.to_string(), end.to_string());
        Some(Self {
            charged: both(start, end),
            billed: both(month.start, month.end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// FOCUS 1.2, columns of the feature level `Mandatory`.
    const MANDATORY: [&str; 21] = [
        "BilledCost",
        "BillingAccountId",
        "BillingAccountName",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargeClass",
        "ChargeDescription",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ContractedCost",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
        "PricingQuantity",
        "PricingUnit",
        "ProviderName",
        "PublisherName",
        "ServiceCategory",
        "ServiceName",
    ];

    fn charge() -> Charge {
        let money = |text| Money::parse(text).unwrap();
        Charge {
            period: "2026-11-23".into(),
            model: "qwen-max".into(),
            provider: "modelstudio".into(),
            supply: "licensed".into(),
            route: "chat".into(),
            client: "search".into(),
            tags: "{\"team\":\"search\"}".into(),
            currency: "USD".into(),
            attempts: 3,
            input: 1_000,
            cached: 100,
            output: 200,
            posted: money("1.5"),
            held: money("0.25"),
            adjusted: money("-0.5"),
            prepaid: money("0.5"),
        }
    }

    fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
        let plain = text.replace("\"{\"\"team\"\":\"\"search\"\"}\"", "{}");
        let mut lines = plain.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let row = |line: &str| {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            assert_eq!(cells.len(), names.len());
            names.iter().map(|name| (*name).to_owned()).zip(cells).collect()
        };
        lines.map(row).collect()
    }

    #[test]
    fn every_mandatory_column_is_there_and_what_may_not_be_null_is_filled() {
        let text = csv(&[charge()]);
        for row in rows(&text) {
            for column in MANDATORY {
                let cell = row.get(column).unwrap_or_else(|| panic!("{column} is not there"));
                let nullable = column == "ChargeClass" || column.starts_with("Pricing");
                assert!(nullable || !cell.is_empty(), "{column} is null");
            }
        }
    }

    #[test]
    fn a_usage_and_its_correction_are_lines_of_their_own() {
        let text = csv(&[charge()]);
        let rows = rows(&text);
        let of = |at: usize, column: &str| rows[at][column].clone();
        assert_eq!(rows.len(), 2);
        assert_eq!(of(0, "ChargeCategory"), "Usage");
        assert_eq!(of(0, "BilledCost"), "1", "a commitment had paid for the rest");
        assert_eq!(of(0, "EffectiveCost"), "1.5");
        assert_eq!(
            (of(0, "PricingQuantity"), of(0, "PricingUnit")),
            ("1200".to_owned(), "Tokens".to_owned())
        );
        assert_eq!(of(0, "ChargePeriodStart"), "2026-11-23T00:00:00Z");
        assert_eq!(of(0, "ChargePeriodEnd"), "2026-11-24T00:00:00Z");
        assert_eq!(of(0, "BillingPeriodEnd"), "2026-12-01T00:00:00Z");
        assert_eq!(
            (of(1, "ChargeCategory"), of(1, "BilledCost")),
            ("Adjustment".to_owned(), "-0.5".to_owned())
        );
        assert_eq!(of(1, "x_HeldCost"), "0");
    }

    #[test]
    fn an_hour_is_a_charge_period_too() {
        let hour = Charge {
            period: "2026-11-30T23".into(),
            ..charge()
        };
        let text = csv(&[hour]);
        assert_eq!(rows(&text)[0]["ChargePeriodEnd"], "2026-12-01T00:00:00Z");
        assert_eq!(rows(&text)[0]["BillingPeriodStart"], "2026-11-01T00:00:00Z");
    }
}
