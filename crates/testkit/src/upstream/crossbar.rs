//! Crossbar, the router of upstream's clouds, set up as upstream's guide says: realm `s4t`, anybody may do anything.
//!
//! Invariants: it listens on loopback, in plain text for the cloud behind it and by TLS for boards beside that; it is gone with
//! the value. Deliberately not here: the cloud behind it.

use super::environment::python;
use crate::program::Program;
use crate::slot::Slot;
use crate::wait::until;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Longest start on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Longest end.
const END: Duration = Duration::from_secs(60);

/// The file with its authority.
const AUTHORITY: &str = "authority.pem";

/// A running router.
#[derive(Debug)]
pub struct Crossbar {
    program: Option<Program>,
    slot: Slot,
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
        let slot = Slot::take();
        let [free, encrypted] = slot.upstream_ports();
        let everything =
            json!({"call": true, "register": true, "publish": true, "subscribe": true});
        let permission = json!({
            "uri": "", "match": "prefix", "allow": everything, "cache": true,
            "disclose": {"caller": false, "publisher": false},
        });
        let config = json!({"version": 2, "controller": {}, "workers": [{
            "type": "router",
            "realms": [{"name": "s4t", "roles": [{"name": "anonymous", "permissions": [permission]}]}],
            "transports": [transport(free, json!({})), transport(encrypted, certify(folder.path()))],
        }]});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let mut router = Self { program: None, slot, folder };
        router.start_again();
        router
    }

    fn at(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.slot.upstream_ports()[0])
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.at().0, self.at().1)
    }

    /// Where boards find it by TLS, as `localhost`.
    #[must_use]
    pub fn encrypted_url(&self) -> String {
        format!("wss://localhost:{}/", self.slot.upstream_ports()[1])
    }

    /// The authority that signed its certificate (PEM).
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(AUTHORITY)
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
            TcpStream::connect(self.at()).map(drop).map_err(|error| error.to_string())
        });
        self.program = Some(program);
    }
}

fn transport(port: u16, tls: Value) -> Value {
    let mut endpoint = json!({"type": "tcp", "port": port, "interface": "127.0.0.1"});
    if tls != json!({}) {
        endpoint["tls"] = tls;
    }
    json!({"type": "websocket", "endpoint": endpoint})
}

/// Makes an authority, and a certificate for `localhost` with its key; how Crossbar is told of them.
fn certify(folder: &Path) -> Value {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&key).unwrap();
    let issuer = Issuer::new(authority, &key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    for (name, pem) in [
        (AUTHORITY, signed.pem()),
        ("server.pem", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), pem).unwrap();
    }
    json!({"certificate": "server.pem", "key": "server.key"})
}
