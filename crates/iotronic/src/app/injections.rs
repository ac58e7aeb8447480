//! Injections: plugins on boards, and what they do there.

use crate::app::access::{Basis, Caller};
use crate::app::operations::{Order, command, given, submit, submit_on};
use crate::app::{Error, boards, contributions, devices, plugins, requests};
use crate::cloud::Cloud;
use api::plugins::{InjectMany, Run, Status};
use model::access::Action;
use model::contribution::Contribution;
use model::delegation::Part;
use model::label::Selector;
use model::plugin::{InjectionState, Mode, OnBoot};
use model::{DelegationId, Invalid, Kind, OperationId, PluginId};
use rpc::plugin::{Inject, Limits, Plugin};
use rpc::{Call, Method};
use serde_json::Value;
use store::boards::{BoardRow, Filter};
use store::injections::{self, InjectionChange, InjectionRow};
use store::lapses;
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

/// The right to put a plugin on a board.
const PUT: Action = Action::write("plugin_inject:put");

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

/// A plugin on a board.
struct OnBoard {
    board: BoardRow,
    plugin: PluginRow,
    injection: InjectionRow,
    /// The plugin as it may be lent for itself: where it belongs to the board's project.
    part: Option<Part>,
}

/// A plugin on a board, by what people write for both. The caller may do what it came for by the board, or by the plugin. Who
/// may do something with a board may do it with all that is on it.
async fn on_board(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
) -> Result<OnBoard, Error> {
    let board = boards::reachable(cloud, caller, board).await?;
    let found = there(cloud, &board, plugin).await?;
    let part = found.as_ref().and_then(|(row, _)| part(&board, row));
    boards::basis(&cloud.store, caller, (board.id, &board.project, part), "board", cloud.now())
        .await?;
    match found {
        Some((plugin, injection)) => Ok(OnBoard { board, plugin, injection, part }),
        None => {
            let (plugin, _) = plugins::for_board(cloud, caller, &board, plugin).await?;
            let text =
                format!("plugin {} is not on board {}; inject it first", plugin.name, board.name);
            Err(Error::new(Kind::NotFound, text))
        }
    }
}

fn part(board: &BoardRow, plugin: &PluginRow) -> Option<Part> {
    (board.project == plugin.project).then_some(Part::Plugin(plugin.id))
}

async fn there(
    cloud: &Cloud,
    board: &BoardRow,
    ident: &str,
) -> Result<Option<(PluginRow, InjectionRow)>, Error> {
    let Some(injection) = injections::find(&cloud.store, board.id, ident).await? else {
        return Ok(None);
    };
    let plugin = store::plugins::by_id(&cloud.store, None, injection.plugin).await?;
    Ok(Some((plugin, injection)))
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
    let (plugin, basis) = plugins::for_board(cloud, caller, &board, plugin).await?;
    let brought = Brought::new(cloud, plugin, basis, on_boot).await?;
    let wanted = order.clone();
    let order = order.at_once(cloud, board.id);
    let row = cloud
        .store
        .write(move |tx| Box::pin(async move { put(tx, &order, &board, &brought, None).await }))
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
    let (plugin, basis) = brought_to_many(cloud, caller, &many.plugin).await?;
    let brought = Brought::new(cloud, plugin, basis, many.on_boot).await?;
    let filter = Filter { selector, ..Filter::default() };
    let page = Page::default();
    let picked = store::boards::list(&cloud.store, Some(caller.project()), &filter, page).await?;
    let bytes = brought.inject.plugin.code.len().saturating_mul(picked.len());
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
                    rows.push(put(tx, &order, board, &brought, Some(main)).await?);
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

/// Who was lent a plugin to put it on boards may put it on many of their own.
async fn brought_to_many(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<(PluginRow, Basis), Error> {
    let plugin = plugins::reachable(cloud, caller, ident).await?;
    let asker = caller.clone().about(PUT);
    let basis = plugins::basis(&cloud.store, &asker, &plugin, cloud.now()).await?;
    Ok((plugin, basis))
}

/// A plugin that somebody puts on boards.
struct Brought {
    inject: Inject,
    /// When it is theirs by a delegation only.
    lent: Option<PluginRow>,
}

impl Brought {
    async fn new(
        cloud: &Cloud,
        plugin: PluginRow,
        basis: Basis,
        on_boot: Option<OnBoot>,
    ) -> Result<Self, Error> {
        let on_boot = on_boot.unwrap_or(OnBoot::Wait);
        if on_boot == OnBoot::Start && plugin.mode == Mode::Sync {
            let text = "a sync plugin is called, not started; leave on_boot out";
            return Err(Invalid::new(text).into());
        }
        let (source, revision) = store::plugins::source(&cloud.store, plugin.id).await?;
        let lent = basis.delegation().map(|_| plugin.clone());
        Ok(Self { inject: described(plugin, source, revision, on_boot)?, lent })
    }

    /// By which delegation it is lent at this moment, if by one.
    async fn delegation(
        &self,
        tx: &mut Tx,
        order: &Order,
    ) -> Result<Option<DelegationId>, store::Error> {
        let (Some(plugin), Some(caller)) = (&self.lent, order.caller()) else { return Ok(None) };
        let asker = caller.clone().about(PUT);
        let now = tx.now();
        let basis = plugins::basis(tx, &asker, plugin, now).await;
        Ok(basis.map_err(|_| store::Error::NotFound { what: "plugin" })?.delegation())
    }
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
    brought: &Brought,
    main: Option<OperationId>,
) -> Result<OperationRow, store::Error> {
    let lent = brought.delegation(tx, order).await?;
    let mut inject = brought.inject.clone();
    let there = (board.id, inject.plugin.uuid);
    injections::put(tx, there.0, there.1, inject.on_boot).await?;
    let ground = order.ground(tx, board.id).await?;
    if ground.is_lent()
        && let Some(row) = store::contributions::of(&mut *tx, board.id).await?
    {
        inject.plugin.limits = contributions::within(inject.plugin.limits, &row.said);
    }
    lapses::plugin_rests_on(tx, there, lent).await?;
    submit_on(tx, order, ground, &Call::PluginInject(Box::new(inject)), main).await
}

/// Gives every plugin that a borrower put on a board its limits anew, by what is said of the board now. It rests on what it
/// rested on; a newer source comes along.
///
/// # Errors
/// The board has too many open commands, or the database failed.
pub(super) async fn bind_anew(
    tx: &mut Tx,
    board: &BoardRow,
    said: Option<&Contribution>,
) -> Result<(), store::Error> {
    let order = Order::of_the_cloud();
    for (plugin, on_boot) in injections::lent_on(&mut *tx, board.id).await? {
        let row = store::plugins::by_id(&mut *tx, None, plugin).await?;
        let (source, revision) = store::plugins::source(&mut *tx, plugin).await?;
        let mut inject = described(row, source, revision, on_boot)?;
        if let Some(said) = said {
            inject.plugin.limits = contributions::within(inject.plugin.limits, said);
        }
        injections::put(tx, board.id, plugin, on_boot).await?;
        submit(tx, &order, board, &Call::PluginInject(Box::new(inject))).await?;
    }
    Ok(())
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
    let OnBoard { board, plugin, .. } = on_board(cloud, caller, board, plugin).await?;
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
    let OnBoard { board, plugin, injection, part } = on_board(cloud, caller, board, plugin).await?;
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
    command(cloud, order.about(part), board, call).await
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
    let OnBoard { board, plugin, injection, part } = on_board(cloud, caller, board, plugin).await?;
    fits(&plugin, Verb::Start)?;
    usable(&injection)?;
    let stop = rpc::plugin::Stop { plugin: plugin.id, delay };
    command(cloud, order.about(part), board, Call::PluginStop(stop)).await
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
    let OnBoard { board, plugin, .. } = on_board(cloud, caller, board, plugin).await?;
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

/// The board and plugin whose log is read, and the plugin as it may be lent for itself.
///
/// # Errors
/// The board does not have it.
pub async fn of_log(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    plugin: &str,
) -> Result<(BoardRow, PluginRow, Option<Part>), Error> {
    let OnBoard { board, plugin, part, .. } = on_board(cloud, caller, board, plugin).await?;
    Ok((board, plugin, part))
}
