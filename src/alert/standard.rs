//! The `standard` format: Standard Webhooks 1, signed with HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// A secret in the form that Standard Webhooks recommends; any other is used as the bytes that it is.
const PREFIX: &str = "whsec_";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the secret begins with whsec_ but what follows is not base64")]
    Secret,
    #[error("the body cannot be signed")]
    Body,
}

/// The three headers that make a webhook a signed one. Each try is signed anew: its time is the try's.
pub fn sign(
    secret: &SecretString,
    id: &str,
    at: Timestamp,
    body: &str,
) -> Result<[(&'static str, String); 3], SignError> {
    let webhook = webhook(secret.expose_secret())?;
    let seconds = at.as_second();
    let signature = webhook
        .sign(id, seconds, body.as_bytes())
        .map_err(|_| SignError::Body)?;
    Ok([
        (HEADER_WEBHOOK_ID, id.to_owned()),
        (HEADER_WEBHOOK_TIMESTAMP, seconds.to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signature),
    ])
}

fn webhook(secret: &str) -> Result<Webhook, SignError> {
    let key = match secret.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| SignError::Secret)?,
        None => secret.as_bytes().to_vec(),
    };
    Webhook::from_bytes(key).map_err(|_| SignError::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// RFC 2104 by the book, to check the library against.
    fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut block = [0_u8; 64];
        if key.len() > block.len() {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let pad = |with: u8| block.map(|byte| byte ^ with);
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
        Sha256::new()
            .chain_update(pad(0x5c))
            .chain_update(inner)
            .finalize()
            .to_vec()
    }

    #[test]
    fn signs_the_published_vector() {
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let at = Timestamp::from_second(1_649_367_553).unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let headers = sign(&secret, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", at, body).unwrap();
        assert_eq!(headers[0], ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk".into()));
        assert_eq!(headers[1], ("webhook-timestamp", "1649367553".into()));
        assert_eq!(
            headers[2],
            (
                "webhook-signature",
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=".into()
            )
        );
    }

    #[test]
    fn any_other_secret_is_its_bytes() {
        let long = "k".repeat(100);
        for secret in ["plain secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", long.as_str()] {
            let at = Timestamp::from_second(1_795_457_000).unwrap();
            let headers = sign(&SecretString::from(secret), "msg_1", at, "{\"é\":1}").unwrap();
            let expected = hmac_sha256(secret.as_bytes(), "msg_1.1795457000.{\"é\":1}".as_bytes());
            assert_eq!(headers[2].1, format!("v1,{}", STANDARD.encode(expected)));
        }
    }

    #[test]
    fn a_spoiled_secret_is_named_as_such_and_not_shown() {
        let error = sign(
            &SecretString::from("whsec_no!base64"),
            "msg_1",
            Timestamp::UNIX_EPOCH,
            "{}",
        )
        .unwrap_err();
        assert_eq!(error, SignError::Secret);
        assert!(!format!("{error} {error:?}").contains("no!base64"));
    }
}
