//! The real SSH server of OpenSSH on a board's loopback, and its client, both with throw-away keys.
//!
//! Invariant: it is never the machine's own service: it listens on a free port of loopback, reads only its own folder, and
//! ends with its value. Root's server wants one empty folder of the system, which is made where it is missing.

use crate::command_line::Said;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian's SSH server of root separates privileges; its service makes it at each start of the machine.
const PRIVILEGE_FOLDER: &str = "/run/sshd";
/// It wants to be called by its whole path.
const PROGRAM: &str = "/usr/sbin/sshd";

/// A server that answers each connection with a process of its own, as from inetd.
#[derive(Debug)]
pub struct SshServer {
    /// Its port.
    pub port: u16,
    folder: tempfile::TempDir,
}

impl SshServer {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// No port is free, or OpenSSH is not installed.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_keys(folder.path());
        let settings = write_settings(folder.path());
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all(PRIVILEGE_FOLDER).unwrap();
        }
        let _ = Said::of(Command::new(PROGRAM).arg("-t").arg("-f").arg(&settings)).ok();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let settings = settings.clone();
                std::thread::spawn(move || serve(stream, &settings));
            }
        });
        Self { port, folder }
    }

    /// `ssh`, which knows the server's key and shows its own, at a port of loopback.
    #[must_use]
    pub fn client(&self, port: u16) -> Command {
        let file =
            |name: &str, file: &str| format!("{name}={}", self.folder.path().join(file).display());
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
        command.args(["-o", "IdentitiesOnly=yes", "-o", &file("IdentityFile", "visitor")]);
        command.args(["-o", &file("UserKnownHostsFile", "known"), "-o", "LogLevel=error"]);
        command.args(["-p", &port.to_string(), "127.0.0.1"]);
        command
    }
}

fn make_keys(folder: &Path) {
    for key in ["host", "visitor"] {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key));
        let _ = Said::of(&mut command).ok();
    }
    let host = std::fs::read_to_string(folder.join("host.pub")).unwrap();
    std::fs::write(folder.join("known"), format!("* {host}")).unwrap();
}

fn write_settings(folder: &Path) -> PathBuf {
    let place = folder.display();
    let text = format!(
        "HostKey {place}/host\nAuthorizedKeysFile {place}/visitor.pub\nStrictModes no\nPidFile none\n\
         PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
    );
    let settings = folder.join("sshd_config");
    std::fs::write(&settings, text).unwrap();
    settings
}

/// One connection; a visitor that leaves early is his own affair.
fn serve(stream: TcpStream, settings: &Path) {
    let end =
        |stream: &TcpStream| stream.try_clone().map(|stream| Stdio::from(OwnedFd::from(stream)));
    let (Ok(input), Ok(output)) = (end(&stream), end(&stream)) else { return };
    drop(stream);
    let mut command = Command::new(PROGRAM);
    command.arg("-i").arg("-f").arg(settings).stdin(input).stdout(output).stderr(Stdio::null());
    if let Ok(mut child) = command.spawn() {
        // The socket must not stay open in us.
        drop(command);
        let _ = child.wait();
    }
}
