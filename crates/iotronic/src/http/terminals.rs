//! `GET /v2/boards/{board}/terminal`: a shell on a board over a WebSocket, as [`api::terminals`] describes it.
//!
//! Who may not is refused over HTTP; what the board says is told on the WebSocket, because pages cannot read the body of a
//! refused upgrade. Invariants: bytes stop where a reader stops, both ways; whatever ends a terminal, the client is told why
//! in the last text message, and the event log too.

use crate::app::access::Caller;
use crate::app::recordings::Recorder;
use crate::app::terminals::{self, Asked, Moved, Terminal};
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Query, SignedIn, within, wrong};
use crate::http::upgrade::{self, Wanted};
use api::terminals::{FromClient, FromCloud, Mode, Opening, SUBPROTOCOL};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use model::Kind;
use rpc::Fault;
use rpc::terminal::{self, Decoder, Frame, MAX_COMMAND, MAX_DATA, MAX_SIDE, Open, Size};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tunnel::{Channel, ChannelError};
use websocket::{CloseReason, Limits, Message, WebSocket};

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

/// The first line of a screen that is recorded.
const RECORDED: &str = "what this terminal shows is recorded\r\n";

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
    responses((status = 101))
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
        let mode = open.mode;
        let opened = match cloud.shutdown.until(asked.open(open)).await {
            Some(opened) => opened,
            None => Err(stopping()),
        };
        match opened {
            Ok(mut terminal) => {
                let recorded = terminal.recorder.is_some();
                client.say(&FromCloud::Ready { user: terminal.user.clone(), recorded });
                // Where bytes must pass unchanged, the message before says it alone.
                if recorded && mode == terminal::Mode::Screen {
                    client.writer.feed_binary_with(&[], RECORDED.as_bytes());
                }
                let mut moved = Moved::default();
                let ending = converse(&cloud, &mut terminal, &mut client, &mut moved).await;
                terminal.closed(&ending.reason(), moved).await;
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
    watch: websocket::Settings,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    fn new(socket: WebSocket<S>, watch: websocket::Settings) -> Self {
        let (reader, writer) = socket.split();
        Self { reader, writer, watch }
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

/// Until either end is over, or the client may not any more.
async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send>(
    cloud: &Cloud,
    terminal: &mut Terminal,
    client: &mut Client<S>,
    moved: &mut Moved,
) -> Ending {
    let standing = terminal.standing();
    let Terminal { channel, recorder, .. } = terminal;
    let mut relay = Relay::new(channel, recorder.as_mut(), client.watch, moved);
    let ended = tokio::select! {
        biased;
        () = cloud.shutdown.begun() => return Ending::Ours(stopping()),
        fault = standing.lost() => return Ending::Ours(fault),
        ended = relay.run(client) => ended,
    };
    match ended {
        Ok(ending) => ending,
        // A board that is given up loses its link first.
        Err(Lost) => Ending::Ours(standing.check().await.err().unwrap_or_else(|| {
            Fault::new(Kind::Unreachable, "the board's link was lost; open another terminal")
        })),
    }
}

/// The channel ended without a last word.
struct Lost;

impl From<ChannelError> for Lost {
    fn from(_: ChannelError) -> Self {
        Self
    }
}

/// Moves bytes between the client and the board.
struct Relay<'a> {
    channel: &'a Channel,
    recorder: Option<&'a mut Recorder>,
    decoder: Decoder,
    /// Frames for the board, as far as it has not taken them.
    inward: BytesMut,
    watch: websocket::Settings,
    moved: &'a mut Moved,
    heard: Instant,
    asked: Instant,
}

impl<'a> Relay<'a> {
    fn new(
        channel: &'a Channel,
        recorder: Option<&'a mut Recorder>,
        watch: websocket::Settings,
        moved: &'a mut Moved,
    ) -> Self {
        let now = Instant::now();
        let (decoder, inward) = (Decoder::default(), BytesMut::new());
        Self { channel, recorder, decoder, inward, watch, moved, heard: now, asked: now }
    }

    async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        client: &mut Client<S>,
    ) -> Result<Ending, Lost> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let channel = self.channel;
        loop {
            let step = tokio::select! {
                message = client.reader.next(), if self.inward.len() < MAX_PENDING => {
                    match message {
                        Ok(message) => self.hear(client, message),
                        Err(error) => Some(unheard(&error)),
                    }
                }
                room = poll_fn(|cx| channel.poll_room(cx)), if !self.inward.is_empty() => {
                    let piece = self.inward.split_to(room?.min(self.inward.len()));
                    self.moved.sent = self.moved.sent.saturating_add(piece.len() as u64);
                    channel.send(piece.freeze())?;
                    None
                }
                taken = poll_fn(|cx| channel.poll_take(cx, MAX_DATA)),
                    if client.writer.pending() < MAX_PENDING =>
                {
                    let bytes = taken?.ok_or(Lost)?;
                    self.moved.received = self.moved.received.saturating_add(bytes.len() as u64);
                    let step = self.show(client, &bytes);
                    channel.consumed(bytes.len());
                    step
                }
                flushed = client.writer.flush(), if client.writer.pending() > 0 => {
                    flushed.is_err().then_some(Ending::Left)
                }
                _ = look.tick() => self.watch(client),
            };
            if let Some(ending) = step {
                return Ok(ending);
            }
        }
    }

    /// A message of the client.
    fn hear<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        client: &mut Client<S>,
        message: Message,
    ) -> Option<Ending> {
        self.heard = Instant::now();
        match message {
            Message::Binary(bytes) => {
                for piece in bytes.chunks(MAX_DATA) {
                    self.send(&Frame::Data(piece.to_vec()));
                }
            }
            Message::Text(text) => match said(&text) {
                Ok(frame) => {
                    let recorded = match (&frame, &mut self.recorder) {
                        (Frame::Resize(size), Some(recorder)) => recorder.resized(*size),
                        _ => Ok(()),
                    };
                    if let Err(fault) = recorded {
                        return Some(Ending::Ours(fault));
                    }
                    self.send(&frame);
                }
                Err(fault) => return Some(Ending::Ours(fault)),
            },
            Message::Ping(body) => client.writer.feed(&Message::Pong(body)),
            Message::Pong(_) => {}
            Message::Close(_) => return Some(Ending::Left),
        }
        None
    }

    fn send(&mut self, frame: &Frame) {
        self.inward.extend_from_slice(&frame.encode());
    }

    /// What the board sent.
    fn show<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        client: &mut Client<S>,
        bytes: &[u8],
    ) -> Option<Ending> {
        self.decoder.push(bytes);
        loop {
            match self.decoder.next() {
                Ok(None) => return None,
                Ok(Some(Frame::Data(bytes))) => {
                    // First: what is not recorded is not shown.
                    let recorded = self.recorder.as_mut().map(|recorder| recorder.shown(&bytes));
                    if let Some(Err(fault)) = recorded {
                        return Some(Ending::Ours(fault));
                    }
                    client.writer.feed_binary_with(&[], &bytes);
                }
                Ok(Some(Frame::Exit(code))) => return Some(Ending::Exit(code)),
                Ok(Some(Frame::Closed { kind, text })) => {
                    return Some(Ending::Ours(Fault::new(kind, text)));
                }
                // The cloud's own words.
                Ok(Some(Frame::Resize(_) | Frame::EndOfInput)) => {}
                Err(error) => {
                    let text = format!("the board sent what is no terminal's: {error}");
                    return Some(Ending::Ours(Fault::new(Kind::Internal, text)));
                }
            }
        }
    }

    /// Asks a silent client for a sign of life, and gives up one that gives none. Who has not taken what was sent, or is not
    /// read at the moment, cannot answer.
    fn watch<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        client: &mut Client<S>,
    ) -> Option<Ending> {
        let is_read = self.inward.len() < MAX_PENDING;
        let patience = if client.writer.pending() == 0 { self.watch.idle_dead } else { STALLED };
        if is_read && self.heard.elapsed() > patience {
            return Some(Ending::Left);
        }
        // Of one that is not read, a question finds out at least whether there is still a connection.
        let pause = if is_read { self.watch.idle_ping } else { LOOK };
        let is_due = self.heard.max(self.asked).elapsed() >= pause;
        if is_due && client.writer.pending() < MAX_PENDING {
            self.asked = Instant::now();
            client.writer.feed(&Message::Ping(Bytes::new()));
        }
        None
    }
}

/// A text message of the client as a frame.
fn said(text: &[u8]) -> Result<Frame, Fault> {
    let wrong = |text: String| Fault::new(Kind::Invalid, text);
    let said: FromClient = serde_json::from_slice(text).map_err(|error| {
        wrong(format!("a text message is {{\"resize\":…}} or {{\"end_of_input\":{{}}}}: {error}"))
    })?;
    match said {
        FromClient::EndOfInput {} => Ok(Frame::EndOfInput),
        FromClient::Resize { cols, rows } => Some(Size { cols, rows })
            .filter(|size| size.is_sound())
            .map(Frame::Resize)
            .ok_or_else(|| wrong(format!("cols and rows lie in 1 to {MAX_SIDE}"))),
    }
}

/// A client that is not heard any more: gone, or not speaking the protocol.
fn unheard(error: &websocket::Error) -> Ending {
    match error.close_code() {
        None | Some(1000..=1001) => Ending::Left,
        Some(_) => Ending::Ours(Fault::new(Kind::Invalid, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sides_and_commands_are_bounded() {
        assert_eq!(wanted(Opening::default()).unwrap().size, Size { cols: 80, rows: 24 });
        for (cols, rows) in [(0, 24), (80, 0), (1001, 24), (80, 70_000)] {
            let opening = Opening { cols: Some(cols), rows: Some(rows), ..Opening::default() };
            assert!(wanted(opening).is_err(), "{cols} {rows}");
            let text = format!("{{\"resize\":{{\"cols\":{cols},\"rows\":{rows}}}}}");
            assert_eq!(said(text.as_bytes()).unwrap_err().kind, Kind::Invalid);
        }
        let command = Some("x".repeat(MAX_COMMAND + 1));
        assert!(wanted(Opening { command, ..Opening::default() }).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_frame_or_a_fault(text in ".*") {
            let _ = said(text.as_bytes());
        }
    }
}
