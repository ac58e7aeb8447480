//! `s4t ssh`: a terminal on a board, or one command there.
//!
//! Where standard input and output are a terminal the board's side is one too; otherwise bytes pass unchanged. Invariants: the
//! local terminal is left as it was found; the exit code is that of the shell on the board. Deliberately not here: SSH itself;
//! the bytes travel through the cloud on the board's own link.

mod escape;
mod local;

use crate::dial::{self, Stream};
use crate::failure::Failure;
use crate::session::Session;
use api::boards::{Board, PATH};
use api::client::{Client, escape as escaped};
use api::terminals::{FromClient, FromCloud, SUBPROTOCOL};
use bytes::Bytes;
use clap::Args;
use escape::{Escape, Keys};
use local::Raw;
use model::Kind;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use websocket::{CloseReason, Limits, Message, Reader, WebSocket, Writer};

/// Largest message of the cloud.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Input that the cloud has not taken; the keyboard waits then.
const MAX_PENDING: usize = 64 * 1024;
/// How often the cloud is asked for a sign of life, and after how much silence it is given up.
const ASK: Duration = Duration::from_secs(15);
const GIVE_UP: Duration = Duration::from_secs(45);
/// Time for the last words.
const FAREWELL: Duration = Duration::from_secs(1);
/// Exit code of whoever leaves with the escape, as of ssh.
const LEFT: u8 = 255;

/// Open a terminal on a board, or run a command there.
#[derive(Args)]
pub(crate) struct Ssh {
    /// Id or name.
    board: String,
    /// What to run; the words are joined with spaces for the board's shell. Nothing: an interactive shell.
    #[arg(last = true)]
    command: Vec<String>,
}

/// What the local end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Local {
    Terminal,
    Pipe,
}

impl Ssh {
    /// Opens it and stays until it is over.
    pub(crate) fn run(&self, session: &Session) -> Result<(), Failure> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let local = if is_terminal { Local::Terminal } else { Local::Pipe };
        // Renews a token that is refused, which a WebSocket cannot.
        let _: Board = session.client.get(&format!("{PATH}/{}", escaped(&self.board)))?;
        let broken = |error: io::Error| Failure::new(Kind::Internal, error.to_string());
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = reactor.map_err(broken)?.block_on(self.converse(&session.client, local));
        match ended? {
            0 => Ok(()),
            code => Err(Failure::exit(code)),
        }
    }

    fn path(&self, local: Local) -> String {
        let mut path = format!("{PATH}/{}/terminal?", escaped(&self.board));
        match (local, local::size()) {
            (Local::Pipe, _) => path += "mode=pipe",
            (Local::Terminal, Some((cols, rows))) => path += &format!("cols={cols}&rows={rows}"),
            (Local::Terminal, None) => path += "mode=screen",
        }
        if !self.command.is_empty() {
            path += &format!("&command={}", escaped(&self.command.join(" ")));
        }
        path
    }

    async fn converse(&self, client: &Client, local: Local) -> Result<u8, Failure> {
        let limits = Limits { max_message: MAX_MESSAGE };
        let socket = dial::dial(client, &self.path(local), SUBPROTOCOL, limits).await?;
        let mut cloud = Cloud::new(socket);
        let (user, recorded) = cloud.ready().await?;
        if recorded && local == Local::Pipe {
            // A screen shows the cloud's own line.
            eprintln!("what this terminal shows is recorded");
        }
        if local == Local::Terminal {
            let board = crate::output::harmless(&self.board);
            let user = crate::output::harmless(&user);
            eprintln!("{user} on {board}; ~. at the beginning of a line leaves");
        }
        let broken = |error: io::Error| Failure::new(Kind::Internal, error.to_string());
        let (output, thread) = local::screen();
        let raw = match local {
            Local::Terminal => Some(Raw::enter().map_err(broken)?),
            Local::Pipe => None,
        };
        let terminal = Terminal {
            cloud,
            local,
            keyboard: local::keyboard(),
            output,
            showing: None,
            escape: Escape::default(),
            signals: Signals::new().map_err(broken)?,
        };
        let ended = terminal.run().await;
        // All that came is shown before the command ends.
        let shown = tokio::task::spawn_blocking(move || thread.join()).await;
        drop(raw);
        if local == Local::Terminal {
            eprintln!("closed");
        }
        match shown {
            Ok(Ok(Err(error))) => Err(Failure::output(error)),
            _ => ended,
        }
    }
}

/// What the system may say.
struct Signals {
    resized: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// The cloud's end.
struct Cloud {
    reader: Reader<ReadHalf<Box<dyn Stream>>>,
    writer: Writer<WriteHalf<Box<dyn Stream>>>,
    heard: Instant,
    asked: Instant,
}

fn lost() -> Failure {
    Failure::new(Kind::Unreachable, "the connection to the cloud was lost")
        .help("the shell was hung up; open another terminal")
}

impl Cloud {
    fn new(socket: WebSocket<Box<dyn Stream>>) -> Self {
        let (reader, writer) = socket.split();
        let now = Instant::now();
        Self { reader, writer, heard: now, asked: now }
    }

    fn say(&mut self, message: &FromClient) {
        if let Ok(text) = serde_json::to_string(message) {
            self.writer.feed_text(&text);
        }
    }

    /// Waits until the shell runs; as which user, and whether what it shows is recorded.
    async fn ready(&mut self) -> Result<(String, bool), Failure> {
        loop {
            let message = tokio::time::timeout(GIVE_UP, self.reader.next()).await;
            match message.map_err(|_| lost())?.map_err(|_| lost())? {
                Message::Text(text) => match said(&text)? {
                    FromCloud::Ready { user, recorded } => return Ok((user, recorded)),
                    FromCloud::Exit { .. } => return Err(lost()),
                    FromCloud::Error { kind, message } => return Err(Failure::new(kind, message)),
                },
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Binary(_) | Message::Close(_) => return Err(lost()),
            }
        }
    }

    /// Says goodbye.
    async fn part(&mut self) {
        self.writer.feed(&Message::Close(Some(CloseReason::new(1000, ""))));
        let _ = tokio::time::timeout(FAREWELL, self.writer.shutdown()).await;
    }
}

fn said(text: &[u8]) -> Result<FromCloud, Failure> {
    serde_json::from_slice(text).map_err(|error| {
        let text = format!("the cloud said what this client does not know: {error}");
        Failure::new(Kind::Internal, text).help("is this client older than the cloud?")
    })
}

/// All that takes part.
struct Terminal {
    cloud: Cloud,
    local: Local,
    keyboard: mpsc::Receiver<Bytes>,
    output: mpsc::Sender<Bytes>,
    /// What the screen has not taken yet.
    showing: Option<Bytes>,
    escape: Escape,
    signals: Signals,
}

/// Whether it goes on.
enum Step {
    On,
    Over(u8),
}

impl Terminal {
    async fn run(mut self) -> Result<u8, Failure> {
        let ended = self.relay().await;
        self.cloud.part().await;
        ended
    }

    async fn relay(&mut self) -> Result<u8, Failure> {
        let mut look = tokio::time::interval(Duration::from_secs(1));
        let mut is_typed = true;
        let output = self.output.clone();
        loop {
            let step = tokio::select! {
                message = self.cloud.reader.next(), if self.showing.is_none() => {
                    self.hear(message.map_err(|_| lost())?)?
                }
                place = output.reserve(), if self.showing.is_some() => {
                    // Nobody reads our output: there is nothing left to do here.
                    let Ok(place) = place else { return Ok(0) };
                    if let Some(bytes) = self.showing.take() {
                        place.send(bytes);
                    }
                    Step::On
                }
                keys = self.keyboard.recv(),
                    if is_typed && self.cloud.writer.pending() < MAX_PENDING =>
                {
                    is_typed = keys.is_some();
                    self.typed(keys)
                }
                flushed = self.cloud.writer.flush(), if self.cloud.writer.pending() > 0 => {
                    flushed.map_err(|_| lost())?;
                    Step::On
                }
                _ = self.signals.resized.recv() => self.resized(),
                _ = self.signals.terminate.recv() => Step::Over(LEFT),
                _ = self.signals.hang_up.recv() => Step::Over(LEFT),
                _ = look.tick() => self.look()?,
            };
            if let Step::Over(code) = step {
                return Ok(code);
            }
        }
    }

    fn hear(&mut self, message: Message) -> Result<Step, Failure> {
        self.cloud.heard = Instant::now();
        match message {
            Message::Binary(bytes) => self.showing = Some(bytes),
            Message::Text(text) => match said(&text)? {
                FromCloud::Exit { code } => return Ok(Step::Over(code)),
                FromCloud::Error { kind, message } => return Err(Failure::new(kind, message)),
                FromCloud::Ready { .. } => {}
            },
            Message::Ping(body) => self.cloud.writer.feed(&Message::Pong(body)),
            Message::Pong(_) => {}
            Message::Close(_) => return Err(lost()),
        }
        Ok(Step::On)
    }

    /// Keys, or the end of the input.
    fn typed(&mut self, keys: Option<Bytes>) -> Step {
        let Some(keys) = keys else {
            self.cloud.say(&FromClient::EndOfInput {});
            return Step::On;
        };
        let keys = match self.local {
            Local::Pipe => Keys::Typed(keys.to_vec()),
            Local::Terminal => self.escape.keys(&keys),
        };
        match keys {
            Keys::Typed(keys) => {
                self.cloud.writer.feed_binary_with(&[], &keys);
                Step::On
            }
            Keys::Leave(_) => Step::Over(LEFT),
        }
    }

    fn resized(&mut self) -> Step {
        if let (Local::Terminal, Some((cols, rows))) = (self.local, local::size()) {
            self.cloud.say(&FromClient::Resize { cols, rows });
        }
        Step::On
    }

    /// A cloud that is silent for too long is lost; while our own screen takes nothing, nothing is heard.
    fn look(&mut self) -> Result<Step, Failure> {
        let now = Instant::now();
        if self.showing.is_some() {
            self.cloud.heard = now;
        }
        if now.duration_since(self.cloud.heard) > GIVE_UP {
            return Err(lost());
        }
        if now.duration_since(self.cloud.heard.max(self.cloud.asked)) > ASK {
            self.cloud.asked = now;
            self.cloud.writer.feed(&Message::Ping(Bytes::new()));
        }
        Ok(Step::On)
    }
}
