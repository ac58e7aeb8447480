//! Terminals: shells on the board for people of the cloud.
//!
//! The cloud asks for one on the control channel; the board judges, keeps a place and answers a key; a channel of the data
//! link that presents the key becomes the terminal. `account` says as whom, `launcher` becomes that user, `session` holds the
//! processes, `near` the bytes of the shell, `relay` joins them with the channel.
//! Invariants: no key, no shell; a key is good once and for a short time; what runs, and what waits for its channel, together
//! never exceeds [`MAX_TERMINALS`]. Deliberately not here: who may ask (the cloud), and channels (`forward`).

mod account;
mod launcher;
mod near;
mod relay;
mod session;

pub use launcher::run_if_asked;

use crate::settings;
use account::Account;
use base::tasks::Tasks;
use model::Kind;
use rpc::Fault;
use rpc::terminal::{KEY_LIFE_S, KEY_PREFIX, MAX_COMMAND, Open, Opened};
use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tunnel::{Endpoint, Refusal, RefusalCode};

/// Terminals of one board at one time; further ones are refused.
pub const MAX_TERMINALS: usize = 8;
/// Time in which all terminals are over when the agent ends.
pub(crate) const GRACE: Duration = Duration::from_secs(7);
/// The word by which the board says that it has terminals.
pub(crate) const CAPABILITY: &str = "terminal";

/// The board's terminals. Clones share them.
#[derive(Debug, Clone)]
pub struct Terminals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: settings::Terminal,
    launcher: PathBuf,
    tasks: Tasks,
    places: Arc<Semaphore>,
    waiting: Mutex<HashMap<String, Waiting>>,
}

/// A terminal whose channel has not come yet.
#[derive(Debug)]
struct Waiting {
    open: Open,
    account: Account,
    until: Instant,
    place: OwnedSemaphorePermit,
}

impl Terminals {
    /// Terminals as the settings allow them. `launcher` is a binary whose `main` calls [`run_if_asked`]; each terminal is a
    /// task of `tasks`. To be called inside a runtime.
    #[must_use]
    pub fn new(settings: settings::Terminal, launcher: PathBuf, tasks: Tasks) -> Self {
        if settings.user.is_some() {
            tokio::task::spawn_blocking(session::kill_orphans);
            if let Err(fault) = Account::find(&settings, own_user()) {
                tracing::warn!(reason = fault.message, "terminals are refused");
            }
        }
        let places = Arc::new(Semaphore::new(MAX_TERMINALS));
        Self(Arc::new(Inner { settings, launcher, tasks, places, waiting: Mutex::default() }))
    }

    /// Makes a terminal ready for its channel.
    ///
    /// # Errors
    /// The owner allows none, what is asked for is unsound, or the places are taken.
    pub(crate) fn offer(&self, open: Open) -> Result<Opened, Fault> {
        if !open.size.is_sound() {
            return Err(Fault::new(Kind::Invalid, "cols and rows lie in 1 to 1000"));
        }
        if open
            .command
            .as_ref()
            .is_some_and(|command| command.len() > MAX_COMMAND || command.contains('\0'))
        {
            let text = format!("the command has at most {MAX_COMMAND} bytes and no zero byte");
            return Err(Fault::new(Kind::Invalid, text));
        }
        let account = Account::find(&self.0.settings, own_user())?;
        let mut waiting = self.waiting();
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| {
            let text = format!("{MAX_TERMINALS} terminals are open on this board; close one first");
            Fault::new(Kind::Exhausted, text)
        })?;
        let key = format!("{KEY_PREFIX}{}", base::secret::random_text::<24>());
        let user = account.name.clone();
        let until = Instant::now() + Duration::from_secs(KEY_LIFE_S);
        waiting.insert(key.clone(), Waiting { open, account, until, place });
        Ok(Opened { key, user })
    }

    /// Takes an offer back, whose channel cannot come.
    pub(crate) fn withdraw(&self, key: &str) {
        self.waiting().remove(key);
    }

    /// Whether a key of a channel is one of a terminal.
    pub(crate) fn owns(key: &[u8]) -> bool {
        key.starts_with(KEY_PREFIX.as_bytes())
    }

    /// Starts the terminal of a channel.
    pub(crate) fn accept(&self, key: &[u8]) -> Result<Far, Refusal> {
        let unknown = || {
            Refusal::new(RefusalCode::UnknownService, "this terminal's key is not good any more")
        };
        let key = std::str::from_utf8(key).map_err(|_| unknown())?;
        let Waiting { open, account, place, .. } =
            self.waiting().remove(key).ok_or_else(unknown)?;
        let (session, near) =
            session::start(&self.0.launcher, &account, &open).map_err(|error| {
                tracing::error!(%error, "a terminal cannot be opened");
                Refusal::new(
                    RefusalCode::Unreachable,
                    format!("the board cannot open a terminal: {error}"),
                )
            })?;
        tracing::info!(user = account.name, "terminal opened");
        let (ours, theirs) = tokio::io::duplex(relay::BETWEEN);
        let (presence, gone) = oneshot::channel();
        let shutdown = self.0.tasks.shutdown().clone();
        let terms = relay::Terms { idle: self.0.settings.idle(), shutdown, gone };
        self.0.tasks.spawn("terminal", async move {
            relay::run(ours, near, session, terms).await;
            tracing::info!(user = account.name, "terminal closed");
            drop(place);
        });
        Ok(Far { stream: theirs, _presence: presence })
    }

    /// What waits, without what waited too long.
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        waiting.retain(|_, waiting| now < waiting.until);
        waiting
    }
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The channel's end of a terminal; when it goes, the terminal is hung up, whatever it is doing.
#[derive(Debug)]
pub struct Far {
    stream: DuplexStream,
    _presence: oneshot::Sender<()>,
}

impl AsyncRead for Far {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Far {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Endpoint for Far {}

#[cfg(test)]
mod tests;
