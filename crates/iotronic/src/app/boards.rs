//! Boards: look, change, give up, hand over to another machine.

use crate::app::access::{Basis, Caller};
use crate::app::find::find;
use crate::app::{Error, claims, delegations};
use crate::cloud::Cloud;
use api::boards::Change;
use model::board::Status;
use model::delegation::Part;
use model::{BoardId, Kind, ProjectId, Timestamp};
use std::time::Duration;
use store::boards::{self, Among, BoardChange, BoardRow, Borrower, Filter};
use store::claims::NewClaim;
use store::{Page, Reader, exposures};
use uuid::Uuid;

/// The board of this id or name: one of the own project, or one that is delegated to the caller for what it wants to do.
///
/// # Errors
/// There is none that the caller may see, or may do this with.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<BoardRow, Error> {
    let board = reachable(cloud, caller, ident).await?;
    let whole = (board.id, &board.project, None);
    basis(&cloud.store, caller, whole, "board", cloud.now()).await?;
    Ok(board)
}

/// On what it rests that the caller may do what it came for with a board, with `part` of it, or with `what` of it. Decided in
/// the transaction that does it, a right which is taken back meanwhile does nothing.
///
/// # Errors
/// It may not, or for this caller there is no such thing.
pub(super) async fn basis<'e>(
    from: impl Reader<'e>,
    caller: &Caller,
    (board, project, part): (BoardId, &ProjectId, Option<Part>),
    what: &'static str,
    now: Timestamp,
) -> Result<Basis, Error> {
    let Err(refused) = caller.may(project, what) else { return Ok(Basis::Roles) };
    let (user, board) = (&caller.principal().user, (board, project));
    let reaching = store::delegations::reaching_board(from, user, board, part, now).await?;
    delegations::or_refused(refused, delegations::longest(caller, &reaching, what, now))
}

/// The board of this id or name, in the own project or among those that are delegated to the caller, whatever for. Whether
/// the caller may do something with it, or may know that it exists, is asked by whoever calls this.
///
/// # Errors
/// There is none.
pub(super) async fn reachable(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<BoardRow, Error> {
    match find(caller, ident, |scope| boards::get(&cloud.store, scope, ident)).await {
        Err(store::Error::NotFound { .. }) => borrowed(cloud, caller, ident).await,
        found => Ok(found?),
    }
}

/// A board that runs our agent and was not given up, and on what rests that the caller may do with it what it came for.
/// `lack` says what upstream's agent lacks, and what there is instead.
///
/// # Errors
/// There is no such board for the caller, or it is none of those.
pub(super) async fn of_ours(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    lack: &str,
) -> Result<(BoardRow, Basis), Error> {
    let board = reachable(cloud, caller, ident).await?;
    let basis =
        basis(&cloud.store, caller, (board.id, &board.project, None), "board", cloud.now()).await?;
    if board.legacy {
        let text = format!("board {} runs upstream's agent, which has no {lack}", board.name);
        return Err(Error::new(Kind::Conflict, text));
    }
    if board.status == Status::Decommissioned {
        return Err(Error::new(Kind::Conflict, format!("board {} was decommissioned", board.name)));
    }
    Ok((board, basis))
}

async fn borrowed(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<BoardRow, Error> {
    if let Ok(id) = Uuid::try_parse(ident) {
        return Ok(boards::by_id(&cloud.store, None, id.into()).await?);
    }
    let filter = Filter {
        name: Some(ident.to_owned()),
        lent_to: Some(borrower(caller, cloud, Wanted::Whatever)),
        ..Filter::default()
    };
    let found = boards::list(&cloud.store, Some(caller.project()), &filter, Page::default());
    the_only_one(found.await?, "board")
}

/// What somebody finds by a name in other projects.
pub(super) fn the_only_one<T>(mut found: Vec<T>, what: &'static str) -> Result<T, Error> {
    match found.len() {
        0 | 1 => found.pop().ok_or_else(|| store::Error::NotFound { what }.into()),
        _ => {
            let text = format!("several {what}s of this name are delegated to you; use its id");
            Err(Error::new(Kind::Conflict, text))
        }
    }
}

/// For what somebody looks for lent things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// For what they came for.
    ForThis,
    /// For whatever.
    Whatever,
}

/// The caller as one to whom things may be lent.
pub(super) fn borrower(caller: &Caller, cloud: &Cloud, wanted: Wanted) -> Borrower {
    let action = (wanted == Wanted::ForThis).then(|| caller.action().name);
    Borrower { user: caller.principal().user.clone(), action, now: cloud.now() }
}

/// Boards that the caller may see, in order of creation; without load and capabilities, and with no other fact than the
/// position.
///
/// # Errors
/// A filter is not valid.
pub async fn list(
    cloud: &Cloud,
    caller: &Caller,
    filter: &api::boards::Filter,
    page: Page,
) -> Result<Vec<BoardRow>, Error> {
    let fleet = match &filter.fleet {
        Some(ident) => Some(super::fleets::get(cloud, caller, ident).await?.id),
        None => None,
    };
    let plugin = match &filter.plugin {
        Some(ident) => Some(super::plugins::seen(cloud, caller, ident).await?.id),
        None => None,
    };
    let service = match &filter.service {
        Some(ident) => Some(super::services::get(cloud, caller, ident).await?.id),
        None => None,
    };
    let filter = Filter {
        status: filter.status,
        fleet,
        plugin,
        service,
        selector: filter.selector.as_deref().unwrap_or_default().parse()?,
        text: filter.text.clone(),
        name: None,
        among: Among::All,
        lent_to: Some(borrower(caller, cloud, Wanted::ForThis)),
    };
    Ok(boards::list_light(&cloud.store, caller.scope(), &filter, page).await?)
}

/// Changes what people may change.
///
/// # Errors
/// There is none, the name is taken, or it is not at revision `expected`.
pub async fn update(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    change: Change,
    expected: Option<i64>,
) -> Result<BoardRow, Error> {
    let board = get(cloud, caller, ident).await?;
    let change = stored(cloud, caller, change).await?;
    let change = cloud.store.write(move |tx| {
        Box::pin(async move { boards::update(tx, None, board.id, change, expected).await })
    });
    Ok(change.await?)
}

pub(super) async fn stored(
    cloud: &Cloud,
    caller: &Caller,
    change: Change,
) -> Result<BoardChange, Error> {
    let fleet = match change.fleet.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(fleet) => Some(Some(super::fleets::get(cloud, caller, fleet).await?.id)),
    };
    Ok(BoardChange {
        name: change.name,
        labels: change.labels,
        position: change.position.map(Some),
        fleet,
    })
}

/// Gives a board up for good: its key is refused, its session and its ports end.
///
/// # Errors
/// There is none, or it is not at revision `expected`.
pub async fn decommission(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    expected: Option<i64>,
) -> Result<(), Error> {
    let row = get(cloud, caller, ident).await?;
    if row.legacy && expected.is_none_or(|expected| expected == row.revision) {
        cloud.boards.say_farewell(row.id).await;
    }
    let board = row.id;
    let exposed = cloud.store.write(move |tx| {
        Box::pin(async move {
            let exposed = exposures::list_for_board(&mut *tx, board).await?;
            boards::decommission(tx, None, board, expected).await?;
            Ok(exposed)
        })
    });
    for exposure in exposed.await? {
        cloud.ingress.close(board, exposure.service);
    }
    cloud.boards.disconnect(board, "the board was decommissioned").await;
    Ok(())
}

/// A claim with which another machine takes over the board's identity; the text is seen this once.
///
/// # Errors
/// There is no such board, or it never was enrolled.
pub async fn replace(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<(store::claims::ClaimRow, String), Error> {
    let board = get(cloud, caller, ident).await?;
    let (secret, text) = claims::secret(cloud);
    let life = Duration::from_secs(api::claims::DEFAULT_LIFE_S);
    let new = NewClaim {
        id: model::ClaimId::new(),
        name: board.name,
        project: board.project,
        owner: caller.principal().user.clone(),
        secret_hash: secret,
        uses: 1,
        expires_at: cloud.now().after(life),
        labels: board.labels,
        fleet: board.fleet,
        replaces: Some(board.id),
        contribution: None,
    };
    let claim = cloud
        .store
        .write(move |tx| Box::pin(async move { store::claims::create(tx, new).await }))
        .await?;
    Ok((claim, text))
}
