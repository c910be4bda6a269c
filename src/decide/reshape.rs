//! The request as the policy shapes it for each model that may serve it: its body, and what it needs after that.

use super::{Misfit, Rules, Shaped, Target, terms};
use crate::catalog::Wire;
use crate::dialect::chat::seals::without_seals;
use crate::dialect::messages;
use crate::dialect::{Inbound, refused, shape, translate};
use crate::policy::snapshot::{ModelId, Path, Shaping, Snapshot};
use crate::request::Requirements;
use bytes::Bytes;
use std::sync::Arc;

/// What is sent to one model.
pub struct Reshaped {
    pub inbound: Inbound,
    pub needs: Arc<Requirements>,
    /// Fields that were left out because the vendor refuses them.
    pub dropped: Vec<&'static str>,
}

/// By model; what is not there goes as it is.
pub type Reshapes = Vec<(ModelId, Result<Box<Reshaped>, Misfit>)>;

pub fn reshape(rules: Rules<'_>, target: Target, inbound: &Inbound, needs: &Requirements) -> Reshapes {
    let terms = terms(rules, target);
    let plain = match target {
        Target::Route(id) => &rules.snapshot.route(id).terms.candidates[..],
        Target::Model(_) => &[][..],
    };
    to(rules, target, terms.candidates.iter().chain(plain), inbound, needs)
}

/// The same for these models.
pub fn to<'a>(
    rules: Rules<'_>,
    target: Target,
    ids: impl IntoIterator<Item = &'a ModelId>,
    inbound: &Inbound,
    needs: &Requirements,
) -> Reshapes {
    let route = match target {
        Target::Route(id) => Some(&rules.snapshot.route(id).shaping),
        Target::Model(_) => None,
    };
    let mut reshapes = Reshapes::new();
    for id in ids {
        if reshapes.iter().any(|(known, _)| known == id) {
            continue;
        }
        if let Some(reshaped) = one(rules, route, *id, inbound, needs).transpose() {
            reshapes.push((*id, reshaped.map(Box::new)));
        }
    }
    reshapes
}

pub fn of(reshapes: &Reshapes, id: ModelId) -> Shaped<'_> {
    match reshapes.iter().find(|(known, _)| *known == id) {
        None => Shaped::AsItIs,
        Some((_, Ok(reshaped))) => Shaped::Needs(&reshaped.needs),
        Some((_, Err(why))) => Shaped::Misfit(why),
    }
}

/// The route's words, then the model's, then the provider's.
fn one(
    rules: Rules<'_>,
    route: Option<&Shaping>,
    id: ModelId,
    inbound: &Inbound,
    needs: &Requirements,
) -> Result<Option<Reshaped>, Misfit> {
    let (model, provider) = (rules.snapshot.model(id), rules.snapshot.provider_of(id));
    let scopes = [route, Some(&model.shaping), Some(&provider.shaping)];
    let chain: Vec<&Shaping> = scopes.into_iter().flatten().filter(|one| !one.is_none()).collect();
    let narrow = [Some(&model.shaping), Some(&provider.shaping), route];
    let drops = narrow.into_iter().flatten().find_map(|one| one.drops).unwrap_or(false);
    let unreadable =
        |error: crate::dialect::Unreadable| Misfit::Unsupported(format!("as the policy shapes it: {error}").into());
    let shaped = shape::shaped(inbound.body(), &chain).map_err(unreadable)?;
    let shaped = match Wire::of(provider.vendor, &model.upstream) {
        Wire::Chat => without_seals(shaped.as_ref().unwrap_or(inbound.body()))
            .map_err(unreadable)?
            .or(shaped),
        Wire::Messages | Wire::RawPredict => shaped,
    };
    // What the policy takes out is not there to be refused, and what it puts in is.
    let body = shaped.as_ref().unwrap_or(inbound.body());
    let mut dropped = refused::named(body, provider.vendor);
    if drops && !model.traits.reasoning {
        dropped.extend(refused::of_thinking(body));
    }
    if let (Some(field), false) = (dropped.first(), drops) {
        let vendor = provider.vendor.word();
        let why = format!("{vendor} refuses `{field}`; `on_unsupported: drop` would leave it out");
        return Err(Misfit::Unsupported(why.into()));
    }
    dropped.extend(untranslated(rules, id, inbound, body, drops)?);
    let strip = Shaping {
        strip: dropped
            .iter()
            .map(|field| Path(Arc::from([Arc::from(*field)])))
            .collect(),
        ..Shaping::default()
    };
    let spared = shape::shaped(body, &[&strip]).map_err(unreadable)?;
    // What is left out on the way into another dialect is still in the body.
    let named = || (!dropped.is_empty()).then(|| inbound.body().clone());
    let Some(body) = spared.or(shaped).or_else(named) else {
        return Ok(None);
    };
    let inbound = inbound.with_body(body).map_err(unreadable)?;
    let needs = Requirements {
        caller: needs.caller.clone(),
        min_quality: needs.min_quality,
        max_cost: needs.max_cost,
        user: needs.user,
        ..inbound.needs(&rules.snapshot.priced_fields)
    };
    Ok(Some(Reshaped {
        inbound,
        needs: Arc::new(needs),
        dropped,
    }))
}

/// What is lost on the way into the model's dialect, where the policy allows that.
fn untranslated(
    rules: Rules<'_>,
    id: ModelId,
    inbound: &Inbound,
    body: &Bytes,
    drops: bool,
) -> Result<Vec<&'static str>, Misfit> {
    let target = messages_target(rules.snapshot, id);
    if target.wire == Wire::Chat {
        return Ok(Vec::new());
    }
    if inbound.as_chat().is_none() {
        return Err(Misfit::Untranslatable("a request for vectors".into()));
    }
    let lost = translate::fit(body, &target).map_err(|what| Misfit::Untranslatable(what.0))?;
    match lost.first() {
        Some(field) if !drops => {
            let what = format!("`{field}`; `on_unsupported: drop` would leave it out");
            Err(Misfit::Untranslatable(what.into()))
        }
        _ => Ok(lost),
    }
}

/// The model as the Messages dialect has to know it.
pub fn messages_target(snapshot: &Snapshot, id: ModelId) -> messages::Target<'_> {
    let (model, provider) = (snapshot.model(id), snapshot.provider_of(id));
    messages::Target {
        vendor: provider.vendor,
        upstream: &model.upstream,
        wire: Wire::of(provider.vendor, &model.upstream),
        thinks: model.traits.reasoning,
        always_thinks: model.traits.always_thinks,
    }
}
