//! One exchange with the store: who asks is who it says, what it spent is reported, its shares are extended or given
//! back, in one short transaction.
//!
//! Promises that posted, held, kept and leased of an account never pass its limit by a grant. What a report says is a
//! total, so that the same report twice is one.

use super::session::{AccountKey, Row as Place, Session, Stamp};
use super::statements::Statements;
use crate::budget::{ShareAnswer, ShareRequest, Spent};
use crate::money::Money;
use jiff::Timestamp;
use std::collections::HashMap;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

/// One transaction under way.
pub(super) struct Exchange<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) statements: &'a Statements,
    pub(super) session: &'a Session,
    pub(super) stamp: &'a Stamp,
    /// Taken over by the session once the transaction is through.
    pub(super) found: HashMap<AccountKey, Place>,
    pub(super) agreed: HashMap<(String, String), (i64, String)>,
    /// How many daemons are there.
    pub(super) daemons: Option<i64>,
}

impl Exchange<'_> {
    /// False: the store knows this holder otherwise.
    pub(super) async fn present(&self, nonce: i64) -> Result<bool, tokio_postgres::Error> {
        let session = self.session;
        let named: [&(dyn ToSql + Sync); 5] = [
            &session.fleet,
            &session.holder,
            &session.incarnation,
            &session.exchange,
            &nonce,
        ];
        let rows = self.transaction.execute(&self.statements.present, &named).await?;
        Ok(rows == 1)
    }

    pub(super) async fn shares(
        &mut self,
        requests: &[ShareRequest],
    ) -> Result<Vec<ShareAnswer>, tokio_postgres::Error> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        self.agree(requests).await?;
        let opened = self.resolve(requests).await?;
        let mut by_account: HashMap<i64, &ShareRequest> = HashMap::new();
        for request in requests {
            if let Some(place) = self.place(&AccountKey::of(&request.pool, &request.key)) {
                by_account.insert(place.account, request);
            }
        }
        let mut accounts: Vec<i64> = by_account.keys().copied().collect();
        accounts.sort_unstable();
        self.transaction.execute(&self.statements.lock, &[&accounts]).await?;
        if !opened.is_empty() {
            let pools: Vec<i64> = opened.into_iter().collect();
            let fleet = &self.session.fleet;
            self.transaction
                .execute(&self.statements.open, &[&pools, fleet])
                .await?;
        }
        self.tell_buckets(&by_account).await?;
        // What is over first: what it gives back is there for the period after it.
        let is_over = |id: &i64| by_account.get(id).is_some_and(|request| request.over);
        let (over, present): (Vec<i64>, Vec<i64>) = accounts.into_iter().partition(is_over);
        let mut answers = Vec::with_capacity(by_account.len());
        for accounts in [over, present] {
            self.grant(&accounts, &by_account, &mut answers).await?;
        }
        self.look_through_windows(&by_account, &mut answers).await?;
        Ok(answers)
    }

    async fn grant(
        &mut self,
        accounts: &[i64],
        by_account: &HashMap<i64, &ShareRequest>,
        answers: &mut Vec<ShareAnswer>,
    ) -> Result<(), tokio_postgres::Error> {
        if accounts.is_empty() {
            return Ok(());
        }
        for row in self.run(accounts, by_account).await? {
            let account: i64 = row.get("id");
            self.daemons = Some(row.get("daemons"));
            let Some(request) = by_account.get(&account) else {
                continue;
            };
            let mut answer = read(&row, request);
            // Nobody is asked to give money back that no request waits for.
            if answer.lacks > Money::ZERO && request.worst > Money::ZERO && !answer.counting {
                answer.idle = self.recall(account, &answer).await?;
            }
            if answer.left > Money::ZERO && row.get("waited_for") {
                let (holder, left) = (&self.session.holder, answer.left.nanos());
                let freed = &self.statements.freed;
                self.transaction.query(freed, &[&account, holder, &left]).await?;
            }
            answers.push(answer);
        }
        Ok(())
    }

    async fn run(
        &self,
        accounts: &[i64],
        by_account: &HashMap<i64, &ShareRequest>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let requests: Vec<&ShareRequest> = accounts.iter().filter_map(|id| by_account.get(id).copied()).collect();
        let column = |of: fn(&ShareRequest) -> Money| -> Vec<i64> {
            requests.iter().map(|request| of(request).nanos()).collect()
        };
        let hard: Vec<bool> = requests.iter().map(|request| request.hard).collect();
        let free = |request: &&ShareRequest| request.plan_free.map(|(cost, _)| cost.nanos());
        let since = |request: &&ShareRequest| request.plan_free.map(|(_, since)| since.as_microsecond());
        let plan_free: Vec<Option<i64>> = requests.iter().map(free).collect();
        let since: Vec<Option<i64>> = requests.iter().map(since).collect();
        let session = self.session;
        let columns = [
            column(|r| r.spent.posted),
            column(|r| r.spent.held),
            column(|r| r.spent.overdraft),
            column(|r| r.least),
            column(|r| r.upto),
            column(|r| r.reserved),
        ];
        let [posted, held, overdraft, least, upto, reserved] = &columns;
        let parameters: [&(dyn ToSql + Sync); 13] = [
            &session.holder,
            &session.incarnation,
            &session.fleet,
            &accounts,
            posted,
            held,
            overdraft,
            least,
            upto,
            &hard,
            reserved,
            &plan_free,
            &since,
        ];
        self.transaction.query(&self.statements.exchange, &parameters).await
    }

    /// What others may give back; they are asked to where it would be enough.
    async fn recall(&self, account: i64, answer: &ShareAnswer) -> Result<Money, tokio_postgres::Error> {
        let (lacks, left) = (answer.lacks.nanos(), answer.left.nanos());
        let asked: [&(dyn ToSql + Sync); 4] = [&account, &self.session.holder, &lacks, &left];
        let row = self.transaction.query_one(&self.statements.idle, &asked).await?;
        Ok(Money::from_nanos(row.get("idle")))
    }

    /// What lies in which bucket of a window that slides.
    async fn tell_buckets(&self, by_account: &HashMap<i64, &ShareRequest>) -> Result<(), tokio_postgres::Error> {
        let (mut accounts, mut buckets, mut posted, mut held) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (account, request) in by_account {
            for (bucket, spent) in &request.buckets {
                accounts.push(*account);
                buckets.push(*bucket);
                posted.push(spent.posted.nanos());
                held.push(spent.held.nanos());
            }
        }
        if accounts.is_empty() {
            return Ok(());
        }
        let told: [&(dyn ToSql + Sync); 5] = [&self.session.holder, &accounts, &buckets, &posted, &held];
        self.transaction.execute(&self.statements.buckets, &told).await?;
        Ok(())
    }

    /// When others spent what counts in a window: it is let go of as time passes, without another exchange.
    async fn look_through_windows(
        &self,
        by_account: &HashMap<i64, &ShareRequest>,
        answers: &mut [ShareAnswer],
    ) -> Result<(), tokio_postgres::Error> {
        let slides = |(_, request): &(&i64, &&ShareRequest)| request.bucket_seconds.is_some() && !request.over;
        let accounts: Vec<i64> = by_account.iter().filter(slides).map(|(id, _)| *id).collect();
        if accounts.is_empty() {
            return Ok(());
        }
        let asked: [&(dyn ToSql + Sync); 2] = [&accounts, &self.session.holder];
        for row in self.transaction.query(&self.statements.window, &asked).await? {
            let Some(request) = by_account.get(&row.get::<_, i64>("id")) else {
                continue;
            };
            let of = |answer: &&mut ShareAnswer| answer.pool == request.pool && answer.key == request.key;
            let Some(answer) = answers.iter_mut().find(of) else {
                continue;
            };
            let spent = Spent {
                posted: Money::from_nanos(row.get("posted")),
                held: Money::from_nanos(row.get("held")),
                overdraft: Money::ZERO,
            };
            answer.others = answer.others.minus(spent);
            answer.window.push((row.get("bucket"), spent));
        }
        Ok(())
    }

    /// The newest edit's limit wins; what the store has heard already is not said again.
    async fn agree(&mut self, requests: &[ShareRequest]) -> Result<(), tokio_postgres::Error> {
        for request in requests {
            let name = (request.pool.budget.to_string(), request.pool.currency.to_string());
            let edited = request
                .since
                .map_or(self.stamp.edited_at, |since| since.max(self.stamp.edited_at));
            let said = (request.limit.nanos(), edited.to_string());
            if self.session.agreed.get(&name) == Some(&said) || self.agreed.get(&name) == Some(&said) {
                continue;
            }
            let (written, most) = request.carry.unzip();
            let (written, most) = (written.map(Money::nanos), most.map(Money::nanos));
            let fleet = &self.session.fleet;
            let hash = &&*self.stamp.hash;
            let told: [&(dyn ToSql + Sync); 8] = [fleet, &name.0, &name.1, &said.0, hash, &said.1, &written, &most];
            self.transaction.execute(&self.statements.agree, &told).await?;
            self.agreed.insert(name, said);
        }
        Ok(())
    }

    pub(super) fn place(&self, key: &AccountKey) -> Option<Place> {
        self.session.accounts.get(key).or(self.found.get(key)).copied()
    }
}

fn read(row: &Row, request: &ShareRequest) -> ShareAnswer {
    let money = |column| Money::from_nanos(row.get(column));
    let since: Option<i64> = row.get("counted_since");
    ShareAnswer {
        pool: request.pool.clone(),
        key: request.key.clone(),
        total: money("total"),
        others: Spent {
            posted: money("posted"),
            held: money("held"),
            overdraft: money("overdraft"),
        },
        window: Vec::new(),
        limit: money("limit_nanos"),
        carried: money("carried"),
        left: money("left"),
        idle: Money::ZERO,
        lacks: money("wants"),
        less: request.upto > money("total"),
        asked_back: row.get("asked_back"),
        counting: row.get("counting"),
        plan_free: money("plan_free"),
        counted_since: since.and_then(|since| Timestamp::from_microsecond(since).ok()),
    }
}
