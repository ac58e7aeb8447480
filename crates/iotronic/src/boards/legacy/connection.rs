//! `connection` of an upstream board, and how it comes online: it registers its calls afterwards, so it is online when
//! those have been quiet for a moment.
//!
//! Invariants: only a legacy board of a project that may have such is let in, and one session of it at a time; it is never
//! online before its calls can be reached. Deliberately not here: its departure, which is every board's.

use super::agent::{Answer, Asked, closed};
use super::guests::{Bound, Readiness};
use super::registration::not_allowed;
use super::{Legacy, call};
use crate::boards::registry::{Dialect, Lead};
use crate::boards::{AGENT, Boards, fault, outbox};
use model::board::{Event, Status};
use model::facts::MAX_FACTS;
use model::{BoardId, Kind};
use rpc::{Envelope, Fault};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::boards::BoardRow;
use store::upstream;

/// Longest version that is kept.
const MAX_VERSION: usize = 20;
/// Time a board gets to register its calls.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Time the earlier session gets to show that it lives.
const PROOF_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for a dead session to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// How often that is looked at.
const GONE_CHECK: Duration = Duration::from_millis(10);
/// The first version that is sent the request object.
const FIRST_WITH_REQUEST: [u32; 3] = [0, 4, 9];

#[derive(Deserialize)]
struct Connection {
    uuid: BoardId,
    session: u64,
    #[serde(default)]
    info: Info,
    /// What boards before `info` sent.
    #[serde(default)]
    mac_addr: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    lr_version: String,
    connectivity: Value,
    mac_addr: Option<String>,
}

impl Connection {
    /// Where it is in its network.
    fn connectivity(&mut self) -> Value {
        let mac = self.mac_addr.take().or(self.info.mac_addr.take());
        match (self.info.connectivity.take(), mac) {
            (Value::Object(said), _) => Value::Object(said),
            (_, Some(mac)) => json!({ "mac": mac }),
            _ => json!({}),
        }
    }
}

pub(super) async fn connection(boards: Boards, asked: Asked) -> Result<Answer, Fault> {
    let session = asked.session;
    let mut said: Connection = asked.read()?;
    if said.session != session {
        return Err(Fault::new(Kind::Invalid, "session is not the session of the caller"));
    }
    let connectivity = said.connectivity();
    check(&said.info.lr_version, &connectivity)?;
    let legacy = boards.legacy().ok_or_else(closed)?;
    let board = admitted(&boards, legacy, said.uuid).await?;
    take_place(&boards, legacy, session, board.id).await?;
    let version = said.info.lr_version;
    let lead = lead(&version);
    if let Err(error) = store_connection(&boards, board.id, session, version, connectivity).await {
        boards.kick(session, "its connection could not be stored".to_owned());
        return Err(fault(error));
    }
    let name = board.name.to_string();
    tracing::info!(%board.id, name, session, legacy = true, "a legacy board connected");
    boards.tasks().spawn("legacy board", come_online(boards.clone(), board.id, session, lead));
    Ok(Answer::Message(Envelope::success("".into())))
}

fn check(version: &str, connectivity: &Value) -> Result<(), Fault> {
    if version.len() > MAX_VERSION {
        let text = format!("lr_version has at most {MAX_VERSION} bytes");
        return Err(Fault::new(Kind::Invalid, text));
    }
    if connectivity.to_string().len() > MAX_FACTS {
        let text = format!("connectivity has at most {MAX_FACTS} bytes");
        return Err(Fault::new(Kind::Invalid, text));
    }
    Ok(())
}

/// The board, when it may connect here.
async fn admitted(boards: &Boards, legacy: &Legacy, id: BoardId) -> Result<BoardRow, Fault> {
    // Upstream's words, for strangers and for boards that are none of theirs.
    let unknown = || Fault::new(Kind::NotFound, format!("Board {id} could not be found."));
    let board = store::boards::by_id(boards.store(), None, id).await.map_err(|_| unknown())?;
    if !board.legacy || board.public_key.is_some() || board.status == Status::Decommissioned {
        return Err(unknown());
    }
    if !legacy.allows(boards.store(), &board.project).await.map_err(fault)? {
        return Err(not_allowed(&board));
    }
    Ok(board)
}

/// Binds the session to the board, in place of an earlier one only if that does not live any more.
async fn take_place(
    boards: &Boards,
    legacy: &Legacy,
    session: u64,
    board: BoardId,
) -> Result<(), Fault> {
    let end = Instant::now() + GONE_WITHIN + PROOF_WITHIN;
    let mut asked = false;
    loop {
        match legacy.guests.bind(session, board) {
            Bound::Done => return Ok(()),
            Bound::Gone => return Err(Fault::new(Kind::Unreachable, "the session has ended")),
            Bound::Taken(holder) if holder == session => {
                return Err(Fault::new(Kind::Conflict, "this session speaks for another board"));
            }
            Bound::Taken(holder) if !asked => {
                if call::lives(legacy, board, holder, PROOF_WITHIN).await {
                    tracing::warn!(%board, session, holder, legacy = true, "a second session of a legacy board was refused");
                    let text = "a board of this uuid is connected already";
                    return Err(Fault::new(Kind::Conflict, text));
                }
                asked = true;
                boards.kick(holder, "another session of this board replaces this one".to_owned());
            }
            Bound::Taken(_) if Instant::now() < end => tokio::time::sleep(GONE_CHECK).await,
            Bound::Taken(_) => {
                return Err(Fault::new(Kind::Conflict, "the earlier session is not gone yet"));
            }
        }
    }
}

async fn store_connection(
    boards: &Boards,
    board: BoardId,
    session: u64,
    agent_version: String,
    connectivity: Value,
) -> Result<(), store::Error> {
    let job = boards.store().write(move |tx| {
        Box::pin(async move {
            let facts = store::boards::by_id(&mut *tx, None, board).await?.facts;
            let said = store::boards::Connection {
                session: session.to_string(),
                agent_version,
                protocol: 0,
                capabilities: Vec::new(),
                facts,
            };
            store::boards::record_connection(tx, board, said).await?;
            upstream::record_connection(tx, board, AGENT, &connectivity).await
        })
    });
    job.await
}

/// Waits until the board has registered its calls, and says that it is online.
async fn come_online(boards: Boards, board: BoardId, session: u64, lead: Lead) {
    let ready = tokio::time::timeout(READY_WITHIN, ready(&boards, session)).await;
    match ready {
        Ok(Readiness::Ready) => {}
        Ok(_) => return,
        Err(_) => return boards.kick(session, "it registered no DevicePing".to_owned()),
    }
    let Some(online) = boards.registry().came_online(board, session, Dialect::Upstream(lead))
    else {
        return;
    };
    let stored = boards.store().write(move |tx| {
        Box::pin(async move { store::boards::set_status(tx, board, Event::CameOnline).await })
    });
    if let Err(error) = stored.await {
        tracing::error!(%board, %error, "a legacy board could not be stored as online");
        return boards.kick(session, "it could not be stored as online".to_owned());
    }
    if boards.registry().session(board) != Some(session) {
        // It left while that was being stored.
        return boards.registry().depart(board);
    }
    tracing::info!(%board, session, legacy = true, "board is online");
    outbox::attend(&boards, board, online);
}

async fn ready(boards: &Boards, session: u64) -> Readiness {
    let Some(legacy) = boards.legacy() else { return Readiness::Gone };
    loop {
        match legacy.guests.readiness(session) {
            Readiness::In(rest) => tokio::time::sleep(rest).await,
            done => return done,
        }
    }
}

/// What the arguments of calls to an agent of this version begin with.
fn lead(version: &str) -> Lead {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(u32::MAX));
    let parsed = [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
    let is_old = !version.is_empty() && parsed < FIRST_WITH_REQUEST;
    if is_old { Lead::Nothing } else { Lead::Request }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_object_goes_to_0_4_9_and_newer() {
        for (version, wanted) in [
            ("0.4.8", Lead::Nothing),
            ("0.3", Lead::Nothing),
            ("0.4.9", Lead::Request),
            ("0.4.17", Lead::Request),
            ("0.5.0", Lead::Request),
            ("1", Lead::Request),
            ("0.5.0.dev3", Lead::Request),
            ("", Lead::Request),
            ("unknown", Lead::Request),
        ] {
            assert_eq!(lead(version), wanted, "{version}");
        }
    }
}
