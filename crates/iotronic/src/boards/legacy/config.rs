//! The config that an upstream board is told when it registers; it writes it to its `settings.json` as it is.
//!
//! Invariant: everything that upstream's agent asks for is there, or it would take itself for unregistered.

use crate::boards::AGENT;
use model::Timestamp;
use rpc::REALM;
use serde_json::{Value, json};
use store::boards::BoardRow;
use store::upstream::UpstreamBoard;

/// Whose config.
pub(super) struct Subject<'a> {
    pub(super) board: &'a BoardRow,
    pub(super) upstream: &'a UpstreamBoard,
    pub(super) wamp_url: &'a str,
}

/// The config object.
pub(super) fn config(subject: &Subject<'_>) -> Value {
    let agent = json!({ "url": subject.wamp_url, "realm": REALM });
    json!({ "iotronic": {
        "extra": {},
        "board": board(subject),
        "wamp": { "registration-agent": agent, "main-agent": agent },
    }})
}

fn board(subject: &Subject<'_>) -> Value {
    let Subject { board, upstream, .. } = subject;
    json!({
        "id": board.serial,
        "uuid": board.id,
        "code": upstream.code,
        // What the agent must find to go on; it says `operative` itself, later.
        "status": "registered",
        "name": board.name,
        "type": upstream.kind.as_deref().unwrap_or("generic"),
        "agent": AGENT,
        "owner": board.owner,
        "project": board.project,
        "fleet": board.fleet,
        "lr_version": board.agent_version,
        "connectivity": upstream.connectivity,
        "mobile": upstream.mobile,
        "extra": upstream.extra,
        "created_at": zoned(board.created_at),
        "updated_at": zoned(board.updated_at),
        "location": location(board),
    })
}

fn location(board: &BoardRow) -> Value {
    let (longitude, latitude, altitude) =
        board.position.map_or((0.0, 0.0, 0.0), |at| (at.longitude, at.latitude, at.altitude));
    json!({
        "longitude": longitude.to_string(),
        "latitude": latitude.to_string(),
        "altitude": altitude.to_string(),
        "updated_at": zoned(board.updated_at),
    })
}

/// With upstream's offset instead of a Z.
fn zoned(at: Timestamp) -> String {
    format!("{}+00:00", bare(at))
}

/// Without any zone, as upstream writes times into requests.
pub(super) fn bare(at: Timestamp) -> String {
    at.to_string().trim_end_matches('Z').to_owned()
}
