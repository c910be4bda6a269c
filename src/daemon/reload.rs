//! An edit of the policy's files becomes the policy in force, or is rejected and changes nothing.

use super::announce::Announcer;
use super::introduce::short;
use super::{books, exposed, fleet, meters, projection, providers};
use crate::access::shared_keys;
use crate::alert::{AlertEvent, EventKind};
use crate::gateway::Gateway;
use crate::live::Rejected;
use crate::plan::Now;
use crate::policy::Diagnostic;
use crate::policy::snapshot::{AlertUrl, CredentialRef, Snapshot};
use crate::policy::{Compiled, compile, diff};
use crate::upstream::local::LocalSpec;
use crate::watch::read_sources;
use jiff::Timestamp;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

pub struct Reloader {
    pub gateway: Arc<Gateway>,
    pub announcer: Arc<Announcer>,
    /// `None`: the built-in quickstart, which does not change.
    pub path: Option<PathBuf>,
    pub listen: SocketAddr,
    /// Budgets are shared with other daemons.
    pub shares: bool,
    /// Who tells of edits that are in force.
    pub edits: Sender<projection::Edit>,
}

/// What the files hold now, beside what is in force.
enum Edit {
    Same,
    Wrong(Vec<Diagnostic>),
    /// With what it changes, in words.
    New(Box<Compiled>, Vec<String>),
}

/// More sentences than these are counted, not told.
const MOST_CHANGES: usize = 50;

fn edit(path: &Path, in_force: &Snapshot, listen: SocketAddr, shares: bool, now: Timestamp) -> Edit {
    let sources = match read_sources(Some(path)) {
        Ok(sources) => sources,
        Err(error) => return Edit::Wrong(vec![error.diagnostic()]),
    };
    if sources.hash() == *in_force.hash {
        return Edit::Same;
    }
    let compiled = match compile(&sources, now) {
        Ok(compiled) => compiled,
        Err(diagnostics) => return Edit::Wrong(diagnostics),
    };
    if let Some(error) = exposed(listen, &compiled.snapshot) {
        let file = &compiled.snapshot.origin;
        return Edit::Wrong(vec![Diagnostic::of_file("exposed", file, &error.to_string())]);
    }
    if let Some(error) = fleet::unshareable(&compiled.snapshot).filter(|_| shares) {
        let file = &compiled.snapshot.origin;
        return Edit::Wrong(vec![Diagnostic::of_file("unshareable", file, &error.to_string())]);
    }
    let mut changes = diff::summary(in_force, &compiled.snapshot);
    if changes.len() > MOST_CHANGES {
        let more = changes.len() - MOST_CHANGES;
        changes.truncate(MOST_CHANGES);
        changes.push(format!("and {more} more"));
    }
    Edit::New(Box::new(compiled), changes)
}

impl Reloader {
    /// Reads the files and takes them over where they differ from what is in force. Reading and compiling stand beside
    /// the requests, not among them.
    pub async fn reload(&self) {
        let Some(path) = self.path.clone() else { return };
        let in_force = self.gateway.live.policy().snapshot.clone();
        let (listen, shares, now) = (self.listen, self.shares, self.gateway.clock.now());
        match tokio::task::spawn_blocking(move || edit(&path, &in_force, listen, shares, now)).await {
            Ok(Edit::Same) => self.forget_rejected().await,
            Ok(Edit::Wrong(diagnostics)) => self.reject(diagnostics).await,
            Ok(Edit::New(compiled, changes)) => self.take_over(*compiled, changes).await,
            Err(error) => tracing::error!(%error, "the policy's files could not be read"),
        }
    }

    /// Only credentials moved: the same policy, looked at anew.
    pub async fn refresh_credentials(&self) {
        let changed = self.gateway.credentials.refresh();
        if changed.is_empty() {
            return;
        }
        let policy = self.gateway.live.policy();
        let now = self.gateway.clock.uptime();
        for reference in &changed {
            self.gateway.live.health.lock().key_changed(&reference.label(), now);
        }
        tracing::info!(count = changed.len(), "credentials changed");
        tell_shared_keys(&self.gateway);
        self.tell(providers::refresh(&self.gateway, &policy)).await;
    }

    async fn tell(&self, events: Vec<AlertEvent>) {
        for event in events {
            self.announcer.announce(event).await;
        }
    }

    /// A broken edit that was undone leaves the same policy: it is no longer rejected.
    async fn forget_rejected(&self) {
        if self.gateway.live.rejected().is_some() {
            self.gateway.live.forget_rejected();
            tracing::info!("the rejected edit is undone: the policy in the files is the one in force");
        }
    }

    async fn reject(&self, diagnostics: Vec<Diagnostic>) {
        let now = self.gateway.clock.now();
        let same = self
            .gateway
            .live
            .rejected()
            .is_some_and(|before| before.diagnostics == diagnostics);
        if same {
            return;
        }
        let listed: Vec<String> = diagnostics.iter().map(|found| format!("\n{found}")).collect();
        tracing::error!(
            "the policy's edit is rejected, the policy {} stays in force{}",
            short(&self.gateway.live.policy().snapshot.hash),
            listed.concat()
        );
        self.gateway.metrics.count_reload("rejected");
        let data = json!({"diagnostics": diagnostics, "in_force": &*self.gateway.live.policy().snapshot.hash});
        self.gateway.live.reject(Rejected { at: now, diagnostics });
        self.announcer
            .announce(AlertEvent {
                kind: EventKind::PolicyRejected,
                at: now,
                dedupe: None,
                data,
            })
            .await;
    }

    async fn take_over(&self, compiled: Compiled, changes: Vec<String>) {
        let gateway = &self.gateway;
        for warning in &compiled.warnings {
            tracing::warn!("policy\n{warning}");
        }
        let now = gateway.clock.now();
        let old = gateway.live.policy();
        // The old policy's too: requests that began under it finish under it, with its clients and its keys.
        let both = references(&old.snapshot)
            .into_iter()
            .chain(references(&compiled.snapshot));
        gateway.credentials.track(both);
        gateway
            .locals
            .sync(local_specs(&compiled.snapshot), &gateway.credentials.variables());
        let rebuilds = gateway.live.install(
            compiled.snapshot,
            Now {
                wall: now,
                up: gateway.clock.uptime(),
            },
        );
        let policy = gateway.live.policy();
        tell_shared_keys(gateway);
        let events = providers::refresh(gateway, &policy);
        let rebuilt: Vec<Arc<str>> = rebuilds.iter().map(|request| request.pool.budget.clone()).collect();
        meters::find(gateway).await;
        books::rebuild(gateway, rebuilds).await;
        super::record_policy(&gateway.ledger, &policy).await;
        fleet::edited(gateway, &policy);
        gateway.metrics.count_reload("reloaded");
        tracing::info!(
            "policy {} is reloaded: {} replaces {}",
            policy.snapshot.origin,
            short(&policy.snapshot.hash),
            short(&old.snapshot.hash)
        );
        for change in &changes {
            tracing::info!("policy: {change}");
        }
        let views = gateway.live.books.lock().views();
        let starts: Vec<_> = views
            .iter()
            .filter(|view| rebuilt.contains(&view.budget) && view.span.contains(now))
            .map(|view| json!({"budget": &*view.budget, "key": &*view.key, "starts_at": view.posted.plus(view.held).to_string()}))
            .collect();
        let data = json!({
            "hash": &*policy.snapshot.hash,
            "before": &*old.snapshot.hash,
            "source": &*policy.snapshot.origin,
            "changes": changes,
            "budgets": starts,
            "currency": policy.snapshot.currency.code(),
        });
        self.tell(events).await;
        // Told with what it would have meant for the last days; nobody waits for that but the event.
        let edit = projection::Edit {
            old: old.snapshot.clone(),
            new: policy.snapshot.clone(),
            at: now,
            data,
        };
        if self.edits.send(edit).await.is_err() {
            tracing::error!("the reload could not be announced");
        }
    }
}

/// What no reading of the policy can see: two clients whose references lead to one key.
pub fn tell_shared_keys(gateway: &Gateway) {
    for (one, two) in shared_keys(&gateway.live.policy().snapshot, &gateway.credentials) {
        tracing::error!(
            "clients `{one}` and `{two}` have the same key, so that it is refused; give each one of its own"
        );
    }
}

/// Everything that the policy refers to and does not contain.
pub fn references(snapshot: &Snapshot) -> Vec<CredentialRef> {
    let urls = snapshot.alerts.iter().filter_map(|alert| match &alert.url {
        AlertUrl::Reference(reference) => Some(reference.clone()),
        AlertUrl::Literal(_) => None,
    });
    let keys = snapshot
        .providers
        .iter()
        .flat_map(|provider| provider.keys.iter().map(|key| key.credential.clone()));
    let clients = snapshot.clients.iter().flat_map(|client| client.keys.clone());
    let secrets = snapshot.alerts.iter().map(|alert| alert.secret.clone());
    keys.chain(clients).chain(secrets).chain(urls).collect()
}

pub fn local_specs(snapshot: &Snapshot) -> Vec<LocalSpec> {
    let used = snapshot.providers.iter().filter(|provider| !provider.disabled);
    used.filter_map(LocalSpec::of).collect()
}
