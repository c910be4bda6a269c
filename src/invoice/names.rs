//! What a vendor calls a model on its invoice and what a policy calls it there are rarely the same: `gpt-5-mini-2025-08-07`
//! is `gpt-5-mini`, and `Claude Haiku 4.5` is `claude-haiku-4-5-20251001`.

use std::collections::BTreeSet;

/// The names that the provider's models have in the ledger and in the policy.
#[derive(Clone, Debug, Default)]
pub struct Names {
    known: BTreeSet<String>,
}

impl Names {
    pub fn new(known: impl Iterator<Item = String>) -> Self {
        Self { known: known.collect() }
    }

    pub fn knows(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    /// The known name that this one stands for: the same, else the only one that is the same but for case, spaces, dots
    /// and a date at the end. Itself where there is none, or several.
    pub fn resolve(&self, name: &str) -> String {
        if self.known.contains(name) {
            return name.to_owned();
        }
        let wanted = plain(name);
        let mut same = self.known.iter().filter(|known| plain(known) == wanted);
        match (same.next(), same.next()) {
            (Some(one), None) => one.clone(),
            _ => name.to_owned(),
        }
    }
}

fn plain(name: &str) -> String {
    let name: String = name
        .to_lowercase()
        .chars()
        .map(|character| {
            if matches!(character, ' ' | '.' | '_' | ':' | '@') {
                '-'
            } else {
                character
            }
        })
        .collect();
    let without = |length: usize, date: fn(&str) -> bool| {
        let at = name.len().checked_sub(length)?;
        let (rest, end) = (name.get(..at)?, name.get(at..)?);
        date(end).then(|| rest.to_owned())
    };
    without(9, |end| {
        end.starts_with('-') && end.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    })
    .or_else(|| {
        without(11, |end| {
            let parts: Vec<&str> = end.split('-').collect();
            let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            lengths == [0, 4, 2, 2] && end.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
        })
    })
    .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_the_one_that_is_meant() {
        let names = |known: &[&str]| Names::new(known.iter().map(|name| (*name).to_owned()));
        let one = names(&["gpt-5-mini", "claude-haiku-4-5-20251001", "qwen3.8-max"]);
        for (told, meant) in [
            ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
            ("Claude Haiku 4.5", "claude-haiku-4-5-20251001"),
            ("qwen3.8-max", "qwen3.8-max"),
            ("gpt-5", "gpt-5"),
            ("", ""),
        ] {
            assert_eq!(one.resolve(told), meant, "{told}");
        }
        let two = names(&["gpt-4o-2024-05-13", "gpt-4o"]);
        assert_eq!(two.resolve("gpt-4o-2024-05-13"), "gpt-4o-2024-05-13");
        assert_eq!(
            two.resolve("gpt-4o-2024-08-06"),
            "gpt-4o-2024-08-06",
            "two could be meant"
        );
    }
}
