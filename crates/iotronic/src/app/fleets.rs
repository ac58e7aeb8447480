//! Fleets: named sets of boards.

use crate::app::Error;
use crate::app::access::Caller;
use crate::app::find::find;
use crate::app::plugins::bounded;
use crate::cloud::Cloud;
use api::fleets::{Change, MAX_DESCRIPTION, New};
use model::label::Selector;
use model::{FleetId, Invalid};
use serde_json::{Value, json};
use store::Page;
use store::fleets::{self, FleetChange, FleetRow, NewFleet};

/// Makes a fleet; `extra` is what upstream's clients keep with it.
///
/// # Errors
/// The name is taken, or the description too long.
pub async fn create(
    cloud: &Cloud,
    caller: &Caller,
    new: New,
    extra: Option<Value>,
) -> Result<FleetRow, Error> {
    check(&new.description)?;
    let rule = new.rule.as_deref().map(read_rule).transpose()?.flatten();
    let new = NewFleet {
        extra: extra.map_or_else(|| Ok(json!({})), bounded)?,
        id: FleetId::new(),
        name: new.name,
        project: caller.project().clone(),
        description: new.description,
        rule,
    };
    let made = cloud.store.write(move |tx| Box::pin(async move { fleets::create(tx, new).await }));
    Ok(made.await?)
}

fn check(description: &str) -> Result<(), Invalid> {
    match description.chars().count() {
        0..=MAX_DESCRIPTION => Ok(()),
        count => Err(Invalid::new(format!(
            "a description has at most {MAX_DESCRIPTION} characters, this one has {count}"
        ))),
    }
}

/// A rule as people write it; an empty one is none.
fn read_rule(text: &str) -> Result<Option<Selector>, Invalid> {
    let rule: Selector = text.parse().map_err(|wrong| {
        Invalid::new(format!("rule: {wrong}; write it like kind=lamp,zone in (north|east),!broken"))
    })?;
    Ok(Some(rule).filter(|rule| !rule.terms().is_empty()))
}

/// The fleet of this id or name.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<FleetRow, Error> {
    let fleet = find(caller, ident, |scope| fleets::get(&cloud.store, scope, ident)).await?;
    caller.may(&fleet.project, "fleet")?;
    Ok(fleet)
}

/// Fleets that the caller may see, in order of creation.
///
/// # Errors
/// The store failed.
pub async fn list(cloud: &Cloud, caller: &Caller, page: Page) -> Result<Vec<FleetRow>, Error> {
    Ok(fleets::list(&cloud.store, caller.scope(), page).await?)
}

/// Changes a fleet.
///
/// # Errors
/// There is none, the name is taken, or it is not at revision `expected`.
pub async fn update(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    change: Change,
    extra: Option<Value>,
    expected: Option<i64>,
) -> Result<FleetRow, Error> {
    check(change.description.as_deref().unwrap_or_default())?;
    let id = get(cloud, caller, ident).await?.id;
    let extra = extra.map(bounded).transpose()?;
    let rule = change.rule.as_deref().map(read_rule).transpose()?;
    let change = FleetChange { name: change.name, description: change.description, rule, extra };
    let done = cloud.store.write(move |tx| {
        Box::pin(async move { fleets::update(tx, None, id, change, expected).await })
    });
    Ok(done.await?)
}

/// Removes a fleet; its boards stay.
///
/// # Errors
/// There is none, or it is not at revision `expected`.
pub async fn delete(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    expected: Option<i64>,
) -> Result<(), Error> {
    let fleet = get(cloud, caller, ident).await?;
    fresh("fleet", fleet.revision, expected)?;
    let done = cloud
        .store
        .write(move |tx| Box::pin(async move { fleets::delete(tx, None, fleet.id).await }));
    Ok(done.await?)
}

/// Whether a thing is still as the caller has seen it, for removals.
pub(super) fn fresh(
    what: &'static str,
    revision: i64,
    expected: Option<i64>,
) -> Result<(), store::Error> {
    match expected {
        Some(expected) if expected != revision => Err(store::Error::Stale { what }),
        _ => Ok(()),
    }
}
