//! Crossbar, the router of upstream's clouds, set up as upstream's guide says: realm `s4t`, anybody may do anything.
//!
//! Invariants: it listens on loopback; it is gone with the value. Deliberately not here: the cloud behind it.

use super::environment::python;
use crate::program::Program;
use crate::wait::until;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Longest start on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Longest end.
const END: Duration = Duration::from_secs(60);

/// A running router.
#[derive(Debug)]
pub struct Crossbar {
    program: Option<Program>,
    address: SocketAddr,
    folder: TempDir,
}

impl Crossbar {
    /// Starts one. The first call on a machine makes the environment.
    ///
    /// # Panics
    /// It cannot be made or started.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let everything =
            json!({"call": true, "register": true, "publish": true, "subscribe": true});
        let permission = json!({
            "uri": "", "match": "prefix", "allow": everything, "cache": true,
            "disclose": {"caller": false, "publisher": false},
        });
        let config = json!({"version": 2, "controller": {}, "workers": [{
            "type": "router",
            "realms": [{"name": "s4t", "roles": [{"name": "anonymous", "permissions": [permission]}]}],
            "transports": [{
                "type": "websocket",
                "endpoint": {"type": "tcp", "port": free.port(), "interface": "127.0.0.1"},
            }],
        }]});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let mut router = Self { program: None, address: free, folder };
        router.start_again();
        router
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Stops it, as an operator would.
    ///
    /// # Panics
    /// It does not end.
    pub fn stop(&mut self) {
        let Some(mut program) = self.program.take() else { return };
        program.signal(crate::Signal::TERM);
        assert!(program.wait(END).is_some(), "crossbar does not end: {}", program.said());
    }

    /// Starts it on the same port.
    ///
    /// # Panics
    /// It does not listen in time.
    pub fn start_again(&mut self) {
        let mut command = Command::new(python("crossbar").join("bin/crossbar"));
        command.args(["start", "--color", "false", "--cbdir"]).arg(self.folder.path());
        let mut program = Program::start("crossbar", &mut command, &self.folder.path().join("log"));
        until("crossbar listens", START, || {
            assert!(program.is_alive(), "crossbar ended: {}", program.said());
            TcpStream::connect(self.address).map(drop).map_err(|error| error.to_string())
        });
        self.program = Some(program);
    }
}
