//! `s4t ssh` and `s4t exec`: a terminal on a board, or one command there; [`pipe`] for what else runs commands.
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
use std::future::Future;
use std::io::{self, IsTerminal as _};
use std::thread::JoinHandle;
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

/// Run one program on a board, with exactly these arguments.
#[derive(Args)]
pub(crate) struct Exec {
    /// Id or name.
    board: String,
    /// The program and its arguments; no shell of the board reads them.
    #[arg(last = true, required = true)]
    words: Vec<String>,
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
        let command = (!self.command.is_empty()).then(|| self.command.join(" "));
        let end = match is_terminal {
            true => run(on_screen(session, &self.board, command.as_deref())),
            false => run(in_pipes(session, &self.board, command.as_deref())),
        };
        exit(end?)
    }
}

impl Exec {
    /// Runs it to its end.
    pub(crate) fn run(&self, session: &Session) -> Result<(), Failure> {
        let words: Vec<_> = self.words.iter().map(|word| quoted(word)).collect();
        let command = format!("exec {}", words.join(" "));
        exit(run(in_pipes(session, &self.board, Some(&command)))?)
    }
}

/// A word that a shell takes as it is.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn exit(code: u8) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        code => Err(Failure::exit(code)),
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Kind::Internal, error.to_string())
}

/// Runs a conversation to its end.
pub(crate) fn run<T>(conversation: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    reactor.map_err(broken)?.block_on(conversation)
}

/// A terminal here and a terminal there.
async fn on_screen(session: &Session, board: &str, command: Option<&str>) -> Result<u8, Failure> {
    let screen = match local::size() {
        Some((cols, rows)) => format!("cols={cols}&rows={rows}"),
        None => "mode=screen".to_owned(),
    };
    // The cloud says itself, on the screen, whether it is recorded.
    let (cloud, user, _) = Cloud::open(&session.client, board, &screen, command).await?;
    let (board, user) = (crate::output::harmless(board), crate::output::harmless(&user));
    eprintln!("{user} on {board}; ~. at the beginning of a line leaves");
    let (output, thread) = local::screen();
    let raw = Raw::enter().map_err(broken)?;
    let ended = Terminal::new(cloud, Local::Terminal, local::keyboard(), output)?.run().await;
    let ended = shown(thread, ended).await;
    drop(raw);
    eprintln!("closed");
    ended
}

/// Standard input and output, whatever they are.
async fn in_pipes(session: &Session, board: &str, command: Option<&str>) -> Result<u8, Failure> {
    let (output, thread) = local::screen();
    let ended = pipe(&session.client, board, command, local::keyboard(), output).await;
    shown(thread, ended).await
}

/// All that came is shown before the command ends.
async fn shown(
    thread: JoinHandle<io::Result<()>>,
    ended: Result<u8, Failure>,
) -> Result<u8, Failure> {
    match tokio::task::spawn_blocking(move || thread.join()).await {
        Ok(Ok(Err(error))) => Err(Failure::output(error)),
        _ => ended,
    }
}

/// Carries bytes to and from what runs on a board, unchanged; its exit code.
pub(crate) async fn pipe(
    client: &Client,
    board: &str,
    command: Option<&str>,
    input: mpsc::Receiver<Bytes>,
    output: mpsc::Sender<Bytes>,
) -> Result<u8, Failure> {
    let (cloud, _, is_recorded) = Cloud::open(client, board, "mode=pipe", command).await?;
    if is_recorded {
        eprintln!("what this terminal shows is recorded");
    }
    Terminal::new(cloud, Local::Pipe, input, output)?.run().await
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
    /// Opens a terminal; as which user of the board it runs, and whether what it shows is recorded.
    async fn open(
        client: &Client,
        board: &str,
        sort: &str,
        command: Option<&str>,
    ) -> Result<(Self, String, bool), Failure> {
        let path = format!("{PATH}/{}", escaped(board));
        // Renews a token that is refused, which a WebSocket cannot.
        let (asking, known) = (client.clone(), path.clone());
        let known = tokio::task::spawn_blocking(move || asking.get::<Board>(&known)).await;
        let _ = known.map_err(|error| Failure::new(Kind::Internal, error.to_string()))??;
        let mut path = format!("{path}/terminal?{sort}");
        if let Some(command) = command {
            path += &format!("&command={}", escaped(command));
        }
        let limits = Limits { max_message: MAX_MESSAGE };
        let mut cloud = Self::new(dial::dial(client, &path, SUBPROTOCOL, limits).await?);
        let (user, is_recorded) = cloud.ready().await?;
        Ok((cloud, user, is_recorded))
    }

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
    fn new(
        cloud: Cloud,
        local: Local,
        keyboard: mpsc::Receiver<Bytes>,
        output: mpsc::Sender<Bytes>,
    ) -> Result<Self, Failure> {
        let signals = Signals::new().map_err(broken)?;
        let escape = Escape::default();
        Ok(Self { cloud, local, keyboard, output, showing: None, escape, signals })
    }

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
