//! Budgets whose `covers` is a real selector, as the policy reader makes it: what they take over and what they find.

use super::*;
use crate::policy::snapshot::Snapshot;
use crate::policy::{SourceFile, Sources, compile};

const POLICY: &str = r#"
timezone: UTC
providers:
  qwen: {vendor: openai-compatible, base_url: "http://127.0.0.1:9/v1", api_key: env:KEY}
  rival: {vendor: openai-compatible, base_url: "http://127.0.0.1:8/v1", api_key: env:KEY}
models:
  qwen-max: {provider: qwen, supply: licensed, price: {input: 2 USD/M, output: 6 USD/M}}
  other: {provider: rival, supply: competitor, price: {input: 2 USD/M, output: 6 USD/M}}
routes:
  - {name: chat, try: [qwen-max, other]}
budgets:
"#;

const ALL: &str = r#"
  team-a:   {limit: 1 USD, per: day, covers: 'tag.team == "a"'}
  licensed: {limit: 1 USD, per: month, covers: 'model.supply == "licensed"'}
  rivals:   {limit: 1 USD, per: day, covers: 'model.provider == "rival" && tag.team != "b"'}
  models:   {limit: 1 USD, per: week, covers: 'tag.team != ""', each: model}
  sources:  {limit: 1 USD, per: day, covers: 'model.supply != "local"', each: provider}
  teams:    {limit: 1 USD, per: day, covers: 'model.supply == "competitor"', each: tag.team}
"#;

fn snapshot(budgets: &str) -> Snapshot {
    let sources = Sources {
        origin: "test".to_owned(),
        directory: PathBuf::from("/"),
        files: vec![SourceFile {
            name: "policy.yaml".to_owned(),
            text: format!("{POLICY}{budgets}"),
        }],
    };
    compile(&sources, jiff::Timestamp::UNIX_EPOCH)
        .map(|compiled| compiled.snapshot)
        .unwrap_or_else(|found| panic!("{found:?}"))
}

pub(super) fn budgets(text: &str) -> Vec<Budget> {
    snapshot(text).budgets
}

/// On the licensed model or on the competitor's.
fn request(rival: bool, team: &str) -> Facts {
    let licensed = facts(team);
    if !rival {
        return licensed;
    }
    Facts {
        model: Arc::new(ModelFacts::recorded("other", "rival", "competitor")),
        ..licensed
    }
}

/// One attempt's facts and what it reserves.
type Ask = (bool, &'static str, i64);

async fn open(daemon: &mut Daemon, (rival, team, worst): Ask) -> ReservationId {
    for _ in 0..4 {
        let facts = request(rival, team);
        let charges = daemon.books.charges(facts.model(), &facts.caller, daemon.now);
        match daemon.books.reserve(usd(worst), &charges, facts, daemon.now) {
            Err(Refusal::Lease(requests)) => daemon.lease(requests).await,
            answer => return answer.unwrap(),
        }
    }
    panic!("the store leases less than fits");
}

fn close(daemon: &mut Daemon, id: ReservationId, (rival, team, worst): Ask, actual: i64) {
    let facts = request(rival, team);
    daemon.sent += 1;
    let name = format!("s{}", daemon.sent);
    let mut record = attempt(&name, daemon.now, team, EndKind::Posted, usd(actual));
    (record.model, record.provider, record.supply) = (
        facts.model.name.clone(),
        facts.model.provider.clone(),
        facts.model.supply,
    );
    record.worst = usd(worst);
    let permit = daemon.ledger.try_permit().unwrap();
    record.postings = daemon.books.end(id, End::Post(usd(actual)));
    permit.send(Record::Attempt(Box::new(record)));
}

/// Posted and reserved.
fn seen(daemon: &Daemon, budget: &str, key: &str) -> (i64, i64) {
    let views = daemon.books.views();
    let mine = |view: &&crate::budget::AccountView| view.budget.as_ref() == budget && view.key.as_ref() == key;
    views
        .iter()
        .find(mine)
        .map_or((0, 0), |view| (view.posted.nanos(), view.reserved.nanos()))
}

const ENDED: [Ask; 4] = [(false, "a", 11), (true, "a", 13), (false, "b", 17), (true, "b", 19)];
const OPEN: [Ask; 5] = [
    (false, "a", 100),
    (true, "a", 200),
    (false, "b", 400),
    (true, "b", 800),
    (true, "", 1_600),
];

fn check(daemon: &Daemon, when: &str, opens: i64) {
    for (budget, key, posted, reserved) in [
        ("team-a", "", 24, 300),
        ("licensed", "", 28, 500),
        ("rivals", "", 13, 1_800),
        ("models", "qwen-max", 28, 500),
        ("models", "other", 32, 1_000),
        ("sources", "qwen", 28, 500),
        ("sources", "rival", 32, 2_600),
        ("teams", "a", 13, 200),
        ("teams", "b", 19, 800),
        ("teams", "(none)", 0, 1_600),
    ] {
        // What was open posts a tenth of its worst case.
        let expected = if opens > 0 {
            (posted, reserved)
        } else {
            (posted + reserved / 10, 0)
        };
        assert_eq!(seen(daemon, budget, key), expected, "{budget} {key} {when}");
    }
    daemon.books.prove().unwrap();
}

#[tokio::test]
async fn new_budgets_take_over_exactly_what_their_selectors_cover() {
    let (_directory, path) = place();
    let mut daemon = Daemon::start(&path, &[], noon()).await;
    for ask in ENDED {
        let id = open(&mut daemon, ask).await;
        close(&mut daemon, id, ask, ask.2);
    }
    let mut under_way = Vec::new();
    for ask in OPEN {
        under_way.push((open(&mut daemon, ask).await, ask));
    }
    let all = budgets(ALL);
    daemon.install(&all).await;
    check(&daemon, "with requests under way", 5);
    let wanted = daemon.books.wanted();
    daemon.lease(wanted).await;
    // Removed and brought back while all of it is still open.
    daemon.install(&all[..2]).await;
    daemon.install(&all).await;
    check(&daemon, "after some were away", 5);
    for (id, ask) in under_way {
        close(&mut daemon, id, ask, ask.2 / 10);
    }
    check(&daemon, "when all has ended", 0);
    daemon.install(&[]).await;
    daemon.install(&all).await;
    check(&daemon, "after all were away", 0);
    let again = daemon.now + SignedDuration::from_secs(2);
    daemon.tick(again).await;
    daemon.ledger.close().await.unwrap();
    let again = Daemon::start(&path, &all, noon()).await;
    check(&again, "after a restart", 0);
    let query = SpendQuery {
        by: By::Model,
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::MAX,
        only: Only::default(),
    };
    assert_eq!(spend(&path, &query).unwrap().totals[0].posted, usd(60 + 310));
}

#[tokio::test]
async fn a_selector_that_is_edited_counts_the_period_by_its_new_words() {
    let (_directory, path) = place();
    let with = |covers: &str| budgets(&format!("  b: {{limit: 0.000001 USD, per: day, covers: '{covers}'}}\n"));
    let mut daemon = Daemon::start(&path, &with("tag.team == \"a\""), noon()).await;
    for ask in ENDED {
        let id = open(&mut daemon, ask).await;
        close(&mut daemon, id, ask, ask.2);
    }
    assert_eq!(seen(&daemon, "b", ""), (24, 0));
    let late = open(&mut daemon, (true, "b", 300)).await;
    daemon.install(&with("tag.team == \"b\"")).await;
    assert_eq!(seen(&daemon, "b", ""), (36, 300));
    daemon.install(&with("tag.team == \"a\"")).await;
    assert_eq!(seen(&daemon, "b", ""), (24, 0), "what is open is not covered any more");
    close(&mut daemon, late, (true, "b", 300), 300);
    assert_eq!(seen(&daemon, "b", ""), (24, 0));
    daemon.install(&with("tag.team == \"b\"")).await;
    assert_eq!(seen(&daemon, "b", ""), (336, 0));
    let facts = request(true, "b");
    let charges = daemon.books.charges(facts.model(), &facts.caller, daemon.now);
    let refused = daemon.books.reserve(usd(665), &charges, facts, daemon.now);
    assert!(
        matches!(refused, Err(Refusal::OverLimit { remaining, .. }) if remaining == usd(664)),
        "{refused:?}"
    );
    let id = open(&mut daemon, (true, "b", 664)).await;
    close(&mut daemon, id, (true, "b", 664), 0);
    daemon.books.prove().unwrap();
}
