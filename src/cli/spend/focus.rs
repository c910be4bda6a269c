//! Spend as the FinOps cost export: FOCUS 1.2, its mandatory columns, those that say what was used, and planb's own as
//! `x_` columns. One line for each charge, each correction, what a commitment paid of a charge, and each day's part of a fee.
//!
//! planb knows what an operator pays a provider, not who bills it: `BillingAccountId`, `InvoiceIssuerName`,
//! `ProviderName` and `PublisherName` are the policy's name of the provider. Billing periods are months of UTC.

use crate::cli::csv as comma;
use crate::ledger::charges::{Charge, FeeRow};
use crate::money::Money;
use crate::period::Period;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

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

/// The tag that tells shadow traffic apart.
const MIRROR: &str = "planb.mirror";

pub fn csv(charges: &[Charge], fees: &[FeeRow]) -> String {
    let mut text = comma::line(COLUMNS.iter().map(|name| (*name).to_owned()));
    for charge in charges {
        let Some(periods) = Periods::of(&charge.period) else {
            continue;
        };
        let tokens = charge.input.saturating_add(charge.output);
        if tokens > 0 || charge.posted != Money::ZERO || charge.held != Money::ZERO {
            text.push_str(&line(charge, &periods, Part::Usage));
        }
        if charge.adjusted != Money::ZERO {
            text.push_str(&line(charge, &periods, Part::Correction));
        }
        if charge.prepaid != Money::ZERO {
            text.push_str(&line(charge, &periods, Part::Prepaid));
        }
    }
    for fee in fees {
        if let Some(periods) = Periods::of(&fee.day) {
            text.push_str(&line(&charge_of(fee), &periods, Part::Fee));
        }
    }
    text
}

/// A fee is of no caller. Who is paid for a licence alone has no provider: its name stands for it.
fn charge_of(fee: &FeeRow) -> Charge {
    Charge {
        period: fee.day.clone(),
        model: fee.name.clone(),
        provider: if fee.provider.is_empty() {
            fee.name.clone()
        } else {
            fee.provider.clone()
        },
        supply: fee.supply.clone(),
        currency: fee.currency.clone(),
        posted: fee.amount,
        ..Charge::default()
    }
}

/// What of a charge a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Usage,
    /// What a ladder re-rated, or an invoice told: money and no quantity.
    Correction,
    /// What a commitment paid of it: billed as a purchase, and in the usage's own effective cost already.
    Prepaid,
    /// A day's part of what is paid anyway.
    Fee,
}

impl Part {
    const fn category(self) -> &'static str {
        match self {
            Self::Usage => "Usage",
            Self::Correction => "Adjustment",
            Self::Prepaid | Self::Fee => "Purchase",
        }
    }

    const fn frequency(self) -> &'static str {
        match self {
            Self::Usage | Self::Correction => "Usage-Based",
            Self::Prepaid | Self::Fee => "Recurring",
        }
    }

    /// What is billed with it, and what it costs effectively.
    fn costs(self, charge: &Charge) -> (Money, Money) {
        match self {
            Self::Usage => (charge.posted.minus(charge.prepaid), charge.posted),
            Self::Correction => (charge.adjusted, charge.adjusted),
            Self::Prepaid => (charge.prepaid, Money::ZERO),
            Self::Fee => (charge.posted, charge.posted),
        }
    }

    fn description(self, charge: &Charge) -> String {
        match self {
            Self::Usage => format!("Inference with {} at {}", charge.model, charge.provider),
            Self::Correction => format!("Correction of inference with {} at {}", charge.model, charge.provider),
            Self::Prepaid => format!("Commitment used by {} at {}", charge.model, charge.provider),
            Self::Fee => format!("Fee for {}", charge.model),
        }
    }

    /// Of what is priced and consumed; a correction has neither, and a purchase is of days.
    fn quantity(self, charge: &Charge) -> (String, &'static str) {
        match self {
            Self::Usage => (charge.input.saturating_add(charge.output).to_string(), "Tokens"),
            Self::Correction => (String::new(), ""),
            Self::Prepaid | Self::Fee => ("1".to_owned(), "Days"),
        }
    }
}

fn line(charge: &Charge, periods: &Periods, part: Part) -> String {
    let (billed, effective) = part.costs(charge);
    let (quantity, unit) = part.quantity(charge);
    let used = part == Part::Usage;
    let only_used = |text: String| if used { text } else { String::new() };
    let cost = if part == Part::Prepaid { billed } else { effective };
    let words = |text: &str| text.to_owned();
    let is_fee = part == Part::Fee;
    let of_model = |text: &str| if is_fee { String::new() } else { text.to_owned() };
    let tags = tags(charge);
    let cells: [String; COLUMNS.len()] = [
        billed.to_string(),
        words(&charge.provider),
        words(&charge.provider),
        words("Provider"),
        words(&charge.currency),
        periods.billed.1.clone(),
        periods.billed.0.clone(),
        words(part.category()),
        String::new(),
        part.description(charge),
        words(part.frequency()),
        periods.charged.1.clone(),
        periods.charged.0.clone(),
        only_used(quantity.clone()),
        only_used(words(unit)),
        cost.to_string(),
        effective.to_string(),
        words(&charge.provider),
        cost.to_string(),
        words(if part == Part::Correction { "" } else { "Standard" }),
        quantity,
        words(unit),
        words(&charge.provider),
        words(&charge.provider),
        of_model(&charge.model),
        of_model(&charge.model),
        of_model("Model"),
        words("AI and Machine Learning"),
        words("Model inference"),
        words("Generative AI"),
        tags,
        only_used(charge.attempts.to_string()),
        only_used(charge.cached.to_string()),
        words(&charge.client),
        only_used(charge.held.to_string()),
        only_used(charge.input.to_string()),
        only_used(charge.output.to_string()),
        words(&charge.route),
        words(&charge.supply),
    ];
    comma::line(cells.into_iter())
}

/// The request's own, and of a copy for a mirror the budget that paid for it.
fn tags(charge: &Charge) -> String {
    if charge.mirror.is_empty() {
        return if charge.tags == "{}" {
            String::new()
        } else {
            charge.tags.clone()
        };
    }
    let mut tags: Map<String, Value> = serde_json::from_str(&charge.tags).unwrap_or_default();
    tags.insert(MIRROR.to_owned(), charge.mirror.as_str().into());
    Value::Object(tags).to_string()
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
            mirror: String::new(),
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
        let text = csv(&[charge()], &[]);
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
        let text = csv(&[charge()], &[]);
        let rows = rows(&text);
        let of = |at: usize, column: &str| rows[at][column].clone();
        assert_eq!(rows.len(), 3);
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
        assert_eq!(
            (of(1, "x_HeldCost"), of(1, "PricingUnit")),
            (String::new(), String::new())
        );
    }

    #[test]
    fn everything_paid_is_billed_once_and_everything_incurred_costs_once() {
        let fee = FeeRow {
            day: "2026-11-23".into(),
            name: "licence deal".into(),
            provider: String::new(),
            supply: String::new(),
            currency: "USD".into(),
            amount: Money::parse("3").unwrap(),
        };
        let text = csv(&[charge()], &[fee]);
        let rows = rows(&text);
        let sum = |column: &str| -> Money { rows.iter().map(|row| Money::parse(&row[column]).unwrap()).sum() };
        assert_eq!(
            sum("BilledCost").to_string(),
            "4",
            "1 used, 0.5 of a commitment, -0.5 corrected, 3 of a fee"
        );
        assert_eq!(
            sum("EffectiveCost").to_string(),
            "4",
            "1.5 used, -0.5 corrected, 3 of a fee"
        );
        let kinds: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["ChargeCategory"].as_str(),
                    row["ChargeFrequency"].as_str(),
                    row["PricingUnit"].as_str(),
                )
            })
            .collect();
        assert_eq!(
            kinds,
            [
                ("Usage", "Usage-Based", "Tokens"),
                ("Adjustment", "Usage-Based", ""),
                ("Purchase", "Recurring", "Days"),
                ("Purchase", "Recurring", "Days"),
            ]
        );
        let fee = &rows[3];
        assert_eq!(
            (fee["InvoiceIssuerName"].as_str(), fee["ResourceId"].as_str()),
            ("licence deal", "")
        );
        assert_eq!(fee["ConsumedQuantity"], "", "a purchase consumes nothing");
    }

    #[test]
    fn a_charge_of_nothing_is_no_line_and_columns_are_in_order() {
        let nothing = Charge {
            period: "2026-11-23".into(),
            attempts: 2,
            ..Charge::default()
        };
        assert_eq!(csv(&[nothing], &[]).lines().count(), 1);
        let own = COLUMNS.iter().position(|name| name.starts_with("x_")).unwrap();
        assert!(COLUMNS[..own].is_sorted() && COLUMNS[own..].is_sorted());
        assert!(COLUMNS[own..].iter().all(|name| name.starts_with("x_")));
    }

    #[test]
    fn a_copy_for_a_mirror_has_the_budget_that_paid_for_it_among_its_tags() {
        let copy = Charge {
            mirror: "shadow".into(),
            ..charge()
        };
        assert_eq!(tags(&copy), r#"{"planb.mirror":"shadow","team":"search"}"#);
        assert_eq!(tags(&charge()), charge().tags);
    }

    #[test]
    fn an_hour_is_a_charge_period_too() {
        let hour = Charge {
            period: "2026-11-30T23".into(),
            ..charge()
        };
        let text = csv(&[hour], &[]);
        assert_eq!(rows(&text)[0]["ChargePeriodEnd"], "2026-12-01T00:00:00Z");
        assert_eq!(rows(&text)[0]["BillingPeriodStart"], "2026-11-01T00:00:00Z");
    }
}
