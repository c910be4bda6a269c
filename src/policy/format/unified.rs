//! The difference of two texts, in the form that every review tool reads.

use std::fmt::Write;

const CONTEXT: usize = 3;
/// Beyond it, what differs is shown as one piece: comparing is quadratic.
const CELLS: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Add,
}

/// Empty where the texts are equal.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let edits = edits(&old, &new);
    let mut text = format!("--- {name}\n+++ {name}\n");
    let mut at = 0;
    while let Some(first) = edits.iter().skip(at).position(|(edit, _)| *edit != Edit::Keep) {
        let start = (at + first).saturating_sub(CONTEXT).max(at);
        let mut end = at + first;
        // A hunk goes on as long as the next change is near.
        while let Some(next) = edits
            .iter()
            .skip(end)
            .take(2 * CONTEXT + 1)
            .position(|(edit, _)| *edit != Edit::Keep)
        {
            end += next + 1;
        }
        let end = (end + CONTEXT).min(edits.len());
        hunk(&mut text, &edits, start, end);
        at = end;
    }
    text
}

fn hunk(text: &mut String, edits: &[(Edit, &str)], start: usize, end: usize) {
    let count = |edits: &[(Edit, &str)], not: Edit| edits.iter().filter(|(edit, _)| *edit != not).count();
    let (before, shown) = (&edits[..start], &edits[start..end]);
    let _ = writeln!(
        text,
        "@@ -{},{} +{},{} @@",
        count(before, Edit::Add) + 1,
        count(shown, Edit::Add),
        count(before, Edit::Remove) + 1,
        count(shown, Edit::Remove)
    );
    for (edit, line) in shown {
        let sign = match edit {
            Edit::Keep => ' ',
            Edit::Remove => '-',
            Edit::Add => '+',
        };
        let _ = writeln!(text, "{sign}{line}");
    }
}

fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Edit, &'a str)> {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (head, old) = old.split_at(same);
    let new = &new[same..];
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, tail) = old.split_at(old.len() - end);
    let new = &new[..new.len() - end];
    let mut edits: Vec<_> = head.iter().map(|line| (Edit::Keep, *line)).collect();
    if (old.len() + 1) * (new.len() + 1) > CELLS {
        edits.extend(old.iter().map(|line| (Edit::Remove, *line)));
        edits.extend(new.iter().map(|line| (Edit::Add, *line)));
    } else {
        longest_common(old, new, &mut edits);
    }
    edits.extend(tail.iter().map(|line| (Edit::Keep, *line)));
    edits
}

fn longest_common<'a>(old: &[&'a str], new: &[&'a str], edits: &mut Vec<(Edit, &'a str)>) {
    let width = new.len() + 1;
    let mut kept = vec![0_u32; (old.len() + 1) * width];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            kept[i * width + j] = if a == b {
                kept[(i + 1) * width + j + 1] + 1
            } else {
                kept[(i + 1) * width + j].max(kept[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let down = i < old.len() && (j == new.len() || kept[(i + 1) * width + j] >= kept[i * width + j + 1]);
        if i < old.len() && j < new.len() && old[i] == new[j] {
            edits.push((Edit::Keep, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if down {
            edits.push((Edit::Remove, old[i]));
            i += 1;
        } else {
            edits.push((Edit::Add, new[j]));
            j += 1;
        }
    }
}
