//! How planb's own counts of output stand to providers' reports, kept over restarts. The last word of each model.

use super::error::LedgerError;
use super::handle::Ledger;
use super::text::count;
use super::write::Write;
use crate::usage::{OutputRatio, OutputRatioRow};
use rusqlite::{Connection, Row, params};

impl Write<'_> {
    pub(super) fn output_ratio(&self, row: &OutputRatioRow) -> rusqlite::Result<()> {
        let ratio = &row.ratio;
        self.run(
            "INSERT OR REPLACE INTO output_ratios VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                row.provider,
                row.model,
                count(ratio.answers),
                count(ratio.reported),
                count(ratio.tokens),
                count(ratio.pieces),
                count(ratio.off_tokens),
                count(ratio.off_pieces),
            ],
        )
    }
}

impl Ledger {
    pub async fn output_ratios(&self) -> Result<Vec<OutputRatioRow>, LedgerError> {
        self.read(read).await
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<OutputRatioRow>> {
    let mut statement = connection.prepare("SELECT * FROM output_ratios")?;
    let row = |row: &Row<'_>| {
        let number = |column| row.get::<_, i64>(column).map(|number| number.max(0).unsigned_abs());
        Ok(OutputRatioRow {
            provider: row.get("provider")?,
            model: row.get("model")?,
            ratio: OutputRatio {
                answers: number("answers")?,
                reported: number("reported")?,
                tokens: number("tokens")?,
                pieces: number("pieces")?,
                off_tokens: number("off_tokens")?,
                off_pieces: number("off_pieces")?,
            },
        })
    };
    statement.query_map([], row)?.collect()
}
