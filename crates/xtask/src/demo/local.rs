//! The local service of a board that the demo makes reachable: a real SSH server where one is installed, else a small
//! HTTP server.
//!
//! Invariant: it listens on loopback only, with throw-away keys, so what is reached through the cloud came through the
//! board. Deliberately not here: the way through the cloud.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::fetch;
use super::scene::Scene;
use crate::command::{Fallible, capture, is_installed};
use crate::needs::is_root;
use crate::process::Process;

/// Where Debian's SSH server separates privileges.
const PRIVILEGE_FOLDER: &str = "/run/sshd";
const START: Duration = Duration::from_secs(30);
/// Ports tried: another program may take one between our look and the server's.
const TRIES: u32 = 3;
const LOOK: Duration = Duration::from_millis(50);

/// A running local server.
pub(super) struct Local {
    pub(super) process: Process,
    pub(super) port: u16,
    kind: Kind,
}

/// What it speaks.
enum Kind {
    Ssh { folder: PathBuf },
    Http { page: String },
}

impl Local {
    /// SSH where its server accepts our settings, HTTP otherwise.
    pub(super) fn start(scene: &Scene) -> Fallible<Self> {
        Self::start_ssh(scene).or_else(|reason| {
            eprintln!("an HTTP server stands in for the SSH server: {reason}");
            Self::start_http(scene)
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Ssh { .. } => "ssh",
            Kind::Http { .. } => "web",
        }
    }

    /// What it is, for a person.
    pub(super) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Ssh { .. } => "SSH server",
            Kind::Http { .. } => "HTTP server, in place of an SSH server",
        }
    }

    fn start_ssh(scene: &Scene) -> Fallible<Self> {
        if !["sshd", "ssh", "ssh-keygen"].into_iter().all(is_installed) {
            return Err("no SSH server is installed".into());
        }
        let folder = scene.folder().join("ssh");
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        make_keys(&folder)?;
        make_privilege_folder()?;
        let mut tried = Err("no port was tried".into());
        for _ in 0..TRIES {
            tried = Self::start_ssh_on(free_port()?, scene, &folder);
            if tried.is_ok() {
                break;
            }
        }
        tried
    }

    fn start_ssh_on(port: u16, scene: &Scene, folder: &Path) -> Fallible<Self> {
        let settings = ssh_settings(folder, port)?;
        capture(Command::new(ssh_server()).arg("-t").arg("-f").arg(&settings))?;
        let mut command = Command::new(ssh_server());
        command.args(["-D", "-e", "-f"]).arg(&settings);
        let process = Process::start("sshd", &mut command, scene.folder())?;
        Self { process, port, kind: Kind::Ssh { folder: folder.to_owned() } }.once_it_answers()
    }

    fn start_http(scene: &Scene) -> Fallible<Self> {
        let page = format!("<h1>The harbour board</h1> <!-- {} -->\n", std::process::id());
        let folder = scene.folder().join("web");
        fs::create_dir(&folder)
            .and_then(|()| fs::write(folder.join("index.html"), &page))
            .map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
        let mut command = Command::new("python3");
        command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]);
        let process = Process::start("web", command.arg(&folder), scene.folder())?;
        let port = process.line(START, port_said)?;
        Self { process, port, kind: Kind::Http { page } }.once_it_answers()
    }

    fn once_it_answers(mut self) -> Fallible<Self> {
        let deadline = Instant::now() + START;
        loop {
            match self.visit(self.port) {
                Ok(_) => return Ok(self),
                Err(reason) if Instant::now() > deadline => return Err(reason),
                Err(_) if !self.process.is_alive() => self.process.stop().map(drop)?,
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    /// Uses the service through a port of this machine and checks that it is this very service.
    pub(super) fn visit(&self, port: u16) -> Fallible<String> {
        match &self.kind {
            Kind::Ssh { folder } => log_in(folder, port),
            Kind::Http { page } => {
                let answer = fetch::get(&format!("http://127.0.0.1:{port}/"))?;
                let is_ours = answer.status == 200 && answer.body == *page;
                let seen = format!("its page of {} bytes", page.len());
                if is_ours { Ok(seen) } else { Err(format!("port {port} serves another page")) }
            }
        }
    }

    /// What a person may type.
    pub(super) fn invitation(&self, port: u16) -> String {
        match &self.kind {
            Kind::Ssh { folder } => {
                format!("ssh -p {port} -i {} 127.0.0.1", folder.join("visitor").display())
            }
            Kind::Http { .. } => format!("curl http://127.0.0.1:{port}/"),
        }
    }
}

/// The server wants to be called by its whole path.
fn ssh_server() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("sshd"))
        .find(|program| program.is_file())
        .unwrap_or_else(|| "/usr/sbin/sshd".into())
}

/// The port in `Serving HTTP on 127.0.0.1 port 8000 (…)`.
fn port_said(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once(" port ")?;
    rest.split(' ').next()?.parse().ok()
}

/// The server of root wants this empty folder, which its service makes at each start of the machine.
fn make_privilege_folder() -> Fallible<()> {
    let folder = Path::new(PRIVILEGE_FOLDER);
    if !is_root() || folder.exists() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().mode(0o755).create(folder);
    made.map_err(|error| format!("{PRIVILEGE_FOLDER} cannot be made: {error}"))
}

fn make_keys(folder: &Path) -> Fallible<()> {
    for key in ["host", "visitor"] {
        let mut command = Command::new("ssh-keygen");
        capture(command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key)))?;
    }
    let failed = |error| format!("{} cannot be written: {error}", folder.display());
    // The server's key is known beforehand, so a wrong server cannot pass for ours.
    let host = fs::read_to_string(folder.join("host.pub")).map_err(failed)?;
    fs::write(folder.join("known"), format!("* {host}")).map_err(failed)
}

fn ssh_settings(folder: &Path, port: u16) -> Fallible<PathBuf> {
    let place = folder.display();
    let text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {place}/host\nPidFile none\n\
         AuthorizedKeysFile {place}/visitor.pub\nStrictModes no\nPermitRootLogin prohibit-password\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
    );
    let settings = folder.join("sshd_config");
    fs::write(&settings, text)
        .map_err(|error| format!("{} cannot be written: {error}", settings.display()))?;
    Ok(settings)
}

/// A whole SSH session: keys checked on both sides, a command run on the board, its answer read.
fn log_in(folder: &Path, port: u16) -> Fallible<String> {
    const WORDS: &str = "through-the-tunnel";
    let option = |name: &str, file: &str| format!("{name}={}", folder.join(file).display());
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
    command.args(["-o", "StrictHostKeyChecking=yes", "-o", &option("UserKnownHostsFile", "known")]);
    command.args(["-o", "IdentitiesOnly=yes", "-o", &option("IdentityFile", "visitor")]);
    command.args(["-p", &port.to_string(), "127.0.0.1", "echo", WORDS]);
    let said = capture(&mut command)?;
    let greeting = fetch::greeting(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    if said.trim() == WORDS {
        Ok(greeting)
    } else {
        Err(format!("the session says `{}`", said.trim()))
    }
}

/// A port that was free a moment ago.
fn free_port() -> Fallible<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no port is free: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn the_local_service_knows_itself_from_another() {
        let scene = Scene::create(&Workspace::at(Path::new("/"))).unwrap();
        let local = Local::start(&scene).unwrap();
        let seen = local.visit(local.port).unwrap();
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in other.incoming().take(2) {
                drop(stream);
            }
        });
        assert!(local.visit(port).is_err());
        let is_named = match local.kind {
            Kind::Ssh { .. } => seen.starts_with("SSH-2.0"),
            Kind::Http { .. } => seen.contains("page"),
        };
        assert!(is_named, "{seen}");
    }

    #[test]
    fn the_port_of_the_stand_in_is_the_one_it_says() {
        let line = "Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...";
        assert_eq!(port_said(line), Some(40123));
        assert_eq!(port_said("Keyboard interrupt received"), None);
    }
}
