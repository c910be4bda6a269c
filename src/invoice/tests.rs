use super::*;
use crate::money::{Money, Ratio};
use proptest::prelude::*;

fn lines(text: &str) -> Result<(Vec<Line>, Summary), InvoiceError> {
    let mut found = Vec::new();
    let summary = read(text.as_bytes(), None, None, |line| found.push(line))?;
    Ok((found, summary))
}

fn told(text: &str) -> Vec<String> {
    let shown = |line: &Line| {
        let quantity = line.quantity.map_or("-".to_owned(), |quantity| quantity.to_string());
        let amount = line.amount.map_or("-".to_owned(), |amount| amount.to_string());
        format!("{} {} {} {quantity} {amount}", line.day, line.model, line.item.word())
    };
    lines(text).unwrap().0.iter().map(shown).collect()
}

fn refused(text: &str) -> String {
    lines(text).unwrap_err().to_string()
}

#[test]
fn bill_details_of_model_studio_are_read_in_both_languages() {
    let chinese = "账单信息/账单日期,资源信息/实例ID（出账粒度）,用量信息/抵扣前用量,用量信息/用量单位,应付信息/应付金额（含税）,账单信息/币种\n\
        20261003,text_token;llm-a;qwen3.8-max;input_token;app,12.5,千tokens,0.1025,CNY\n\
        20261003,text_token;llm-a;qwen3.8-max;output_token;app;0,2000,tokens,\"1,000.5\",CNY\n\
        20261003,i-bp1ecs,744,小时,55,CNY\n\
        合计,,,,1000.6025,CNY\n";
    assert_eq!(
        told(chinese),
        [
            "2026-10-03 qwen3.8-max input 12500 0.1025",
            "2026-10-03 qwen3.8-max output 2000 1000.5"
        ]
    );
    let (_, summary) = lines(chinese).unwrap();
    assert_eq!((summary.totals, summary.foreign, summary.places), (1, 1, 4));
    let english = "Model Studio bill\nBilling Date;Instance ID;Usage;Usage Unit;Pretax Amount;Currency\n\
        2026-10-03;text_token;0,5;x;0,05;USD\n\
        2026-10-03 08:00:00;\"text_token;llm;qwen-plus;cache_read_input_token;app\";0,5;1K tokens;0,05;USD\n";
    assert_eq!(told(english), ["2026-10-03 qwen-plus cache_read 500 0.05"]);
}

#[test]
fn exports_of_openai_and_anthropic_are_read() {
    let cost = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,quantity\n\
        1790985600,1791072000,2026-10-03T00:00:00+00:00,x,0.00042075,usd,\"gpt-5-mini-2025-08-07, input\",2805.0\n\
        1790985600,1791072000,,x,2e-06,usd,\"gpt-5-mini-2025-08-07, cached input\",80\n\
        1790985600,1791072000,2026-10-03T00:00:00+00:00,x,-0.01,usd,web search tool calls,\n\
        1791072000,1791158400,2026-10-04T00:00:00+00:00,x,,,,\n";
    assert_eq!(
        told(cost),
        [
            "2026-10-03 gpt-5-mini-2025-08-07 input 2805 0.00042075",
            "2026-10-03 gpt-5-mini-2025-08-07 cache_read 80 0.000002",
            "2026-10-03 web search tool calls other - -0.01",
        ]
    );
    let usage = "start_time_iso,model,num_model_requests,input_tokens,output_tokens,input_cached_tokens\n\
        2026-10-03T00:00:00,gpt-5,3,100,20,40\n2026-10-04T00:00:00,,,,,\n";
    assert_eq!(
        told(usage),
        [
            "2026-10-03 gpt-5 input 60 -",
            "2026-10-03 gpt-5 output 20 -",
            "2026-10-03 gpt-5 cache_read 40 -",
            "2026-10-03 gpt-5 all - -",
        ]
    );
    let cost = "usage_date_utc,model,workspace,token_type,cost_usd,list_price_usd\n\
        2026-10-03,Claude Haiku 4.5,\"De\nfault\",input_no_cache,0.05,0.05\n\
        2026-10-03,Claude Haiku 4.5,Default,input_cache_write_1h,0.10,0.10\n\
        2026-10-03,Claude Haiku 4.5,Default,input_cache_write_1h,0.10,0.10\n";
    let (found, summary) = lines(cost).unwrap();
    assert_eq!((found.len(), summary.doubled, summary.places), (2, 1, 2));
    assert_eq!(
        found.iter().map(|line| line.item).collect::<Vec<_>>(),
        [Item::Input, Item::CacheWriteLong]
    );
    let usage = "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,\
        usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n\
        2026-10-03,claude-haiku-4-5-20251001,8,7,6,5,4,3\n";
    let quantities: Vec<_> = lines(usage).unwrap().0.iter().map(|line| line.quantity).collect();
    assert_eq!(quantities, [8, 4, 5, 7, 6, 3].map(Some));
}

#[test]
fn what_cannot_be_read_is_said_with_its_place_and_what_to_do() {
    assert!(refused("").contains("empty"));
    assert!(refused("\n\n").contains("empty"));
    let unknown = refused("date,price\n2026-10-03,1\n");
    assert!(
        unknown.contains("date, price") && unknown.contains("openai-cost"),
        "{unknown}"
    );
    let missing = read("date,amount_value\n".as_bytes(), Some(Form::OpenAiCost), None, |_| {});
    let missing = missing.unwrap_err().to_string();
    assert!(missing.contains("`amount_currency`"), "{missing}");
    let head = "usage_date_utc,model,token_type,cost_usd\n";
    let cell = refused(&format!("{head}2026-10-03,m,output,1\nAugust,m,output,1\n"));
    assert!(
        cell.contains("line 3") && cell.contains("`usage_date_utc`") && cell.contains("August"),
        "{cell}"
    );
    let cell = refused(&format!("{head}2026-10-03,m,output,much\n"));
    assert!(cell.contains("`cost_usd`") && cell.contains("much"), "{cell}");
    assert!(refused(head).contains("no line"));
    let bill = "Billing Date,Instance ID,Pretax Amount\n2026-10-03,t;w;qwen-max;input_token,1\n";
    assert!(refused(bill).contains("--currency"));
    let two = "Billing Date,Instance ID,Pretax Amount,Currency\n2026-10-03,t;w;q;input_token,1,USD\n\
        2026-10-04,t;w;q;input_token,1,CNY\n";
    assert!(refused(two).contains("line 3 is in CNY"));
    let latin = [head.as_bytes(), b"2026-10-03,caf\xE9,output,1\n"].concat();
    let latin = read(latin.as_slice(), None, None, |_| {}).unwrap_err().to_string();
    assert!(latin.contains("line 2") && latin.contains("iconv"), "{latin}");
}

fn names() -> Names {
    Names::new(["max", "plus"].map(str::to_owned).into_iter())
}

fn billed(rows: &[(&str, &str, Item, i64, &str)]) -> Billed {
    let mut billed = Billed::default();
    for (day, model, item, quantity, amount) in rows {
        let line = Line {
            day: day.parse().unwrap(),
            model: (*model).to_owned(),
            item: *item,
            quantity: (*quantity >= 0).then_some(*quantity),
            requests: None,
            amount: (!amount.is_empty()).then(|| Decimal::parse(amount, false).unwrap().0),
        };
        billed.add(line);
    }
    billed.named(&names())
}

fn recorded(rows: &[(&str, &str, Item, i64, &str)]) -> Recorded {
    let mut recorded = Recorded::default();
    for (day, model, item, quantity, amount) in rows {
        let group = (day.parse().unwrap(), (*model).to_owned());
        let items = recorded.groups.entry(group).or_default();
        let amount = Decimal::parse(amount, false).unwrap().0;
        items.entry(*item).or_default().add(*quantity, amount);
    }
    recorded
}

fn doubtful(recorded: &mut Recorded, day: &str, one: Doubtful) {
    let group = (day.parse().unwrap(), "max".to_owned());
    recorded.doubtful.entry(group).or_default().push(one);
}

fn held(attempt: i64, now: &str, worst: &str) -> Doubtful {
    Doubtful {
        attempt,
        held: true,
        now: Money::parse(now).unwrap(),
        worst: Money::parse(worst).unwrap(),
        used: [(Item::Input, 0), (Item::Output, 0)],
        exchange: Ratio::ONE,
    }
}

fn differences(report: &Report) -> Vec<String> {
    let shown = |one: &Difference| {
        let rate = |side: &Side| side.rate().map_or("-".to_owned(), |rate| rate.to_string());
        format!(
            "{}..{} {} {} {} {} {}",
            one.days.0,
            one.days.1,
            one.model,
            one.item.word(),
            one.what.word(),
            rate(&one.invoice),
            rate(&one.ledger)
        )
    };
    report.differences.iter().map(shown).collect()
}

#[test]
fn the_same_is_no_difference_and_rounding_is_told_apart_by_an_exact_rule() {
    let ledger = recorded(&[("2026-10-03", "max", Item::Input, 1_000, "0.0123456")]);
    let same = compare(
        &billed(&[("2026-10-03", "max", Item::Input, 1_000, "0.01")]),
        &ledger,
        &names(),
        2,
    );
    assert_eq!((same.differs(), differences(&same)), (false, vec![]));
    assert_eq!(
        (same.rounded.0, same.rounded.1.to_string()),
        (1, "-0.0023456".to_owned())
    );
    // Half a cent and half a nano-unit for one line and one attempt, and not one more.
    for (amount, differs) in [("0.0173456005", false), ("0.0173456006", true)] {
        let ledger_amount = [("2026-10-03", "max", Item::Input, 1_000, amount)];
        let one = billed(&[("2026-10-03", "max", Item::Input, 1_000, "0.0123456")]);
        assert_eq!(
            compare(&one, &recorded(&ledger_amount), &names(), 2).differs(),
            differs,
            "{amount}"
        );
    }
}

#[test]
fn every_kind_of_difference_is_listed_once() {
    let billed = billed(&[
        // A price that is another one since the third.
        ("2026-10-02", "max", Item::Input, 1_000_000, "2.00"),
        ("2026-10-03", "max", Item::Input, 2_000_000, "4.20"),
        ("2026-10-04", "max", Item::Input, 1_000_000, "2.10"),
        // More output than was recorded, at the same price.
        ("2026-10-02", "max", Item::Output, 600, "0.06"),
        // A model that nobody knows, and a credit.
        ("2026-10-02", "ultra", Item::Output, 10, "1"),
        ("2026-10-04", "max", Item::Other, -1, "-0.50"),
    ]);
    let recorded = recorded(&[
        ("2026-10-02", "max", Item::Input, 1_000_000, "2"),
        ("2026-10-03", "max", Item::Input, 2_000_000, "4"),
        ("2026-10-04", "max", Item::Input, 1_000_000, "2"),
        ("2026-10-02", "max", Item::Output, 500, "0.05"),
        ("2026-10-03", "plus", Item::Input, 100, "0.3"),
    ]);
    let report = compare(&billed, &recorded, &names(), 2);
    assert_eq!(
        differences(&report),
        [
            "2026-10-04..2026-10-04 max other only_invoice - -",
            "2026-10-03..2026-10-04 max input price 2.1 2",
            "2026-10-02..2026-10-02 max output quantity 100 100",
            "2026-10-03..2026-10-03 plus input only_ledger - 3000",
            "2026-10-02..2026-10-02 ultra output only_invoice 100000 -",
        ]
    );
    assert!(report.differs());
    let [factor] = report.factors.as_slice() else {
        panic!("{:?}", report.factors)
    };
    assert_eq!(
        (factor.model.as_str(), factor.since.to_string()),
        ("max", "2026-10-03".to_owned())
    );
    assert_eq!((factor.ratio(), factor.shown()), ((21, 20), "1.0500".to_owned()));
    assert_eq!(factor.policy_words().as_deref(), Some("surcharge: 5%"));
    assert_eq!(
        (report.invoice.to_string(), report.ledger.to_string()),
        ("8.86".into(), "8.35".into())
    );
}

#[test]
fn what_runs_over_midnight_is_on_the_next_day() {
    let billed = billed(&[
        ("2026-10-02", "max", Item::Input, 900, ""),
        ("2026-10-03", "max", Item::Input, 1_100, ""),
    ]);
    let recorded = recorded(&[
        ("2026-10-02", "max", Item::Input, 1_000, "2"),
        ("2026-10-03", "max", Item::Input, 1_000, "2"),
    ]);
    let report = compare(&billed, &recorded, &names(), 0);
    assert!(
        report.differences.iter().all(|one| one.what == What::Midnight),
        "{report:?}"
    );
    assert!(!report.differs());
}

#[test]
fn held_attempts_take_what_nothing_else_explains_up_to_what_was_reserved() {
    let told = [("2026-10-03", "max", Item::Input, 1_500_000, "3.00")];
    let mut ledger = recorded(&[("2026-10-03", "max", Item::Input, 1_000_000, "2")]);
    doubtful(&mut ledger, "2026-10-03", held(7, "4", "4"));
    doubtful(&mut ledger, "2026-10-03", held(8, "2", "2"));
    let report = compare(&billed(&told), &ledger, &names(), 2);
    let [explained] = report.explained.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!((explained.billed.to_string(), explained.held), ("1".to_owned(), 2));
    let shares: Vec<_> = explained.shares.iter().map(|share| share.billed.to_string()).collect();
    assert_eq!(
        shares,
        ["0.666666667", "0.333333333"],
        "in proportion, and together the whole"
    );
    assert_eq!(differences(&report), ["2026-10-03..2026-10-03 max all explained - -"]);
    assert!(report.differs(), "held money is not posted yet");
    // More than was reserved for them is somebody else's.
    let mut less = recorded(&[("2026-10-03", "max", Item::Input, 1_000_000, "2")]);
    doubtful(&mut less, "2026-10-03", held(7, "0.5", "0.5"));
    let report = compare(&billed(&told), &less, &names(), 2);
    assert_eq!(report.explained, []);
    assert!(
        report.differences.iter().any(|one| one.what == What::Quantity),
        "{report:?}"
    );
}

#[test]
fn estimates_that_were_right_are_explained_and_no_difference() {
    let mut ledger = Recorded::default();
    let estimated = Doubtful {
        held: false,
        used: [(Item::Input, 900), (Item::Output, 100)],
        ..held(7, "1.004", "4")
    };
    doubtful(&mut ledger, "2026-10-03", estimated);
    let told = billed(&[("2026-10-03", "max", Item::Output, -1, "1.00")]);
    let report = compare(&told, &ledger, &names(), 2);
    assert_eq!((report.explained.len(), report.differs()), (1, false));
}

#[test]
fn money_of_no_kind_is_compared_as_a_whole() {
    let told = billed(&[("2026-10-03", "max", Item::All, -1, "3")]);
    let ledger = recorded(&[
        ("2026-10-03", "max", Item::Input, 10, "1"),
        ("2026-10-03", "max", Item::Output, 10, "1.5"),
    ]);
    let report = compare(&told, &ledger, &names(), 2);
    assert_eq!(differences(&report), ["2026-10-03..2026-10-03 max all money - -"]);
    assert_eq!(report.factors[0].shown(), "1.2000");
}

proptest! {
    #[test]
    fn no_file_panics(header in 0..5_usize, cells in prop::collection::vec("\\PC{0,12}|-?[0-9]{1,30}|2026-10-0[1-9]|t;w;m;[a-z_]{1,9}", 0..60)) {
        let names: Vec<&str> = Form::ALL[header].names().collect();
        let rows: Vec<String> = cells.chunks(names.len()).map(|row| row.join(",")).collect();
        let text = format!("{}\n{}\n", names.join(","), rows.join("\n"));
        let _ = read(text.as_bytes(), None, crate::money::Currency::parse("USD"), |_| {});
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(bytes.as_slice(), None, None, |_| {});
    }

    /// Whatever was recorded, an invoice that says the same is no difference.
    #[test]
    fn what_is_the_same_never_differs(rows in prop::collection::vec((1..9_u8, 0..2_usize, 0..5_usize, 0..5_000_i64, 0..9_999_u32), 0..30)) {
        let items = [Item::Input, Item::CacheRead, Item::CacheWrite, Item::CacheWriteLong, Item::Output];
        let (mut told, mut ledger) = (Billed::default(), Recorded::default());
        for (day, model, item, quantity, money) in rows {
            let day = jiff::civil::Date::new(2026, 10, day as i8).unwrap();
            let model = ["max", "plus"][model].to_owned();
            let amount = Decimal::parse(&format!("0.{money:04}"), false).unwrap().0;
            let sums = ledger.groups.entry((day, model.clone())).or_default();
            sums.entry(items[item]).or_default().add(quantity, amount);
            told.add(Line { day, model, item: items[item], quantity: Some(quantity), requests: None, amount: Some(amount) });
        }
        let report = compare(&told.named(&names()), &ledger, &names(), 4);
        prop_assert!(!report.differs(), "{:?}", report.differences);
        prop_assert_eq!(report.invoice, report.ledger);
    }
}
