//! WAMP version 2: codecs, router and session state machines, client.
//!
//! A call between two sessions passes through the router as the bytes it arrived in: only the head of a message is read,
//! arguments are read where they end, or where two peers speak different serialisers.
//!
//! The layers, from the inside out: [`Serialiser`]s (`codec`), messages (`message`), the pure router (`router`), the
//! connection's one task (`pump`), and the two faces: [`Router`] for who runs one, [`Session`] for who uses one, over a
//! network ([`connect`]) or inside the router's process ([`Router::local`]).
//!
//! Invariants: every call is answered exactly once; every queue and table is bounded; no URI is touched without the
//! [`Policy`]'s verdict; nothing that arrives can panic.
//!
//! Deliberately not here: boards or anything else the URIs mean; listeners, TLS and HTTP; batched serialisers; links
//! between routers.

mod arguments;
pub mod auth;
mod cached;
mod client;
mod codec;
mod credentials;
mod directory;
mod ended;
mod establish;
mod mailbox;
mod message;
mod payload;
mod policy;
mod pump;
pub mod rawsocket;
mod realm;
mod router;
mod server;
mod session;
mod timestamps;
mod transport;
pub mod uri;

pub use arguments::{Arguments, Dict, Fault};
pub use cached::Cached;
pub use client::{
    Anonymous, ClientSettings, ConnectError, Credentials, Roles, connect, connect_raw,
};
pub use codec::{
    CodecError, MAX_DEPTH, Serialiser, binary_text, read_value, text_binary, write_value,
};
pub use credentials::{Cra, Cryptosign, Scram, Ticket};
pub use directory::{Deed, Directory, Permission, User};
pub use ended::Ended;
pub use policy::{
    Abort, Action, Authentication, Challenge, Hello, Identity, Policy, Verdict, Welcome,
};
pub use router::{Bounds, Disclosure, Kept};
pub use server::{Router, RouterSettings};
pub use session::{
    BoxFuture, CallError, CallOptions, Caller, Event, Handler, Interrupt, Invocation, RequestError,
    Session, Subscription,
};
pub use uri::Match;

/// Checks that bytes are a message; for fuzzing the codecs.
///
/// What decodes is encoded again and decoded once more; gives back whether it was a message.
#[doc(hidden)]
pub fn check_message(serialiser: Serialiser, bytes: &[u8]) -> bool {
    let Ok(message) = message::decode(serialiser, &bytes::Bytes::copy_from_slice(bytes)) else {
        return false;
    };
    let mut out = Vec::new();
    message::encode(serialiser, &mut out, &message);
    let again = message::decode(serialiser, &out.into());
    debug_assert!(again.is_ok(), "what was decoded and encoded is decoded again");
    again.is_ok()
}

/// A message of one serialiser as the bytes of another, as the router carries it over; for checking the codecs against
/// vectors of others. `None` if it is no message.
#[doc(hidden)]
pub fn carry_message(from: Serialiser, bytes: &[u8], to: Serialiser) -> Option<Vec<u8>> {
    let message = message::decode(from, &bytes::Bytes::copy_from_slice(bytes)).ok()?;
    let message = message.carry_over(to).ok()?;
    let mut out = Vec::new();
    message::encode(to, &mut out, &message);
    Some(out)
}
