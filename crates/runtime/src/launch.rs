//! The agent's side of a start: what the guest is told, and what the launcher is told about it.
//!
//! Invariant: the guest hears its parameters on the channel only; nothing of them shows in a command line
//! or an environment. Not here: the launcher (`launcher`), the life of the process (`process`).

use crate::failure::Failure;
use crate::frame;
use crate::guest::{Language, Limits};
use crate::interpreter::search_path;
use crate::launch_spec::{GUEST_EXEC, LaunchSpec, Rlimits};
use crate::library::Installed;
use crate::processes::RUN_MARK;
use crate::runtime::Shared;
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// Largest request (parameters and board facts) sent to a guest.
const REQUEST_BYTES: usize = 4 << 20;
/// Tasks of the whole user, where no control group counts and the agent is not root.
const TASKS_OF_USER: u64 = 1024;

/// How the runner uses the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Call,
    Service,
}

/// One run to be started.
pub(crate) struct Launch<'a> {
    pub(crate) guest: &'a Installed,
    pub(crate) mode: Mode,
    pub(crate) params: &'a Value,
    pub(crate) context: &'a Value,
    pub(crate) limits: &'a Limits,
}

impl Launch<'_> {
    /// The framed request that the runner reads first.
    pub(crate) fn request(&self, shared: &Shared) -> Result<Vec<u8>, Failure> {
        let request = json!({
            "id": self.guest.id,
            "name": self.guest.name,
            "source": shared.library.source(self.guest),
            "service": self.mode == Mode::Service,
            "params": self.params,
            "context": self.context,
        });
        let body = request.to_string();
        let fits = Some(body).filter(|body| body.len() <= REQUEST_BYTES);
        fits.and_then(|body| frame::encode(body.as_bytes()))
            .ok_or(Failure::Parameters { limit: REQUEST_BYTES })
    }

    /// What the launcher needs to become the interpreter.
    pub(crate) fn spec(
        &self,
        shared: &Shared,
        interpreter: &Path,
        mark: String,
        cgroup_procs: Vec<PathBuf>,
    ) -> LaunchSpec {
        LaunchSpec {
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            cgroup_procs,
            dir: shared.library.work(&self.guest.id),
            program: interpreter.to_owned(),
            args: shared.runners.arguments(self.guest.language, self.limits),
            env: environment(shared, self.guest, mark),
            rlimits: rlimits(shared, self.guest.language, self.limits),
        }
    }
}

fn environment(shared: &Shared, guest: &Installed, mark: String) -> Vec<(String, String)> {
    let home = shared.library.work(&guest.id).display().to_string();
    let mut env = vec![
        ("PATH".to_owned(), search_path()),
        ("HOME".to_owned(), home),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        (RUN_MARK.to_owned(), mark),
    ];
    env.extend(std::env::var("TZ").ok().map(|zone| ("TZ".to_owned(), zone)));
    let ours = shared.settings.environment.iter().filter(|(name, _)| name.starts_with("S4T_"));
    env.extend(ours.map(|(name, value)| (name.clone(), value.clone())));
    env
}

fn rlimits(shared: &Shared, language: Language, limits: &Limits) -> Rlimits {
    let counted = shared.cgroups.pids().is_some() || rustix::process::geteuid().is_root();
    Rlimits {
        cpu_seconds: limits.cpu_seconds,
        // Only a bound on bursts between two samples: address space is always larger than memory, and
        // Node reserves far more than it uses.
        address_space: (language == Language::Python)
            .then(|| limits.memory_bytes.saturating_mul(2).saturating_add(128 << 20)),
        tasks_of_user: (!counted).then_some(TASKS_OF_USER),
        open_files: shared.settings.open_files,
        file_bytes: limits.file_bytes.unwrap_or(u64::MAX).min(shared.settings.file_bytes),
    }
}

/// Starts the launcher; returns it with our end of the channel.
pub(crate) async fn start(
    shared: &Shared,
    spec: &LaunchSpec,
) -> Result<(Child, UnixStream), Failure> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(Failure::launch)?;
    ours.set_nonblocking(true).map_err(Failure::launch)?;
    let channel = UnixStream::from_std(ours).map_err(Failure::launch)?;
    let mut command = Command::new(&shared.settings.launcher);
    command
        .arg(GUEST_EXEC)
        .arg(serde_json::to_string(spec).map_err(Failure::launch)?)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok((shared.spawner.spawn(command).await?, channel))
}
