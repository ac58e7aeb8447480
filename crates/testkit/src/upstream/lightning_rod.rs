//! The upstream board agent, iotronic-lightningrod 0.5.0, on a board that is a machine of its own.
//!
//! Invariants: the agent runs only inside its own network, mount, process, ipc and host-name namespaces, in a file
//! system whose system folders are read-only and whose writable part is a scratch folder; nothing outside can be
//! touched. When the value goes, the board's power is cut. Its files are upstream's, at upstream's paths, and outlive a
//! restart of the board, not the value.
//! Deliberately not here: the cloud. It has to listen at [`Board::cloud_address`], the tunnel server on port 8080.

use super::environment::{material, node, python};
use crate::island::Island;
use crate::program::Program;
use crate::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Upstream's sample of `iotronic.conf` with shorter timers, so that tests see a board come back.
pub const CONF: &str = "\
[DEFAULT]
lightningrod_home = /var/lib/iotronic
skip_cert_verify = True
log_level = info
log_file = /var/log/iotronic/lightning-rod.log
log_rotation_type = size
max_logfile_size_mb = 5
max_logfile_count = 3

[services]
wstun_bin = /opt/s4t/wstun

[webservices]
proxy = nginx

[autobahn]
connection_timer = 30
alive_timer = 600
rpc_alive_timer = 10
connection_failure_timer = 300
";

/// What of the system's `/etc` a board has a copy of.
const ETC: [&str; 10] = [
    "passwd",
    "group",
    "nsswitch.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "alternatives",
    "services",
    "protocols",
];
/// How long the agent may take to end after SIGINT.
const STOP: Duration = Duration::from_secs(10);

/// A board with the agent installed.
#[derive(Debug)]
pub struct Board {
    process: Option<Program>,
    island: Island,
    folder: TempDir,
    read_only: Vec<PathBuf>,
    agent: [PathBuf; 2],
    /// Where the present start begins in the agent's log.
    mark: usize,
}

/// What a board is given before it has ever registered.
#[must_use]
pub fn first_settings(code: &str, url: &str) -> Value {
    json!({"iotronic": {
        "board": {"code": code},
        "wamp": {"registration-agent": {"url": url, "realm": "s4t"}},
    }})
}

impl Board {
    /// A board that is off. Needs [`crate::Need::Networks`]; the first call on a machine makes the environments.
    ///
    /// # Panics
    /// Something of it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let (environment, tunnel) = (python("lightning_rod"), node("tunnel"));
        let agent = [environment.join("bin/python"), environment.join("bin/lightning-rod")];
        let program = std::path::absolute(which("node")).unwrap().canonicalize().unwrap();
        let prefix = |path: &Path| path.parent().and_then(Path::parent).unwrap().to_owned();
        let mut read_only =
            vec![environment, tunnel.clone(), base_prefix(&agent[0]), prefix(&program)];
        read_only.retain(|path| !path.starts_with("/usr"));
        let board = Self {
            process: None,
            island: Island::create(),
            folder: tempfile::tempdir().unwrap(),
            read_only,
            agent,
            mark: 0,
        };
        board.furnish(&program, &tunnel);
        board
    }

    fn furnish(&self, node: &Path, tunnel: &Path) {
        for folder in
            ["etc/iotronic", "etc/ssl", "var/lib/iotronic/plugins", "var/log/iotronic", "opt/s4t"]
        {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .args(ETC.map(|name| Path::new("/etc").join(name)).iter().filter(|path| path.exists()));
        assert!(copy.arg(self.path("etc")).status().unwrap().success());
        fs::write(self.path("etc/hosts"), "127.0.0.1 localhost board\n").unwrap();
        fs::write(self.path("var/lib/iotronic/plugins.json"), r#"{"plugins": {}}"#).unwrap();
        fs::write(self.path("var/lib/iotronic/services.json"), r#"{"services": {}}"#).unwrap();
        let script = tunnel.join("node_modules/node-reverse-wstunnel/bin/wst.js");
        let wrapper = format!("#!/bin/sh\nexec {} {} \"$@\"\n", node.display(), script.display());
        let path = self.path("opt/s4t/wstun");
        fs::write(&path, wrapper).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The address at which the cloud under test has to listen.
    #[must_use]
    pub fn cloud_address(&self) -> Ipv4Addr {
        self.island.our_address()
    }

    /// The network of the board.
    #[must_use]
    pub fn island(&self) -> &Island {
        &self.island
    }

    /// Where a path of the board lies: `etc/iotronic/settings.json`.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path)
    }

    /// Writes `settings.json` and `iotronic.conf`.
    pub fn configure(&self, settings: &Value, conf: &str) {
        fs::write(self.path("etc/iotronic/settings.json"), settings.to_string()).unwrap();
        fs::write(self.path("etc/iotronic/iotronic.conf"), conf).unwrap();
    }

    /// What stands in `settings.json` now.
    ///
    /// # Panics
    /// It is not JSON; it may be just being written.
    #[must_use]
    pub fn settings(&self) -> Value {
        let text = fs::read_to_string(self.path("etc/iotronic/settings.json")).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Switches the board on.
    pub fn start(&mut self) {
        self.mark = self.log().len();
        let mut command = self.island.command(Path::new("unshare"));
        command.args(["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "/bin/sh"]);
        command.arg(material("board.sh")).arg(self.path("")).args(&self.read_only);
        command.arg("--").args(&self.agent);
        let log = self.folder.path().join("console");
        self.process = Some(Program::start("upstream lightning-rod", &mut command, &log));
    }

    /// What the agent said since the board was last switched on: its console and its log.
    #[must_use]
    pub fn logs(&self) -> String {
        let console = self.process.as_ref().map(Program::said).unwrap_or_default();
        let log = self.log();
        format!("{console}\n{}", String::from_utf8_lossy(log.get(self.mark..).unwrap_or(&log)))
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.path("var/log/iotronic/lightning-rod.log")).unwrap_or_default()
    }

    /// Waits until the agent has said something.
    ///
    /// # Panics
    /// It did not, or the board went off.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, within: Duration) {
        until(&format!("\"{text}\" in the log of the board"), within, || {
            let logs = self.logs();
            if logs.contains(text) {
                return Ok(());
            }
            let is_on = self.is_on();
            assert!(is_on, "the board went off before it said {text}:\n{logs}");
            Err(format!("it said:\n{logs}"))
        });
    }

    /// Runs a line of shell on the board while it is on; answers what it said on both outputs.
    ///
    /// # Panics
    /// The board is off.
    #[must_use]
    pub fn run_inside(&self, line: &str) -> String {
        let process = self.process.as_ref().expect("the board is on");
        let init = descendant(process.pid(), 1).expect("the board is on").as_raw_nonzero();
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &init.to_string(),
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--net",
        ]);
        command.arg("chroot").arg(self.path("")).args(["/bin/sh", "-c", line]);
        let output = command.output().unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }

    /// Whether the board is on.
    pub fn is_on(&mut self) -> bool {
        self.process.as_mut().is_some_and(Program::is_alive)
    }

    fn agent_process(&self) -> Option<Pid> {
        self.process.as_ref().and_then(|process| descendant(process.pid(), 2))
    }

    /// The agent's process number, as seen from here, while the board is on.
    #[must_use]
    pub fn agent(&self) -> Option<u32> {
        self.agent_process().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
    }

    /// Asks the agent to end (SIGINT), which switches the board off; cuts it if that does not help.
    pub fn stop(&mut self) {
        if let Some(pid) = self.agent_process() {
            let _ = kill_process(pid, Signal::INT);
        }
        if let Some(process) = &mut self.process
            && process.wait(STOP).is_none()
        {
            process.kill();
        }
        self.process = None;
    }

    /// Cuts the power: every process of the board is gone at once.
    pub fn kill9(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
        self.process = None;
    }

    /// Cuts the power and switches on again.
    pub fn restart(&mut self) {
        self.kill9();
        self.start();
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the board's agent said:\n{}", self.logs());
        }
        self.kill9();
    }
}

/// The process so many generations below, if there is one; each has one child that counts, its first.
fn descendant(pid: u32, generations: u32) -> Option<Pid> {
    let mut pid = pid;
    for _ in 0..generations {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        pid = children.split_whitespace().next()?.parse().ok()?;
    }
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Where the standard library of an environment's Python lies.
fn base_prefix(python: &Path) -> PathBuf {
    let output = Command::new(python).args(["-c", "import sys; print(sys.base_prefix)"]).output();
    PathBuf::from(String::from_utf8(output.unwrap().stdout).unwrap().trim())
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is not on the path; install Node.js"))
}
