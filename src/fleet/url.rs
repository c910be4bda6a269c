//! The database's URL: read once, shown without its password. Decides how far the connection is trusted: on this machine
//! as it is, over a network only with a certificate that can be verified.

use super::error::FleetError;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// What is sent and not acknowledged for so long shows that the other end is gone.
const SILENT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Target {
    pub(super) config: tokio_postgres::Config,
    /// Trusted instead of the system's authorities.
    pub(super) authority: Option<PathBuf>,
    /// For people.
    pub place: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)
    }
}

impl Target {
    /// `password` is taken where the URL has none.
    pub fn parse(url: &str, password: Option<String>) -> Result<Self, FleetError> {
        let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !known {
            let form = "is no URL of a database: it has the form postgres://USER@HOST/DB";
            return Err(FleetError::Url(form.to_owned()));
        }
        let (bare, mode, authority) = take_tls(url)?;
        let mut config: tokio_postgres::Config = bare.parse().map_err(|error| FleetError::Url(wrong(&error)))?;
        if config.get_password().is_none()
            && let Some(password) = password
        {
            config.password(password);
        }
        if config.get_hosts().is_empty() {
            return Err(FleetError::Url("names no host: postgres://USER@HOST/DB".to_owned()));
        }
        let (Some(_), Some(_)) = (config.get_user(), config.get_dbname()) else {
            return Err(FleetError::Url(
                "needs a user and a database: postgres://USER@HOST/DB".to_owned(),
            ));
        };
        config
            .ssl_mode(mode.unwrap_or_else(|| {
                if is_here(&config) {
                    SslMode::Disable
                } else {
                    SslMode::Require
                }
            }))
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(SILENT)
            .keepalives_idle(SILENT)
            .application_name("planb")
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        let place = place(&config);
        Ok(Self {
            config,
            authority,
            place,
        })
    }
}

/// What the driver does not know of TLS is taken out of the URL.
fn take_tls(url: &str) -> Result<(String, Option<SslMode>, Option<PathBuf>), FleetError> {
    let Some((bare, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None, None));
    };
    let (mut mode, mut authority, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "disable")) => mode = Some(SslMode::Disable),
            // Always verified: an encrypted line to nobody knows whom keeps no password.
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => mode = Some(SslMode::Require),
            Some(("sslmode", word)) => {
                return Err(FleetError::Url(format!(
                    "sslmode={word} is not one of disable, require, verify-full"
                )));
            }
            Some(("sslrootcert", file)) => authority = Some(PathBuf::from(file)),
            _ => rest.push(pair),
        }
    }
    let bare = if rest.is_empty() {
        bare.to_owned()
    } else {
        format!("{bare}?{}", rest.join("&"))
    };
    Ok((bare, mode, authority))
}

fn wrong(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    format!("cannot be read{cause}: it has the form postgres://USER@HOST/DB")
}

/// No network lies between.
fn is_here(config: &tokio_postgres::Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    })
}

fn place(config: &tokio_postgres::Config) -> String {
    let port = |at: usize| {
        let ports = config.get_ports();
        ports.get(at).or(ports.first()).copied().unwrap_or(5432)
    };
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| match host {
        Host::Unix(path) => format!("{}:{}", path.display(), port(at)),
        Host::Tcp(name) => format!("{name}:{}", port(at)),
    });
    let hosts: Vec<String> = hosts.collect();
    let user = config.get_user().unwrap_or_default();
    format!("{user}@{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, FleetError> {
        Target::parse(url, None)
    }

    #[test]
    fn a_place_is_shown_without_its_password() {
        let target = parse("postgres://me:secret@db.example:5433/books?sslmode=require&sslrootcert=/ca.pem").unwrap();
        assert_eq!(format!("{target:?}"), "me@db.example:5433/books");
        assert_eq!(target.authority, Some(PathBuf::from("/ca.pem")));
    }

    #[test]
    fn over_a_network_tls_is_the_rule_and_on_this_machine_it_is_not() {
        let mode = |url: &str| parse(url).unwrap().config.get_ssl_mode();
        assert_eq!(mode("postgres://me@db.example/books"), SslMode::Require);
        assert_eq!(mode("postgres://me@localhost/books"), SslMode::Disable);
        assert_eq!(
            mode("postgres://me@127.0.0.1/books?sslmode=verify-full"),
            SslMode::Require
        );
        assert_eq!(mode("postgres://me@db.example/books?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgresql://me@%2Frun%2Fpostgresql/books"), SslMode::Disable);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for url in [
            "mysql://me:secret@db/books",
            "postgres:///books",
            "postgres://me:secret@db",
            "postgres://me:secret@db:nine/books",
            "postgres://me:secret@db/books?sslmode=prefer",
            "postgres://me:secret@db/books?colour=red",
        ] {
            let said = parse(url).unwrap_err().to_string();
            assert!(said.starts_with("--ledger "), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn the_password_may_come_from_elsewhere() {
        let target = Target::parse("postgres://me@localhost/books", Some("other".into())).unwrap();
        assert_eq!(target.config.get_password(), Some(b"other".as_slice()));
    }
}
