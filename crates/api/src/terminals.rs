//! Terminals: a shell on a board over a WebSocket, `GET /v2/boards/{board}/terminal`, subprotocol [`SUBPROTOCOL`].
//!
//! Binary messages are bytes of the screen (from the cloud) and of the keyboard (from the client). Text messages are JSON: the
//! cloud says [`FromCloud`], `ready` first and `exit` or `error` last; the client says [`FromClient`].

use model::Kind;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What both ends speak.
pub const SUBPROTOCOL: &str = "s4t.terminal.v1";

/// What sort of terminal.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Opening {
    /// Columns, 1 to 1000 (default 80).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u32>,
    /// Rows, 1 to 1000 (default 24).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// `screen` (default) is a terminal for a person; `pipe` passes bytes unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub mode: Option<Mode>,
    /// What the shell runs instead of reading from the terminal, at most 8192 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Screen or pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A terminal for a person.
    Screen,
    /// Bytes pass unchanged, and the end of the input is an end.
    Pipe,
}

/// What the cloud says in a text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TerminalFromCloud)]
pub enum FromCloud {
    /// The shell runs, as this user of the board.
    Ready {
        /// The user.
        user: String,
        /// Whether what it shows is recorded.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        recorded: bool,
    },
    /// The shell ended.
    Exit {
        /// Its exit code; 128 and the signal's number after a signal.
        code: u8,
    },
    /// There is no terminal, or no longer.
    Error {
        /// What sort of reason.
        kind: Kind,
        /// The reason.
        message: String,
    },
}

/// What the client says in a text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = TerminalFromClient)]
pub enum FromClient {
    /// The screen has another size.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// Nothing more comes from the keyboard.
    EndOfInput {},
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_look_as_documented() {
        let said = |message: FromCloud| serde_json::to_value(message).unwrap();
        let ready = |recorded| said(FromCloud::Ready { user: "pi".into(), recorded });
        assert_eq!(ready(false), json!({"ready": {"user": "pi"}}));
        assert_eq!(ready(true), json!({"ready": {"user": "pi", "recorded": true}}));
        assert_eq!(said(FromCloud::Exit { code: 0 }), json!({"exit": {"code": 0}}));
        let error = FromCloud::Error { kind: Kind::Timeout, message: "idle".into() };
        assert_eq!(said(error), json!({"error": {"kind": "timeout", "message": "idle"}}));
        let resize: FromClient =
            serde_json::from_str(r#"{"resize":{"cols":100,"rows":30}}"#).unwrap();
        assert_eq!(resize, FromClient::Resize { cols: 100, rows: 30 });
        let end: FromClient = serde_json::from_str(r#"{"end_of_input":{}}"#).unwrap();
        assert_eq!(end, FromClient::EndOfInput {});
    }
}
