//! One control socket of the server while it lives: its port, its waiting clients, its liveness.
//! Invariant: when it ends, its waiting clients are dropped and connections that were fetched live on;
//! clients are taken from the port only as long as there is a place to wait.
//! Not here: the handshake, data sockets.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout};
use websocket::{Activity, CloseReason, Liveness, Message, Reader, Step, WebSocket, Writer};

use super::ports::PortGuard;
use super::request::ConnectionId;
use super::server::{Client, Hall};
use super::terms::Visit;
use super::waiting::ControlId;
use super::{FAREWELL, FLUSH_WITHIN, tune};

/// Pause after the port failed to give a client, for want of file descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// With so much unsent nothing more is read or accepted.
const UNSENT_MAX: usize = 16 * 1024;

/// How a control socket ended.
#[derive(Debug, thiserror::Error)]
pub enum ControlEnded {
    /// The peer closed it.
    #[error("closed by the peer")]
    Closed,
    /// Nothing was heard for too long, or it takes none of our bytes.
    #[error("the peer is silent")]
    Silent,
    /// Its port was cut.
    #[error("the port was cut")]
    Cut,
    /// It failed, or the peer broke the rules of WebSocket.
    #[error("control socket failed: {0}")]
    Socket(#[from] websocket::Error),
}

/// Serves the socket to its end.
pub(super) async fn run<S>(
    hall: &Hall,
    id: ControlId,
    socket: WebSocket<S>,
    listener: &TcpListener,
    guard: &PortGuard,
) -> ControlEnded
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (reader, writer) = socket.split();
    let mut control = Control {
        hall,
        id,
        reader,
        writer,
        listener,
        guard,
        places: Arc::new(Semaphore::new(hall.settings.max_waiting)),
        liveness: Liveness::new(hall.settings.liveness, Instant::now()),
        unflushed_since: None,
    };
    let ended = control.live().await;
    control.part(&ended).await;
    ended
}

struct Control<'a, S> {
    hall: &'a Hall,
    id: ControlId,
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
    listener: &'a TcpListener,
    guard: &'a PortGuard,
    places: Arc<Semaphore>,
    liveness: Liveness,
    unflushed_since: Option<Instant>,
}

/// What a control socket waits for.
enum Event {
    Message(Result<Message, websocket::Error>),
    Client(TcpStream, SocketAddr, OwnedSemaphorePermit),
    Flushed(Result<(), websocket::Error>),
    Time,
    Contested,
    Cut,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Control<'_, S> {
    async fn live(&mut self) -> ControlEnded {
        loop {
            let now = Instant::now();
            let wake = match self.pass_time(now) {
                Ok(wake) => wake,
                Err(ended) => return ended,
            };
            let event = self.event(wake).await;
            if let Err(ended) = self.handle(event) {
                return ended;
            }
        }
    }

    /// Does what is due; when to look again.
    fn pass_time(&mut self, now: Instant) -> Result<Instant, ControlEnded> {
        let stuck = self.unflushed_since.map(|since| since + FLUSH_WITHIN);
        if stuck.is_some_and(|at| at <= now) {
            return Err(ControlEnded::Silent);
        }
        let alive = loop {
            match self.liveness.poll(now) {
                Step::Wait(at) => break at,
                Step::Ping => self.feed(&Message::Ping(bytes::Bytes::new())),
                Step::Dead => return Err(ControlEnded::Silent),
            }
        };
        let mut waiting = self.hall.waiting();
        let expired = waiting.expired(self.id, now);
        self.hall.unclaimed.fetch_add(expired.len() as u64, Ordering::Relaxed);
        let expires = waiting.next_deadline(self.id);
        Ok([stuck, expires].into_iter().flatten().fold(alive, Instant::min))
    }

    async fn event(&mut self, wake: Instant) -> Event {
        let has_room = self.writer.pending() < UNSENT_MAX;
        tokio::select! {
            message = self.reader.next(), if has_room => Event::Message(message),
            (stream, from, place) = accept(self.listener, &self.places), if has_room => {
                Event::Client(stream, from, place)
            }
            flushed = self.writer.flush(), if self.unflushed_since.is_some() => {
                Event::Flushed(flushed)
            }
            () = sleep_until(wake.into()) => Event::Time,
            () = self.guard.contested() => Event::Contested,
            () = self.guard.cut().made() => Event::Cut,
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), ControlEnded> {
        let now = Instant::now();
        match event {
            Event::Message(message) => {
                self.liveness.on_receive(now);
                self.liveness.set_active(now, Activity::Idle);
                self.take(message?)?;
                self.guard.defend();
            }
            Event::Client(stream, from, place) => self.announce(stream, from, place, now),
            Event::Flushed(flushed) => {
                flushed?;
                self.unflushed_since = None;
            }
            Event::Contested => self.liveness.set_active(now, Activity::Active),
            Event::Time => {}
            Event::Cut => return Err(ControlEnded::Cut),
        }
        Ok(())
    }

    /// Clients of the dialect say nothing on the control socket; what they say is not for us.
    fn take(&mut self, message: Message) -> Result<(), ControlEnded> {
        match message {
            Message::Ping(body) => self.feed(&Message::Pong(body)),
            Message::Close(_) => return Err(ControlEnded::Closed),
            Message::Pong(_) | Message::Text(_) | Message::Binary(_) => {}
        }
        Ok(())
    }

    fn announce(
        &mut self,
        stream: TcpStream,
        from: SocketAddr,
        place: OwnedSemaphorePermit,
        now: Instant,
    ) {
        // Fails only on a connection that is already gone, which its data socket will find.
        let _ = tune(&stream);
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the operating system provides randomness");
        let id = ConnectionId::from_random(random);
        let visit = Visit { port: self.guard.port(), from };
        let client = Client { stream, visit, cut: Arc::clone(self.guard.cut()), place };
        let until = now + self.hall.settings.claim_within;
        self.hall.waiting().put(self.id, id, until, client);
        self.writer.feed_text(&id.notice());
        self.unflushed_since.get_or_insert(now);
    }

    fn feed(&mut self, message: &Message) {
        self.writer.feed(message);
        self.unflushed_since.get_or_insert_with(Instant::now);
    }

    /// The last words. The waiting clients go with `self`.
    async fn part(&mut self, ended: &ControlEnded) {
        let reason = match ended {
            ControlEnded::Closed => Some(CloseReason::new(1000, "")),
            ControlEnded::Silent => None,
            ControlEnded::Cut => Some(CloseReason::new(1001, "the port was cut")),
            ControlEnded::Socket(error) => {
                error.close_code().map(|code| CloseReason::new(code, ""))
            }
        };
        let Some(reason) = reason else { return };
        self.writer.feed(&Message::Close(Some(reason)));
        // A peer that does not take them has gone already.
        let _ = timeout(FAREWELL, self.writer.shutdown()).await;
    }
}

impl<S> Drop for Control<'_, S> {
    fn drop(&mut self) {
        let dropped = self.hall.waiting().forget(self.id);
        if !dropped.is_empty() {
            let (port, clients) = (self.guard.port(), dropped.len());
            tracing::debug!(%port, clients, "control socket ended with clients waiting");
        }
    }
}

/// The next client, once there is a place to wait.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let Ok(place) = Arc::clone(places).acquire_owned().await else {
        // Never closed.
        return pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from, place),
            Err(error) => {
                tracing::warn!(%error, "a public port cannot take a client");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
