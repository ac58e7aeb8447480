//! The processes of one terminal: started as a session of their own, and all gone after it.
//!
//! Invariant: when [`Session::hang_up`] returns no process of the session is left; what made a session of its own (a daemon,
//! a multiplexer) did so to stay, and stays. Deliberately not here: the bytes (`relay`).

use super::account::Account;
use super::launcher::{LaunchSpec, MARK, TERMINAL_EXEC};
use super::near::{self, Near};
use rpc::terminal::Open;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How long processes may take to end after they were told.
pub(super) const KILL_AFTER: Duration = Duration::from_secs(5);
/// How often their end is looked for, at first and at most.
const LOOK_FIRST: Duration = Duration::from_millis(10);
const LOOK_AT_MOST: Duration = Duration::from_millis(250);
/// Rounds of killing; each catches what the round before forked.
const KILL_ROUNDS: usize = 8;

/// A shell and what it started.
#[derive(Debug)]
pub(super) struct Session {
    shell: Child,
    /// Number of the session, which is that of its first process.
    number: i32,
}

/// Starts a shell of `account` with the agent's own binary as launcher.
pub(super) fn start(
    launcher: &Path,
    account: &Account,
    open: &Open,
) -> std::io::Result<(Session, Near)> {
    let own = rustix::process::geteuid().as_raw();
    let spec = LaunchSpec::new(account, own, open.mode, open.command.clone());
    let (near, theirs) = near::open(open.mode, open.size, account)?;
    let shell = Command::new(launcher)
        .arg(TERMINAL_EXEC)
        .arg(serde_json::to_string(&spec)?)
        .env_clear()
        .stdin(Stdio::from(theirs.try_clone()?))
        .stdout(Stdio::from(theirs.try_clone()?))
        .stderr(Stdio::from(theirs))
        .kill_on_drop(true)
        .spawn()?;
    let number = shell.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
    Ok((Session { shell, number }, near))
}

impl Session {
    /// Waits for the end of the shell; its exit code, and 128 and the number after a signal.
    pub(super) async fn exit(&mut self) -> u8 {
        self.shell.wait().await.map_or(u8::MAX, code)
    }

    /// Hangs up: tells all processes, and kills what has not ended after [`KILL_AFTER`]. The shell's end of the terminal
    /// must be closed before.
    pub(super) async fn hang_up(mut self) {
        let deadline = Instant::now() + KILL_AFTER;
        signal(members(self.number).await, &[Signal::HUP, Signal::CONT]);
        let mut pause = LOOK_FIRST;
        while Instant::now() < deadline && !self.is_over().await {
            let _ = tokio::time::timeout(pause, self.shell.wait()).await;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AT_MOST);
        }
        for _ in 0..KILL_ROUNDS {
            let left = members(self.number).await;
            if left.is_empty() {
                break;
            }
            tracing::info!(
                session = self.number,
                left = left.len(),
                "killing what did not hang up"
            );
            signal(left, &[Signal::KILL]);
            tokio::time::sleep(LOOK_FIRST).await;
        }
        // A launcher that has not come to its session is in none.
        let _ = self.shell.kill().await;
    }

    /// Reaped, and nobody left.
    async fn is_over(&mut self) -> bool {
        matches!(self.shell.try_wait(), Ok(Some(_)) | Err(_))
            && members(self.number).await.is_empty()
    }
}

fn code(status: ExitStatus) -> u8 {
    let signalled = || status.signal().map(|signal| signal.saturating_add(128));
    let code = status.code().or_else(signalled).unwrap_or(i32::from(u8::MAX));
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn signal(processes: HashSet<i32>, signals: &[Signal]) {
    for pid in processes.into_iter().filter_map(Pid::from_raw) {
        for signal in signals {
            // One that is gone already is as good as told.
            let _ = kill_process(pid, *signal);
        }
    }
}

/// The living processes of a session. Reading `/proc` is quick and still nothing for the reactor's thread.
async fn members(session: i32) -> HashSet<i32> {
    let found = tokio::task::spawn_blocking(move || {
        processes().filter(|pid| session_of(*pid) == Some(session)).collect()
    });
    found.await.unwrap_or_default()
}

/// Kills what terminals of agents that are gone left in its session; the kernel has hung up the rest.
pub(super) fn kill_orphans() {
    for pid in processes() {
        let Some(mark) = mark_of(pid) else { continue };
        let Some((agent, session)) = mark.split_once('/') else { continue };
        let (Ok(agent), Ok(session)) = (agent.parse::<u32>(), session.parse::<i32>()) else {
            continue;
        };
        let is_orphan = !PathBuf::from(format!("/proc/{agent}")).exists();
        if is_orphan && session_of(pid) == Some(session) {
            signal(HashSet::from([pid]), &[Signal::KILL]);
        }
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten();
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn session_of(pid: i32) -> Option<i32> {
    parse_session(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// proc(5): `pid (name) state ppid pgrp session …`; the name may hold anything. Zombies have ended.
fn parse_session(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    fields.nth(2)?.parse().ok().filter(|_| !has_ended)
}

fn mark_of(pid: i32) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables
        .find_map(|variable| variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_shells() {
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(15)), 128 + 15);
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse_the_session() {
        assert_eq!(parse_session("12 (a) S) R 1 12 34 0 -1"), Some(34));
        assert_eq!(parse_session("12 (a) Z 1 12 34 0 -1"), None);
        assert_eq!(parse_session("garbage"), None);
    }
}
