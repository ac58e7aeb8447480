//! The wstun dialect: reverse tunnels as upstream boards and clouds speak them (`@mdslab/wstun` and its
//! ancestor `node-reverse-wstunnel`).
//!
//! A board opens a **control** WebSocket `/?dst=<host>:<port>`; the cloud opens that TCP port and writes
//! `NC:<id>` on the control socket for each client that comes. The board answers each with a **data**
//! WebSocket `/?id=<id>`, which carries that client's bytes as binary frames. Any other HTTP GET gets a
//! page that says the server runs. [`Server`] is the cloud's side, [`Client`] the board's; both take any
//! byte stream, so TLS and listening are the caller's.
//!
//! The dialect has no word for half a close: a WebSocket close ends both directions. So the end of either
//! side is passed on, what the other side still says is delivered for as long as it is not silent for the
//! time called `linger`, then both are closed; peers that cut at once lose the answer to a finished
//! request. A data socket that breaks without a close frame resets the connection behind it.
//!
//! Invariants: no byte is lost while both ends are up, whoever speaks first: a client's bytes stay in its
//! socket until the data socket is there, and, because upstream's board side drops what reaches it within
//! the same read as the answer to its handshake, until it has answered a ping. Everything that waits is
//! bounded, and a client nobody fetches is dropped after [`Settings::claim_within`]. An id is the only key
//! to a waiting client: it is random and works once.
//! Not here: listening, TLS, who may ask for which port ([`Policy`]), connecting again, and the liveness
//! of data sockets, which belongs to the kernel because upstream does not answer pings while it is slow
//! ([`tune`]).

mod client;
mod control;
mod http;
mod ports;
mod pump;
mod request;
mod server;
mod terms;
mod waiting;
mod window;

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

pub use client::{Asked, Client, ClientEnded, ClientError, ClientSettings, Control, Dialer};
pub use control::ControlEnded;
pub use pump::{Moved, PumpError};
pub use request::{Claim, ConnectionId, RequestError, Wish};
pub use server::Server;
pub use terms::{Allowed, Denied, Policy, Request, ServeError, Served, Settings, Stats, Visit};

/// The WebSocket subprotocol of both kinds of sockets.
pub const SUBPROTOCOL: &str = "tunnel-protocol";

/// Largest message taken on a data socket. Upstream sends at most one read, 64 KiB.
const MOST_DATA: usize = 1024 * 1024;
/// Largest message taken on a control socket; the longest that means anything is an `NC:`.
const MOST_CONTROL: usize = 4 * 1024;
/// A control socket that takes none of our bytes for this long is given up.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
/// Time for the last words on a socket that is closed anyway.
const FAREWELL: Duration = Duration::from_secs(1);

const SILENCE_BEFORE_PROBES: Duration = Duration::from_secs(30);
const BETWEEN_PROBES: Duration = Duration::from_secs(10);
const PROBES: u32 = 4;

/// Sets up a TCP connection that will carry a wstun socket, before TLS is put on it: no delay, and the
/// kernel finds a dead peer within about 70 seconds. The server does it to the clients of its ports.
pub fn tune(connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let probes = TcpKeepalive::new().with_time(SILENCE_BEFORE_PROBES);
    let probes = probes.with_interval(BETWEEN_PROBES).with_retries(PROBES);
    SockRef::from(connection).set_tcp_keepalive(&probes)
}
