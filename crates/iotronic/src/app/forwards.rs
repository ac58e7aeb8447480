//! Forwards: the way from somebody's machine to a port of a board, for as long as a WebSocket stands.
//!
//! The client opens channels on a link of its own; each leads on to a channel of the board's link, with the key that the board
//! gave. Invariants: a forward is opened only for who may, and ends when that is lost ([`Standing`]); its begin and its end
//! stand in the event log and in the audit, with who it was, from where, and how much passed. A board that came back and has
//! forgotten the key is asked for another. Deliberately not here: the WebSocket (`http/forwards`), and which ports the board
//! lets be reached, which its owner decides there.

use crate::app::access::{Basis, Caller};
use crate::app::standing::{End, Standing};
use crate::app::{Error, boards, devices};
use crate::cloud::Cloud;
use crate::identity::tokens::Statement;
use model::Kind;
use model::audit::ActorKind;
use model::service::Port;
use rpc::forward::{Open, Opened};
use rpc::{Call, Fault};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::audit::Entry;
use store::boards::BoardRow;
use store::events::NewEvent;
use tokio::sync::Mutex;
use tunnel::{Acceptor, Accounted, Channel, Count, LinkError, Refusal, RefusalCode, ServiceKey};
use uuid::Uuid;

/// How long a board may take to let a port be reached, its link included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the link, which the board says stands, may take to be seen here.
const LINK_PATIENCE: Duration = Duration::from_secs(5);

/// Whoever asks for the way, and to which board.
pub struct Asked {
    cloud: Cloud,
    caller: Caller,
    basis: Basis,
    said: Statement,
    board: BoardRow,
    from: Option<SocketAddr>,
}

/// The way to one port of a board, open. Whoever holds it says its end with [`Forward::closed`].
pub struct Forward {
    asked: Arc<Asked>,
    way: Way,
    id: Uuid,
    began: Instant,
}

/// Leads each channel of the client on to the board. Clones are the same way.
#[derive(Clone)]
pub struct Way(Arc<Inner>);

struct Inner {
    asked: Arc<Asked>,
    port: Port,
    key: Mutex<ServiceKey>,
    count: Arc<Count>,
    connections: AtomicU64,
}

/// Judges the wish for a way; nothing is asked of the board yet.
///
/// # Errors
/// There is no such board for the caller, or it is of a sort that has no forwards.
pub async fn ask(
    cloud: &Cloud,
    caller: Caller,
    said: Statement,
    ident: &str,
    from: Option<SocketAddr>,
) -> Result<Asked, Error> {
    let lack = "forwards; enable its service instead";
    let (board, basis) = boards::of_ours(cloud, &caller, ident, lack).await?;
    Ok(Asked { cloud: cloud.clone(), caller, basis, said, board, from })
}

impl Asked {
    /// Asks the board to let the port be reached.
    ///
    /// # Errors
    /// The board is away or refuses.
    pub async fn open(self, port: Port) -> Result<Forward, Error> {
        let key = Mutex::new(self.key(port).await?);
        let asked = Arc::new(self);
        let (count, connections) = (Arc::default(), AtomicU64::new(0));
        let way = Way(Arc::new(Inner { asked: Arc::clone(&asked), port, key, count, connections }));
        Ok(Forward { asked, way, id: Uuid::now_v7(), began: Instant::now() })
    }

    async fn key(&self, port: Port) -> Result<ServiceKey, Error> {
        let call = Call::ForwardOpen(Open { port });
        let answer = devices::ask(&self.cloud, &self.caller, &self.board, call, OPEN_TIMEOUT).await;
        let Opened { key } = devices::shape(answer?)?;
        ServiceKey::new(key).map_err(|error| {
            let text = format!("board {} answers no key: {error}", self.board.name);
            Error::new(Kind::Internal, text)
        })
    }

    async fn note(
        &self,
        id: Uuid,
        verb: &'static str,
        audited: &'static str,
        more: Value,
    ) -> Result<(), store::Error> {
        let user = &self.caller.principal().user;
        let from = self.from.map(|from| from.ip().to_string());
        let mut detail = more.clone();
        let mut body =
            json!({ "board": self.board.id, "name": self.board.name, "user": user, "from": from });
        if let (Some(body), Some(detail), Value::Object(more)) =
            (body.as_object_mut(), detail.as_object_mut(), more)
        {
            body.extend(more);
            detail.insert("session".into(), id.to_string().into());
            if let Some(delegation) = self.basis.delegation() {
                detail.insert("delegation".into(), delegation.to_string().into());
            }
        }
        let project = &self.board.project;
        let entry = Entry::new(audited, "board", self.board.id).of(project).with(detail);
        let mut entry = entry.by(ActorKind::User, user);
        if let Some(from) = &from {
            entry = entry.personal("address", Some(user), from);
        }
        let event = NewEvent::about("forward", verb, project, id, body);
        let write = self.cloud.store.write(move |tx| {
            Box::pin(async move {
                tx.audit(entry).await?;
                tx.event(event).await.map(|_| ())
            })
        });
        let written = write.await;
        if let Err(error) = &written {
            tracing::error!(%error, verb, "a forward could not be noted");
        }
        written
    }
}

impl Forward {
    /// Writes its begin into the event log and the audit.
    ///
    /// # Errors
    /// It cannot be written: nothing may pass.
    pub async fn opened(&self) -> Result<(), Fault> {
        let more = json!({ "port": self.way.0.port });
        let noted = self.asked.note(self.id, "opened", "forward:open", more).await;
        noted
            .map_err(|_| Fault::new(Kind::Internal, "the forward cannot be written into the audit"))
    }

    /// Where channels lead.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way.clone()
    }

    /// The right of whoever opened it to go on.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let Asked { cloud, caller, said, board, .. } = &*self.asked;
        Standing::new(cloud, caller.clone(), said.clone(), board.id, End::WithSession)
    }

    /// Writes its end into the event log and the audit.
    pub async fn closed(self, reason: &str) {
        let Inner { port, count, connections, .. } = &*self.way.0;
        let more = json!({
            "port": port,
            "reason": reason,
            "seconds": self.began.elapsed().as_secs(),
            "connections": connections.load(Ordering::Relaxed),
            "sent": count.written(),
            "received": count.read(),
        });
        // Logged there; there is nobody left to tell.
        let _ = self.asked.note(self.id, "closed", "forward:close", more).await;
    }
}

impl Acceptor for Way {
    type Target = Accounted<Channel, Arc<Count>>;

    async fn accept(&self, key: &[u8]) -> Result<Self::Target, Refusal> {
        if key != api::forwards::CHANNEL.as_bytes() {
            return Err(Refusal::new(
                RefusalCode::UnknownService,
                "the channels of a forward are called port",
            ));
        }
        let channel = self.0.channel().await?;
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Accounted::new(channel, Arc::clone(&self.0.count)))
    }
}

impl Inner {
    /// A board without a link brings one when it is asked for a key, as one that has forgotten its key must be.
    async fn channel(&self) -> Result<Channel, Refusal> {
        let Asked { cloud, board, .. } = &*self.asked;
        let key = self.key.lock().await.clone();
        if cloud.boards.links().get(board.id).is_some() {
            match self.open(key.clone()).await {
                Err(refusal) if refusal.code == RefusalCode::UnknownService => {}
                opened => return opened,
            }
        }
        let key = self.renewed(&key).await?;
        self.open(key).await
    }

    async fn open(&self, key: ServiceKey) -> Result<Channel, Refusal> {
        let Asked { cloud, board, .. } = &*self.asked;
        let link = cloud.boards.link(board.id, LINK_PATIENCE).await;
        let link = link.map_err(|fault| unreachable(fault.message))?;
        link.open(key).await.map_err(|error| match error {
            LinkError::Refused(refusal) => refusal,
            LinkError::Open(_) | LinkError::Lost(_) => unreachable(error.to_string()),
        })
    }

    /// Another key, asked for once however many channels need it.
    async fn renewed(&self, forgotten: &ServiceKey) -> Result<ServiceKey, Refusal> {
        let mut key = self.key.lock().await;
        if *key == *forgotten {
            let another = self.asked.key(self.port).await;
            *key = another.map_err(|error| unreachable(error.to_string()))?;
        }
        Ok(key.clone())
    }
}

fn unreachable(text: String) -> Refusal {
    Refusal::new(RefusalCode::Unreachable, text)
}
