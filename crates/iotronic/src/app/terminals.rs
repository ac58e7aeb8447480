//! Terminals: a shell on a board, asked for on its control channel and carried by its data link.
//!
//! Invariants: a terminal is opened only for who may, and ends when that is lost ([`Standing`]); both its begin and its end
//! stand in the event log and in the audit, with who it was and from where. Deliberately not here: the WebSocket (`http/terminals`), and whether
//! the board lets anybody in at all, which its owner decides there.

use crate::app::access::{Basis, Caller};
use crate::app::recordings::{Recorder, Written};
use crate::app::standing::{End, Standing};
use crate::app::{Error, boards, devices};
use crate::cloud::Cloud;
use crate::identity::tokens::Statement;
use model::audit::ActorKind;
use model::{Kind, ProjectId};
use rpc::terminal::{Open, Opened, Size};
use rpc::{Call, Fault};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use store::audit::Entry;
use store::boards::BoardRow;
use store::events::NewEvent;
use tokio::time::{Instant, timeout};
use tunnel::{Channel, LinkError, RefusalCode, ServiceKey};
use uuid::Uuid;

/// How long a board may take to make a terminal ready, its link included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the link, which the board says stands, may take to be seen here, and how long the channel.
const LINK_PATIENCE: Duration = Duration::from_secs(5);

/// Whoever asks for a terminal, and of which board.
pub struct Asked {
    cloud: Cloud,
    caller: Caller,
    basis: Basis,
    said: Statement,
    board: BoardRow,
    from: Option<SocketAddr>,
}

/// Bytes that passed through a terminal, frames included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// To the board.
    pub sent: u64,
    /// From it.
    pub received: u64,
}

/// An open terminal. Whoever holds it says its end with [`Terminal::closed`].
pub struct Terminal {
    /// Its bytes, in the frames of [`rpc::terminal`].
    pub channel: Channel,
    /// As which user of the board the shell runs.
    pub user: String,
    /// What is shown goes here, where the board's owner wants it.
    pub recorder: Option<Recorder>,
    asked: Asked,
    id: Uuid,
    began: Instant,
}

/// Judges the wish for a terminal; nothing is asked of the board yet.
///
/// # Errors
/// There is no such board for the caller, or it is of a sort that has no terminals.
pub async fn ask(
    cloud: &Cloud,
    caller: Caller,
    said: Statement,
    ident: &str,
    from: Option<SocketAddr>,
) -> Result<Asked, Error> {
    let lack = "terminals; expose its SSH service instead";
    let (board, basis) = boards::of_ours(cloud, &caller, ident, lack).await?;
    Ok(Asked { cloud: cloud.clone(), caller, basis, said, board, from })
}

impl Asked {
    /// Opens the terminal.
    ///
    /// # Errors
    /// The board is away, refuses, or its link does not come up.
    pub async fn open(self, open: Open) -> Result<Terminal, Fault> {
        let Self { cloud, caller, board, .. } = &self;
        let id = Uuid::now_v7();
        let size = open.size;
        let call = Call::TerminalOpen(open);
        let answer = devices::ask(cloud, caller, board, call, OPEN_TIMEOUT).await;
        let opened = answer.and_then(devices::shape::<Opened>);
        let Opened { key, user } = opened.map_err(|error| named(board, &error))?;
        let channel = self.channel(key).await?;
        let recorder = self.recorder(id, size).await?;
        let mut more = json!({ "as": user });
        if let (Some(_), Some(more)) = (&recorder, more.as_object_mut()) {
            more.insert("recorded".into(), true.into());
        }
        let note = match &recorder {
            Some(_) => Note::Begin,
            None => Note::Alone,
        };
        let noted = self.note(id, "opened", "terminal:open", more, note).await;
        noted.map_err(|_| {
            Fault::new(Kind::Internal, "the terminal cannot be written into the audit")
        })?;
        tracing::info!(board = %self.board.name, user = %self.caller.principal().user, "terminal opened");
        Ok(Terminal { channel, user, recorder, asked: self, id, began: Instant::now() })
    }

    /// The recording, where one is wanted: without it there is no terminal.
    async fn recorder(&self, id: Uuid, size: Size) -> Result<Option<Recorder>, Fault> {
        let Self { cloud, board, .. } = self;
        let wanted = store::recordings::wanted(&cloud.store, &board.project, board.id).await;
        let wanted = wanted.map_err(|error| {
            tracing::error!(%error, "whether a terminal is to be recorded cannot be read");
            Fault::new(Kind::Internal, "whether this terminal is to be recorded cannot be told")
        })?;
        if !wanted {
            return Ok(None);
        }
        let seconds = cloud.now().micros().div_euclid(1_000_000);
        let most = cloud.settings.recordings.session_bytes;
        Recorder::begin(&cloud.dir, id, size, seconds, most).map(Some)
    }

    async fn channel(&self, key: String) -> Result<Channel, Fault> {
        let wrong = |text: String| {
            Fault::new(Kind::Unreachable, format!("board {}: {text}", self.board.name))
        };
        let key = ServiceKey::new(key.into_bytes()).map_err(|error| wrong(error.to_string()))?;
        let link = self.cloud.boards.link(self.board.id, LINK_PATIENCE).await?;
        match timeout(LINK_PATIENCE, link.open(key)).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(LinkError::Refused(refusal))) if refusal.code == RefusalCode::UnknownService => {
                Err(wrong("it does not know the terminal any more; try again".to_owned()))
            }
            Ok(Err(error)) => Err(wrong(error.to_string())),
            Err(_) => Err(wrong("the terminal's channel was not answered in time".to_owned())),
        }
    }

    /// Who, from where, on which board, in the event log and in the audit.
    async fn note(
        &self,
        id: Uuid,
        verb: &'static str,
        audited: &'static str,
        more: Value,
        note: Note,
    ) -> Result<(), store::Error> {
        let from = self.from.map(|from| from.ip().to_string());
        let entry = self.entry(id, audited, &more, from.as_deref());
        let mut body = json!({
            "board": self.board.id,
            "name": self.board.name,
            "user": self.caller.principal().user,
            "from": from,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let project: ProjectId = self.board.project.clone();
        let (board, user) = (self.board.id, self.caller.principal().user.clone());
        let write = self.cloud.store.write(move |tx| {
            let event = NewEvent::about("terminal", verb, &project, id, body);
            Box::pin(async move {
                match note {
                    Note::Alone => {}
                    Note::Begin => store::recordings::begin(tx, id, board, &user).await?,
                    Note::End(Written { bytes, sha256 }) => {
                        store::recordings::end(tx, id, bytes, &sha256).await?;
                    }
                }
                tx.audit(entry).await?;
                tx.event(event).await.map(|_| ())
            })
        });
        let written = write.await;
        if let Err(error) = &written {
            tracing::error!(%error, verb, "a terminal could not be noted");
        }
        written
    }

    fn entry(&self, id: Uuid, verb: &'static str, more: &Value, from: Option<&str>) -> Entry {
        let user = &self.caller.principal().user;
        let mut detail = more.clone();
        if let Some(detail) = detail.as_object_mut() {
            detail.insert("session".into(), id.to_string().into());
            if let Some(delegation) = self.basis.delegation() {
                detail.insert("delegation".into(), delegation.to_string().into());
            }
        }
        let entry = Entry::new(verb, "board", self.board.id).of(&self.board.project).with(detail);
        let entry = entry.by(ActorKind::User, user);
        match from {
            Some(from) => entry.personal("address", Some(user), from),
            None => entry,
        }
    }
}

impl Terminal {
    /// The right of whoever opened it to go on.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let Asked { cloud, caller, said, board, .. } = &self.asked;
        Standing::new(cloud, caller.clone(), said.clone(), board.id, End::WithSession)
    }

    /// Writes its end into the event log and the audit.
    pub async fn closed(&mut self, reason: &str, moved: Moved) {
        let written = match self.recorder.take() {
            Some(recorder) => {
                // Waits for the disk.
                tokio::task::spawn_blocking(move || recorder.end()).await.ok().and_then(Result::ok)
            }
            None => None,
        };
        let seconds = self.began.elapsed().as_secs();
        tracing::info!(board = %self.asked.board.name, reason, "terminal closed");
        let mut more = json!({
            "as": self.user, "reason": reason, "seconds": seconds, "sent": moved.sent, "received": moved.received,
        });
        let note = match written {
            Some(written) => {
                let said = json!({ "sha256": written.sha256, "bytes": written.bytes });
                if let Some(more) = more.as_object_mut() {
                    more.insert("recording".into(), said);
                }
                Note::End(written)
            }
            // One that could not be written to its end gets what there is of it at the next start.
            None => Note::Alone,
        };
        // Logged there; there is nobody left to tell.
        let is_kept = matches!(note, Note::End(_));
        let _ = self.asked.note(self.id, "closed", "terminal:close", more, note).await;
        // What is kept is bounded when something comes to it, not some minutes later.
        let cloud = &self.asked.cloud;
        if is_kept && let Err(error) = super::recordings::sweep(cloud, cloud.now()).await {
            tracing::error!(%error, "recordings beyond what is kept could not be erased");
        }
    }
}

/// What a note says of a recording, in the same transaction.
enum Note {
    /// Nothing.
    Alone,
    /// It begins.
    Begin,
    /// It has ended.
    End(Written),
}

/// The board's name stands in our own faults already.
fn named(board: &BoardRow, error: &Error) -> Fault {
    let text = error.to_string();
    let name = board.name.as_str();
    let text = if text.contains(name) { text } else { format!("board {name}: {text}") };
    Fault::new(error.kind(), text)
}
