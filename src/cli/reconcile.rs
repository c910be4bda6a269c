//! `planb ledger reconcile`: what a vendor says it billed against what the ledger recorded. Reads both; writes with
//! `--post` alone, while no daemon runs.

mod paper;

use super::print;
use super::spend::read_month;
use crate::daemon::state_dir::StateDir;
use crate::invoice::{Billed, Form, Names, Report, Share, Summary, compare, read};
use crate::ledger::FILE_NAME;
use crate::ledger::reconcile::{Asked, Found, Origin, Posted, policy_before, post, recorded};
use crate::money::{Currency, Ratio};
use crate::policy::snapshot::Snapshot;
use crate::policy::{Sources, compile};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Clone, Debug)]
pub struct ReconcileArgs {
    /// Exports of one vendor's console
    #[arg(required = true, value_name = "INVOICE.csv")]
    files: Vec<PathBuf>,
    /// Only what was recorded of this provider of the policy (default: all of the export's vendor)
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// A whole month of the vendor's days, such as 2026-10 (default: the invoice's own days)
    #[arg(long, value_parser = read_month)]
    month: Option<Date>,
    /// The export's form, where its header does not tell
    #[arg(long, value_parser = read_form)]
    form: Option<Form>,
    /// What amounts are in, where no column says it
    #[arg(long, value_name = "CODE", value_parser = read_currency)]
    currency: Option<Currency>,
    /// Where the vendor's day begins (default: as the form's vendor has it)
    #[arg(long, value_name = "ZONE", value_parser = read_zone)]
    zone: Option<TimeZone>,
    /// Post what the invoice says of held and estimated attempts; not while a daemon runs
    #[arg(long)]
    post: bool,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

/// All that is told.
struct Told {
    summaries: Vec<Summary>,
    days: (Date, Date),
    zone: String,
    providers: Vec<String>,
    currency: Option<Currency>,
    report: Report,
    billed: Billed,
    found: Found,
    posted: Option<Posted>,
}

pub fn run(state: &Path, args: &ReconcileArgs, now: Timestamp) -> ExitCode {
    match told(state, args, now) {
        Ok(told) => {
            print(&match args.format {
                Format::Table => paper::table(&told),
                Format::Csv => paper::csv(&told),
                Format::Json => paper::json(&told),
            });
            ExitCode::from(u8::from(told.differs()))
        }
        Err(error) => {
            eprintln!("planb: {error}");
            ExitCode::from(2)
        }
    }
}

impl Told {
    /// What was posted is no difference any more.
    fn differs(&self) -> bool {
        let mut report = self.report.clone();
        if self.posted.is_some() {
            report.explained.retain(|one| !one.told);
        }
        report.differs()
    }
}

fn told(state: &Path, args: &ReconcileArgs, now: Timestamp) -> Result<Told, String> {
    let path = state.join(FILE_NAME);
    if !path.exists() {
        return Err(format!("there is no ledger at {}", path.display()));
    }
    // Taken first: nothing may change between what is compared and what is posted.
    let lock = args.post.then(|| StateDir::open(state)).transpose();
    let _lock = lock.map_err(|error| format!("{error}. Stop it first, or leave --post out"))?;
    let mut hash = Sha256::new();
    let (summaries, mut billed) = invoices(args, &mut hash)?;
    let form = summaries.first().map(|first| first.form).ok_or("no invoice is named")?;
    let month = args.month.map(|first| (first, first.last_of_month()));
    if let Some(month) = month {
        billed.keep(month);
    }
    let days = month
        .or_else(|| billed.days())
        .ok_or("nothing of the invoice is left to compare")?;
    let zone = match &args.zone {
        Some(zone) => zone.clone(),
        None => TimeZone::get(form.zone()).map_err(|error| error.to_string())?,
    };
    let until = end_of(days.1, &zone).unwrap_or(now);
    let snapshot = policy(&path, until.min(now), now)?;
    let providers = providers(&snapshot, args.provider.as_deref(), form)?;
    let currency = summaries
        .iter()
        .find_map(|one| one.currency.filter(|_| one.form.has_money()));
    let asked = Asked {
        providers: &providers,
        days,
        zone: &zone,
        currency,
        exchange: currency.and_then(|wanted| rate(&snapshot, wanted)),
    };
    let found = recorded(&path, &asked).map_err(|error| error.to_string())?;
    if let (Some(own), Some(wanted)) = (found.foreign, currency) {
        return Err(format!(
            "the invoice is in {wanted} and attempts were priced in {own}, and the policy has no rate between them: \
             add one, such as rates: {{{wanted}: 0.14 {own}}}"
        ));
    }
    let upstreams = snapshot.models.iter().filter(|model| {
        let provider = &snapshot.provider(model.provider).name;
        providers.iter().any(|name| **name == **provider)
    });
    let known = upstreams.map(|model| model.upstream.to_string());
    let names = Names::new(known.chain(found.upstreams.iter().cloned()));
    let billed = billed.named(&names);
    let places = summaries.iter().map(|one| one.places).max().unwrap_or(0);
    let report = compare(&billed, &found.recorded, &names, places);
    let posted = if args.post {
        let whole = args.month.is_some() && until <= now;
        Some(posted(&path, (form, hash), (&report, whole), now)?)
    } else {
        None
    };
    Ok(Told {
        summaries,
        days,
        zone: zone.iana_name().unwrap_or(form.zone()).to_owned(),
        providers,
        currency,
        report,
        billed,
        found,
        posted,
    })
}

fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let after = day.tomorrow().ok()?.to_zoned_datetime(zone.clone()).ok()?;
    Some(after.timestamp())
}

/// `whole`: what the invoice does not tell of was not billed.
fn posted(
    path: &Path,
    (form, hash): (Form, Sha256),
    (report, whole): (&Report, bool),
    now: Timestamp,
) -> Result<Posted, String> {
    let explained = report.explained.iter().filter(|one| one.told || whole);
    let shares: Vec<Share> = explained.flat_map(|one| one.shares.iter().copied()).collect();
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let origin = Origin {
        hash: &hash,
        form: form.word(),
    };
    post(path, origin, &shares, now).map_err(|error| error.to_string())
}

/// Every file, one after another.
fn invoices(args: &ReconcileArgs, hash: &mut Sha256) -> Result<(Vec<Summary>, Billed), String> {
    let (mut summaries, mut billed) = (Vec::<Summary>::new(), Billed::default());
    for file in &args.files {
        let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let input = File::open(file).map_err(|error| unreadable(&error))?;
        let input = Hashed(BufReader::new(input), hash);
        let summary = read(input, args.form, args.currency, |line| billed.add(line));
        let summary = summary.map_err(|error| unreadable(&error))?;
        if let Some(first) = summaries.first() {
            if first.form.vendor() != summary.form.vendor() {
                return Err(unreadable(&"another vendor's export: compare one vendor at a time"));
            }
            if summaries
                .iter()
                .any(|before| before.form == summary.form && before.form.has_money())
                && first.currency != summary.currency
            {
                return Err(unreadable(&"in another currency than the file before it"));
            }
        }
        summaries.push(summary);
    }
    Ok((summaries, billed))
}

fn policy(path: &Path, until: Timestamp, now: Timestamp) -> Result<Snapshot, String> {
    let found = policy_before(path, until).map_err(|error| error.to_string())?;
    let (hash, origin, words) = found
        .ok_or("the ledger has no policy of then, and without one no provider is known for the invoice's vendor")?;
    let compiled = compile(&Sources::recorded(&origin, &words), now);
    let compiled =
        compiled.map_err(|_| format!("the policy {hash} that was in force is not sound for this version of planb"))?;
    Ok(compiled.snapshot)
}

fn providers(snapshot: &Snapshot, named: Option<&str>, form: Form) -> Result<Vec<String>, String> {
    let all = || snapshot.providers.iter().map(|provider| provider.name.to_string());
    let known = all().collect::<Vec<_>>().join(", ");
    if let Some(named) = named {
        return all()
            .find(|name| name == named)
            .map(|name| vec![name])
            .ok_or_else(|| format!("the policy has no provider `{named}`; it has {known}"));
    }
    let of_vendor = snapshot
        .providers
        .iter()
        .filter(|provider| provider.vendor.word() == form.vendor());
    let found: Vec<String> = of_vendor.map(|provider| provider.name.to_string()).collect();
    if found.is_empty() {
        return Err(format!(
            "no provider of the policy has the vendor `{}`: name the one that the invoice is of with --provider ({known})",
            form.vendor()
        ));
    }
    Ok(found)
}

/// What one unit of it is worth in the policy's currency.
fn rate(snapshot: &Snapshot, wanted: Currency) -> Option<Ratio> {
    if wanted == snapshot.currency {
        return Some(Ratio::ONE);
    }
    let found = snapshot.rates.iter().find(|(currency, _)| *currency == wanted);
    found.map(|(_, rate)| *rate)
}

/// The same bytes, by whose hash the invoice is known again.
struct Hashed<'a, R>(R, &'a mut Sha256);

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(into)?;
        self.1.update(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}

fn read_form(text: &str) -> Result<Form, String> {
    let words = || Form::ALL.map(Form::word).join(", ");
    let found = Form::ALL.into_iter().find(|form| form.word() == text);
    found.ok_or_else(|| format!("expected one of {}", words()))
}

fn read_currency(text: &str) -> Result<Currency, String> {
    Currency::parse(text).ok_or_else(|| "expected a currency such as CNY".to_owned())
}

fn read_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "expected a time zone such as Asia/Shanghai".to_owned())
}
