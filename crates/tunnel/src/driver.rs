//! The one task of a link: reads messages into the machine, writes its frames, keeps the clock.
//! Invariant: reading never waits for writing nor the reverse; many frames leave in one write; when the
//! task ends, however, every channel is reset and every accepted connection is gone.
//! Not here: the rules (`machine`), the channels' own tasks (`splice.rs`).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use websocket::{Activity, CloseReason, Liveness, Message, Step};

use crate::channel::Channel;
use crate::frame::{ChannelId, Frame, ServiceKey};
use crate::handshake::{Authenticated, LinkReader, LinkWriter};
use crate::link::{ACCEPT_DEADLINE, Acceptor, Ended};
use crate::machine::Violation;
use crate::meter::Heard;
use crate::reason::{GoAway, GoAwayCode, Refusal, RefusalCode};
use crate::shared::{Shared, State};
use crate::splice::splice;

/// Bytes gathered for one write. More gains nothing, and a small message may have to wait behind it.
const WRITE_BATCH: usize = 128 * 1024;
/// Messages, and bytes of them, read before what they caused is written and the channels' tasks get
/// their turn: what was just read is still in the nearest cache when they pass it on.
const READ_BATCH: usize = 32;
const READ_BATCH_BYTES: usize = 128 * 1024;
/// Little credit is told at the latest after this: well within the silence after which a peer asks.
const GRANT_DELAY: Duration = Duration::from_millis(500);
/// The last words of a link, and its channels' tasks, get this long.
const FAREWELL: Duration = Duration::from_secs(1);

/// The task of a link; see [`crate::Link::new`].
#[derive(Debug)]
pub struct Driver<S, A> {
    shared: Arc<Shared>,
    reader: LinkReader<S>,
    writer: LinkWriter<S>,
    acceptor: Arc<A>,
    liveness: Liveness,
    heard: Heard,
    heard_before: u64,
    pong: Option<Bytes>,
    alarm: Pin<Box<Sleep>>,
    channels: JoinSet<()>,
}

/// What a turn of the loop moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Nothing,
    Some,
    /// So much that others should have their turn.
    Much,
}

impl<S, A> Drop for Driver<S, A> {
    fn drop(&mut self) {
        self.shared.end(Ended::Dropped);
    }
}

impl<S, A> Driver<S, A>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    A: Acceptor,
{
    pub(crate) fn new(
        shared: Arc<Shared>,
        connection: Authenticated<S>,
        acceptor: A,
        liveness: websocket::Settings,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            reader: connection.reader,
            writer: connection.writer,
            acceptor: Arc::new(acceptor),
            liveness: Liveness::new(liveness, now),
            heard_before: connection.heard.bytes(),
            heard: connection.heard,
            pong: None,
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
            channels: JoinSet::new(),
        }
    }

    /// Drives the link until it ends; how it ended. Dropping the future cuts the link.
    pub async fn run(mut self) -> Arc<Ended> {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        tracing::debug!(reason = %ended, "tunnel link ended");
        let ended = self.shared.end(ended);
        self.part(&ended).await;
        ended
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let progress = match self.turn(cx) {
                Ok(progress) => progress,
                Err(ended) => return Poll::Ready(ended),
            };
            match progress {
                Progress::Nothing => return Poll::Pending,
                Progress::Some => {}
                Progress::Much => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Result<Progress, Ended> {
        let read = self.read(cx)?;
        let wrote = self.write(cx)?;
        let rang = self.keep_time(cx)?;
        while let Poll::Ready(Some(done)) = self.channels.poll_join_next(cx) {
            if let Err(error) = done {
                tracing::error!(%error, "a channel's task failed");
            }
        }
        Ok(read.max(wrote).max(rang))
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<Progress, Ended> {
        let mut progress = Progress::Nothing;
        let mut bytes = 0;
        for _ in 0..READ_BATCH {
            let Poll::Ready(message) = pin!(self.reader.next()).poll(cx) else {
                return Ok(progress);
            };
            progress = Progress::Some;
            match message.map_err(|error| self.lost(error))? {
                Message::Binary(message) => {
                    bytes += message.len();
                    self.on_frame(message)?;
                }
                Message::Ping(body) => self.pong = Some(body),
                Message::Pong(_) => {}
                Message::Text(_) => return Err(Violation::Text.into()),
                Message::Close(_) => return Err(self.lost(websocket::Error::Closed)),
            }
            if bytes >= READ_BATCH_BYTES {
                break;
            }
        }
        Ok(Progress::Much)
    }

    fn on_frame(&mut self, message: Bytes) -> Result<(), Ended> {
        for (channel, key) in self.shared.receive(message)? {
            self.offer(channel, key);
        }
        Ok(())
    }

    fn offer(&mut self, id: ChannelId, key: ServiceKey) {
        let channel = Channel::new(Arc::clone(&self.shared), id);
        let acceptor = Arc::clone(&self.acceptor);
        self.channels.spawn(async move { serve(channel, key, &*acceptor).await });
    }

    /// What a connection that ended means: the peer's own words count most.
    fn lost(&self, error: websocket::Error) -> Ended {
        match (self.shared.drive(|state| state.peer_away.take()), error) {
            (Some(away), _) => Ended::There(away),
            (None, websocket::Error::Closed) => Ended::Closed,
            (None, error) => Ended::Connection(error),
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<Progress, Ended> {
        if self.writer.pending() == 0 {
            self.gather(cx);
        }
        if self.writer.pending() == 0 {
            return Ok(Progress::Nothing);
        }
        let flushed = pin!(self.writer.flush()).poll(cx);
        match flushed {
            Poll::Ready(Ok(())) => Ok(Progress::Some),
            Poll::Ready(Err(error)) => Err(self.lost(error)),
            Poll::Pending => Ok(Progress::Nothing),
        }
    }

    /// Moves frames from the machine to the writer until there is enough for one write.
    fn gather(&mut self, cx: &Context<'_>) {
        if let Some(body) = self.pong.take() {
            self.writer.feed(&Message::Pong(body));
        }
        while self.writer.pending() < WRITE_BATCH {
            let frame = self.shared.drive(|state| {
                state.wait_as_driver(cx);
                state.machine.poll_frame()
            });
            let Some(frame) = frame else { return };
            let (head, payload) = frame.encode();
            self.writer.feed_binary_with(head.as_bytes(), payload);
            if let Frame::Data { payload, .. } = frame {
                self.shared.spare.reclaim(payload);
            }
        }
    }

    /// Liveness, owed credit, the end of a grace period; sets the alarm for the next of them.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<Progress, Ended> {
        let now = Instant::now();
        let heard = self.heard.bytes();
        if heard != self.heard_before {
            self.heard_before = heard;
            self.liveness.on_receive(now);
        }
        let all_written = self.writer.pending() == 0;
        let (activity, next) = self.shared.drive(|state| {
            // While the socket is full, further frames are no reason to wake: the socket is.
            if all_written {
                state.wait_as_driver(cx);
            }
            state.grant_if_due(now);
            let activity = match state.machine.channel_count() {
                0 => Activity::Idle,
                _ => Activity::Active,
            };
            (activity, state.next_deadline(now, all_written))
        });
        let next = next?;
        if activity == Activity::Idle {
            self.shared.spare.clear();
        }
        self.liveness.set_active(now, activity);
        let silence = match self.liveness.poll(now) {
            Step::Dead => return Err(Ended::Silent),
            Step::Ping => {
                self.writer.feed(&Message::Ping(Bytes::new()));
                return Ok(Progress::Some);
            }
            Step::Wait(until) => until,
        };
        Ok(self.set_alarm(cx, next.map_or(silence, |next| next.min(silence))))
    }

    /// An alarm that is early only asks again; so it is not moved back for every message.
    fn set_alarm(&mut self, cx: &mut Context<'_>, until: Instant) -> Progress {
        let until = tokio::time::Instant::from_std(until);
        if self.alarm.is_elapsed() || self.alarm.deadline() > until {
            self.alarm.as_mut().reset(until);
        }
        match self.alarm.as_mut().poll(cx) {
            Poll::Ready(()) => Progress::Some,
            Poll::Pending => Progress::Nothing,
        }
    }

    /// Last words, end of the connection, end of the channels' tasks; each within [`FAREWELL`].
    async fn part(&mut self, ended: &Ended) {
        if let Some(away) = farewell(ended) {
            let frame = Frame::GoAway(away);
            let (head, payload) = frame.encode();
            self.writer.feed_binary_with(head.as_bytes(), payload);
        }
        self.writer.feed(&Message::Close(Some(CloseReason::new(close_code(ended), ""))));
        // The peer may be gone; then there is nobody to tell.
        let _ = tokio::time::timeout(FAREWELL, self.writer.shutdown()).await;
        let all_done = async { while self.channels.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all_done).await.is_err() {
            self.channels.shutdown().await;
        }
    }
}

/// What is still to be said to the peer of a link that ended so.
fn farewell(ended: &Ended) -> Option<GoAway> {
    match ended {
        Ended::Here(away) => Some(away.clone()),
        Ended::Violation(violation) => {
            Some(GoAway::new(GoAwayCode::Violation, violation.to_string()))
        }
        Ended::There(_) | Ended::Closed | Ended::Silent | Ended::Connection(_) | Ended::Dropped => {
            None
        }
    }
}

/// The close code of RFC 6455 section 7.4.1.
fn close_code(ended: &Ended) -> u16 {
    match ended {
        Ended::Here(_) | Ended::Dropped => 1001,
        Ended::There(_) | Ended::Closed | Ended::Silent => 1000,
        Ended::Violation(_) => 1008,
        Ended::Connection(error) => error.close_code().unwrap_or(1011),
    }
}

impl State {
    fn grant_if_due(&mut self, now: Instant) {
        match self.grant_at {
            Some(at) if at <= now => {
                self.grant_at = None;
                self.machine.grant_owed();
            }
            Some(_) => {}
            None if self.machine.owes_credit() => self.grant_at = Some(now + GRANT_DELAY),
            None => {}
        }
    }

    /// When to look again; or the end, if this side is leaving and is done or out of time.
    fn next_deadline(&self, now: Instant, all_written: bool) -> Result<Option<Instant>, Ended> {
        let Some((away, leave_by)) = &self.leaving else { return Ok(self.grant_at) };
        let is_done =
            self.machine.channel_count() == 0 && !self.machine.has_frames() && all_written;
        if is_done || *leave_by <= now {
            return Err(Ended::Here(away.clone()));
        }
        Ok(Some(self.grant_at.map_or(*leave_by, |at| at.min(*leave_by))))
    }
}

/// One accepted channel, from the question to its end.
async fn serve<A: Acceptor>(channel: Channel, key: ServiceKey, acceptor: &A) {
    let answer = tokio::select! {
        answer = tokio::time::timeout(ACCEPT_DEADLINE, acceptor.accept(key.as_bytes())) => answer,
        _ = poll_fn(|cx| channel.poll_cut(cx)) => return,
    };
    let target = match answer.unwrap_or_else(|_| Err(Refusal::new(RefusalCode::Timeout, ""))) {
        Ok(target) => target,
        Err(refusal) => return channel.refuse(refusal),
    };
    channel.accept();
    let id = channel.id();
    if let Err(error) = splice(channel, target).await {
        tracing::debug!(channel = %id, %error, "channel cut");
    }
}
