//! `stack4things.register`: a machine presents a code and is told who it is.
//!
//! Invariant: a code is answered until the board's first successful `connection` and refused afterwards, whoever presents
//! it; whether a board is legacy is decided here, by what came, not by how it was made.

use super::agent::{Answer, Asked, closed};
use super::config::{Subject, config};
use crate::boards::{AGENT, Boards, fault};
use model::Kind;
use model::board::Status;
use rpc::{Envelope, Fault};
use serde::Deserialize;
use store::boards::BoardRow;
use store::upstream::{self, UpstreamBoard};

#[derive(Deserialize)]
struct Registration {
    code: String,
    session: u64,
}

pub(super) async fn register(boards: Boards, asked: Asked) -> Result<Answer, Fault> {
    let session = asked.session;
    let said: Registration = asked.read()?;
    let legacy = boards.legacy().ok_or_else(closed)?;
    if said.session != session {
        return Err(Fault::new(Kind::Invalid, "session is not the session of the caller"));
    }
    if let Some(own) = legacy.guests.board(session) {
        let text =
            format!("this session speaks for board {own} already; present a code in another one");
        return Err(Fault::new(Kind::Conflict, text));
    }
    if !legacy.guests.may_try(session) {
        boards.kick(session, "too many codes were tried".to_owned());
        return Err(Fault::new(Kind::Exhausted, "too many codes were tried; connect again"));
    }
    let (board, known) = found(&boards, &said.code).await?;
    if !legacy.allows(boards.store(), &board.project).await.map_err(fault)? {
        return Err(not_allowed(&board));
    }
    let id = board.id;
    let job = boards.store().write(move |tx| {
        Box::pin(async move { upstream::record_registration(tx, id, AGENT).await })
    });
    let board = job.await.map_err(fault)?;
    tracing::info!(%board.id, name = %board.name, session, legacy = true, "a legacy board registered with its code");
    let subject = Subject { board: &board, upstream: &known, wamp_url: &legacy.terms.wamp_url };
    Ok(Answer::Message(Envelope::success(config(&subject))))
}

/// The board of a code that is still good.
async fn found(boards: &Boards, code: &str) -> Result<(BoardRow, UpstreamBoard), Fault> {
    // Upstream's words.
    let unknown = || Fault::new(Kind::NotFound, format!("Board {code} could not be found."));
    let known = upstream::by_code(boards.store(), code).await.map_err(fault)?;
    let known = known.ok_or_else(unknown)?;
    let board = store::boards::by_id(boards.store(), None, known.board).await.map_err(fault)?;
    if board.public_key.is_some() || board.status == Status::Decommissioned {
        return Err(unknown());
    }
    if known.connected_once {
        let text = "the code of this board was used and is good no more; make a new board, or restore its settings.json";
        return Err(Fault::new(Kind::Conflict, text));
    }
    Ok((board, known))
}

pub(super) fn not_allowed(board: &BoardRow) -> Fault {
    Fault::new(
        Kind::Forbidden,
        format!(
            "the project of board {} has no legacy boards; name it in legacy.projects of the cloud",
            board.name
        ),
    )
}
