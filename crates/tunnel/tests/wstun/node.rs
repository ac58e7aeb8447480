//! The npm package `node-reverse-wstunnel`, fetched once into a cache and run as either side on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tokio::process::Child;

/// What upstream's tunnels descend from, with the WebSocket library that still runs on today's Node.js.
const PACKAGES: [&str; 2] = ["node-reverse-wstunnel@1.0.0", "websocket@1.0.35"];
const SCRIPT: &str = "node_modules/node-reverse-wstunnel/bin/wst.js";

/// A running peer; killed when dropped.
pub struct Node(pub Child);

/// Upstream's board side: forwards the public port of a cloud to a target.
pub fn node_client(url: &str, port: u16, target: SocketAddr) -> Node {
    run(&["-r", &format!("{port}:{}:{}", target.ip(), target.port()), url])
}

/// Upstream's cloud side.
pub fn node_server(address: SocketAddr) -> Node {
    run(&["-r", "-s", &address.port().to_string()])
}

fn run(arguments: &[&str]) -> Node {
    let mut command = tokio::process::Command::new("node");
    // The package listens on all interfaces and cannot be told otherwise.
    command
        .arg("--require")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wstun/loopback.cjs"));
    command.arg(installed().join(SCRIPT)).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    Node(command.spawn().expect("these tests need Node.js: install node and npm"))
}

/// Where the package is; fetched by the first who asks.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let place = cache().join("node-reverse-wstunnel-1.0.0");
        if !place.join(SCRIPT).is_file() {
            install(&place);
        }
        place
    })
}

fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("S4T_CACHE") {
        return cache.into();
    }
    let home = std::env::var_os("HOME").expect("HOME or S4T_CACHE says where to keep npm packages");
    Path::new(&home).join(".cache/s4t-tests")
}

/// Beside its place first, so that an interrupted or a second fetch never leaves half a package.
fn install(place: &Path) {
    let scratch = place.with_extension(format!("new-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let output = Command::new("npm")
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&scratch)
        .args(PACKAGES)
        .output()
        .expect("these tests need npm: install node and npm");
    assert!(
        output.status.success(),
        "npm could not fetch {PACKAGES:?}; these tests need its registry once:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    if std::fs::rename(&scratch, place).is_err() {
        assert!(place.join(SCRIPT).is_file(), "cannot write {}", place.display());
        std::fs::remove_dir_all(&scratch).unwrap();
    }
}
