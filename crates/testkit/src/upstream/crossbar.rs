//! Crossbar, the router of upstream's clouds, set up as upstream's guide says: realm `s4t`, anybody may do anything.
//!
//! Invariants: it listens on loopback, in plain text for the cloud behind it and by TLS for boards beside that; it is gone with
//! the value. Deliberately not here: the cloud behind it.

use super::environment::python;
use crate::program::Program;
use crate::wait::until;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
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
    address: SocketAddr,
    encrypted: SocketAddr,
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
        let [free, encrypted] = free_addresses();
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
        let mut router = Self { program: None, address: free, encrypted, folder };
        router.start_again();
        router
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where boards find it by TLS, as `localhost`.
    #[must_use]
    pub fn encrypted_url(&self) -> String {
        format!("wss://localhost:{}/", self.encrypted.port())
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
            TcpStream::connect(self.address).map(drop).map_err(|error| error.to_string())
        });
        self.program = Some(program);
    }
}

/// Two that are free at the same time.
fn free_addresses() -> [SocketAddr; 2] {
    let held = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap())
}

fn transport(at: SocketAddr, tls: Value) -> Value {
    let mut endpoint = json!({"type": "tcp", "port": at.port(), "interface": "127.0.0.1"});
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
