//! A bounded run of the fuzz targets on a stable compiler: the policies of this repository, sound and wrong, cut, joined
//! and sprinkled by a seed that a failure names.

use super::*;
use std::path::Path;

/// What breaks readers of YAML and of conditions.
const SPRINKLES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    ": ",
    ":",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "#",
    " #",
    "&a ",
    "*a",
    "<<: *a",
    "|\n",
    ">-\n",
    "? ",
    "!!str ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\u{feff}",
    "\r\n",
    "\u{0}",
    "é",
    "😀",
    "99999999999999999999",
    "-1",
    "0x1f",
    "~",
    "\\u0041",
    "''",
    "\"\"",
    "&&",
    "||",
    "((((",
    "budget(\"month\").used > 0.8",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }

    /// A place between two characters.
    fn cut(&mut self, text: &str) -> usize {
        let mut at = self.roll(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["policies", "tests/policies/wrong", "src/policy/tests"] {
        let mut paths: Vec<_> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect();
        paths.sort();
        texts.extend(paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()));
    }
    texts.retain(|text| text.len() < 8_000);
    texts
}

fn mutated(texts: &[String], dice: &mut Dice) -> String {
    let mut text = texts[dice.roll(texts.len())].clone();
    for _ in 0..=dice.roll(4) {
        let (one, other) = (dice.cut(&text), dice.cut(&text));
        let (start, end) = (one.min(other), one.max(other).min(one.min(other) + 200));
        let end = (start..=end)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(start);
        match dice.roll(5) {
            0 => text.replace_range(start..end, ""),
            1 => {
                let part = text[start..end].to_owned();
                text.insert_str(one, &part);
            }
            2 => {
                let from = &texts[dice.roll(texts.len())];
                let (a, b) = (dice.cut(from), dice.cut(from));
                text.insert_str(one, &from[a.min(b)..a.max(b)]);
            }
            _ => text.insert_str(one, SPRINKLES[dice.roll(SPRINKLES.len())]),
        }
    }
    text
}

fn run(rounds: u64, texts: &[String], promise: fn(&str) -> Result<(), String>) {
    for seed in 1..=rounds {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let text = mutated(texts, &mut dice);
        if let Err(why) = promise(&text) {
            panic!("seed {seed}: {why}\nof the text\n{text}");
        }
    }
}

#[test]
fn any_text_is_a_policy_or_refused_at_a_place_that_is_there() {
    run(4_000, &texts(), policy);
}

#[test]
fn any_layout_comes_to_rest_or_is_refused() {
    run(4_000, &texts(), layout);
}

#[test]
fn any_file_of_tests_is_read_or_refused_at_a_place_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut paths: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".test.yaml"))
        .collect();
    paths.sort();
    let texts: Vec<String> = paths
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    assert!(texts.len() > 5);
    run(600, &texts, cases);
}

/// What fuzzing found, by the way in.
#[test]
fn what_was_found_once_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    for (way, promise) in [
        ("policy", policy as fn(&str) -> Result<(), String>),
        ("layout", layout),
        ("condition", condition),
        ("cases", cases),
    ] {
        let Ok(found) = std::fs::read_dir(root.join(way)) else {
            continue;
        };
        for entry in found {
            let path = entry.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            promise(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        }
    }
}

#[test]
fn any_condition_compiles_or_has_a_fault_within_it() {
    let conditions: Vec<String> = texts()
        .iter()
        .flat_map(|text| text.split('\''))
        .filter(|part| part.contains("==") || part.contains('>') || part.contains("provider("))
        .map(str::to_owned)
        .collect();
    assert!(conditions.len() > 20);
    run(20_000, &conditions, condition);
}

/// What would take memory or time without bound, were it not refused.
#[test]
fn texts_that_explode_are_refused_before_they_do() {
    let bomb = |levels: usize| {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..levels {
            let last = std::format!("*a{}", level - 1);
            text.push_str(&std::format!(
                "a{level}: &a{level} [{}]\n",
                [last.as_str(); 10].join(", ")
            ));
        }
        text
    };
    let merges = "m: &m {a: 1}\n".to_owned() + &"n: {<<: [*m, *m, *m, *m]}\n".repeat(2_000);
    for text in [
        bomb(30),
        merges,
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        std::format!("a: {}", "9".repeat(300_000)),
        std::format!("a: '{}'", "(".repeat(300_000)),
        std::format!("plans: [{{when: '{}', name: a}}]", "!".repeat(300_000)),
        "a: b\n".repeat(30_000),
        "\u{0}".repeat(10_000),
        "\t\n".repeat(100_000),
        "&a ".repeat(100_000),
        "# \n".repeat(100_000),
    ] {
        policy(&text).unwrap();
        layout(&text).unwrap();
    }
}
