//! The cloud's end of upstream's tunnels, as far as a test needs it to see that the board's end works.
//!
//! Invariant: it opens no port but its own; a client from outside is only pretended, by [`TunnelDoor::first_words`].
//! Deliberately not here: everything that a tunnel server decides, and bytes towards the board.

use crate::wait::until;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use websocket::Message;

/// Upstream's boards know no other.
const PORT: u16 = 8080;
/// Subprotocol of both kinds of sockets.
const SUBPROTOCOL: &str = "tunnel-protocol";
/// Largest message from a board.
const MAX_MESSAGE: usize = 1 << 20;

/// A tunnel server of a few lines.
pub struct TunnelDoor {
    state: Arc<Mutex<State>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct State {
    /// The control sockets, by the public port they asked for.
    controls: HashMap<u16, UnboundedSender<String>>,
    /// First message of each data socket, by the id of its connection.
    words: HashMap<String, Vec<u8>>,
    connections: u32,
}

impl TunnelDoor {
    /// Listens on upstream's port at an address of this machine.
    ///
    /// # Panics
    /// The port is taken there.
    #[must_use]
    pub fn start(at: Ipv4Addr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let state = Arc::<Mutex<State>>::default();
        let listener = runtime.block_on(TcpListener::bind((at, PORT))).unwrap();
        runtime.spawn(listen(listener, Arc::clone(&state)));
        Self { state, _runtime: runtime }
    }

    /// The public ports for which a board holds a tunnel now.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        lock(&self.state).controls.keys().copied().collect()
    }

    /// Pretends that a client came to a public port, and waits for the first bytes that the board's service says to it.
    ///
    /// # Panics
    /// No tunnel has that port, or the service says nothing in time.
    #[must_use]
    pub fn first_words(&self, port: u16, within: Duration) -> Vec<u8> {
        let id = {
            let mut state = lock(&self.state);
            state.connections += 1;
            let id = format!("00000000-0000-4000-8000-{:012}", state.connections);
            let control =
                state.controls.get(&port).unwrap_or_else(|| panic!("no tunnel has {port}"));
            control.send(format!("NC:{id}")).unwrap();
            id
        };
        until("the first words of the service", within, || {
            lock(&self.state).words.remove(&id).ok_or_else(|| "nothing was said".to_owned())
        })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let limits = websocket::Limits { max_message: MAX_MESSAGE };
    let choose = |_: &websocket::handshake::Request| Ok(Some(SUBPROTOCOL.to_owned()));
    // The agent looks whether the port is there by connecting to it; that is no handshake.
    let Ok((socket, request)) = websocket::handshake::server(stream, limits, choose).await else {
        return;
    };
    let (mut reader, mut writer) = socket.split();
    if let Some(id) = request.path.strip_prefix("/?id=") {
        if let Ok(Message::Binary(bytes)) = reader.next().await {
            lock(&state).words.insert(id.to_owned(), bytes.to_vec());
        }
        return;
    }
    let port =
        request.path.strip_prefix("/?dst=").and_then(|host| host.rsplit(':').next()?.parse().ok());
    let Some(port) = port else { return };
    let (sender, connections) = unbounded_channel();
    lock(&state).controls.insert(port, sender);
    tokio::select! {
        () = announce(&mut writer, connections) => {}
        _ = reader.next() => {}
    }
    lock(&state).controls.remove(&port);
}

async fn announce<W: tokio::io::AsyncWrite + Unpin>(
    writer: &mut websocket::Writer<W>,
    mut connections: UnboundedReceiver<String>,
) {
    while let Some(connection) = connections.recv().await {
        writer.feed_text(&connection);
        if writer.flush().await.is_err() {
            return;
        }
    }
}
