use super::*;
use proptest::prelude::*;

fn laid_out(text: &str) -> String {
    format("policy.yaml", text).unwrap_or_else(|found| panic!("{text}\n{}", found[0]))
}

/// Comes out as `wanted`, and stays so.
fn becomes(text: &str, wanted: &str) {
    assert_eq!(laid_out(text), wanted, "{text}");
    assert_eq!(laid_out(wanted), wanted, "a second time");
}

#[test]
fn indentation_spaces_and_blank_lines_are_one_way() {
    becomes(
        "\n\n\nmodels:\n    tiny:   { provider : home,supply: local ,tags: [ a,b ] }\n\n\n\n    big:\n       provider:  hub  \nroutes:\n- name: chat\n  try:\n  - big\n  -   tiny\n-\n  name: b",
        "models:\n  tiny: {provider: home, supply: local, tags: [a, b]}\n\n  big:\n    provider: hub\nroutes:\n  - name: chat\n    try:\n      - big\n      - tiny\n  -\n    name: b\n",
    );
}

#[test]
fn comments_stay_with_what_they_are_about() {
    becomes(
        "# head\na:   # of a\n     # within a\n     b: 1 # one\n     c: 22 # two\n     # end of a\n# about d\nd: 1\n  # a stray one\ne: 1\n#last",
        "# head\na:   # of a\n  # within a\n  b: 1    # one\n  c: 22    # two\n  # end of a\n# about d\nd: 1\n# a stray one\ne: 1\n#last\n",
    );
    becomes(
        "a: 1           # x\nbbb: 2         # y\n",
        "a: 1           # x\nbbb: 2         # y\n",
    );
}

#[test]
fn a_condition_that_a_comment_cuts_is_an_error_and_one_with_a_comment_behind_it_is_not() {
    for cut in [
        "plans:\n  - name: a\n    when: budget(\"m\").used > # 0.8\n",
        "plans:\n  - {name: a, when: '1 > 0',\n     avoid: model.name == #\"x\"\n  }\nroutes:\n  - name: b\n    try:\n      - model.supply == # local\n",
    ] {
        let found = format("policy.yaml", cut).expect_err(cut);
        assert!(found.iter().any(|one| one.code == "cut-off"), "{cut}: {found:?}");
    }
    becomes(
        "plans:\n  - when: hour > 8 # office\n",
        "plans:\n  - when: 'hour > 8'  # office\n",
    );
}

#[test]
fn conditions_come_into_single_quotes() {
    becomes(
        "plans:\n- name: a\n  when: budget(\"m\").used > 0.8 # soon\n  until: \"budget(\\\"m\\\").used < 0.5\"\n  only: \"tag.who == 'it''s'\"\n  avoid: |\n    model.name == \"x\"\nbudgets: {b: {covers: model.supply != \"local\", limit: \"1 USD\"}}\n",
        "plans:\n  - name: a\n    when: 'budget(\"m\").used > 0.8'  # soon\n    until: 'budget(\"m\").used < 0.5'\n    only: 'tag.who == ''it''''s'''\n    avoid: |\n      model.name == \"x\"\nbudgets: {b: {covers: 'model.supply != \"local\"', limit: \"1 USD\"}}\n",
    );
}

#[test]
fn maps_over_several_lines_hang_under_their_first_item() {
    becomes(
        "p: {a: 1,\n  b: [x,\n y], # c\n\n\n   c: 3}\nq: [\n a,\n   b\n ]\n",
        "p: {a: 1,\n    b: [x,\n        y],  # c\n\n    c: 3}\nq: [\n    a,\n    b\n  ]\n",
    );
}

#[test]
fn columns_that_were_made_on_purpose_stay() {
    becomes(
        "p:\n  modelstudio:  {a: 1,\n     b: 2}\n  deepseek:     {a: 1}\n  x:            {a: 2}\n  y:   3\n",
        "p:\n  modelstudio: {a: 1,\n                b: 2}\n  deepseek:    {a: 1}\n  x:           {a: 2}\n  y: 3\n",
    );
}

#[test]
fn scalars_over_several_lines_keep_what_they_say() {
    becomes(
        "a: |\n      one\n        two\n\n      three\n\n\nb: >-\n x\nc: 'x\n\n  y'\nd: plain\n      and more # c\ne:\n      f: |2\n          x\n\ng: |+\n  k\n\n\nh: 1\n",
        "a: |\n  one\n    two\n\n  three\n\nb: >-\n  x\nc: 'x\n\n  y'\nd: plain\n  and more     # c\ne:\n  f: |2\n      x\n\ng: |+\n  k\n\n\nh: 1\n",
    );
}

#[test]
fn anchors_aliases_and_markers_stay() {
    becomes(
        "---\na:  &x   {b: 1}\nc:   *x\nd: &y\n   e: 1\nf: [ *x , *y ]\ng:\n- &z k: 1\n  l: ~\n- *z\n",
        "---\na: &x {b: 1}\nc: *x\nd: &y\n  e: 1\nf: [*x, *y]\ng:\n  - &z k: 1\n    l: ~\n  - *z\n",
    );
}

#[test]
fn line_breaks_of_other_systems_and_a_mark_are_normalised() {
    becomes("\u{feff}a: 1\r\nb:\r\n    c: 2\r\n", "a: 1\nb:\n  c: 2\n");
    assert_eq!(laid_out(""), "");
    assert_eq!(laid_out("\n# only\n\n"), "# only\n");
}

#[test]
fn what_does_not_parse_is_refused_with_its_place() {
    for text in ["a: [1", "a: 1\na: 2\n", "- a", "a: {b: c", "a:\n\tb: 1\n"] {
        let found = format("policy.yaml", text).unwrap_err();
        assert!(found[0].is_error() && found[0].file == "policy.yaml", "{text:?}");
    }
}

#[test]
fn policies_that_come_with_planb_are_laid_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let laid_out = laid_out(&text);
            assert!(
                text == laid_out,
                "{}",
                unified(path.to_str().unwrap(), &text, &laid_out)
            );
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn a_difference_is_shown_with_its_surroundings() {
    let old: String = (0..30).map(|n| format!("line {n}\n")).collect();
    let new = old.replace("line 3\n", "line three\n").replace("line 20\n", "");
    let shown = unified("p.yaml", &old, &new);
    assert!(shown.starts_with(
        "--- p.yaml\n+++ p.yaml\n@@ -1,7 +1,7 @@\n line 0\n line 1\n line 2\n-line 3\n+line three\n line 4\n"
    ));
    assert!(
        shown.contains("@@ -18,7 +18,6 @@\n line 17\n line 18\n line 19\n-line 20\n line 21\n"),
        "{shown}"
    );
    assert_eq!(unified("p", &old, &old), "");
}

/// A value written in some layout, at some depth.
#[derive(Clone, Debug)]
enum Shape {
    Word(String),
    List(Vec<Shape>),
    Map(Vec<(String, Shape)>),
}

fn shapes() -> impl Strategy<Value = Shape> {
    let word = prop_oneof![
        "[a-z][a-z0-9 ]{0,8}[a-z]",
        "'[a-z #:,{}\\[\\]]{0,9}'",
        "\"[a-z #:,{}\\[\\]é]{0,9}\"",
        Just("~".to_owned()),
        Just("&x a".to_owned()),
    ];
    word.prop_map(Shape::Word).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Shape::List),
            prop::collection::vec(inner, 1..4).prop_map(|values| {
                let keys = ["when", "b b", "'c'", "d"].map(str::to_owned);
                Shape::Map(keys.into_iter().zip(values).collect())
            }),
        ]
    })
}

/// Writes it by dice: block or flow, comments, blank lines, steps of any width.
fn write(shape: &Shape, indent: usize, dice: &mut impl FnMut(usize) -> usize, text: &mut String) {
    let (step, is_block) = (1 + dice(4), dice(3) > 0);
    let spaces = " ".repeat(1 + dice(3));
    match shape {
        Shape::Word(word) => text.push_str(&format!("{spaces}{word}{}", end(dice))),
        _ if !is_block => text.push_str(&format!("{spaces}{}{}", flow(shape, dice), end(dice))),
        Shape::List(items) => {
            text.push_str(&end(dice));
            for item in items {
                text.push_str(&format!("{}-", " ".repeat(indent + step)));
                write(item, indent + step, dice, text);
            }
        }
        Shape::Map(entries) => {
            text.push_str(&end(dice));
            for (key, value) in entries {
                text.push_str(&format!("{}{key}:", " ".repeat(indent + step)));
                write(value, indent + step, dice, text);
            }
        }
    }
}

fn end(dice: &mut impl FnMut(usize) -> usize) -> String {
    ["\n", "\n", "  # why: not\n", "\n\n\n", " # a\n  # b\n"][dice(5)].to_owned()
}

fn flow(shape: &Shape, dice: &mut impl FnMut(usize) -> usize) -> String {
    let gap = [" ", "", "  "][dice(3)];
    match shape {
        Shape::Word(word) => word.clone(),
        Shape::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, dice)).collect();
            format!("[{gap}{}{gap}]", items.join(&format!("{gap}, ")))
        }
        Shape::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", flow(value, dice)));
            format!(
                "{{{gap}{}{gap}}}",
                entries.collect::<Vec<_>>().join(&format!("{gap},{gap}"))
            )
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_layout_keeps_its_meaning_and_comments_and_comes_to_rest(shape in shapes(), seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut dice = |sides: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % sides
        };
        let mut text = "root:".to_owned();
        write(&shape, 0, &mut dice, &mut text);
        // Some of what the dice write is no YAML; all that is, is laid out.
        if read("p", &text).is_ok() {
            let once = format("p", &text);
            prop_assert!(once.is_ok(), "{text}");
            let once = once.unwrap();
            prop_assert_eq!(format("p", &once).unwrap(), once, "{}", text);
        }
    }
}
