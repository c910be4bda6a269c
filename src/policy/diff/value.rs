//! One value's change as the end of a sentence: how far a number moved, what joined or left a list.

use crate::money::Money;

/// `is 9 USD/M, was 6 USD/M (+50 %)`.
pub(super) fn sentence(field: &str, was: Option<&str>, is: Option<&str>) -> String {
    let quote = |text: &str| {
        if is_condition(field) {
            format!("'{text}'")
        } else {
            text.to_owned()
        }
    };
    match (was, is) {
        (Some(was), Some(is)) => {
            let note = moved(was, is)
                .or_else(|| members(was, is))
                .map_or_else(String::new, |note| format!(" ({note})"));
            format!("is {}, was {}{note}", quote(is), quote(was))
        }
        (None, Some(is)) => format!("is {}, and was not given", quote(is)),
        (Some(was), None) => format!("is not given any more, and was {}", quote(was)),
        (None, None) => "is the same".to_owned(),
    }
}

fn is_condition(field: &str) -> bool {
    matches!(
        field,
        "when" | "until" | "only" | "avoid" | "covers" | "start.warm_when"
    )
}

/// The change in per cent where both are numbers of one unit.
fn moved(was: &str, is: &str) -> Option<String> {
    let ((old, old_unit), (new, new_unit)) = (number(was)?, number(is)?);
    if old_unit != new_unit || old.nanos() <= 0 {
        return None;
    }
    let tenths = i128::from(new.minus(old).nanos()) * 1_000 / i128::from(old.nanos());
    let sign = if tenths < 0 { "-" } else { "+" };
    let (whole, tenth) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    let share = if tenth == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{tenth}")
    };
    Some(format!("{sign}{share} %"))
}

fn number(text: &str) -> Option<(Money, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !".,_".contains(c))
        .unwrap_or(text.len());
    Some((Money::parse(text.get(..end)?)?, text.get(end..)?.trim()))
}

/// Who joined and who left a list, or that only its order is another.
fn members(was: &str, is: &str) -> Option<String> {
    let list = |text: &str| -> Option<Vec<String>> {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(
            inner
                .split(", ")
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    };
    let (old, new) = (list(was)?, list(is)?);
    let joined = new
        .iter()
        .filter(|item| !old.contains(item))
        .map(|item| format!("+ {item}"));
    let left = old
        .iter()
        .filter(|item| !new.contains(item))
        .map(|item| format!("- {item}"));
    let notes: Vec<String> = joined.chain(left).collect();
    Some(if notes.is_empty() {
        "another order".to_owned()
    } else {
        notes.join(", ")
    })
}
