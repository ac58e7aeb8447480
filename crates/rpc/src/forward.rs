//! Forwards: how the cloud asks for the way to a port of the board that is no service (`ForwardOpen`).
//!
//! The board answers a key; channels of the data link that present it lead to that port of `127.0.0.1`. It is good as long as
//! it is used, and [`KEY_LIFE_S`] beyond; who finds it forgotten asks for another.

use model::service::Port;
use serde::{Deserialize, Serialize};

/// How long the board keeps a key after its last connection.
pub const KEY_LIFE_S: u64 = 60;
/// Beginning of every key, which no service's and no terminal's key has.
pub const KEY_PREFIX: &str = "forward:";

/// `ForwardOpen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The port on the board.
    pub port: Port,
}

/// What `ForwardOpen` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The key of the channels.
    pub key: String,
}
