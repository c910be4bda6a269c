use super::*;

fn found() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unknown-key",
        message: "unknown key `a:b`, 100% wrong".to_owned(),
        file: "./conf d/policy,ü.yaml".to_owned(),
        line: 3,
        column: 5,
        excerpt: "é: {suply: x}".to_owned(),
        caret: Caret { start: 4, end: 9 },
        help: Some("did you mean `supply`?".to_owned()),
        related: vec![Related {
            message: "first given here".to_owned(),
            file: "/etc/planb/a.yaml".to_owned(),
            line: 1,
            column: 1,
            excerpt: "a: 1".to_owned(),
            caret: Caret { start: 0, end: 1 },
        }],
    }
}

#[test]
fn codes_are_listed_once_in_order_each_with_a_meaning() {
    for pair in codes::CODES.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{pair:?}");
    }
    for (code, meaning) in codes::CODES {
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
        assert!(!meaning.is_empty() && !meaning.ends_with('.'), "{code}");
        assert_eq!(codes::meaning(code), Some(*meaning));
    }
}

#[test]
fn a_workflow_command_is_one_line_whatever_stands_in_it() {
    assert_eq!(
        github(&[found()]),
        "::error file=./conf d/policy%2Cü.yaml,line=3,col=5,endColumn=9,title=unknown-key::\
         unknown key `a:b`, 100%25 wrong%0Ahelp: did you mean `supply`?\n"
    );
}

#[test]
fn sarif_has_a_rule_for_every_result_and_addresses_that_parse() {
    let mut warning = found();
    warning.severity = Severity::Warning;
    warning.related.clear();
    let log = sarif(&[found(), warning]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty());
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "conf%20d/policy%2C%C3%BC.yaml");
    let region = &place["region"];
    assert_eq!(
        [&region["startLine"], &region["startColumn"], &region["endColumn"]].map(|n| n.as_u64().unwrap()),
        [3, 5, 10]
    );
    let related = &results[0]["relatedLocations"][0];
    assert_eq!(
        related["physicalLocation"]["artifactLocation"]["uri"],
        "file:///etc/planb/a.yaml"
    );
    assert_eq!(related["message"]["text"], "first given here");
    assert_eq!([&results[0]["level"], &results[1]["level"]], ["error", "warning"]);
    assert!(results[1].get("relatedLocations").is_none());
}
