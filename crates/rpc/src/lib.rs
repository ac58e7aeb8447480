//! What the cloud and a board say to each other over the control channel: procedures, arguments, results, faults,
//! capabilities, enrolment included.
//!
//! The form is upstream's, extended: procedures `iotronic.<session>.<board uuid>.<Method>`, the request object first, and a
//! WampMessage as the answer, with a fault `kind` added. Both programs and the simulated board use this crate, so there is one
//! definition of every call; so it is with the rights that a board honours without its cloud. Deliberately absent: sockets, sessions, and any decision.

pub mod call;
pub mod connection;
pub mod device;
pub mod enrol;
pub mod envelope;
pub mod forward;
pub mod handshake;
pub mod logs;
pub mod pickle;
pub mod plugin;
pub mod request;
pub mod right;
pub mod rotation;
pub mod service;
pub mod succession;
pub mod terminal;
pub mod uri;

pub use call::{Board, Call, Method, Nature};
pub use envelope::Envelope;
pub use model::operation::Fault;
pub use request::Request;

/// Version of the native board protocol. An agent one version older works with this cloud, and the reverse; a difference is
/// negotiated down in [`connection`].
pub const PROTOCOL: u32 = 1;
/// Oldest version still spoken.
pub const OLDEST_PROTOCOL: u32 = 1;
/// The WAMP realm of every board, upstream's name.
pub const REALM: &str = "s4t";
