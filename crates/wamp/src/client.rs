//! The client's side of joining a realm over a network.
//!
//! Invariant: a session is handed out only after both sides are content: the router with the client's proof, and the
//! client, through [`Credentials::welcome`], with the router's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use websocket::{Liveness, WebSocket};

use crate::codec::Serialiser;
use crate::ended::Ended;
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::pump::{Connection, message_of};
use crate::rawsocket::RawSocket;
use crate::session::{Link, Session, Shared};
use crate::transport::{Deliver, Receive};
use crate::uri::error;
use crate::{Abort, Dict};

/// Time that joining may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Who the client is and how it proves it, and how it checks the router.
pub trait Credentials: Send {
    /// Who it says it is.
    fn authid(&self) -> Option<String> {
        None
    }

    /// The authentication methods it can do, in its order of preference.
    fn methods(&self) -> Vec<String> {
        vec!["anonymous".to_owned()]
    }

    /// `authextra` of the HELLO.
    fn hello_extra(&mut self) -> Dict {
        Dict::new()
    }

    /// Answers a challenge with a signature and an extra; a text says why it will not.
    fn answer(&mut self, method: &str, challenge: &Dict) -> Result<(String, Dict), String> {
        let _ = challenge;
        Err(format!("no credentials for the authentication method {method}"))
    }

    /// Looks at the details of the WELCOME (`authextra` among them); a text says why this router is not trusted.
    fn welcome(&mut self, details: &Dict) -> Result<(), String> {
        let _ = details;
        Ok(())
    }
}

/// No credentials.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

impl Credentials for Anonymous {}

/// The roles and features that a client announces.
#[derive(Debug, Clone, PartialEq)]
pub struct Roles(pub Dict);

impl Default for Roles {
    /// All that a [`Session`] can do.
    fn default() -> Self {
        let mut roles = Dict::new();
        roles.insert("caller".into(), features(&["call_canceling", "call_timeout"]));
        roles.insert(
            "callee".into(),
            features(&["call_canceling", "caller_identification", "pattern_based_registration"]),
        );
        roles.insert("publisher".into(), features(&["publisher_identification"]));
        roles.insert(
            "subscriber".into(),
            features(&["pattern_based_subscription", "publisher_identification"]),
        );
        Self(roles)
    }
}

fn features(names: &[&str]) -> Value {
    let features: Dict = names.iter().map(|name| ((*name).to_owned(), true.into())).collect();
    json!({ "features": features })
}

/// How a client's session behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSettings {
    /// When a silent router is pinged and given up.
    pub liveness: websocket::Settings,
    /// Bytes that may wait to be sent; above it the session is ended as [`Ended::Slow`].
    pub queue_bytes: usize,
    /// Handlers that may run at a time; further calls are answered `wamp.error.unavailable`.
    pub max_running: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            liveness: websocket::Settings::default(),
            queue_bytes: 8 * 1024 * 1024,
            max_running: 256,
        }
    }
}

impl From<websocket::Settings> for ClientSettings {
    fn from(liveness: websocket::Settings) -> Self {
        Self { liveness, ..Self::default() }
    }
}

/// Why no session came to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The router refused.
    #[error("the router refused: {0}")]
    Refused(Abort),
    /// The client has no answer to the router's challenge.
    #[error("the router's challenge cannot be answered: {0}")]
    Credentials(String),
    /// The client does not trust the router.
    #[error("the router is not trusted: {0}")]
    Distrusted(String),
    /// The router took too long.
    #[error("the router did not answer in time")]
    Timeout,
    /// The connection failed or the router broke the protocol.
    #[error("joining failed: {0}")]
    Ended(Ended),
}

/// Joins `realm` over a fresh connection.
pub async fn connect<S>(
    websocket: WebSocket<S>,
    serialiser: Serialiser,
    realm: &str,
    roles: Roles,
    credentials: impl Credentials,
    settings: impl Into<ClientSettings>,
) -> Result<Session, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Connection::new(websocket.split(), serialiser);
    enter(connection, realm, roles, credentials, settings.into()).await
}

/// Joins `realm` over a fresh raw socket.
pub async fn connect_raw<S>(
    socket: RawSocket<S>,
    realm: &str,
    roles: Roles,
    credentials: impl Credentials,
    settings: impl Into<ClientSettings>,
) -> Result<Session, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let serialiser = socket.serialiser();
    let connection = Connection::new(socket.split(), serialiser);
    enter(connection, realm, roles, credentials, settings.into()).await
}

async fn enter<R, W>(
    mut connection: Connection<R, W>,
    realm: &str,
    roles: Roles,
    mut credentials: impl Credentials,
    settings: ClientSettings,
) -> Result<Session, ConnectError>
where
    R: Receive + 'static,
    W: Deliver + 'static,
{
    let hello = hello(realm, roles, &mut credentials);
    let joining = join(&mut connection, hello, &mut credentials);
    let joined = tokio::time::timeout(TIMEOUT, joining).await.map_err(|_| ConnectError::Timeout)?;
    let (id, details) = joined?;
    Ok(start(connection, id, details, settings))
}

fn hello(realm: &str, roles: Roles, credentials: &mut impl Credentials) -> Message {
    let mut details = Dict::new();
    details.insert("roles".into(), roles.0.into());
    details.insert("authmethods".into(), credentials.methods().into());
    details.insert("authextra".into(), credentials.hello_extra().into());
    details.insert("agent".into(), concat!("stack4things-", env!("CARGO_PKG_VERSION")).into());
    if let Some(authid) = credentials.authid() {
        details.insert("authid".into(), authid.into());
    }
    Message::Hello { realm: realm.to_owned(), details }
}

async fn join<R, W>(
    connection: &mut Connection<R, W>,
    hello: Message,
    credentials: &mut impl Credentials,
) -> Result<(u64, Dict), ConnectError>
where
    R: Receive,
    W: Deliver,
{
    connection.send(&hello).await.map_err(ConnectError::Ended)?;
    let mut answer = connection.receive().await.map_err(ConnectError::Ended)?;
    if let Message::Challenge { method, extra } = &answer {
        let proof = match credentials.answer(method, extra) {
            Ok((signature, extra)) => Message::Authenticate { signature, extra },
            Err(why) => {
                say_no(connection, &why).await;
                return Err(ConnectError::Credentials(why));
            }
        };
        connection.send(&proof).await.map_err(ConnectError::Ended)?;
        answer = connection.receive().await.map_err(ConnectError::Ended)?;
    }
    match answer {
        Message::Welcome { session, details } => match credentials.welcome(&details) {
            Ok(()) => Ok((session, details)),
            Err(why) => {
                say_no(connection, &why).await;
                Err(ConnectError::Distrusted(why))
            }
        },
        Message::Abort { details, reason } => {
            Err(ConnectError::Refused(Abort::new(reason, message_of(&details))))
        }
        _ => Err(ConnectError::Ended(Ended::Violation("HELLO was not answered".into()))),
    }
}

/// The router may be gone; the client leaves either way.
async fn say_no<R, W>(connection: &mut Connection<R, W>, why: &str)
where
    R: Receive,
    W: Deliver,
{
    let message = Message::abort(error::AUTHENTICATION_FAILED, why);
    if let Err(ended) = connection.part(&message).await {
        tracing::debug!(%ended, "the router did not take the refusal");
    }
}

fn start<R, W>(
    connection: Connection<R, W>,
    id: u64,
    details: Dict,
    settings: ClientSettings,
) -> Session
where
    R: Receive + 'static,
    W: Deliver + 'static,
{
    let mailbox = Arc::new(Mailbox::new(settings.queue_bytes));
    let link = Link::Network(Arc::clone(&mailbox));
    let shared = Shared::new(id, details, link, settings.max_running);
    let session = Session::new(Arc::clone(&shared));
    let liveness = Liveness::new(settings.liveness, Instant::now());
    tokio::spawn(async move {
        let finish = |ended: &Ended| shared.finish(ended.clone());
        connection.run(&mailbox, &shared, liveness, finish).await;
    });
    session
}
