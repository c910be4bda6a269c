//! A decision into its table: the caller's side in columns, the explanation as it can be told again.

use super::needs::write_needs;
use super::record::DecisionRecord;
use super::text::{count, names, tags, time};
use super::write::Write;
use crate::decide::explain::Explanation;
use rusqlite::params;
use serde_json::{Value, json};
use std::sync::Arc;

impl Write<'_> {
    pub(super) fn decision(&mut self, d: &DecisionRecord) -> rusqlite::Result<()> {
        let plans: Vec<Arc<str>> = d
            .grounds
            .iter()
            .flat_map(|grounds| &grounds.plans)
            .map(|plan| plan.name.clone())
            .collect();
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO decisions (id, at, route, dialect, stream, plans, chosen, excluded, client, tags, purpose,
             input, cost, currency, outcome, status, policy, territory, first_choice, first_cost, needs, retry_of, explanation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)
             ON CONFLICT (id) DO NOTHING",
        )?;
        let rows = statement.execute(params![
            d.id,
            time(d.at),
            d.route,
            d.dialect,
            d.stream,
            names(&plans),
            d.chosen,
            excluded(d).to_string(),
            d.caller.client,
            tags(&d.caller.tags),
            d.caller.purpose,
            count(d.input),
            d.cost.nanos(),
            d.currency.code(),
            d.outcome,
            d.status,
            d.policy_hash,
            d.caller.territory,
            d.first_choice.as_deref().unwrap_or_default(),
            d.first_cost.nanos(),
            write_needs(&d.needs),
            d.retry_of,
            explanation(d),
        ])?;
        if rows == 0 { Ok(()) } else { self.count_decision(d) }
    }
}

fn excluded(d: &DecisionRecord) -> Value {
    let decided = d.grounds.iter().flat_map(|grounds| grounds.exclusions());
    let decided = decided.map(|(model, reason, detail)| json!({"model": model, "reason": reason, "detail": detail}));
    let passed = d.passed.iter();
    let passed = passed.map(|one| json!({"model": one.model, "reason": one.reason, "detail": one.detail}));
    decided.chain(passed).collect()
}

fn explanation(d: &DecisionRecord) -> String {
    let Some(grounds) = &d.grounds else {
        return String::new();
    };
    let mut explanation = Explanation::new(grounds, &d.route, &d.needs, d.at);
    for one in &d.passed {
        explanation.passed(&one.model, one.reason, &one.detail);
    }
    explanation.kept()
}
