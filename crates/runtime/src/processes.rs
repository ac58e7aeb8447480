//! What /proc says about the processes of a guest.
//!
//! Invariant: a process that vanishes while it is looked at is simply not counted. Used where no control
//! group can be made: for sampling, and to find processes that left the guest's session (they still carry
//! the run's mark in their environment). A mark names an agent by its number, which means something only in one process
//! namespace, so those of containers on this machine are none of ours. Not here: any decision.

use rustix::process::{Pid, Signal};
use std::fs;
use std::path::Path;

/// Environment variable that marks every process of one run.
pub(crate) const RUN_MARK: &str = "S4T_RUN";

/// What a guest's session uses together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    pub(crate) processes: u32,
    pub(crate) resident_bytes: u64,
}

/// Sums up the processes of a session.
pub(crate) fn usage(session: i32) -> Usage {
    let mut usage = Usage::default();
    for pid in pids().filter(|pid| session_of(*pid) == Some(session)) {
        usage.processes += 1;
        usage.resident_bytes += resident_bytes(pid).unwrap_or(0);
    }
    usage
}

/// The processes of a session, and those that left it but still carry `mark`.
pub(crate) fn members(session: i32, mark: &str) -> Vec<i32> {
    let own = namespace_of("self");
    let belongs = |pid: i32| {
        session_of(pid) == Some(session)
            || (mark_of(pid).as_deref() == Some(mark) && namespace_of(&pid.to_string()) == own)
    };
    pids().filter(|pid| belongs(*pid)).collect()
}

/// Kills what agents that died left running outside the guests' sessions; the kernel killed the rest.
pub(crate) fn kill_orphans() {
    let Some(own) = namespace_of("self") else { return };
    let lives = |agent: &str| Path::new("/proc").join(agent).exists();
    for pid in pids() {
        let Some(mark) = mark_of(pid) else { continue };
        if namespace_of(&pid.to_string()).is_some_and(|at| is_orphan(&mark, &at, &own, lives)) {
            kill(pid);
        }
    }
}

/// Whether a process with this mark, in the namespace `at`, was left behind by an agent of ours.
fn is_orphan(mark: &str, at: &str, own: &str, lives: impl Fn(&str) -> bool) -> bool {
    let agent = mark.split('-').next().unwrap_or_default();
    at == own && agent.parse::<u32>().is_ok() && !lives(agent)
}

/// The number of the process namespace that a process is in.
pub(crate) fn namespace_of(process: &str) -> Option<String> {
    let link = fs::read_link(format!("/proc/{process}/ns/pid")).ok()?;
    Some(link.to_string_lossy().chars().filter(char::is_ascii_digit).collect())
}

/// Sends a kill; a process that is gone already is as good as killed.
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// Sends `signal` to a whole process group.
pub(crate) fn signal_group(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Zombies count for nobody: they use nothing and wait for their parent.
fn session_of(pid: i32) -> Option<i32> {
    parse_session(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid pgrp session …`; the name may contain anything, so count from the last `)`.
fn parse_session(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(2)?.parse().ok()
}

/// Memory of its own: file pages are shared with every process that runs the same interpreter.
fn resident_bytes(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
    let own = |line: &&str| line.starts_with("RssAnon:") || line.starts_with("RssShmem:");
    Some(status.lines().filter(own).filter_map(kilobytes).sum::<u64>() * 1024)
}

/// The run that a process says it belongs to.
fn mark_of(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables
        .find_map(|variable| variable.strip_prefix(RUN_MARK.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_does_not_confuse_the_session() {
        assert_eq!(parse_session("12 (a) S) R 1 12 34 0 -1"), Some(34));
        assert_eq!(parse_session("12 (a) Z 1 12 34 0 -1"), None);
        assert_eq!(parse_session("garbage"), None);
    }

    #[test]
    fn only_a_dead_agent_of_the_same_namespace_leaves_orphans() {
        let lives = |agent: &str| agent == "7";
        assert!(is_orphan("12-3", "4026531836", "4026531836", lives));
        assert!(!is_orphan("7-3", "4026531836", "4026531836", lives), "its agent lives");
        assert!(!is_orphan("12-3", "4026532207", "4026531836", lives), "it is a container's");
        assert!(!is_orphan("x", "4026531836", "4026531836", lives), "no mark of ours");
    }

    #[test]
    fn processes_of_one_namespace_know_each_other_by_it() {
        let own = namespace_of("self").unwrap();
        assert!(own.parse::<u64>().is_ok(), "{own}");
        assert_eq!(namespace_of(&std::process::id().to_string()), Some(own));
        assert_eq!(namespace_of("4194305"), None, "the largest number of a process is below");
    }

    #[test]
    fn this_process_is_found_by_its_session() {
        let session = session_of(std::process::id().try_into().unwrap()).unwrap();
        let usage = usage(session);
        assert!(usage.processes >= 1 && usage.resident_bytes > 0, "{usage:?}");
    }
}
