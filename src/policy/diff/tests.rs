use super::*;
use crate::policy::compile;
use crate::policy::read::words;

const BASE: &str = "
timezone: UTC
providers: {qwen: {vendor: dashscope, api_key: env:K}, home: {vendor: llama.cpp}}
models:
  qwen-max: {provider: qwen, name: qwen3.8-max, supply: licensed, quality: 88, context: 1M, price: {input: 2 USD/M, output: 6 USD/M}}
  own: {provider: home, supply: local, quality: 40}
routes:
  - {name: chat, try: [qwen-max, own], limits: {cost: 0.05 USD}}
  - {name: code, try: [own]}
budgets: {month: {limit: 20 USD, per: month}}
plans:
  - {name: outage, when: '!provider(\"qwen\").up', avoid: 'model.name == \"qwen-max\"'}
  - {name: dry, when: 'budget(\"month\").exhausted', only: 'model.supply == \"local\"'}
";

fn snapshot(text: &str) -> Snapshot {
    let sources = Sources::single("p.yaml", PathBuf::new(), text);
    compile(&sources, jiff::Timestamp::UNIX_EPOCH)
        .unwrap_or_else(|found| panic!("{found:?}"))
        .snapshot
}

fn told(edits: &[(&str, &str)]) -> Vec<String> {
    let text = edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    summary(&snapshot(BASE), &snapshot(&text))
}

#[test]
fn a_number_says_how_far_it_moved() {
    let edits = [
        ("output: 6 USD/M", "output: 9 USD/M"),
        ("limit: 20 USD", "limit: 15 USD"),
    ];
    assert_eq!(
        told(&edits),
        [
            "model qwen-max: price.output is 9 USD/M, was 6 USD/M (+50 %)",
            "budget month: limit is 15 USD, was 20 USD (-25 %)",
        ]
    );
}

#[test]
fn lists_say_who_joined_and_who_left_and_when_only_the_order_changed() {
    assert_eq!(
        told(&[("try: [qwen-max, own]", "try: [own, qwen-max]")]),
        ["route chat: try is [own, qwen-max], was [qwen-max, own] (another order)"]
    );
    assert_eq!(
        told(&[("try: [qwen-max, own]", "try: [own]")]),
        ["route chat: try is [own], was [qwen-max, own] (- qwen-max)"]
    );
}

#[test]
fn what_is_new_and_what_is_gone_is_named() {
    let told = told(&[
        (
            "budgets: {month: {",
            "budgets: {day: {limit: 1 USD, per: day}, month: {",
        ),
        ("  - {name: code, try: [own]}\n", ""),
        ("timezone: UTC", "timezone: Asia/Shanghai"),
        (", limits: {cost: 0.05 USD}", ""),
    ]);
    assert_eq!(
        told,
        [
            "timezone is Asia/Shanghai, was UTC",
            "route chat: limits.cost is not given any more, and was 0.05 USD",
            "route code is gone",
            "budget day is new: limit 1 USD, per day",
        ]
    );
}

#[test]
fn a_renamed_model_is_one_change_and_what_refers_to_it_is_none() {
    let told = told(&[("qwen-max", "qwen-best")]);
    assert_eq!(told, ["model qwen-max is now called qwen-best"]);
}

#[test]
fn conditions_stand_in_quotes_and_the_order_of_plans_counts() {
    let told = told(&[
        ("'budget(\"month\").exhausted'", "'budget(\"month\").used > 0.9'"),
        ("name: outage", "name: x"),
        ("name: dry", "name: outage"),
        ("name: x", "name: dry"),
    ]);
    assert!(
        told.iter()
            .any(|line| line == "plans stand in another order: outage, dry" || line.contains("when is '")),
        "{told:?}"
    );
}

#[test]
fn comments_layout_and_anchors_change_nothing() {
    let text = BASE
        .replace("quality: 40}", "quality: 40}   # a comment")
        .replace("\n  own:", "\n\n  own:");
    assert_eq!(summary(&snapshot(BASE), &snapshot(&text)), [""; 0]);
}

#[test]
fn a_folder_is_compared_as_the_one_policy_that_it_is() {
    let (first, second) = BASE.split_once("routes:").unwrap();
    let folder = |second: &str| {
        let file = |name: &str, text: String| SourceFile {
            name: name.to_owned(),
            text,
        };
        let sources = Sources {
            origin: "folder".to_owned(),
            directory: PathBuf::new(),
            files: vec![
                file("1.yaml", first.to_owned()),
                file("2.yaml", format!("routes:{second}")),
            ],
        };
        compile(&sources, jiff::Timestamp::UNIX_EPOCH).unwrap().snapshot
    };
    let edited = second.replace("0.05 USD", "0.10 USD");
    assert_eq!(
        summary(&folder(second), &folder(&edited)),
        ["route chat: limits.cost is 0.10 USD, was 0.05 USD (+100 %)"]
    );
    assert_eq!(summary(&snapshot(BASE), &folder(second)), [""; 0]);
}

/// A text in which nothing stands but this, at the place of a section.
fn alone(place: &str, inner: &str) -> String {
    let (mut before, mut after) = (String::new(), String::new());
    for step in place.split('.').filter(|step| !step.is_empty()) {
        let (name, opens, closes) = match step.strip_suffix("[]") {
            Some(name) => (name, "[{", "}]"),
            None if step == "*" => ("x", "{", "}"),
            None => (step, "{", "}"),
        };
        before.push_str(&format!("{name}: {opens}"));
        after.insert_str(0, closes);
    }
    format!("{{{before}{inner}{after}}}")
}

#[test]
fn a_change_of_every_key_of_the_language_is_told_in_words() {
    let mut keys = 0;
    for (section, places) in words::sections() {
        for (place, key) in places
            .iter()
            .flat_map(|place| section.keys.iter().map(move |key| (place, key)))
        {
            let with = |value: &str| alone(place, &format!("kept: 1, {}: {value}", key.name));
            let without = alone(place, "kept: 1");
            for (old, new) in [
                (without.as_str(), with(key.example).as_str()),
                (with(key.example).as_str(), without.as_str()),
                (with(key.example).as_str(), with("zzz").as_str()),
            ] {
                let told: Vec<String> = between(old, new).iter().map(Change::to_string).collect();
                // A thing of a list is known by its name or address: another one is another thing.
                let named = ["name", "url"].contains(&key.name);
                let said = told
                    .iter()
                    .any(|line| line.contains(key.name) || named || place.is_empty());
                assert!(!told.is_empty() && said, "{old}\n{new}\n{told:#?}");
                for line in &told {
                    let raw = [
                        "providers ",
                        "models ",
                        "clients ",
                        "budgets ",
                        "licenses ",
                        "alerts ",
                        "rates ",
                        "holidays ",
                    ];
                    assert!(raw.iter().all(|section| !line.starts_with(section)), "{line}");
                }
            }
            keys += 1;
        }
    }
    assert!(keys > 150, "{keys}");
}
