//! The launcher: the agent's binary started again with a hidden argument, which becomes the user and then the shell.
//!
//! Doing this in a fresh process instead of between fork and exec keeps every step ordinary safe Rust.
//! Invariant: the shell is executed only after every step succeeded; a step that fails is said on the terminal itself. Its one
//! argument is visible to every process of the machine, so nothing secret is in it. Deliberately not here: who the user is
//! (`account`), the life of the shell (`session`).

use super::account::Account;
use rpc::terminal::Mode;
use rustix::process::{Gid, Signal, Uid};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The hidden first argument.
pub(super) const TERMINAL_EXEC: &str = "terminal-exec";
/// Marks the processes of a terminal: the agent's process, a stroke, and the number of their session.
pub(super) const MARK: &str = "S4T_TERMINAL";
/// Exit code of a launcher that could not become the shell, as of `env` and `nohup`.
const LAUNCH_FAILED: i32 = 125;
/// Where programs are found.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// What passes from the agent's environment into the user's.
const PASSED_ON: [&str; 3] = ["LANG", "LC_ALL", "TZ"];

/// Whether the launcher has to become another user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Identity {
    /// It is that user already.
    Kept,
    /// It is root and becomes this user.
    Taken { uid: u32, gid: u32, groups: Vec<u32> },
}

/// What the agent tells the launcher: one JSON argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LaunchSpec {
    /// The agent; if it is gone before the death signal is armed, the launcher ends.
    pub(super) parent: i32,
    pub(super) identity: Identity,
    pub(super) mode: Mode,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
    pub(super) command: Option<String>,
    /// The whole environment but [`MARK`].
    pub(super) env: Vec<(String, String)>,
}

impl LaunchSpec {
    /// For a shell of `account`, started by an agent that runs as `own`.
    pub(super) fn new(account: &Account, own: u32, mode: Mode, command: Option<String>) -> Self {
        let identity = if own == account.uid {
            Identity::Kept
        } else {
            Identity::Taken { uid: account.uid, gid: account.gid, groups: account.groups.clone() }
        };
        Self {
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            identity,
            mode,
            home: account.home.clone(),
            shell: account.shell.clone(),
            command,
            env: environment(account, mode),
        }
    }
}

fn environment(account: &Account, mode: Mode) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut env: Vec<(&str, String)> = vec![
        ("HOME", text(&account.home)),
        ("SHELL", text(&account.shell)),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name.clone()),
        ("PATH", SEARCH_PATH.to_owned()),
    ];
    if mode == Mode::Screen {
        env.push(("TERM", "xterm-256color".to_owned()));
    }
    env.extend(PASSED_ON.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?))));
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Call this first in `main`, before any thread or reactor exists: returns at once unless this process was started as the
/// launcher, and then never.
pub fn run_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() != Some(OsStr::new(TERMINAL_EXEC)) {
        return;
    }
    let spec = args.next().unwrap_or_default();
    // Said to whoever looks at the terminal: standard error leads there.
    eprintln!("the terminal cannot be opened: {}", become_shell(&spec.to_string_lossy()));
    std::process::exit(LAUNCH_FAILED);
}

/// Returns only with the reason why it failed.
fn become_shell(spec: &str) -> String {
    let spec: LaunchSpec = match serde_json::from_str(spec) {
        Ok(spec) => spec,
        Err(error) => return format!("{TERMINAL_EXEC} is started by the agent only: {error}"),
    };
    let session = match prepare(&spec) {
        Ok(session) => session,
        Err(reason) => return reason,
    };
    let mut command = Command::new(&spec.shell);
    match &spec.command {
        Some(line) => command.arg("-c").arg(line),
        None if spec.mode == Mode::Screen => command.arg0(login_name(&spec.shell)),
        None => &mut command,
    };
    let env = spec.env.iter().map(|(name, value)| (name, value));
    let mark = format!("{}/{session}", spec.parent);
    let error = command.env_clear().envs(env).env(MARK, mark).exec();
    format!("execute {}: {error}", spec.shell.display())
}

/// Makes the session and becomes the user; the number of the session.
fn prepare(spec: &LaunchSpec) -> Result<i32, String> {
    let session = rustix::process::setsid().map_err(step("make a session"))?;
    if spec.mode == Mode::Screen {
        let screen = rustix::stdio::stdin();
        rustix::process::ioctl_tiocsctty(screen).map_err(step("take the terminal"))?;
    }
    take(&spec.identity)?;
    // After the change of user, which disarms it.
    die_with(spec.parent)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if std::env::set_current_dir(&spec.home).is_err() {
        std::env::set_current_dir("/").map_err(step("enter the root folder"))?;
    }
    Ok(session.as_raw_nonzero().get())
}

fn take(identity: &Identity) -> Result<(), String> {
    let Identity::Taken { uid, gid, groups } = identity else { return Ok(()) };
    let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(*uid), Gid::from_raw(*gid));
    // These change the calling thread only, and a launcher has no other.
    rustix::thread::set_thread_groups(&groups).map_err(step("enter the user's groups"))?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(step("enter the user's group"))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(step("become the user"))
}

/// The kernel hangs the shell up when the agent ends, however it ends.
fn die_with(parent: i32) -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::HUP))
        .map_err(step("arm the death signal"))?;
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if now == Some(parent) { Ok(()) } else { Err("the agent is gone".to_owned()) }
}

/// A shell whose name begins with a stroke reads the user's profile.
fn login_name(shell: &Path) -> String {
    format!("-{}", shell.file_name().unwrap_or_default().to_string_lossy())
}

fn step<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            name: "pi".into(),
            uid: 1000,
            gid: 1000,
            groups: vec![20, 1000],
            home: "/home/pi".into(),
            shell: "/bin/bash".into(),
        }
    }

    #[test]
    fn another_user_is_taken_with_all_groups_and_the_own_one_is_kept() {
        let spec = |own| LaunchSpec::new(&account(), own, Mode::Screen, None);
        let Identity::Taken { groups, .. } = spec(0).identity else { panic!("it is kept") };
        assert_eq!(groups, [20, 1000]);
        assert_eq!(spec(1000).identity, Identity::Kept);
        let text = serde_json::to_string(&spec(0)).unwrap();
        assert_eq!(serde_json::from_str::<LaunchSpec>(&text).unwrap(), spec(0));
    }

    #[test]
    fn the_environment_is_the_users_and_not_the_agents() {
        let env = environment(&account(), Mode::Screen);
        let get = |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
        assert_eq!((get("HOME"), get("USER")), (Some("/home/pi"), Some("pi")));
        assert_eq!(get("TERM"), Some("xterm-256color"));
        assert!(env.iter().all(|(name, _)| !name.starts_with("LIGHTNING_ROD")));
        assert!(!environment(&account(), Mode::Pipe).iter().any(|(name, _)| name == "TERM"));
    }

    #[test]
    fn a_login_shell_is_named_so() {
        assert_eq!(login_name(Path::new("/bin/bash")), "-bash");
    }
}
