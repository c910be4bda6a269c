//! The nearest right word to a wrong one, if any is near enough to be meant.

use std::collections::HashSet;

/// Below this likeness a suggestion puzzles more than it helps.
const LIKENESS: f64 = 0.82;

/// The candidate nearest to `word`: by edits (transpositions count as one), then by a common beginning. Ties go to the
/// one that comes first.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Comparing is quadratic, and nobody mistypes a page.
    if word.len() > 64 {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    let mut best: Option<(bool, usize, f64, &str)> = None;
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let edits = strsim::damerau_levenshtein(&word, &lower);
        let likeness = strsim::jaro_winkler(&word, &lower);
        let close = edits <= allowed;
        if !close && likeness < LIKENESS {
            continue;
        }
        let better = best.is_none_or(|(best_close, best_edits, best_likeness, _)| {
            (close, std::cmp::Reverse(edits)) > (best_close, std::cmp::Reverse(best_edits))
                || (close, edits) == (best_close, best_edits) && likeness > best_likeness
        });
        if better {
            best = Some((close, edits, likeness, candidate));
        }
    }
    best.map(|(_, _, _, candidate)| candidate)
}

/// `did you mean …?`, or the whole list where it is short, or nothing.
pub(super) fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut candidates: Vec<&str> = candidates.into_iter().collect();
    let mut known = HashSet::new();
    candidates.retain(|candidate| known.insert(*candidate));
    if let Some(candidate) = nearest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    (1..=12).contains(&candidates.len()).then(|| {
        let list: Vec<String> = candidates.iter().map(|word| format!("`{word}`")).collect();
        format!("known here: {}", list.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_slips_find_the_word_that_was_meant() {
        let words = ["providers", "models", "routes", "budgets", "plans"];
        for (wrong, right) in [
            ("modles", "models"),
            ("route", "routes"),
            ("Budget", "budgets"),
            ("plan", "plans"),
        ] {
            assert_eq!(nearest(wrong, words), Some(right));
        }
        assert_eq!(nearest("lokal", ["licensed", "competitor", "local"]), Some("local"));
    }

    #[test]
    fn what_is_far_from_everything_gets_no_suggestion() {
        assert_eq!(nearest("xyzzy", ["providers", "models"]), None);
        assert_eq!(nearest("", ["providers"]), None);
        assert_eq!(nearest(&"a".repeat(100_000), ["providers"]), None);
    }
}
