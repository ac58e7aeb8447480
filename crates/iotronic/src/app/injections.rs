//! Injections: plugins on boards, and what they do there.

use crate::app::access::Caller;
use crate::app::operations::{Order, command, given, submit, submit_part};
use crate::app::{Error, boards, contributions, devices, plugins, requests};
use crate::cloud::Cloud;
use api::plugins::{InjectMany, Run, Status};
use model::label::Selector;
use model::plugin::{InjectionState, Mode, OnBoot};
use model::{Invalid, Kind, OperationId, PluginId};
use rpc::plugin::{Inject, Limits, Plugin};
use rpc::{Call, Method};
use serde_json::Value;
use store::boards::{BoardRow, Filter};
use store::injections::{self, InjectionChange, InjectionRow};
use store::operations::OperationRow;
use store::plugins::PluginRow;
use store::{Page, Tx};

/// Most boards of one injection into many.
const MAX_MANY: usize = 1000;
/// Most bytes that one injection into many may put into the store: every command carries the source.
const MAX_MANY_BYTES: usize = 64 * 1024 * 1024;
/// Longest time a plugin gets to end by itself, in seconds.
const MAX_GRACE_S: u32 = 300;
/// Seconds it gets when nothing is said.
const GRACE_S: u32 = 2;

/// What asynchronous plugins are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Run a synchronous plugin and answer its result.
    Call,
    /// Start an asynchronous one.
    Start,
    /// Stop it and start it.
    Restart,
}

/// Plugins of a board, and how each runs.
///
/// # Errors
/// There is no such board.
pub async fn list(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
) -> Result<Vec<(InjectionRow, Mode)>, Error> {
    let board = boards::get(cloud, caller, board).await?;
    let rows = injections::list_for_board(&cloud.store, board.id).await?;
    let mut list = Vec::with_capacity(rows.len());
    for row in rows {
        let mode = store::plugins::by_id(&cloud.store, None, row.plugin).await?.mode;
        list.push((row, mode));
    }
    Ok(list)
}

/// A plugin on a board, by what people write for both.
async fn on_board(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
) -> Result<(BoardRow, PluginRow, InjectionRow), Error> {
    let board = boards::get(cloud, caller, board).await?;
    let plugin = plugins::for_board(cloud, caller, &board, plugin).await?;
    let injection = match injections::get(&cloud.store, board.id, plugin.id).await {
        Err(store::Error::NotFound { .. }) => {
            let text =
                format!("plugin {} is not on board {}; inject it first", plugin.name, board.name);
            return Err(Error::new(Kind::NotFound, text));
        }
        other => other?,
    };
    Ok((board, plugin, injection))
}

/// Puts a plugin on a board, or its newer source.
///
/// # Errors
/// There is no such board or plugin, or it cannot start on boot.
pub async fn inject(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
    on_boot: Option<OnBoot>,
    order: Order,
) -> Result<OperationRow, Error> {
    let board = boards::get(cloud, caller, board).await?;
    let plugin = plugins::for_board(cloud, caller, &board, plugin).await?;
    let inject = prepare(cloud, plugin, on_boot).await?;
    let wanted = order.clone();
    let order = order.at_once(cloud, board.id);
    let row = cloud
        .store
        .write(move |tx| Box::pin(async move { put(tx, &order, &board, &inject, None).await }))
        .await?;
    given(cloud, &wanted, row).await
}

/// Puts a plugin on all boards of the own project that a selector picks; all or none are told.
///
/// # Errors
/// The selector is empty, malformed or picks too many boards, or there is no such plugin.
pub async fn inject_many(
    cloud: &Cloud,
    caller: &Caller,
    many: InjectMany,
    order: Order,
) -> Result<Vec<OperationRow>, Error> {
    let selector: Selector = many.selector.parse()?;
    if selector.terms().is_empty() {
        return Err(Invalid::new("selector is empty; say which boards, such as kind=lamp").into());
    }
    let plugin = plugins::get(cloud, caller, &many.plugin).await?;
    let inject = prepare(cloud, plugin, many.on_boot).await?;
    let filter = Filter { selector, ..Filter::default() };
    let page = Page::default();
    let picked = store::boards::list(&cloud.store, Some(caller.project()), &filter, page).await?;
    let bytes = inject.plugin.code.len().saturating_mul(picked.len());
    if picked.len() >= MAX_MANY || bytes > MAX_MANY_BYTES {
        let text = "the selector picks too many boards for one request; narrow it";
        return Err(Error::new(Kind::Exhausted, text));
    }
    let project = caller.project().clone();
    let rows = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                let main = requests::begin(tx, &order, project, None, Method::PluginInject).await?;
                let mut rows = Vec::with_capacity(picked.len());
                for board in &picked {
                    rows.push(put(tx, &order, board, &inject, Some(main)).await?);
                }
                Ok(rows)
            })
        })
        .await?;
    for row in &rows {
        cloud.boards.ring(row.board);
    }
    Ok(rows)
}

async fn prepare(
    cloud: &Cloud,
    plugin: PluginRow,
    on_boot: Option<OnBoot>,
) -> Result<Inject, Error> {
    let on_boot = on_boot.unwrap_or(OnBoot::Wait);
    if on_boot == OnBoot::Start && plugin.mode == Mode::Sync {
        return Err(Invalid::new("a sync plugin is called, not started; leave on_boot out").into());
    }
    let (source, revision) = store::plugins::source(&cloud.store, plugin.id).await?;
    Ok(described(plugin, source, revision, on_boot)?)
}

/// A plugin as it travels to the board.
pub(super) fn described(
    plugin: PluginRow,
    source: String,
    revision: i64,
    on_boot: OnBoot,
) -> Result<Inject, Invalid> {
    let limits: Limits = serde_json::from_value(plugin.limits)
        .map_err(|error| Invalid::new(format!("the plugin's stored limits: {error}")))?;
    let plugin = Plugin {
        uuid: plugin.id,
        name: plugin.name,
        code: source,
        callable: plugin.mode == Mode::Sync,
        language: plugin.language,
        revision,
        parameters: plugin.parameters,
        limits,
    };
    Ok(Inject { plugin, on_boot })
}

async fn put(
    tx: &mut Tx,
    order: &Order,
    board: &BoardRow,
    inject: &Inject,
    main: Option<OperationId>,
) -> Result<OperationRow, store::Error> {
    injections::put(tx, board.id, inject.plugin.uuid, inject.on_boot).await?;
    let mut inject = inject.clone();
    if order.delegation(tx, board).await?.is_some()
        && let Some(row) = store::contributions::of(&mut *tx, board.id).await?
    {
        inject.plugin.limits = contributions::within(inject.plugin.limits, &row.said);
    }
    submit_part(tx, order, board, &Call::PluginInject(Box::new(inject)), main).await
}

/// Takes a plugin off a board.
///
/// # Errors
/// The board does not have it.
pub async fn remove(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
    order: Order,
) -> Result<OperationRow, Error> {
    let (board, plugin, _) = on_board(cloud, caller, board, plugin).await?;
    take_off(cloud, board, plugin.id, order).await
}

/// The same for a board and plugin that were looked up already.
///
/// # Errors
/// The board does not have it.
pub(super) async fn take_off(
    cloud: &Cloud,
    board: BoardRow,
    plugin: PluginId,
    order: Order,
) -> Result<OperationRow, Error> {
    let order = order.at_once(cloud, board.id);
    let wanted = order.clone();
    let row = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                let removing = InjectionChange {
                    state: Some(InjectionState::Removing),
                    ..InjectionChange::default()
                };
                injections::update(tx, board.id, plugin, removing).await?;
                submit(tx, &order, &board, &Call::PluginRemove(plugin)).await
            })
        })
        .await?;
    given(cloud, &wanted, row).await
}

/// Calls, starts or restarts a plugin on a board.
///
/// # Errors
/// The board does not have it, it runs the other way, or the parameters are no object.
pub async fn run(
    cloud: &Cloud,
    caller: &Caller,
    (board, plugin): (&str, &str),
    verb: Verb,
    run: Run,
    order: Order,
) -> Result<OperationRow, Error> {
    let (board, plugin, injection) = on_board(cloud, caller, board, plugin).await?;
    fits(&plugin, verb)?;
    usable(&injection)?;
    let parameters = match run.parameters {
        Value::Null => Value::Null,
        object @ Value::Object(_) => plugins::bounded(object)?,
        _ => return Err(Invalid::new("parameters are a JSON object").into()),
    };
    let run = rpc::plugin::Run { plugin: plugin.id, parameters };
    let call = match verb {
        Verb::Call => Call::PluginCall(run),
        Verb::Start => Call::PluginStart(run),
        Verb::Restart => Call::PluginReboot(run),
    };
    command(cloud, order, board, call).await
}

fn fits(plugin: &PluginRow, verb: Verb) -> Result<(), Error> {
    let text = match (plugin.mode, verb) {
        (Mode::Sync, Verb::Call) | (Mode::Async, Verb::Start | Verb::Restart) => return Ok(()),
        (Mode::Sync, Verb::Start | Verb::Restart) => "the plugin is sync: call it",
        (Mode::Async, Verb::Call) => "the plugin is async: start it",
    };
    Err(Error::new(Kind::Conflict, text))
}

/// Commands about one plugin reach the board in order, so one that is on its way counts as there.
fn usable(injection: &InjectionRow) -> Result<(), Error> {
    match injection.state {
        InjectionState::Injecting | InjectionState::Injected => Ok(()),
        InjectionState::Failed if injection.revision_injected.is_some() => Ok(()),
        InjectionState::Failed => {
            let why = injection.last_error.as_deref().unwrap_or("no reason given");
            let text = format!("the board does not have the plugin ({why}); inject it again");
            Err(Error::new(Kind::Conflict, text))
        }
        InjectionState::Removing => {
            Err(Error::new(Kind::Conflict, "the plugin is being removed; inject it again"))
        }
    }
}

/// Stops an asynchronous plugin on a board.
///
/// # Errors
/// The board does not have it, it is not asynchronous, or the grace is out of range.
pub async fn stop(
    cloud: &Cloud,
    caller: &Caller,
    (board, plugin): (&str, &str),
    grace_s: Option<u32>,
    order: Order,
) -> Result<OperationRow, Error> {
    let delay = grace_s.unwrap_or(GRACE_S);
    if delay > MAX_GRACE_S {
        return Err(Invalid::new(format!("grace_s {delay} is not 0 to {MAX_GRACE_S}")).into());
    }
    let (board, plugin, injection) = on_board(cloud, caller, board, plugin).await?;
    fits(&plugin, Verb::Start)?;
    usable(&injection)?;
    let stop = rpc::plugin::Stop { plugin: plugin.id, delay };
    command(cloud, order, board, Call::PluginStop(stop)).await
}

/// What a plugin is doing on a board now.
///
/// # Errors
/// The board does not have it, is away, or answers with a fault.
pub async fn status(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
) -> Result<Status, Error> {
    let (board, plugin, _) = on_board(cloud, caller, board, plugin).await?;
    let call = Call::PluginStatus(plugin.id);
    let answer = devices::ask(cloud, caller, &board, call, devices::QUERY_TIMEOUT).await?;
    let said: rpc::plugin::Status = devices::shape(answer)?;
    Ok(Status {
        plugin: said.plugin,
        state: said.state,
        pid: said.pid,
        since: said.since,
        restarts: said.restarts,
        reason: said.reason,
    })
}

/// The board and plugin whose log is read.
///
/// # Errors
/// The board does not have it.
pub async fn of_log(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
) -> Result<(BoardRow, PluginRow), Error> {
    let (board, plugin, _) = on_board(cloud, caller, board, plugin).await?;
    Ok((board, plugin))
}
