//! Forwards: the way to a port of a board without a public port, `GET /v2/boards/{board}/forward`, subprotocol [`SUBPROTOCOL`].
//!
//! On the WebSocket both ends speak the frames of a tunnel link (docs/tunnels.md) without its handshake: the request has said
//! who asks. The client opens channels with the key [`CHANNEL`], one for each connection. The cloud ends the link with a reason.

use model::service::Port;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// What both ends speak.
pub const SUBPROTOCOL: &str = "s4t.forward.v1";
/// The key by which the client opens channels.
pub const CHANNEL: &str = "port";

/// Which port.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Opening {
    /// The port on the board, at `127.0.0.1`. Must be there; whoever may not forward is told that first.
    #[param(value_type = u16)]
    pub port: Option<Port>,
}
