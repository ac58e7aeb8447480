//! `GET /v2/boards/{board}/terminal`: a shell on a board over a WebSocket, as [`api::terminals`] describes it.
//!
//! Who may not is refused over HTTP; what the board says is told on the WebSocket, because pages cannot read the body of a
//! refused upgrade. Invariants: bytes stop where a reader stops, both ways; whatever ends a terminal, the client is told why
//! in the last text message, and the event log too.

use crate::app::access::Caller;
use crate::app::terminals::{self, Asked, RECHECK, Terminal};
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Query, SignedIn, within, wrong};
use crate::http::upgrade::{self, Wanted};
use api::terminals::{FromClient, FromCloud, Mode, Opening, SUBPROTOCOL};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use model::Kind;
use rpc::Fault;
use rpc::terminal::{self, Decoder, Frame, MAX_COMMAND, MAX_DATA, MAX_SIDE, Open, Size};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tunnel::Channel;
use websocket::{CloseReason, Limits, Liveness, Message, Step, WebSocket};

/// Terminals of all boards at one time; further ones are refused.
const MAX_TERMINALS: usize = 1000;
/// Largest message of a client: a paste.
const MAX_MESSAGE: usize = 256 * 1024;
/// Output that the client has not taken; the shell waits then.
const MAX_PENDING: usize = 64 * 1024;
/// How long the last words may take, and the client's own.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often the silence of a client is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A client that has not taken what was sent may do something else with its time for so long.
const STALLED: Duration = Duration::from_secs(600);

/// The places of all terminals. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TERMINALS)))
    }
}

/// Open a terminal on a board: a WebSocket with subprotocol `s4t.terminal.v1`. Binary messages are its bytes; text messages
/// are `TerminalFromCloud` and `TerminalFromClient`.
#[utoipa::path(
    get, path = "/v2/boards/{board}/terminal", tag = "boards", params(Opening),
    responses((status = 101, body = FromCloud), (status = 426, body = FromClient))
)]
pub(crate) async fn open(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(opening): Query<Opening>,
    Extension(places): Extension<Places>,
    request: Request,
) -> Answer {
    let open = wanted(opening)?;
    let from = request.extensions().get::<Peer>().map(|peer| peer.0);
    let asked = terminals::ask(&cloud, caller, said, &board, from).await?;
    let place = places.0.try_acquire_owned().map_err(|_| {
        let text = format!("{MAX_TERMINALS} terminals are open, the most there may be; close some");
        Failure::new(Kind::Exhausted, text)
    })?;
    Ok(answer(request, Opener { cloud, asked, open, place }))
}

/// All that is needed once the WebSocket stands.
struct Opener {
    cloud: Cloud,
    asked: Asked,
    open: Open,
    place: OwnedSemaphorePermit,
}

fn answer(request: Request, opener: Opener) -> Response {
    let wanted = Wanted {
        subprotocols: &[SUBPROTOCOL],
        limits: Limits { max_message: MAX_MESSAGE },
        tune: tunnel::tune,
    };
    upgrade::upgrade(request, wanted, move |socket, _| async move {
        match socket {
            upgrade::Socket::Plain(socket) => opener.serve(socket).await,
            upgrade::Socket::Encrypted(socket) => opener.serve(socket).await,
            upgrade::Socket::Other(socket) => opener.serve(socket).await,
        }
    })
}

fn wanted(opening: Opening) -> Result<Open, Failure> {
    let usual = Size::default();
    let side = |what, value, usual: u16| {
        let value = within(what, value, usual.into(), 1..=MAX_SIDE.into())?;
        Ok::<_, Failure>(u16::try_from(value).unwrap_or(usual))
    };
    let size = Size {
        cols: side("cols", opening.cols, usual.cols)?,
        rows: side("rows", opening.rows, usual.rows)?,
    };
    if opening.command.as_ref().is_some_and(|command| command.len() > MAX_COMMAND) {
        return Err(wrong(format_args!("command has more than {MAX_COMMAND} bytes")));
    }
    let mode = match opening.mode {
        None | Some(Mode::Screen) => terminal::Mode::Screen,
        Some(Mode::Pipe) => terminal::Mode::Pipe,
    };
    Ok(Open { size, mode, command: opening.command })
}

impl Opener {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(self, socket: WebSocket<S>) {
        let Self { cloud, asked, open, place } = self;
        let mut client = Client::new(socket, cloud.settings.liveness.watch());
        let opened = match cloud.shutdown.until(asked.open(open)).await {
            Some(opened) => opened,
            None => Err(stopping()),
        };
        match opened {
            Ok(terminal) => {
                client.say(&FromCloud::Ready { user: terminal.user.clone() });
                let ending = converse(&cloud, &terminal, &mut client).await;
                terminal.closed(&ending.reason()).await;
                // The board hangs up at once, however long the client takes to hear of it.
                drop(terminal);
                client.part(ending).await;
            }
            Err(fault) => client.part(Ending::Ours(fault)).await,
        }
        drop(place);
    }
}

fn stopping() -> Fault {
    Fault::new(Kind::Unreachable, "the cloud is stopping; try again in a moment")
}

/// Why a terminal is over.
enum Ending {
    /// The shell ended.
    Exit(u8),
    /// The client left.
    Left,
    /// It was ended.
    Ours(Fault),
}

impl Ending {
    fn reason(&self) -> String {
        match self {
            Self::Exit(code) => format!("the shell ended with exit code {code}"),
            Self::Left => "the client left".to_owned(),
            Self::Ours(fault) => fault.message.clone(),
        }
    }
}

/// The WebSocket of the one who looks at the terminal.
struct Client<S> {
    reader: websocket::Reader<tokio::io::ReadHalf<S>>,
    writer: websocket::Writer<tokio::io::WriteHalf<S>>,
    liveness: Liveness,
    heard: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    fn new(socket: WebSocket<S>, watch: websocket::Settings) -> Self {
        let (reader, writer) = socket.split();
        let heard = Instant::now();
        // What was sent and not taken is judged by `STALLED`.
        let watch = websocket::Settings { idle_dead: watch.idle_dead.max(STALLED), ..watch };
        Self { reader, writer, liveness: Liveness::new(watch, heard), heard }
    }

    fn say(&mut self, message: &FromCloud) {
        // The shapes of `FromCloud` can be written.
        if let Ok(text) = serde_json::to_string(message) {
            self.writer.feed_text(&text);
        }
    }

    /// The last words, and the end of the connection after the client's own, so that none of them is lost.
    async fn part(mut self, ending: Ending) {
        let code = match ending {
            Ending::Left => 1000,
            Ending::Exit(code) => {
                self.say(&FromCloud::Exit { code });
                1000
            }
            Ending::Ours(Fault { kind, message }) => {
                self.say(&FromCloud::Error { kind, message });
                1008
            }
        };
        self.writer.feed(&Message::Close(Some(CloseReason::new(code, ""))));
        let part = async {
            self.writer.shutdown().await?;
            while !matches!(self.reader.next().await?, Message::Close(_)) {}
            Ok::<_, websocket::Error>(())
        };
        // Who does not listen is not waited for.
        let _ = timeout(FAREWELL, part).await;
    }
}
