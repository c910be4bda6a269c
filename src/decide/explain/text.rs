//! The one text of an explanation: a line for the request, one for each plan and each model, and what ends it.

use super::{Explanation, ModelLine, Place};
use crate::money::Money;
use std::fmt;
use std::fmt::Write as _;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.asked.output_bound {
            Some(bound) => format!("{bound} out at most"),
            None => "no bound on the answer".to_owned(),
        };
        let words: String = self.asked.words.iter().fold(String::new(), |mut text, word| {
            let _ = write!(text, ", {word}");
            text
        });
        writeln!(
            f,
            "route {} ({}): {} tokens in, {bound}{words}",
            self.route, self.pick, self.asked.input
        )?;
        for plan in &self.plans {
            let colon = if plan.why.is_empty() { "" } else { ": " };
            writeln!(f, "plan {}{colon}{}", plan.name, plan.why)?;
        }
        if let Some(conversation) = &self.conversation {
            writeln!(
                f,
                "conversation of {}: {}",
                conversation.model,
                stays(&conversation.stay)
            )?;
        }
        self.table(f)?;
        if let Some(mirror) = &self.mirror {
            writeln!(f, "{mirror}")?;
        }
        if let Some(refused) = &self.refused {
            writeln!(f, "refused: {refused}")?;
        }
        if !self.catalogue.is_empty() {
            let listed: Vec<String> = self.catalogue.iter().map(ToString::to_string).collect();
            writeln!(f, "from the built-in catalogue: {}", listed.join("; "))?;
        }
        Ok(())
    }
}

impl Explanation {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self.models.iter().map(|line| self.row(line)).collect();
        let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (model, supply, quality, cost) = (wide(0), wide(1), wide(2), wide(3));
        for (line, row) in self.models.iter().zip(&rows) {
            let mark = match line.place {
                Place::Candidate(place) | Place::Passed { place, .. } => place.to_string(),
                Place::Excluded { .. } => "-".to_owned(),
            };
            let [name, kind, good, money, rest] = row;
            writeln!(
                f,
                "{mark:>3}  {name:model$}  {kind:supply$}  {good:quality$}  {money:cost$}  {rest}"
            )?;
        }
        if self.models.is_empty() {
            writeln!(f, "  no model")?;
        }
        Ok(())
    }

    fn row(&self, line: &ModelLine) -> [String; 5] {
        let quality = line
            .quality
            .map_or_else(|| "no quality".to_owned(), |quality| format!("quality {quality}"));
        let cost = match line.cost {
            None => "no price".to_owned(),
            Some(Money::ZERO) => "free".to_owned(),
            Some(cost) => format!("up to {cost} {}", self.currency),
        };
        [line.model.clone(), line.supply.to_string(), quality, cost, rest(line)]
    }
}

fn rest(line: &ModelLine) -> String {
    let place = match &line.place {
        Place::Excluded { code, detail } => return format!("{code}: {detail}"),
        Place::Passed { code, detail, .. } => return format!("passed over, {code}: {detail}"),
        Place::Candidate(place) => *place,
    };
    let mut rest = if place == 1 { "chosen" } else { "next" }.to_owned();
    if line.output < u64::MAX {
        let _ = write!(rest, ", {} tokens out", line.output);
    }
    if line.cap.is_some() {
        rest.push_str(" (planb's own bound)");
    }
    if line.cold {
        rest.push_str(", cold");
    }
    if let Some(thinking) = &line.thinking {
        let _ = write!(rest, ", thinking {thinking}");
    }
    if !line.dropped.is_empty() {
        let _ = write!(rest, ", without {}", line.dropped.join(", "));
    }
    rest
}

fn stays(word: &str) -> &str {
    match word {
        "kept" => "it stays there",
        "moves" => "it moves, another is better",
        "leaves" => "it leaves, its model is excluded",
        "tool_loop" => "it stays there, the request answers a tool call of that model",
        "reasoning" => "it stays there, the request carries reasoning that only that model can read",
        other => other,
    }
}
