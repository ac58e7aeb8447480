//! What the board says to an upstream cloud: join its router, register, announce itself, ask for a sign of life, tell results.
//!
//! Invariant: every call has a deadline. Not here: when which is said (`control`).

use super::settings_file::Router;
use crate::clock::BoardClock;
use crate::cloud::{Address, Cloud, Error, MAX_MESSAGE, Trust, refusal};
use crate::cloud_call::{call, failure};
use crate::error;
use crate::settings::{Certificate, Settings};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wamp::{Anonymous, Arguments, CallOptions, ClientSettings, Roles, Serialiser, Session};
use websocket::Limits;

/// What this agent says it is: upstream's cloud compares numbers, and gives older agents no request object.
pub(super) const SPOKEN_VERSION: &str = "0.5.0";
/// Bytes that may wait to be sent.
const QUEUE_BYTES: usize = 8 << 20;
/// Calls that are worked on at one time.
const MAX_CALLS: usize = 128;
/// Time for a sign of life.
const ALIVE_PATIENCE: Duration = Duration::from_secs(10);

/// Whom to believe, by the settings.
pub(super) fn trust(settings: &Settings) -> Trust {
    match settings.upstream.certificate {
        Certificate::Check => Trust::Public(settings.cloud.authorities.clone()),
        Certificate::Ignore => Trust::Anything,
    }
}

/// The router's address.
pub(super) fn address(router: &Router) -> Result<Address, Error> {
    Ok(web_url(&router.url).parse()?)
}

fn web_url(url: &str) -> String {
    match url.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        // Refused with its own text.
        _ => url.replace("http", "not-a-websocket-http"),
    }
}

/// Joins the router as nobody in particular; the session, and the board's own address on the way.
pub(super) async fn join(
    router: &Router,
    settings: &Settings,
    clock: &Arc<BoardClock>,
) -> Result<(Session, Option<IpAddr>), Error> {
    let cloud = Cloud::new(&web_url(&router.url), "", trust(settings), Arc::clone(clock))?;
    let path = if address(router)?.prefix.is_empty() { "/" } else { "" };
    let limits = Limits { max_message: MAX_MESSAGE };
    let opened = cloud.open(path, &[Serialiser::Json.subprotocol()], limits).await?;
    let client = ClientSettings {
        liveness: settings.liveness(),
        queue_bytes: QUEUE_BYTES,
        max_running: MAX_CALLS,
    };
    let joined = wamp::connect(
        opened.socket,
        Serialiser::Json,
        &router.realm,
        Roles::default(),
        Anonymous,
        client,
    );
    Ok((joined.await.map_err(refusal)?, opened.local))
}

/// Registers with a code; the configuration.
pub(super) async fn register(session: &Session, code: &str) -> Result<Value, error::Error> {
    let asked = json!({ "code": code, "session": session.id() });
    call(session, "stack4things.register", &asked).await
}

/// Says that the board can be called on this session soon.
pub(super) async fn announce(
    session: &Session,
    agent: &str,
    board: &str,
    connectivity: Value,
) -> Result<(), error::Error> {
    let info = json!({ "lr_version": SPOKEN_VERSION, "connectivity": connectivity });
    let said = json!({ "uuid": board, "session": session.id(), "info": info });
    let procedure = rpc::uri::agent_procedure(agent, "connection");
    call::<Value>(session, &procedure, &said).await.map(drop)
}

/// Asks whether the cloud's agent is alive; what it says.
pub(super) async fn alive(
    session: &Session,
    agent: &str,
    board: &str,
    name: &str,
) -> Result<String, error::Error> {
    let procedure = rpc::uri::agent_procedure(agent, rpc::uri::ALIVE);
    let answer =
        keywords(session, &procedure, json!({ "board_uuid": board, "board_name": name })).await?;
    let text = answer.list.first().and_then(Value::as_str).unwrap_or_default();
    Ok(text.chars().take(200).collect())
}

/// Tells a result that took longer.
pub(super) async fn notify(
    session: &Session,
    agent: &str,
    board: &str,
    text: &str,
) -> Result<(), error::Error> {
    let procedure = rpc::uri::agent_procedure(agent, "notify_result");
    keywords(session, &procedure, json!({ "board_uuid": board, "wampmessage": text }))
        .await
        .map(drop)
}

async fn keywords(
    session: &Session,
    procedure: &str,
    said: Value,
) -> Result<Arguments, error::Error> {
    let Value::Object(said) = said else { return Ok(Arguments::default()) };
    let options = CallOptions::within(ALIVE_PATIENCE);
    session.call(procedure, Arguments::keywords(said), options).await.map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(url: &str) -> Router {
        Router { url: url.into(), realm: "s4t".into() }
    }

    #[test]
    fn only_websocket_urls_are_routers() {
        assert_eq!(address(&router("ws://h:8181/")).unwrap().port, 8181);
        assert_eq!(address(&router("wss://h:8181/ws")).unwrap().prefix, "/ws");
        for wrong in [
            "http://h/",
            "h:8181",
            "ws://",
            "ws://<WAMP-SERVER>:<WAMP-PORT>/",
            "ws://h:1/\r\nX: y",
            "",
        ] {
            assert!(address(&router(wrong)).is_err(), "{wrong}");
        }
    }
}
