//! `connection` and `report`: a board says that it can be called, and how it is; and the end of its session.
//!
//! Invariants: a board is online only after it registered its calls and its version was agreed on; the store says so
//! before the board is told; a session whose key is no longer the board's does not come online; when its session ends, the store says offline, however often the database has to be asked.

use super::Boards;
use super::agent::{Caller, told};
use super::outbox;
use super::registry::{Dialect, Entry};
use base::key::PublicKey;
use model::facts::{Load, MAX_FACTS};
use model::{BoardId, Kind};
use rpc::Fault;
use rpc::connection::{Accepted, CloudCapability, Connection, Info, Report, Reported, negotiate};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use store::boards::BoardRow;

/// Wait after the store refused a departure.
const RETRY: Duration = Duration::from_secs(1);
/// Longest agent version that is kept.
const MAX_VERSION: usize = 64;
/// Most capabilities that are kept, and the longest of them.
const MAX_CAPABILITIES: usize = 256;
const MAX_CAPABILITY: usize = 64;

/// A board says that it can be called.
pub(super) async fn connection(
    boards: Boards,
    caller: Caller,
    said: Connection,
) -> Result<Value, Fault> {
    let board = the_caller(&caller, said.uuid)?;
    if said.session != caller.session {
        return Err(Fault::new(Kind::Invalid, "session is not the session of the caller"));
    }
    let protocol =
        negotiate(rpc::PROTOCOL, rpc::OLDEST_PROTOCOL, said.info.protocol).ok_or_else(|| {
            Fault::new(
                Kind::Conflict,
                format!(
                    "the agent speaks protocol {}, this cloud {} to {}; update the agent",
                    said.info.protocol,
                    rpc::OLDEST_PROTOCOL,
                    rpc::PROTOCOL
                ),
            )
        })?;
    if !boards.registry().is_reachable(board, caller.session) {
        return Err(Fault::new(
            Kind::Conflict,
            "the board has not registered its calls; register the prefix first, then call connection",
        ));
    }
    check_info(&said.info)?;
    let row = come_online(&boards, board, caller.session, protocol, said.info).await?;
    told(&Accepted {
        protocol,
        capabilities: CloudCapability::ALL.iter().map(|one| one.word().to_owned()).collect(),
        time: boards.now(),
        report_every_s: boards.report_every_s(),
        name: row.name.to_string(),
        rights_epoch: row.rights_epoch,
    })
}

/// A board says how it is, and hears how it is called.
pub(super) async fn report(boards: Boards, caller: Caller, said: Report) -> Result<Value, Fault> {
    let board = the_caller(&caller, said.board_uuid)?;
    check_size("load", &said.load)?;
    boards.load_came(board, said.load);
    if let Some(facts) = said.facts {
        check_size("facts", &facts)?;
        boards.store().write_behind(move |tx| {
            Box::pin(async move { store::boards::record_facts(tx, board, &facts).await })
        });
    }
    let row = store::boards::by_id(boards.store(), None, board).await.map_err(super::fault)?;
    told(&Reported { name: row.name.to_string() })
}

pub(super) fn the_caller(caller: &Caller, said: BoardId) -> Result<BoardId, Fault> {
    match caller.entry {
        Some(Entry::Board(board)) if board == said => Ok(board),
        _ => Err(Fault::new(
            Kind::Forbidden,
            "a board speaks for itself only: uuid is not the caller's",
        )),
    }
}

fn check_info(info: &Info) -> Result<(), Fault> {
    let is_short = info.lr_version.len() <= MAX_VERSION
        && info.capabilities.len() <= MAX_CAPABILITIES
        && info.capabilities.iter().all(|capability| capability.len() <= MAX_CAPABILITY);
    if !is_short {
        return Err(Fault::new(
            Kind::Invalid,
            format!(
                "lr_version has at most {MAX_VERSION} bytes, capabilities are at most {MAX_CAPABILITIES} of {MAX_CAPABILITY} bytes"
            ),
        ));
    }
    check_size("facts", &info.facts)?;
    check_size("load", &info.load)
}

fn check_size(what: &str, value: &impl Serialize) -> Result<(), Fault> {
    match serde_json::to_vec(value) {
        Ok(bytes) if bytes.len() <= MAX_FACTS => Ok(()),
        Ok(bytes) => Err(Fault::new(
            Kind::Invalid,
            format!("{what} of {} bytes; at most {MAX_FACTS} are taken", bytes.len()),
        )),
        Err(error) => Err(Fault::new(Kind::Invalid, format!("{what} cannot be read: {error}"))),
    }
}

async fn come_online(
    boards: &Boards,
    board: BoardId,
    session: u64,
    protocol: u32,
    info: Info,
) -> Result<BoardRow, Fault> {
    let key = boards.registry().key(session).map(PublicKey::from_bytes);
    let now = store::boards::by_id(boards.store(), None, board).await.map_err(super::fault)?;
    if now.public_key != key {
        let fault = foreign();
        boards.kick(session, fault.message.clone());
        return Err(fault);
    }
    // Callable before the store says so, so that whoever sees the event `board.online` can call at once.
    let was_online = boards.registry().online(board).is_some();
    let online = boards
        .registry()
        .came_online(board, session, Dialect::Native(protocol))
        .ok_or_else(replaced)?;
    let stored = store_connection(boards, board, key, session, protocol, info).await;
    let row = match stored {
        Ok(row) => row,
        Err(error) => {
            let fault = super::fault(error);
            boards.kick(session, fault.message.clone());
            return Err(fault);
        }
    };
    if boards.registry().session(board) != Some(session) {
        // It left, or was replaced, while its arrival was being stored.
        boards.registry().depart(board);
        return Err(replaced());
    }
    if !was_online {
        tracing::info!(%board, name = %row.name, session, protocol, "board is online");
        outbox::attend(boards, board, online);
    }
    Ok(row)
}

fn foreign() -> Fault {
    Fault::new(
        Kind::Conflict,
        "another machine has taken over this board; enrol with a new claim and a new key",
    )
}

fn replaced() -> Fault {
    Fault::new(
        Kind::Conflict,
        "this session ended or was replaced by another one of the same board",
    )
}

async fn store_connection(
    boards: &Boards,
    board: BoardId,
    key: Option<PublicKey>,
    session: u64,
    protocol: u32,
    info: Info,
) -> Result<BoardRow, store::Error> {
    let Info { lr_version, capabilities, facts, load, .. } = info;
    let row = boards
        .store()
        .write(move |tx| {
            let session = session.to_string();
            let connection = store::boards::Connection {
                session,
                agent_version: lr_version,
                protocol,
                capabilities,
                facts,
            };
            Box::pin(arrive(tx, board, key, connection))
        })
        .await?;
    if load != Load::default() {
        boards.load_came(board, load);
    }
    Ok(row)
}

async fn arrive(
    tx: &mut store::Tx,
    board: BoardId,
    key: Option<PublicKey>,
    connection: store::boards::Connection,
) -> Result<BoardRow, store::Error> {
    // Another machine may have taken the board over since this one proved its key: then the row was changed before this
    // transaction, or will be after it, and whoever changes it ends the sessions there are.
    let now = store::boards::by_id(&mut *tx, None, board).await?;
    if now.public_key != key {
        return Err(store::Error::Conflict(foreign().message));
    }
    if now.parked.is_some() {
        return Err(store::Error::Conflict("the board is parked until somebody decides".into()));
    }
    let row = store::boards::record_connection(tx, board, connection).await?;
    store::boards::set_status(tx, board, model::board::Event::CameOnline).await?;
    Ok(row)
}

/// Tells the store, as long as the cloud lives, which boards have left.
pub(super) async fn keep_departures(boards: Boards) {
    loop {
        let departed = boards.registry().departed().await;
        if let Err(error) = store_departures(&boards, departed.clone()).await {
            tracing::error!(%error, boards = departed.len(), "departures could not be stored, trying again");
            tokio::time::sleep(RETRY).await;
            for board in departed {
                boards.registry().depart(board);
            }
        }
    }
}

/// Stores these departures in one transaction.
pub(super) async fn store_departures(
    boards: &Boards,
    departed: Vec<BoardId>,
) -> Result<(), store::Error> {
    let registry = boards.registry_shared();
    let job = boards.store().write(move |tx| {
        Box::pin(async move {
            for board in departed {
                let row = match store::boards::by_id(&mut *tx, None, board).await {
                    Ok(row) => row,
                    // Deleted meanwhile; the others' departures must not wait for it.
                    Err(store::Error::NotFound { .. }) => continue,
                    Err(error) => return Err(error),
                };
                let now = registry.online(board).map(|online| online.session.to_string());
                // A newer session may have connected since.
                if let Some(session) = row.session.filter(|session| Some(session) != now.as_ref()) {
                    store::boards::record_disconnection(tx, board, &session).await?;
                    tracing::info!(%board, name = %row.name, session, "board is offline");
                }
            }
            Ok(())
        })
    });
    job.await
}
