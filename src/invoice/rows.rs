//! One row of an export as what it says: the meaning of each form's columns.

use super::form::{Column, Form, place};
use super::{Decimal, InvoiceError, Item, Line};
use crate::money::Currency;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Cells of no model: a sum under the others.
const TOTALS: [&str; 9] = [
    "total",
    "totals",
    "sum",
    "grand total",
    "subtotal",
    "合计",
    "总计",
    "小计",
    "汇总",
];

/// Where a form's columns stand in one file.
pub(super) struct Layout {
    pub(super) form: Form,
    places: Vec<(Column, usize, &'static str)>,
    decimal_comma: bool,
}

/// What became of a row.
pub(super) enum Row {
    Lines(Vec<Line>),
    /// A sum of others.
    Total,
    /// Nothing is in it.
    Blank,
    /// Of another product of the vendor.
    Foreign,
}

/// A row's cells with its place in the file.
pub(super) struct Cells<'a> {
    pub(super) line: u64,
    pub(super) cells: Vec<&'a str>,
}

impl Layout {
    pub(super) fn new(form: Form, header: &[&str], separator: u8) -> Self {
        let places = form.columns().iter().filter_map(|known| {
            let name = known.names.first()?;
            Some((known.column, place(known, header)?, *name))
        });
        Self {
            form,
            places: places.collect(),
            decimal_comma: separator == b';',
        }
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.places.iter().any(|(known, ..)| *known == column)
    }

    fn cell<'a>(&self, row: &Cells<'a>, column: Column) -> &'a str {
        let place = self.places.iter().find(|(known, ..)| *known == column);
        place
            .and_then(|(_, place, _)| row.cells.get(*place))
            .map_or("", |cell| cell.trim())
    }

    fn wrong(&self, row: &Cells<'_>, column: Column, expected: &'static str) -> InvoiceError {
        let name = self.places.iter().find(|(known, ..)| *known == column);
        InvoiceError::Cell {
            line: row.line,
            column: name.map_or("", |(_, _, name)| name),
            value: self.cell(row, column).chars().take(60).collect(),
            expected,
        }
    }

    /// `None` where the cell is empty.
    fn amount(&self, row: &Cells<'_>) -> Result<Option<(Decimal, u32)>, InvoiceError> {
        let cell = self.cell(row, Column::Amount);
        if cell.is_empty() {
            return Ok(None);
        }
        let read = Decimal::parse(cell, self.decimal_comma);
        read.map(Some)
            .ok_or_else(|| self.wrong(row, Column::Amount, "an amount"))
    }

    /// A whole number, or one that only its decimals make look like none.
    fn count(&self, row: &Cells<'_>, column: Column, times: i64) -> Result<Option<i64>, InvoiceError> {
        let cell = self.cell(row, column);
        if cell.is_empty() {
            return Ok(None);
        }
        let read = Decimal::parse(cell, self.decimal_comma).map(|(number, _)| number);
        let count = read.map(|number| number.part(i128::from(times), 1).whole());
        count
            .and_then(|count| i64::try_from(count).ok())
            .map(Some)
            .ok_or_else(|| self.wrong(row, column, "a number of tokens or requests"))
    }

    pub(super) fn currency(&self, row: &Cells<'_>) -> Result<Option<Currency>, InvoiceError> {
        let cell = self.cell(row, Column::Currency).to_uppercase();
        let cell = if cell == "人民币" || cell == "RMB" {
            "CNY"
        } else {
            cell.as_str()
        };
        match cell {
            "" => Ok(None),
            code => Currency::parse(code)
                .map(Some)
                .ok_or_else(|| self.wrong(row, Column::Currency, "a currency such as USD")),
        }
    }

    fn day(&self, row: &Cells<'_>) -> Result<Date, InvoiceError> {
        let (cell, seconds) = (self.cell(row, Column::Day), self.cell(row, Column::Seconds));
        if cell.is_empty() && !seconds.is_empty() {
            let at = seconds
                .parse()
                .ok()
                .and_then(|second| Timestamp::from_second(second).ok());
            return at
                .map(|at| at.to_zoned_datetime(TimeZone::UTC).date())
                .ok_or_else(|| self.wrong(row, Column::Seconds, "a Unix time"));
        }
        read_day(cell).ok_or_else(|| self.wrong(row, Column::Day, "a day such as 2026-10-03"))
    }

    fn is_total(&self, row: &Cells<'_>) -> bool {
        let named = [Column::Day, Column::Model, Column::Item].map(|column| self.cell(row, column).to_lowercase());
        let total = |cell: &str| TOTALS.contains(&cell.trim_end_matches([':', '：']).trim());
        named.iter().any(|cell| total(cell)) || row.cells.iter().take(2).any(|cell| total(&cell.trim().to_lowercase()))
    }

    /// The most decimals that its amount shows, beside what it says.
    pub(super) fn row(&self, row: &Cells<'_>) -> Result<(Row, u32), InvoiceError> {
        if row.cells.iter().all(|cell| cell.trim().is_empty()) {
            return Ok((Row::Blank, 0));
        }
        if self.is_total(row) {
            return Ok((Row::Total, 0));
        }
        if self.form == Form::DashScope && parts(self.cell(row, Column::Item)).is_none() {
            return Ok((Row::Foreign, 0));
        }
        let amount = self.amount(row)?;
        let lines = match self.form {
            Form::DashScope => self.of_dashscope(row, amount)?,
            Form::OpenAiCost => self.of_line_item(row, amount)?,
            Form::AnthropicCost => self.of_token_type(row, amount)?,
            Form::OpenAiUsage | Form::AnthropicUsage => self.of_usage(row)?,
        };
        let row = if lines.is_empty() {
            Row::Blank
        } else {
            Row::Lines(lines)
        };
        Ok((row, amount.map_or(0, |(_, places)| places)))
    }

    fn of_dashscope(&self, row: &Cells<'_>, amount: Option<(Decimal, u32)>) -> Result<Vec<Line>, InvoiceError> {
        let Some((model, billed)) = parts(self.cell(row, Column::Item)) else {
            return Ok(Vec::new());
        };
        let unit = self.cell(row, Column::Unit).to_lowercase().replace(' ', "");
        let times = match unit.as_str() {
            "千tokens" | "千token" | "ktokens" | "ktoken" | "1ktokens" | "1000tokens" | "1,000tokens" | "千个" => {
                Some(1_000)
            }
            "百万tokens" | "mtokens" | "1mtokens" | "1000000tokens" => Some(1_000_000),
            "tokens" | "token" | "个" | "" => Some(1),
            _ => None,
        };
        let item = if times.is_some() { item(billed) } else { Item::Other };
        let quantity = match times {
            Some(times) => self.count(row, Column::Quantity, times)?,
            None => None,
        };
        Ok(vec![Line {
            day: self.day(row)?,
            model: model.to_owned(),
            item,
            quantity: quantity.filter(|_| item != Item::Other),
            requests: None,
            amount: amount.map(|(amount, _)| amount),
        }])
    }

    /// `gpt-5-mini-2025-08-07, cached input`.
    fn of_line_item(&self, row: &Cells<'_>, amount: Option<(Decimal, u32)>) -> Result<Vec<Line>, InvoiceError> {
        let Some((amount, _)) = amount else {
            return Ok(Vec::new());
        };
        let told = self.cell(row, Column::Item);
        let (model, item) = match told.split_once(',') {
            Some((model, billed)) => (model.trim(), item(billed)),
            None if told.is_empty() => ("", Item::All),
            None => (told, Item::Other),
        };
        let quantity = self.count(row, Column::Quantity, 1)?;
        Ok(vec![Line {
            day: self.day(row)?,
            model: model.to_owned(),
            item,
            quantity: quantity.filter(|_| !matches!(item, Item::Other | Item::All)),
            requests: None,
            amount: Some(amount),
        }])
    }

    fn of_token_type(&self, row: &Cells<'_>, amount: Option<(Decimal, u32)>) -> Result<Vec<Line>, InvoiceError> {
        let Some((amount, _)) = amount else {
            return Ok(Vec::new());
        };
        Ok(vec![Line {
            day: self.day(row)?,
            model: self.cell(row, Column::Model).to_owned(),
            item: item(self.cell(row, Column::Item)),
            quantity: None,
            requests: None,
            amount: Some(amount),
        }])
    }

    fn of_usage(&self, row: &Cells<'_>) -> Result<Vec<Line>, InvoiceError> {
        let model = self.cell(row, Column::Model);
        if model.is_empty() {
            // A day without any use.
            return Ok(Vec::new());
        }
        let day = self.day(row)?;
        let line = |item, quantity, requests| Line {
            day,
            model: model.to_owned(),
            item,
            quantity,
            requests,
            amount: None,
        };
        let read = self.count(row, Column::CacheRead, 1)?.unwrap_or(0);
        let input = self.count(row, Column::Input, 1)?.unwrap_or(0);
        // OpenAI's input contains what was cached.
        let input = if self.form == Form::OpenAiUsage {
            input.saturating_sub(read)
        } else {
            input
        };
        let output = self.count(row, Column::Output, 1)?.unwrap_or(0);
        let mut lines = vec![
            line(Item::Input, Some(input), None),
            line(Item::Output, Some(output), None),
        ];
        if self.has(Column::CacheRead) {
            lines.push(line(Item::CacheRead, Some(read), None));
        }
        for (column, item) in [
            (Column::CacheWrite, Item::CacheWrite),
            (Column::CacheWriteLong, Item::CacheWriteLong),
            (Column::Searches, Item::Other),
        ] {
            if let Some(quantity) = self.count(row, column, 1)? {
                lines.push(line(item, Some(quantity), None));
            }
        }
        if let Some(requests) = self.count(row, Column::Requests, 1)? {
            lines.push(line(Item::All, None, Some(requests)));
        }
        Ok(lines)
    }
}

/// Model and what is billed of it, of `text_token;llm-x;qwen-max;output_token;app`; nothing of what is no such name.
fn parts(instance: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = instance.split(';').map(str::trim).collect();
    match parts.as_slice() {
        [_, _, model, billed, ..] if !model.is_empty() && !billed.is_empty() => Some((model, billed)),
        _ => None,
    }
}

/// By the words that all vendors use.
fn item(billed: &str) -> Item {
    let billed = billed.to_lowercase();
    let has = |word: &str| billed.contains(word);
    let cached = has("cache");
    if has("search") || has("code") || has("tool") {
        Item::Other
    } else if cached && (has("write") || has("creat")) {
        if has("1h") || has("12h") || has("24h") {
            Item::CacheWriteLong
        } else {
            Item::CacheWrite
        }
    } else if cached && !has("no_cache") && !has("uncached") {
        Item::CacheRead
    } else if has("output") || has("thinking") || has("reason") {
        Item::Output
    } else if has("input") {
        Item::Input
    } else {
        Item::Other
    }
}

/// `2026-10-03`, `20261003`, `2026/10/3`, with or without a time behind it.
fn read_day(text: &str) -> Option<Date> {
    let text = text.split(['T', ' ']).next()?;
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        [all] if all.len() == 8 && all.is_ascii() => (all.get(..4)?, all.get(4..6)?, all.get(6..)?),
        _ => return None,
    };
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}
