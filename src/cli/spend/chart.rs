//! Spend as bars: one a line, as long as its share of the longest. Eighths of a block on a terminal, plain `#` elsewhere.

use super::{day, heading};
use crate::ledger::spend::{Spend, SpendQuery, SpendRow};
use crate::money::Money;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

const USUAL_WIDTH: usize = 80;
const LEAST_BAR: usize = 10;
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    columns: usize,
    blocks: bool,
}

impl Paper {
    pub fn of_standard_output() -> Self {
        let stream = std::io::stdout();
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            columns: columns.or_else(|| terminal_size(&stream)).unwrap_or(USUAL_WIDTH),
            blocks: stream.is_terminal(),
        }
    }

    fn bar(self, part: Money, whole: Money, width: usize) -> String {
        let eighths = width.saturating_mul(8);
        let bound = i64::try_from(eighths).unwrap_or(i64::MAX);
        let long = part.max(Money::ZERO).nanos().min(whole.nanos());
        let drawn = i128::from(long) * i128::from(bound) / i128::from(whole.nanos().max(1));
        let mut drawn = usize::try_from(drawn).unwrap_or(0);
        // What is there is seen.
        if drawn == 0 && part > Money::ZERO {
            drawn = 1;
        }
        if !self.blocks {
            return "#".repeat(drawn.div_ceil(8));
        }
        let last = EIGHTHS.get(drawn % 8).filter(|_| !drawn.is_multiple_of(8));
        "█".repeat(drawn / 8) + &last.map(char::to_string).unwrap_or_default()
    }
}

/// Each currency for itself: there is no common scale for two.
pub fn chart(spend: &Spend, query: &SpendQuery, paper: Paper) -> String {
    if spend.rows.is_empty() {
        return format!("nothing recorded from {} to {}\n", day(query.since), day(query.until));
    }
    let mut text = String::new();
    for total in &spend.totals {
        let rows: Vec<&SpendRow> = spend.rows.iter().filter(|row| row.currency == total.currency).collect();
        let most = rows.iter().map(|row| money(row)).max().unwrap_or_default();
        let amounts: Vec<String> = rows.iter().map(|row| short(money(row))).collect();
        let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let names = widest(&mut rows.iter().map(|row| row.name.chars().count()));
        let digits = widest(&mut amounts.iter().map(String::len));
        let width = paper.columns.saturating_sub(names + digits + 2).max(LEAST_BAR);
        let _ = writeln!(
            text,
            "{} in {}, {} in all",
            heading(&query.by),
            total.currency,
            short(money(total))
        );
        for (row, amount) in rows.iter().zip(&amounts) {
            let bar = paper.bar(money(row), most, width);
            let line = format!("{:names$} {amount:>digits$} {bar}", row.name);
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

fn money(row: &SpendRow) -> Money {
    row.posted.plus(row.held)
}

/// To the hundredth, or where it is less than one, to four digits.
fn short(money: Money) -> String {
    let number = money.as_number();
    if number.abs() < 1.0 {
        format!("{number:.4}")
    } else {
        format!("{number:.2}")
    }
}

fn terminal_size(stream: &std::io::Stdout) -> Option<usize> {
    use std::os::fd::AsRawFd as _;
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptor is open as long as the stream is borrowed, and the call writes into `size` alone.
    let found = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (found == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::spend::{By, Only};
    use jiff::Timestamp;

    fn chart_of(amounts: &[(&str, &str)], blocks: bool) -> String {
        let row = |(name, amount): &(&str, &str)| SpendRow {
            name: (*name).to_owned(),
            currency: "USD".to_owned(),
            posted: Money::parse(amount).unwrap(),
            ..SpendRow::default()
        };
        let rows: Vec<SpendRow> = amounts.iter().map(row).collect();
        let total = SpendRow {
            name: "total".to_owned(),
            posted: rows.iter().map(|row| row.posted).sum(),
            ..row(&("", "0"))
        };
        let spend = Spend {
            rows,
            totals: vec![total],
        };
        let query = SpendQuery {
            by: By::Model,
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::MAX,
            only: Only::default(),
        };
        chart(&spend, &query, Paper { columns: 29, blocks })
    }

    #[test]
    fn bars_are_as_long_as_their_share_of_the_longest() {
        let text = chart_of(&[("qwen", "10"), ("tiny", "5"), ("free", "0")], false);
        let bars: Vec<usize> = text.lines().skip(1).map(|line| line.matches('#').count()).collect();
        assert_eq!(bars, [17, 9, 0], "{text}");
        assert_eq!(text.lines().next(), Some("model in USD, 15.00 in all"));
        assert!(text.lines().all(|line| line.len() <= 29), "{text}");
    }

    #[test]
    fn a_terminal_gets_eighths_and_what_is_little_is_still_seen() {
        let text = chart_of(&[("qwen", "10"), ("tiny", "5"), ("mini", "0.001")], true);
        let bars: Vec<&str> = text
            .lines()
            .skip(1)
            .map(|line| line.rsplit(' ').next().unwrap())
            .collect();
        assert!(bars[0].chars().all(|bar| bar == '█'), "{text}");
        assert!(bars[1].ends_with('▌'), "{text}");
        assert_eq!(bars[2], "▏", "{text}");
    }
}
