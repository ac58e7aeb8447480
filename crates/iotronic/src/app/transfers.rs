//! Transfers: a board goes into the hands of another project.
//!
//! Both sides decide: who administers the giving project offers, who administers the receiving one accepts; who does both does it
//! at once. The board arrives empty: what the giving project put on it is taken off, what it opened is closed, what it asked is
//! withdrawn, in the same transaction; a board that is away hears of it when it connects.

use crate::app::access::Caller;
use crate::app::operations::{Order, submit};
use crate::app::settle::settle;
use crate::app::{Error, boards, exposures, find};
use crate::cloud::Cloud;
use model::access::Role;
use model::operation::{Outcome, State};
use model::plugin::InjectionState;
use model::service::ExposureState;
use model::{BoardId, Invalid, Kind, ProjectId, RoleId, ServiceId, TransferId, UserId};
use rpc::Call;
use std::time::Duration;
use store::boards::BoardRow;
use store::injections::{self, InjectionChange};
use store::transfers::{self, Done, TransferRow};
use store::{Page, Tx, identity, operations};

/// How long an offer can be accepted.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What became of the wish to give a board away.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// It is offered.
    Offered(TransferRow),
    /// It is in the other project.
    Done(Box<Done>),
}

/// Gives a board to another project, or offers it where the caller does not administer that one.
///
/// # Errors
/// There is no such board, it cannot be given in its state, or the other project cannot have it.
pub async fn give(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    to: ProjectId,
) -> Result<Given, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    if to == board.project || to.is_nowhere() {
        let text = "project is the board's own, or none; name the one that gets the board";
        return Err(Invalid::new(text).into());
    }
    let user = caller.principal().user.clone();
    let giver = board.project.clone();
    if receives(cloud, caller, &to).await? {
        let handing = HandOver { board: board.id, giver, to, user };
        return Ok(Given::Done(Box::new(hand_over(cloud, handing, None).await?)));
    }
    let expires_at = cloud.now().after(LIFE);
    let offer = cloud.store.write(move |tx| {
        Box::pin(
            async move { transfers::offer(tx, board.id, (&giver, &to), &user, expires_at).await },
        )
    });
    Ok(Given::Offered(offer.await?))
}

/// Whether the caller could accept for the receiving project. A program signs in for one project and acts in no other.
async fn receives(cloud: &Cloud, caller: &Caller, to: &ProjectId) -> Result<bool, Error> {
    if caller.grant().credential.is_some() {
        return Ok(false);
    }
    if caller.is_operator() {
        let is_elsewhere = !cloud.settings.identity.keystone_url.is_empty();
        return match identity::get_project(&cloud.store, to).await {
            Err(store::Error::NotFound { .. }) if is_elsewhere => Ok(true),
            found => Ok(found.map(|_| true)?),
        };
    }
    let wanted = RoleId::from(Role::AdminIotProject);
    let roles = identity::roles_of(&cloud.store, &caller.principal().user, to).await?;
    Ok(roles.iter().any(|role| role.id == wanted))
}

/// Offers to the caller's project and by it.
///
/// # Errors
/// The store failed.
pub async fn list(cloud: &Cloud, caller: &Caller, page: Page) -> Result<Vec<TransferRow>, Error> {
    Ok(transfers::list(&cloud.store, caller.scope(), cloud.now(), page).await?)
}

async fn open(cloud: &Cloud, ident: &str) -> Result<TransferRow, Error> {
    let id: TransferId = find::id("transfer", ident, api::transfers::PATH)?;
    let row = transfers::get(&cloud.store, id).await?;
    if row.expires_at <= cloud.now() {
        return Err(store::Error::NotFound { what: "transfer" }.into());
    }
    Ok(row)
}

/// Takes an offered board into the receiving project; it is its caller's from then on.
///
/// # Errors
/// There is no such offer to the caller's project, or the project cannot have the board.
pub async fn accept(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<BoardRow, Error> {
    let row = open(cloud, ident).await?;
    match caller.may(&row.receiver, "transfer") {
        Err(_) if caller.may(&row.giver, "transfer").is_ok() => {
            let text = "only an administrator of the receiving project accepts; ask one";
            return Err(Error::new(Kind::Forbidden, text));
        }
        decided => decided?,
    }
    let user = caller.principal().user.clone();
    let TransferRow { id, board, giver, receiver, .. } = row;
    let handing = HandOver { board, giver, to: receiver, user };
    Ok(hand_over(cloud, handing, Some(id)).await?.board)
}

/// Withdraws an offer, or declines it.
///
/// # Errors
/// There is none that the caller may end.
pub async fn delete(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<(), Error> {
    let row = open(cloud, ident).await?;
    if caller.may(&row.giver, "transfer").is_err() {
        caller.may(&row.receiver, "transfer")?;
    }
    let done =
        cloud.store.write(move |tx| Box::pin(async move { transfers::delete(tx, row.id).await }));
    Ok(done.await?)
}

/// A board on its way.
struct HandOver {
    board: BoardId,
    giver: ProjectId,
    to: ProjectId,
    user: UserId,
}

async fn hand_over(
    cloud: &Cloud,
    handing: HandOver,
    offer: Option<TransferId>,
) -> Result<Done, Error> {
    let (done, closed) = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                // It may have been withdrawn, or the board may have gone elsewhere since.
                if let Some(offer) = offer {
                    transfers::get(&mut *tx, offer).await?;
                }
                let HandOver { board, giver, to, user } = handing;
                let row = store::boards::by_id(&mut *tx, Some(&giver), board).await?;
                let closed = empty(tx, &row).await?;
                let done = transfers::give(tx, board, (&giver, &to), &user).await?;
                Ok((done, closed))
            })
        })
        .await?;
    let (board, to) = (done.board.id, &done.board.project);
    for service in closed {
        cloud.ingress.close(board, service);
    }
    cloud.boards.ring(board);
    tracing::info!(%board, %to, "a board went to another project");
    Ok(done)
}

/// Ends all that the giving project does with the board; the services that were open.
async fn empty(tx: &mut Tx, board: &BoardRow) -> Result<Vec<ServiceId>, store::Error> {
    let order = Order::of_the_cloud();
    for open in operations::open_for_board(&mut *tx, board.id).await? {
        if open.cancel_requested {
            continue;
        }
        let now = tx.now();
        let row = operations::request_cancel(tx, None, open.id, now).await?;
        if row.state == State::Cancelled {
            settle(tx, &row, &Outcome::Cancelled, now).await?;
        }
    }
    for there in injections::list_for_board(&mut *tx, board.id).await? {
        if there.state == InjectionState::Removing {
            continue;
        }
        let removing =
            InjectionChange { state: Some(InjectionState::Removing), ..InjectionChange::default() };
        injections::update(tx, board.id, there.plugin, removing).await?;
        submit(tx, &order, board, &Call::PluginRemove(there.plugin)).await?;
    }
    let mut closed = Vec::new();
    for exposure in store::exposures::list_for_board(&mut *tx, board.id).await? {
        let service = exposure.service;
        closed.push(service);
        if exposure.state == ExposureState::Disabling {
            continue;
        }
        store::exposures::set_state(tx, board.id, service, ExposureState::Disabling).await?;
        let call = Call::ServiceDisable(exposures::service(&exposure));
        submit(tx, &order, board, &call).await?;
    }
    Ok(closed)
}
