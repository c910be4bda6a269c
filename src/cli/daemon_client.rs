//! Asks the running daemon over its control API.

use crate::control::AdminToken;
use crate::daemon::state_dir;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A daemon that does not answer by then is not there.
const WITHIN: Duration = Duration::from_secs(10);

pub fn get(state: &Path, path: &str) -> Result<Value, String> {
    call(state, reqwest::Method::GET, path, None)
}

pub fn post(state: &Path, path: &str, body: &Value) -> Result<Value, String> {
    call(state, reqwest::Method::POST, path, Some(body.to_string()))
}

fn call(state: &Path, method: reqwest::Method, path: &str, body: Option<String>) -> Result<Value, String> {
    let address = state_dir::running(state).ok_or_else(|| {
        format!(
            "no daemon runs with the state directory {}; start one with `planb serve`",
            state.display()
        )
    })?;
    let url = format!("{}{path}", address.url);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        // Answers where another user owns it are still readable on loopback, without the token.
        let token = AdminToken::read(&state.join("admin.token")).ok();
        let connections = crate::upstream::connect::Connections::new().map_err(|error| error.to_string())?;
        let url = url.parse().map_err(|_| format!("{url} in daemon.json is no address"))?;
        let mut request = connections
            .web(true)
            .request(method, url)
            .map_err(|error| error.to_string())?
            .timeout(WITHIN);
        if let Some(token) = &token {
            request = request.bearer_auth(token.secret().expose_secret());
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| {
            format!(
                "the daemon (process {}) does not answer; `planb serve` starts it again: {}",
                address.pid,
                crate::upstream::connect::describe(error)
            )
        })?;
        let ok = response.status().is_success();
        let text = response.text().await.map_err(crate::upstream::connect::describe)?;
        let value: Value = serde_json::from_str(&text).map_err(|_| "the daemon answered in no JSON".to_owned())?;
        if ok {
            Ok(value)
        } else {
            Err(value["error"]["message"]
                .as_str()
                .unwrap_or("the daemon refused")
                .to_owned())
        }
    })
}
