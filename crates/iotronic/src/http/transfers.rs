//! `/v2/transfers`, and the wish to give a board away: `/v2/boards/{board}/transfer`.

use crate::app::access::Caller;
use crate::app::names::{self, Wanted};
use crate::app::transfers::{self, Given};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, nothing};
use crate::http::extract::{Body, Path, Query};
use crate::http::{boards, page};
use api::Page;
use api::boards::Summary;
use api::page::Paging;
use api::transfers::{New, State as Stands, Transfer};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use store::names::Noun;
use store::transfers::{Done, TransferRow};

/// Give a board to another project: at once for who administers both, else as an offer that is accepted there.
#[utoipa::path(
    post, path = "/v2/boards/{board}/transfer", tag = "boards", operation_id = "transfer", request_body = New,
    responses((status = 200, body = Transfer), (status = 201, body = Transfer))
)]
pub(crate) async fn give(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Body(new): Body<New>,
) -> Answer<Response> {
    let (status, mut shown) = match transfers::give(&cloud, &caller, &board, new.project).await? {
        Given::Offered(row) => (StatusCode::CREATED, view(row)),
        Given::Done(done) => (StatusCode::OK, done_view(*done)),
    };
    name(&cloud, std::slice::from_mut(&mut shown)).await?;
    Ok((status, Json(shown)).into_response())
}

/// List offers to the own project and by it.
#[utoipa::path(get, path = "/v2/transfers", tag = "boards", operation_id = "transfers", params(Paging), responses((status = 200, body = Page<Transfer>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Transfer>>> {
    let wanted = page::of(&paging)?;
    let rows = transfers::list(&cloud, &caller, wanted).await?;
    let mut page = page::page(rows, wanted, |row| row.id, view);
    name(&cloud, &mut page.items).await?;
    Ok(Json(page))
}

/// Take an offered board into the own project.
#[utoipa::path(post, path = "/v2/transfers/{transfer}/accept", tag = "boards", operation_id = "accept_transfer", responses((status = 200, body = Summary)))]
pub(crate) async fn accept(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(transfer): Path<String>,
) -> Answer<Json<Summary>> {
    Ok(Json(boards::summary(transfers::accept(&cloud, &caller, &transfer).await?)))
}

/// Withdraw an offer, or decline it.
#[utoipa::path(delete, path = "/v2/transfers/{transfer}", tag = "boards", operation_id = "delete_transfer", responses((status = 204)))]
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(transfer): Path<String>,
) -> Answer {
    transfers::delete(&cloud, &caller, &transfer).await?;
    Ok(nothing())
}

/// Beside each id what it is called: one who is offered a board does not know the other project by its id.
async fn name(cloud: &Cloud, shown: &mut [Transfer]) -> Answer<()> {
    let mut wanted = Wanted::default();
    for one in shown.iter() {
        wanted.add(Noun::Project, &one.from);
        wanted.add(Noun::Project, &one.to);
        wanted.add(Noun::User, &one.offered_by);
    }
    let names = names::of(cloud, wanted).await?;
    for one in shown {
        one.from_name = names.get(one.from.as_str()).cloned();
        one.to_name = names.get(one.to.as_str()).cloned();
        one.offered_by_name = names.get(one.offered_by.as_str()).cloned();
    }
    Ok(())
}

fn done_view(Done { board, giver, by, at }: Done) -> Transfer {
    Transfer {
        id: None,
        board: board.id,
        board_name: board.name,
        from: giver,
        from_name: None,
        to: board.project,
        to_name: None,
        offered_by: by,
        offered_by_name: None,
        offered_at: at,
        expires_at: None,
        state: Stands::Done,
    }
}

fn view(row: TransferRow) -> Transfer {
    Transfer {
        id: Some(row.id),
        board: row.board,
        board_name: row.board_name,
        from: row.giver,
        from_name: None,
        to: row.receiver,
        to_name: None,
        offered_by: row.offered_by,
        offered_by_name: None,
        offered_at: row.offered_at,
        expires_at: Some(row.expires_at),
        state: Stands::Offered,
    }
}
