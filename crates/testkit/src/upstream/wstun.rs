//! Upstream's tunnel, the npm package `node-reverse-wstunnel`, as both ends of one forwarded service.
//!
//! Invariants: both listen on loopback, on ports of a slot of their own, and are gone with the value. What bytes do on the
//! way is the package's. Deliberately not here: our side in place of either (the tests of `tunnel`).

use super::environment::node;
use crate::program::Program;
use crate::slot::Slot;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The program of the package.
const SCRIPT: &str = "node_modules/node-reverse-wstunnel/bin/wst.js";
/// The package listens on all interfaces and cannot be told otherwise.
const LOOPBACK: &str = "../tunnel/tests/wstun/loopback.cjs";

/// A forwarded service.
#[derive(Debug)]
pub struct Wstun {
    /// The end in the cloud.
    pub cloud: Program,
    /// The end on the board.
    pub board: Program,
    slot: Slot,
    _folder: TempDir,
}

impl Wstun {
    /// Forwards to a port of loopback. The first call on a machine fetches the package. Its public port opens some time later.
    ///
    /// # Panics
    /// They cannot be started.
    #[must_use]
    pub fn to(local: u16) -> Self {
        let (folder, slot) = (tempfile::tempdir().unwrap(), Slot::take());
        let start = |name: &str, words: &[&str]| {
            let mut command = Command::new("node");
            command.arg("--require").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(LOOPBACK));
            command.arg(node("tunnel").join(SCRIPT)).args(words);
            Program::start(name, &mut command, &folder.path().join(name))
        };
        let (door, public) = (slot.api_port(), slot.first_service_port());
        let cloud = start("wstun-cloud", &["-r", "-s", &door.to_string()]);
        let place = format!("{public}:127.0.0.1:{local}");
        let address = (std::net::Ipv4Addr::LOCALHOST, door);
        crate::until("upstream's tunnel server", crate::PATIENCE, || {
            std::net::TcpStream::connect(address).map(drop).map_err(|error| error.to_string())
        });
        let board = start("wstun-board", &["-r", &place, &format!("ws://127.0.0.1:{door}")]);
        Self { cloud, board, slot, _folder: folder }
    }

    /// Where the service is reached.
    #[must_use]
    pub fn public_port(&self) -> u16 {
        self.slot.first_service_port()
    }
}
