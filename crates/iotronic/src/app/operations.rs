//! Operations: how commands begin, are waited for and withdrawn.
//!
//! Invariant: a command is a row before anybody is told of it, and the answer kept under the request's key is committed with
//! it, so a repeated request never gives a second command.

use crate::app::access::{Caller, Key};
use crate::app::settle::settle;
use crate::app::{Error, lapses};
use crate::boards::GOES_ON;
use crate::cloud::Cloud;
use api::operations::{
    Commanding, DEFAULT_DEADLINE_S, Detail, MAX_DEADLINE_S, MAX_WAIT_S, Operation, Sort, Step,
    Subject,
};
use api::page::Direction;
use model::board::Status;
use model::delegation::Part;
use model::operation::{Outcome, State};
use model::{BoardId, DelegationId, Invalid, OperationId, ProjectId, UserId};
use rpc::call::Nature;
use rpc::{Call, Method};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use store::boards::{self, BoardRow};
use store::names::{self, Noun};
use store::operations::{self, Kind, NewOperation, OperationRow, Start};
use store::{Page, Tx, idempotency};
use tokio::time::{Instant, timeout, timeout_at};

/// Who is named as the author of what the cloud does by itself.
const CLOUD: &str = "cloud";

/// What a command carries along, whatever it is.
#[derive(Debug, Clone)]
pub struct Order {
    by: Option<Caller>,
    key: Option<Key>,
    deadline: Duration,
    wait: Duration,
    start: Start,
    /// The plugin or service of the board that it is about, where that may be lent for itself.
    part: Option<Part>,
}

impl Order {
    /// From the request.
    ///
    /// # Errors
    /// Wait or deadline are out of range.
    pub fn new(caller: &Caller, commanding: Commanding) -> Result<Self, Invalid> {
        let deadline = commanding.deadline.unwrap_or(DEFAULT_DEADLINE_S);
        if !(1..=MAX_DEADLINE_S).contains(&deadline) {
            return Err(Invalid::new(format!("deadline {deadline} is not 1 to {MAX_DEADLINE_S}")));
        }
        Ok(Self {
            by: Some(caller.clone()),
            key: caller.key().cloned(),
            deadline: Duration::from_secs(deadline),
            wait: patience(commanding.wait)?,
            start: Start::Pending,
            part: None,
        })
    }

    /// What the cloud wants by itself.
    #[must_use]
    pub(super) fn of_the_cloud() -> Self {
        Self {
            by: None,
            key: None,
            deadline: Duration::from_secs(DEFAULT_DEADLINE_S),
            wait: Duration::ZERO,
            start: Start::Pending,
            part: None,
        }
    }

    /// To be sent by the commit that stores it, where the board is there and nothing else is open for it.
    #[must_use]
    pub fn at_once(self, cloud: &Cloud, board: BoardId) -> Self {
        let is_there = cloud.boards.journals(board);
        Self { start: if is_there { Start::SentIfFirst } else { Start::Pending }, ..self }
    }

    /// About a plugin or service on the board, which the caller may have been lent without the board.
    #[must_use]
    pub(super) fn about(self, part: Option<Part>) -> Self {
        Self { part, ..self }
    }

    /// The caller who gives it; none when the cloud itself does.
    pub(super) fn caller(&self) -> Option<&Caller> {
        self.by.as_ref()
    }

    /// Who gives it; none when the cloud itself does.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.by.as_ref().map(|caller| &caller.principal().user)
    }

    /// On what it rests that it may be given for a board, which may have been given up or moved since it was read.
    ///
    /// # Errors
    /// The board is given up, or it may not.
    pub(super) async fn ground(&self, tx: &mut Tx, board: BoardId) -> Result<Ground, store::Error> {
        let (project, status) = boards::standing(&mut *tx, board).await?;
        if status == Status::Decommissioned {
            let text = "the board is decommissioned; claim a new one";
            return Err(store::Error::Conflict(text.into()));
        }
        let Some(caller) = &self.by else { return Ok(Ground { board, project, delegation: None }) };
        let now = tx.now();
        let basis = super::boards::basis(tx, caller, (board, &project, self.part), "board", now);
        let basis = basis.await.map_err(|_| store::Error::NotFound { what: "board" })?;
        Ok(Ground { board, project, delegation: basis.delegation() })
    }

    /// For a request that gives several commands, whose answer is none of them.
    #[must_use]
    pub fn without_key(self) -> Self {
        Self { key: None, ..self }
    }
}

/// How long to wait for an end.
///
/// # Errors
/// It is longer than anybody may wait.
pub fn patience(wait: Option<u32>) -> Result<Duration, Invalid> {
    let wait = wait.unwrap_or(0);
    if wait > MAX_WAIT_S {
        return Err(Invalid::new(format!("wait {wait} is not 0 to {MAX_WAIT_S}")));
    }
    Ok(Duration::from_secs(wait.into()))
}

/// Stores a command for `board` inside the caller's transaction; whoever does must call [`given`] after the commit.
///
/// # Errors
/// The board is given up or has too many open commands, or the database failed.
pub async fn submit(
    tx: &mut Tx,
    order: &Order,
    board: &BoardRow,
    call: &Call,
) -> Result<OperationRow, store::Error> {
    submit_part(tx, order, board, call, None).await
}

/// The same, as a part of a request to many boards.
///
/// # Errors
/// As [`submit`].
pub(super) async fn submit_part(
    tx: &mut Tx,
    order: &Order,
    board: &BoardRow,
    call: &Call,
    main: Option<OperationId>,
) -> Result<OperationRow, store::Error> {
    let ground = order.ground(tx, board.id).await?;
    submit_on(tx, order, ground, call, main).await
}

/// A board as it stands in the transaction, and on what it rests that an order may be given for it.
pub(super) struct Ground {
    board: BoardId,
    project: ProjectId,
    delegation: Option<DelegationId>,
}

impl Ground {
    /// Whether the order is a borrower's.
    pub(super) fn is_lent(&self) -> bool {
        self.delegation.is_some()
    }
}

/// The same, where it was asked already whether the order may be given.
///
/// # Errors
/// The board has too many open commands, or the database failed.
pub(super) async fn submit_on(
    tx: &mut Tx,
    order: &Order,
    ground: Ground,
    call: &Call,
    main: Option<OperationId>,
) -> Result<OperationRow, store::Error> {
    let Ground { board, project, delegation } = ground;
    let new = NewOperation {
        id: OperationId::new(),
        project,
        board,
        method: call.method().word().to_owned(),
        arguments: Value::Array(call.arguments()),
        idempotent: call.method().nature() != Nature::Once,
        created_by: order.user().cloned(),
        deadline: tx.now().after(order.deadline),
        subject: subject(call),
        start: order.start,
        main,
        delegation,
    };
    let row = operations::submit(tx, new).await?;
    if order.by.is_some() {
        lapses::note(tx, board, call, delegation).await?;
    }
    if let (Some(Key(key)), Some(user)) = (&order.key, order.user()) {
        let body = json!(view(row.clone())).to_string();
        idempotency::finish(tx, key, user, 202, &body).await?;
    }
    Ok(row)
}

/// What a command is about: those about the same thing reach the board in order.
pub(super) fn subject(call: &Call) -> Option<Value> {
    match call {
        Call::PluginInject(inject) => Some(json!({ "plugin": inject.plugin.uuid })),
        Call::PluginRemove(plugin) | Call::PluginStatus(plugin) => {
            Some(json!({ "plugin": plugin }))
        }
        Call::PluginCall(run) | Call::PluginStart(run) | Call::PluginReboot(run) => {
            Some(json!({ "plugin": run.plugin }))
        }
        Call::PluginStop(stop) => Some(json!({ "plugin": stop.plugin })),
        Call::PluginLogs(logs) => Some(json!({ "plugin": logs.plugin })),
        Call::ServiceEnable(enable) | Call::ServiceRestore(enable) => {
            Some(json!({ "service": enable.service.uuid }))
        }
        Call::ServiceDisable(service) => Some(json!({ "service": service.uuid })),
        Call::DevicePing
        | Call::DeviceEcho(_)
        | Call::DeviceReboot(_)
        | Call::DeviceRestartLR(_)
        | Call::DeviceNetConfig
        | Call::DeviceUpgradeLR(_)
        | Call::DevicePkgOperation(_)
        | Call::DeviceMountFs(_)
        | Call::DeviceRestSubmit(_)
        | Call::DeviceFactoryReset
        | Call::DeviceRotateKey
        | Call::DeviceLogs(_)
        | Call::ServicesStatus
        | Call::TerminalOpen(_)
        | Call::ForwardOpen(_)
        | Call::OperationCancel(_)
        | Call::RightsEpoch(_) => None,
    }
}

/// A command that changes nothing in the cloud itself.
///
/// # Errors
/// As [`submit`].
pub async fn command(
    cloud: &Cloud,
    order: Order,
    board: BoardRow,
    call: Call,
) -> Result<OperationRow, Error> {
    let order = order.at_once(cloud, board.id);
    let wanted = order.clone();
    let row = cloud
        .store
        .write(move |tx| Box::pin(async move { submit(tx, &order, &board, &call).await }))
        .await?;
    given(cloud, &wanted, row).await
}

/// After the commit: rings the board's doorbell and waits for the end as long as was asked for.
///
/// # Errors
/// The store failed.
pub async fn given(cloud: &Cloud, order: &Order, row: OperationRow) -> Result<OperationRow, Error> {
    cloud.boards.ring(row.board);
    if order.wait.is_zero() { Ok(row) } else { wait(cloud, row.id, order.wait).await }
}

/// The operation once it has ended, or as it stands when `patience` is over.
///
/// # Errors
/// There is none of this id.
pub async fn wait(
    cloud: &Cloud,
    id: OperationId,
    patience: Duration,
) -> Result<OperationRow, Error> {
    let end = timeout(patience, operations::ended(&cloud.store, id));
    match cloud.shutdown.until(end).await {
        Some(Ok(row)) => Ok(row?),
        Some(Err(_)) | None => Ok(operations::get(&cloud.store, None, id).await?),
    }
}

/// As [`wait`], but also until the board says that it goes on; then what it said.
///
/// # Errors
/// There is none of this id.
pub async fn wait_for_word(
    cloud: &Cloud,
    id: OperationId,
    patience: Duration,
) -> Result<(OperationRow, Option<String>), Error> {
    let mut commits = cloud.store.watch_events();
    let end = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
    loop {
        commits.borrow_and_update();
        let row = operations::get(&cloud.store, None, id).await?;
        let word = if row.state.has_ended() { None } else { word(cloud, id).await? };
        if row.state.has_ended() || word.is_some() {
            return Ok((row, word));
        }
        let change = cloud.shutdown.until(timeout_at(end, commits.changed())).await;
        let Some(Ok(Ok(()))) = change else { return Ok((row, None)) };
    }
}

/// What the board said when it put the end off.
async fn word(cloud: &Cloud, id: OperationId) -> Result<Option<String>, Error> {
    let steps = operations::history(&cloud.store, id).await?;
    let said = |step: &operations::HistoryRow| Some(step.note.strip_prefix(GOES_ON)?.to_owned());
    Ok(steps.iter().find_map(said))
}

/// The operation of this id.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<OperationRow, Error> {
    let id = ident.parse().map_err(|_| store::Error::NotFound { what: "operation" })?;
    let row = operations::get(&cloud.store, None, id).await?;
    match caller.may(&row.project, "operation") {
        Err(refused) if refused.kind() == model::Kind::NotFound => {
            let board = boards::by_id(&cloud.store, None, row.board).await?;
            // What a project asked of a board stays its own when the board goes to another one.
            if board.project != row.project {
                return Err(store::Error::NotFound { what: "operation" }.into());
            }
            let subject = (board.id, &board.project, row.subject.as_ref().and_then(part));
            let now = cloud.now();
            super::boards::basis(&cloud.store, caller, subject, "operation", now).await?;
            Ok(row)
        }
        decided => decided.map(|()| row),
    }
}

/// The operation with its history, once it has ended or `patience` is over.
///
/// # Errors
/// There is none that the caller may see.
pub async fn detail(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    patience: Duration,
) -> Result<Detail, Error> {
    let mut row = get(cloud, caller, ident).await?;
    if !patience.is_zero() && !row.state.has_ended() {
        row = wait(cloud, row.id, patience).await?;
    }
    let steps = operations::history(&cloud.store, row.id).await?;
    let history =
        steps.into_iter().map(|step| Step { at: step.at, state: step.state, note: step.note });
    let mut operation = view(row);
    name(cloud, std::slice::from_mut(&mut operation)).await?;
    Ok(Detail { history: history.collect(), operation })
}

/// Operations that the caller may see, in order of creation or against it.
///
/// # Errors
/// A filter is not valid.
pub async fn list(
    cloud: &Cloud,
    caller: &Caller,
    filter: &api::operations::Filter,
    page: Page,
) -> Result<Vec<OperationRow>, Error> {
    let board = match &filter.board {
        Some(ident) => Some(super::boards::get(cloud, caller, ident).await?.id),
        None => None,
    };
    let method = filter.method.as_deref().map(str::parse::<Method>).transpose();
    let method = method.map_err(|_| Invalid::new("there is no such method; one is PluginCall"))?;
    let filter = operations::Filter {
        board,
        state: filter.state,
        method: method.map(|method| method.word().to_owned()),
        kind: None,
        main: filter.main.as_deref().map(request).transpose()?,
        order: match filter.order.unwrap_or_default() {
            Direction::Asc => store::Direction::OldestFirst,
            Direction::Desc => store::Direction::NewestFirst,
        },
    };
    Ok(operations::list(&cloud.store, caller.scope(), &filter, page).await?)
}

fn request(text: &str) -> Result<OperationId, Invalid> {
    text.parse().map_err(|_| Invalid::new(format!("main is the id of a request, not {text:?}")))
}

/// Withdraws an operation; one that is on the board already is asked to stop.
///
/// # Errors
/// There is none that the caller may see, or it has ended.
pub async fn cancel(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<OperationRow, Error> {
    let id = get(cloud, caller, ident).await?.id;
    withdraw(cloud, id).await
}

/// The same for an operation that was looked up already.
///
/// # Errors
/// It has ended.
pub(super) async fn withdraw(cloud: &Cloud, id: OperationId) -> Result<OperationRow, Error> {
    let row = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                let row = operations::request_cancel(tx, None, id, now).await?;
                if row.state == State::Cancelled {
                    settle(tx, &row, &Outcome::Cancelled, now).await?;
                }
                Ok(row)
            })
        })
        .await?;
    cloud.boards.ring(row.board);
    Ok(row)
}

/// As people see it.
#[must_use]
pub fn view(row: OperationRow) -> Operation {
    Operation {
        id: row.id,
        project: row.project,
        board: row.board,
        sort: match row.kind {
            Kind::Command => Sort::Command,
            Kind::Query => Sort::Query,
        },
        method: row.method,
        subject: row.subject.as_ref().and_then(about),
        state: row.state,
        created_by: row.created_by.unwrap_or_else(|| CLOUD.parse().expect("a valid user id")),
        created_at: row.created_at,
        deadline: Some(row.deadline),
        sent_at: row.sent_at,
        ended_at: row.ended_at,
        attempts: row.attempts,
        cancel_requested: row.cancel_requested,
        result: row.result,
        fault: row.fault,
        main: row.main,
        legacy: row.legacy,
    }
}

/// What an operation is about, as it may be lent for itself.
fn part(subject: &Value) -> Option<Part> {
    let about = about(subject)?;
    match about.noun.as_str() {
        "plugin" => about.id.parse().ok().map(Part::Plugin),
        "service" => about.id.parse().ok().map(Part::Service),
        _ => None,
    }
}

/// `{"plugin": id}` as people see it.
fn about(subject: &Value) -> Option<Subject> {
    let (noun, id) = subject.as_object()?.iter().next()?;
    Some(Subject { noun: noun.clone(), id: id.as_str()?.to_owned(), name: None })
}

/// Says the names of what operations are about.
///
/// # Errors
/// The store failed.
pub async fn name(cloud: &Cloud, operations: &mut [Operation]) -> Result<(), Error> {
    for (word, noun) in [("plugin", Noun::Plugin), ("service", Noun::Service)] {
        let subjects = operations.iter().filter_map(|operation| operation.subject.as_ref());
        let ids: BTreeSet<_> =
            subjects.filter(|subject| subject.noun == word).map(|it| it.id.as_str()).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let names = names::of(&cloud.store, noun, &ids).await?;
        for subject in operations.iter_mut().filter_map(|operation| operation.subject.as_mut()) {
            if subject.noun == word {
                subject.name = names.get(&subject.id).cloned();
            }
        }
    }
    Ok(())
}

/// The project that stands for the cloud itself in events that belong to none.
#[must_use]
pub fn cloud_project() -> ProjectId {
    CLOUD.parse().expect("a valid project id")
}
