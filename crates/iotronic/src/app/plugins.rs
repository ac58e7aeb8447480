//! Plugins: code that can be injected into boards.

use crate::app::access::{Basis, Caller};
use crate::app::boards::{Wanted, borrower, the_only_one};
use crate::app::find::find;
use crate::app::fleets::fresh;
use crate::app::{Error, delegations};
use crate::cloud::Cloud;
use api::plugins::{Change, Limits, New};
use model::access::Action;
use model::delegation::{Resource, Target};
use model::plugin::{MAX_SOURCE, MAX_VALUE, Visibility};
use model::{Invalid, PluginId, Timestamp};
use serde_json::{Value, json};
use store::boards::BoardRow;
use store::plugins::{self, Filter, NewPlugin, PluginChange, PluginRow};
use store::{Page, Reader};
use uuid::Uuid;

/// The right to see a plugin.
const SEE: Action = Action::read("plugin:get_one");

/// Makes a plugin; `extra` is what upstream's clients keep with it.
///
/// # Errors
/// The name is taken, the source too long, or the parameters are no object.
pub async fn create(
    cloud: &Cloud,
    caller: &Caller,
    new: New,
    extra: Option<Value>,
) -> Result<PluginRow, Error> {
    check_source(&new.source)?;
    let new = NewPlugin {
        extra: object(extra.unwrap_or_default())?,
        id: PluginId::new(),
        name: new.name,
        project: caller.project().clone(),
        owner: caller.principal().user.clone(),
        visibility: new.visibility.unwrap_or(Visibility::Private),
        language: new.language,
        mode: new.mode,
        source: new.source,
        parameters: object(new.parameters)?,
        limits: json!(new.limits),
    };
    let made = cloud.store.write(move |tx| Box::pin(async move { plugins::create(tx, new).await }));
    Ok(made.await?)
}

fn check_source(source: &str) -> Result<(), Invalid> {
    if source.is_empty() || source.len() > MAX_SOURCE {
        return Err(Invalid::new(format!(
            "a source has 1 to {MAX_SOURCE} bytes, this one has {}",
            source.len()
        )));
    }
    Ok(())
}

/// Parameters are a JSON object; left out, an empty one.
fn object(value: Value) -> Result<Value, Invalid> {
    match value {
        Value::Null => Ok(json!({})),
        Value::Object(_) => bounded(value),
        _ => Err(Invalid::new("parameters are a JSON object, such as {\"period\": 5}")),
    }
}

/// A value that may travel to a board.
pub(super) fn bounded(value: Value) -> Result<Value, Invalid> {
    let size = value.to_string().len();
    if size > MAX_VALUE {
        return Err(Invalid::new(format!("parameters have at most {MAX_VALUE} bytes, not {size}")));
    }
    Ok(value)
}

/// The plugin of this id or name: one of the own project, a public one by its id, or one that is delegated to the caller for
/// what it wants to do.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<PluginRow, Error> {
    let plugin = reachable(cloud, caller, ident).await?;
    basis(&cloud.store, caller, &plugin, cloud.now()).await?;
    Ok(plugin)
}

/// The same for who came for something else, such as the boards on which it is: whoever may see it may ask.
///
/// # Errors
/// There is none that the caller may see.
pub(super) async fn seen(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<PluginRow, Error> {
    get(cloud, &caller.clone().about(SEE), ident).await
}

/// On what it rests that the caller may do what it came for with a plugin. A public one is everybody's.
///
/// # Errors
/// It may not, or for this caller there is none.
pub(super) async fn basis<'e>(
    from: impl Reader<'e>,
    caller: &Caller,
    plugin: &PluginRow,
    now: Timestamp,
) -> Result<Basis, Error> {
    if plugin.visibility == Visibility::Public {
        return Ok(Basis::Roles);
    }
    let target = Target::new(Resource::Plugin(plugin.id), plugin.project.clone());
    delegations::basis(from, caller, target, now).await
}

/// The plugin of this id or name, of the own project, public or lent whatever for. Whether the caller may do something with
/// it, or may know that it exists, is asked by whoever calls this.
///
/// # Errors
/// There is none.
pub(super) async fn reachable(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<PluginRow, Error> {
    match find(caller, ident, |scope| plugins::get(&cloud.store, scope, ident)).await {
        Err(store::Error::NotFound { .. }) => lent(cloud, caller, ident).await,
        found => Ok(found?),
    }
}

async fn lent(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<PluginRow, Error> {
    if let Ok(id) = Uuid::try_parse(ident) {
        return Ok(plugins::by_id(&cloud.store, None, id.into()).await?);
    }
    let filter = Filter {
        name: Some(ident.to_owned()),
        lent_to: Some(borrower(caller, cloud, Wanted::Whatever)),
        ..Filter::default()
    };
    let found = plugins::list(&cloud.store, Some(caller.project()), &filter, Page::default());
    let mut found = found.await?;
    // A public plugin of others has no name here, it is known by its id.
    found.retain(|plugin| plugin.visibility == Visibility::Private);
    the_only_one(found, "plugin")
}

/// The plugin of this id or name for something on a board that the caller was let to, and by which delegation it is theirs to
/// bring along, if by one. A board of another project, which was delegated, has plugins of its own project.
///
/// # Errors
/// There is none.
pub(super) async fn for_board(
    cloud: &Cloud,
    caller: &Caller,
    board: &BoardRow,
    ident: &str,
) -> Result<(PluginRow, Basis), Error> {
    if caller.may(&board.project, "board").is_err() {
        let theirs = plugins::get(&cloud.store, Some(&board.project), ident).await;
        let own = match theirs {
            // Who may read a plugin may bring it along.
            Err(store::Error::NotFound { .. }) => {
                find(caller, ident, |scope| plugins::get(&cloud.store, scope, ident)).await
            }
            found => found,
        };
        match own {
            Err(store::Error::NotFound { .. }) => {}
            found => return Ok((found?, Basis::Roles)),
        }
    }
    let plugin = reachable(cloud, caller, ident).await?;
    let basis = basis(&cloud.store, caller, &plugin, cloud.now()).await?;
    Ok((plugin, basis))
}

/// The source of a plugin that the caller may see.
///
/// # Errors
/// There is none.
pub async fn source(cloud: &Cloud, plugin: &PluginRow) -> Result<String, Error> {
    Ok(plugins::source(&cloud.store, plugin.id).await?.0)
}

/// Plugins that the caller may see, in order of creation.
///
/// # Errors
/// The store failed.
pub async fn list(cloud: &Cloud, caller: &Caller, page: Page) -> Result<Vec<PluginRow>, Error> {
    let lent_to = Some(borrower(caller, cloud, Wanted::ForThis));
    let filter = Filter { lent_to, ..Filter::default() };
    Ok(plugins::list(&cloud.store, caller.scope(), &filter, page).await?)
}

/// One that the caller may change: a public plugin of others may be seen and injected, not changed.
async fn own(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<PluginRow, Error> {
    let plugin = get(cloud, caller, ident).await?;
    caller.may(&plugin.project, "plugin")?;
    Ok(plugin)
}

/// Changes a plugin; boards keep what they have until it is injected again.
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
) -> Result<PluginRow, Error> {
    change.source.as_deref().map_or(Ok(()), check_source)?;
    let id = own(cloud, caller, ident).await?.id;
    let change = PluginChange {
        extra: extra.map(object).transpose()?,
        name: change.name,
        visibility: change.visibility,
        source: change.source,
        parameters: change.parameters.map(object).transpose()?,
        limits: change.limits.map(|limits: Limits| json!(limits)),
    };
    let done = cloud.store.write(move |tx| {
        Box::pin(async move { plugins::update(tx, None, id, change, expected).await })
    });
    Ok(done.await?)
}

/// Removes a plugin that no board has.
///
/// # Errors
/// There is none, boards have it, or it is not at revision `expected`.
pub async fn delete(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    expected: Option<i64>,
) -> Result<(), Error> {
    let plugin = own(cloud, caller, ident).await?;
    fresh("plugin", plugin.revision, expected)?;
    let done = cloud
        .store
        .write(move |tx| Box::pin(async move { plugins::delete(tx, None, plugin.id).await }));
    Ok(done.await?)
}
