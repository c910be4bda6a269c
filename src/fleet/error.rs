//! What can go wrong with the fleet's database, by what a person can do about it. No text holds a password.

use std::error::Error as _;
use tokio_postgres::error::SqlState;

#[derive(Clone, Debug, thiserror::Error)]
pub enum FleetError {
    #[error("--ledger {0}")]
    Url(String),
    #[error("the fleet's database {place} cannot be reached: {reason}; is it running, and are host and port right?")]
    Unreachable { place: String, reason: String },
    #[error(
        "the fleet's database {place} refuses the credentials: {reason}; give user and password in PLANB_LEDGER or the password in PGPASSWORD"
    )]
    Credentials { place: String, reason: String },
    #[error("there is no database at {place}: {reason}; make it with `createdb`, or name another one")]
    NoDatabase { place: String, reason: String },
    #[error(
        "no trusted connection to {place}: {reason}; name the authority with ?sslrootcert=FILE, or on a network of your own say ?sslmode=disable"
    )]
    Tls { place: String, reason: String },
    #[error("the fleet's database {place} asks for TLS: leave sslmode=disable out ({reason})")]
    TlsRequired { place: String, reason: String },
    #[error("the database {place} cannot be written: {reason}; name the primary, or all hosts, separated by commas")]
    ReadOnly { place: String, reason: String },
    #[error(
        "the role may not make or use the schema `planb` in {place}: {reason}; CREATE SCHEMA planb AUTHORIZATION of that role, or let it create"
    )]
    Rights { place: String, reason: String },
    #[error(
        "the schema `planb` in {place} was made by a newer planb (version {found}; this one knows {known}): use that version"
    )]
    Newer { place: String, found: i32, known: i32 },
    #[error(
        "the schema `planb` in {place} is not planb's: {reason}; name another database, or give this one's schema back"
    )]
    Schema { place: String, reason: String },
    #[error("{0}")]
    OtherFleet(String),
    #[error("{0}")]
    Unshareable(String),
    /// Another daemon goes on under this one's name: a copied state directory, or a start beside a stop.
    #[error("another daemon has taken this one's place in the fleet; nothing paid is started until a restart")]
    Superseded,
    #[error(
        "a daemon on `{machine}`, heard of {seen} s ago, goes by the name that this state directory has in the fleet: a copy of it? Give each daemon its own with --state DIR (if that machine has just lost its power, start again in half a minute)"
    )]
    NameTaken { machine: String, seen: i64 },
    #[error("the fleet's database knows less than it did")]
    Older,
    #[error("the fleet's database does not answer in time")]
    Slow,
    #[error("the fleet's database failed: {0}")]
    Failed(String),
}

impl FleetError {
    /// It may go away by itself: the daemon may start without the database, and tries again.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::ReadOnly { .. } | Self::Slow | Self::Failed(_)
        )
    }

    /// The same transaction may go through when it is tried again.
    pub fn is_retried(error: &tokio_postgres::Error) -> bool {
        let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        error.code().is_some_and(|code| again.contains(code))
    }

    /// The connection is gone; whether the server is too shows on a new one.
    pub(super) fn is_cut(error: &tokio_postgres::Error) -> bool {
        let cut = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
        error.code().is_none_or(|code| cut.contains(code))
    }

    pub(super) fn of(place: &str, error: &tokio_postgres::Error) -> Self {
        let (place, reason) = (place.to_owned(), reason(error));
        let Some(code) = error.code() else {
            let words = reason.to_lowercase();
            return if words.contains("tls") || words.contains("certificate") {
                Self::Tls { place, reason }
            } else if words.contains("password missing") || words.contains("authentication") {
                Self::Credentials { place, reason }
            } else if words.contains("read-only") || words.contains("does not allow writes") {
                Self::ReadOnly { place, reason }
            } else {
                Self::Unreachable { place, reason }
            };
        };
        match code.code() {
            "28000" if reason.contains("no encryption") || reason.contains("SSL off") => {
                Self::TlsRequired { place, reason }
            }
            "28000" | "28P01" => Self::Credentials { place, reason },
            "3D000" => Self::NoDatabase { place, reason },
            "25006" => Self::ReadOnly { place, reason },
            "42501" => Self::Rights { place, reason },
            "42P01" | "42703" | "3F000" | "42804" | "42883" => Self::Schema { place, reason },
            "57P01" | "57P02" | "57P03" | "53300" => Self::Unreachable { place, reason },
            "57014" | "55P03" => Self::Slow,
            _ => Self::Failed(reason),
        }
    }
}

/// The server's own words, or the chain of causes.
fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    words
}
