//! An export from its first byte to its last, row by row: what a file of a million rows takes is one row and a mark of
//! each, by which a doubled one is known.

use super::form::Form;
use super::rows::{Cells, Layout, Row};
use super::text::{Text, separated};
use super::{InvoiceError, Line};
use crate::money::Currency;
use csv::{ByteRecord, ReaderBuilder};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

/// Exports may begin with lines about themselves.
const HEADER_WITHIN: usize = 10;

/// What a file was, beside its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub form: Form,
    /// `None` where it has no money.
    pub currency: Option<Currency>,
    pub rows: u64,
    /// The most decimals that an amount shows.
    pub places: u32,
    /// Rows left out: sums of others, the same as an earlier one in every cell, of other products.
    pub totals: u64,
    pub doubled: u64,
    pub foreign: u64,
}

/// Hands over each line. The form is known by the header where it is not said.
pub fn read(
    input: impl Read,
    form: Option<Form>,
    currency: Option<Currency>,
    mut each: impl FnMut(Line),
) -> Result<Summary, InvoiceError> {
    let (text, separator) = separated(Text::new(input)?)?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text);
    let mut record = ByteRecord::new();
    let layout = header(&mut reader, &mut record, form, separator)?;
    let mut summary = Summary {
        form: layout.form,
        currency,
        rows: 0,
        places: 0,
        totals: 0,
        doubled: 0,
        foreign: 0,
    };
    let mut seen = HashSet::new();
    while next(&mut reader, &mut record)? {
        let row = cells(&record)?;
        let (said, places) = layout.row(&row)?;
        let lines = match said {
            Row::Lines(lines) => lines,
            Row::Total => {
                summary.totals += 1;
                continue;
            }
            Row::Foreign => {
                summary.foreign += 1;
                continue;
            }
            Row::Blank => continue,
        };
        if !seen.insert(mark(&record)) {
            summary.doubled += 1;
            continue;
        }
        if lines.iter().any(|line| line.amount.is_some()) {
            settle_currency(&mut summary.currency, layout.currency(&row)?, row.line, layout.form)?;
        }
        summary.rows += 1;
        summary.places = summary.places.max(places);
        lines.into_iter().for_each(&mut each);
    }
    if summary.rows == 0 {
        return Err(InvoiceError::NoLines);
    }
    Ok(summary)
}

/// One currency a file: what its rows say, else what was said of it, else its vendor's own.
fn settle_currency(
    known: &mut Option<Currency>,
    told: Option<Currency>,
    line: u64,
    form: Form,
) -> Result<(), InvoiceError> {
    let own = || known.or_else(|| form.currency().and_then(Currency::parse));
    let found = told.or_else(own).ok_or(InvoiceError::NoCurrency)?;
    match known {
        Some(first) if *first != found => Err(InvoiceError::Currencies {
            line,
            first: *first,
            other: found,
        }),
        _ => {
            *known = Some(found);
            Ok(())
        }
    }
}

/// The first of the first lines that has the columns of a form.
fn header<R: Read>(
    reader: &mut csv::Reader<R>,
    record: &mut ByteRecord,
    form: Option<Form>,
    separator: u8,
) -> Result<Layout, InvoiceError> {
    let mut widest: Vec<String> = Vec::new();
    for _ in 0..HEADER_WITHIN {
        if !next(reader, record)? {
            break;
        }
        let row = cells(record)?;
        let found = match form {
            Some(form) => form.missing(&row.cells).is_none().then_some(form),
            None => Form::of(&row.cells),
        };
        if let Some(form) = found {
            return Ok(Layout::new(form, &row.cells, separator));
        }
        if row.cells.len() > widest.len() {
            widest = row.cells.iter().map(|cell| cell.chars().take(40).collect()).collect();
        }
    }
    if widest.iter().all(|cell| cell.trim().is_empty()) {
        return Err(InvoiceError::Empty);
    }
    let columns = widest
        .iter()
        .take(30)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let header: Vec<&str> = widest.iter().map(String::as_str).collect();
    Err(match form.and_then(|form| Some((form, form.missing(&header)?))) {
        Some((form, missing)) => InvoiceError::Missing {
            form,
            accepted: missing
                .names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
            columns,
        },
        None => InvoiceError::Unknown { columns },
    })
}

fn next<R: Read>(reader: &mut csv::Reader<R>, record: &mut ByteRecord) -> Result<bool, InvoiceError> {
    reader.read_byte_record(record).map_err(|error| {
        let line = error.position().map_or(0, csv::Position::line);
        let reason = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(error) => InvoiceError::Io(error),
            _ => InvoiceError::Csv { line, reason },
        }
    })
}

fn cells(record: &ByteRecord) -> Result<Cells<'_>, InvoiceError> {
    let line = record.position().map_or(0, csv::Position::line);
    let cells = record.iter().map(std::str::from_utf8).collect::<Result<_, _>>();
    Ok(Cells {
        line,
        cells: cells.map_err(|_| InvoiceError::Encoding { line })?,
    })
}

/// Two of 64 bits: that two rows of a million share one by chance does not happen.
fn mark(record: &ByteRecord) -> (u64, u64) {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        record.iter().for_each(|cell| cell.hash(&mut hasher));
        hasher.finish()
    };
    (half(0), half(1))
}
