//! The admin token: a file of mode 0600 in the state directory, made at the first start.

use super::{Control, refused};
use crate::access::identify;
use crate::lasting::made_once;
use crate::peer::Peer;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use subtle::ConstantTimeEq;

pub const FILE_NAME: &str = "admin.token";
/// 256 bits.
const BYTES: usize = 32;

pub struct AdminToken(SecretString);

impl AdminToken {
    /// Reads the state directory's token, or makes one.
    pub fn open(state: &Path) -> io::Result<Self> {
        let path = state.join(FILE_NAME);
        made_once(&path, || {
            let mut bytes = [0_u8; BYTES];
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(token.into_bytes())
        })?;
        Self::read(&path)
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = String::new();
        OpenOptions::new().read(true).open(path)?.read_to_string(&mut text)?;
        let token = text.trim();
        if token.len() < BYTES {
            let message = format!(
                "{} holds no admin token; remove it and start planb to have one made",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Self(token.to_owned().into()))
    }

    /// For the `Authorization` header of the command line.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let text = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let given = text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        given.is_some_and(|(_, token)| bool::from(token.trim().as_bytes().ct_eq(self.0.expose_secret().as_bytes())))
    }
}

fn is_reader(control: &Control, headers: &HeaderMap, peer: Peer) -> bool {
    let policy = control.live.policy();
    let found = identify(
        &policy.snapshot,
        &control.credentials,
        headers,
        peer,
        control.clock.now(),
    );
    matches!(found, Ok(Some(id)) if policy.snapshot.client(id).read)
}

/// Reads pass from this machine and for a client of `scope: read`; everything else needs the token.
pub(super) async fn guard(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let may_read = |peer: Peer| peer.is_local() || is_reader(&control, request.headers(), peer);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if (reads && peer.is_some_and(may_read)) || control.token.is_in(request.headers()) {
        return next.run(request).await;
    }
    let given = request.headers().contains_key(header::AUTHORIZATION);
    let (status, message) = if given {
        (
            StatusCode::FORBIDDEN,
            "this is not the admin token, which is in `admin.token` in the state directory, nor the key of a client that may read here",
        )
    } else {
        (
            StatusCode::UNAUTHORIZED,
            "the admin token is needed: `Authorization: Bearer …` with what `admin.token` in the state directory holds",
        )
    };
    refused(status, message)
}
