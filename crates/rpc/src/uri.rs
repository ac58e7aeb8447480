//! Names on the router.

use model::BoardId;

/// Prefix under which a board registers everything it offers: `iotronic.<session>.<board uuid>.`
#[must_use]
pub fn board_prefix(session: u64, board: BoardId) -> String {
    format!("iotronic.{session}.{board}.")
}

/// One procedure of a board.
#[must_use]
pub fn board_procedure(session: u64, board: BoardId, method: &str) -> String {
    format!("iotronic.{session}.{board}.{method}")
}

/// The session, board and method that a procedure names; the method is empty for a bare prefix.
#[must_use]
pub fn parse_board_procedure(uri: &str) -> Option<(u64, BoardId, &str)> {
    let mut parts = uri.strip_prefix("iotronic.")?.splitn(3, '.');
    let session = parts.next()?.parse().ok()?;
    let board = parts.next()?.parse().ok()?;
    Some((session, board, parts.next()?))
}

/// Called by an enrolling machine.
pub const ENROL: &str = "stack4things.enrol";
/// Last part of the procedure by which a board says that it can be called.
pub const CONNECTION: &str = "connection";
/// Last part of the procedure by which a board reports load, and facts when they changed.
pub const REPORT: &str = "report";
/// Last part of the procedure by which a board gets another key.
pub const ROTATE_KEY: &str = "rotate_key";
/// Last part of the procedure by which a board makes sure that the agent still answers.
pub const ALIVE: &str = "wamp_alive";

/// A procedure of the cloud's agent: `<agent>.stack4things.<name>`.
#[must_use]
pub fn agent_procedure(agent: &str, name: &str) -> String {
    format!("{agent}.stack4things.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_procedure_is_read_back_as_it_was_built() {
        let board = BoardId::new();
        let uri = board_procedure(7, board, "DevicePing");
        assert_eq!(parse_board_procedure(&uri), Some((7, board, "DevicePing")));
        assert_eq!(parse_board_procedure(&board_prefix(7, board)), Some((7, board, "")));
        for wrong in ["iotronic.x.y.Z", "iotronic.7", "wamp.session.on_join", ""] {
            assert_eq!(parse_board_procedure(wrong), None, "{wrong}");
        }
    }
}
