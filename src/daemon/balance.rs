//! Prepaid money at vendors that tell it: asked every ten minutes for each provider with a key, never more often, and
//! kept as a signal. Nothing is admitted or refused by it.

use crate::gateway::Gateway;
use crate::live::Policy;
use crate::money::{Currency, Exact, Money};
use crate::policy::snapshot::{Provider, ProviderId};
use crate::upstream::balance::ask;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EACH: Duration = Duration::from_secs(600);
/// How often it is looked who is due.
const LOOK: Duration = Duration::from_secs(2);

pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut due: HashMap<Arc<str>, Duration> = HashMap::new();
    loop {
        let policy = gateway.live.policy();
        for provider in &policy.snapshot.providers {
            let now = gateway.clock.uptime();
            let next = due.entry(provider.name.clone()).or_insert(now);
            if *next > now || provider.vendor.facts().balance.is_none() || provider.disabled {
                continue;
            }
            *next = now + EACH;
            tokio::select! {
                () = stop.cancelled() => return,
                () = look(&gateway, &policy, provider) => {}
            }
        }
        due.retain(|name, _| policy.snapshot.providers.iter().any(|provider| provider.name == *name));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look(gateway: &Gateway, policy: &Policy, provider: &Provider) {
    let key = provider.keys.first().map(|key| &key.credential);
    let (Some(listing), Some(key)) = (
        provider.vendor.facts().balance.as_ref(),
        key.and_then(|reference| gateway.credentials.get(reference).ok()),
    ) else {
        return;
    };
    let web = gateway.connections.web(provider.allow_private);
    let currency = billed_in(provider);
    match ask(web, &provider.base_url, listing, currency, &key.secret).await {
        Ok(amounts) => match in_own_currency(policy, &amounts) {
            Some(left) => keep(gateway, &provider.name, left),
            None => tracing::debug!(provider = &*provider.name, "a balance in a currency without a rate"),
        },
        Err(why) => tracing::debug!(provider = &*provider.name, why, "no balance"),
    }
}

/// In the policy of now, which may be another one than when the question was asked.
fn keep(gateway: &Gateway, name: &str, left: Money) {
    let policy = gateway.live.policy();
    let place = policy
        .snapshot
        .providers
        .iter()
        .position(|known| known.name.as_ref() == name);
    if let Some(place) = place {
        policy
            .provider(ProviderId(place))
            .set_balance(left, gateway.clock.uptime());
    }
}

/// Where the vendor names no currency, the one of its place.
fn billed_in(provider: &Provider) -> Currency {
    let places = &provider.vendor.facts().places;
    let china = places
        .iter()
        .any(|place| place.region == Some("cn") && place.url.is_some_and(|url| url == provider.base_url.as_ref()));
    let yuan = Currency::parse("CNY").filter(|_| china);
    yuan.unwrap_or(Currency::USD)
}

/// The sum of what has a worth in the policy's currency; `None` where nothing has.
fn in_own_currency(policy: &Policy, amounts: &[(Currency, Money)]) -> Option<Money> {
    let snapshot = &policy.snapshot;
    let worth = |(currency, amount): &(Currency, Money)| {
        if *currency == snapshot.currency {
            return Some(*amount);
        }
        let rate = snapshot.rates.iter().find(|(known, _)| known == currency)?;
        Some(Exact::of(*amount).rounded_half_even_at(rate.1, 1))
    };
    amounts.iter().filter_map(worth).reduce(Money::plus)
}
