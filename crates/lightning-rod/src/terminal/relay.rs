//! One terminal from its first byte to its last: frames from the channel to the shell, output back, and the end.
//!
//! Invariants: what the shell wrote before it ended is sent before its exit code; a reader that does not read stops the
//! shell, and a shell that does not read stops the sender; whoever leaves, the session is hung up.

use super::near::{Looked, Near};
use super::session::Session;
use base::tasks::Shutdown;
use model::Kind;
use rpc::terminal::{Decoder, Frame, MAX_DATA};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Bytes between channel and terminal that one of them has not taken yet, each way.
pub(super) const BETWEEN: usize = 64 * 1024;
/// The last word is given up after this: nobody reads it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a terminal needs beside its two ends.
pub(super) struct Terms {
    /// After how much silence it is ended.
    pub(super) idle: Duration,
    /// The agent stops.
    pub(super) shutdown: Shutdown,
    /// Closed when the channel is gone, read or not.
    pub(super) gone: oneshot::Receiver<()>,
}

/// Why a terminal is over.
enum Ending {
    /// The shell ended.
    Exit(u8),
    /// The channel did.
    Left,
    /// The board ends it.
    Ours(Kind, &'static str),
}

/// Joins `far`, the channel, with a shell, until either has ended; afterwards nothing of the session is left.
pub(super) async fn run(far: DuplexStream, near: Near, mut session: Session, terms: Terms) {
    let (mut reader, mut writer) = tokio::io::split(far);
    let ending = join(&mut reader, &mut writer, &near, &mut session, terms).await;
    let last = match ending {
        Ending::Exit(code) => Some(Frame::Exit(code)),
        Ending::Ours(kind, text) => Some(Frame::Closed { kind, text: text.to_owned() }),
        Ending::Left => None,
    };
    // Closes the terminal under the shell.
    drop(near);
    let part = async move {
        if let Some(frame) = last {
            let _ = tokio::time::timeout(FAREWELL, part(&mut reader, &mut writer, &frame)).await;
        }
        // Closes the channel.
        drop((reader, writer));
    };
    tokio::join!(part, session.hang_up());
}

/// Says the last word, and listens until the other side has heard it: what is still typed would meet a closed channel, which
/// would be cut, and the last word with it.
async fn part(
    reader: &mut ReadHalf<DuplexStream>,
    writer: &mut WriteHalf<DuplexStream>,
    last: &Frame,
) -> io::Result<()> {
    writer.write_all(&last.encode()).await?;
    writer.shutdown().await?;
    tokio::io::copy(reader, &mut tokio::io::sink()).await?;
    Ok(())
}

async fn join(
    reader: &mut ReadHalf<DuplexStream>,
    writer: &mut WriteHalf<DuplexStream>,
    near: &Near,
    session: &mut Session,
    terms: Terms,
) -> Ending {
    let pulse = Pulse::default();
    let over = Over::default();
    let output = output(near, writer, &pulse, &over);
    let exit = async {
        let code = session.exit().await;
        over.set();
        code
    };
    let shell = async { tokio::join!(exit, output) };
    tokio::select! {
        biased;
        _ = terms.gone => Ending::Left,
        () = terms.shutdown.begun() => {
            Ending::Ours(Kind::Unreachable, "the board's agent is stopping")
        }
        (code, output) = shell => match output {
            Ok(()) => Ending::Exit(code),
            Err(_) => Ending::Left,
        },
        ending = input(near, reader, &pulse) => ending,
        () = pulse.silence(terms.idle) => {
            Ending::Ours(Kind::Timeout, "nothing was said for too long; open another terminal")
        }
    }
}

/// Frames to the shell. An end of the shell's side is left to [`output`] to find.
async fn input(near: &Near, reader: &mut ReadHalf<DuplexStream>, pulse: &Pulse) -> Ending {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; MAX_DATA];
    loop {
        let Ok(read @ 1..) = reader.read(&mut buffer).await else { return Ending::Left };
        pulse.beat();
        decoder.push(buffer.get(..read).unwrap_or_default());
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    if let Err(error) = apply(near, frame).await {
                        tracing::debug!(%error, "a shell takes no input");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a terminal's channel carries no frames");
                    return Ending::Ours(Kind::Invalid, "what came is no terminal's frame");
                }
            }
        }
    }
}

async fn apply(near: &Near, frame: Frame) -> io::Result<()> {
    match frame {
        Frame::Data(bytes) => near.write_all(&bytes).await,
        Frame::Resize(size) => near.resize(size),
        Frame::EndOfInput => near.end_input().await,
        // The board's own words.
        Frame::Exit(_) | Frame::Closed { .. } => Ok(()),
    }
}

/// What the shell writes, until it has ended and all is sent.
async fn output(
    near: &Near,
    writer: &mut WriteHalf<DuplexStream>,
    pulse: &Pulse,
    over: &Over,
) -> io::Result<()> {
    let mut buffer = vec![0; MAX_DATA];
    loop {
        // Asked before looking: what was written before the end is found by the look.
        let is_over = over.is_set();
        match near.look(&mut buffer)? {
            Looked::Bytes(read) => {
                let bytes = buffer.get(..read).unwrap_or_default().to_vec();
                writer.write_all(&Frame::Data(bytes).encode()).await?;
                pulse.beat();
            }
            Looked::Nothing if !is_over => tokio::select! {
                ready = near.may_have_output() => ready?,
                () = over.waited() => {}
            },
            // The shell may close its end and live on.
            Looked::Over if !is_over => over.waited().await,
            Looked::Nothing | Looked::Over => return Ok(()),
        }
    }
}

/// Whether the shell has ended.
#[derive(Default)]
struct Over {
    is_set: AtomicBool,
    told: Notify,
}

impl Over {
    fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
        // Kept for whoever waits a moment later.
        self.told.notify_one();
    }

    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    async fn waited(&self) {
        self.told.notified().await;
    }
}

/// When a byte passed last.
struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    fn beat(&self) {
        if let Ok(mut last) = self.0.lock() {
            *last = Instant::now();
        }
    }

    /// Waits until nothing has passed for so long.
    async fn silence(&self, limit: Duration) {
        loop {
            let last = self.0.lock().map_or_else(|last| *last.into_inner(), |last| *last);
            let end = last + limit;
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}
