//! The limits over all processes of one run, and the killing of all of them.
//!
//! Invariant: after [`Cage::clear`] no process of the run is left, whatever session it moved to (as long
//! as it kept its environment where no control group holds it). Not here: limits of single processes
//! (`sandbox`), the decision that a run is over (`process`).

use crate::cgroup::{Cgroups, Group};
use crate::failure::Failure;
use crate::guest::{Language, Limits};
use crate::processes;
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// How often a run is looked at.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// How long killed processes may take to leave the control group.
const CLEAR_WITHIN: Duration = Duration::from_secs(2);
/// Pause between two looks at a group that is being cleared.
const CLEAR_EVERY: Duration = Duration::from_millis(2);
/// Rounds of killing by /proc; each catches what the round before forked.
const KILL_ROUNDS: usize = 4;

/// Holds one run.
#[derive(Debug)]
pub(crate) struct Cage {
    group: Group,
    /// Session and process group of the guest: its first process.
    session: i32,
    mark: String,
    limits: Limits,
    sampled: Sampled,
}

/// Which limits the kernel does not enforce here.
#[derive(Debug, Clone, Copy)]
struct Sampled {
    memory: bool,
    processes: bool,
}

impl Cage {
    /// Made before the process exists; [`Cage::hold`] names the process.
    pub(crate) fn new(
        cgroups: &Cgroups,
        mark: String,
        limits: &Limits,
        language: Language,
    ) -> Result<Self, Failure> {
        // The kernel stops a bomb at this many tasks at once; the count of processes is looked at.
        let tasks = limits.processes.saturating_mul(language.threads_per_process());
        let group = cgroups
            .group(limits.memory_bytes, tasks, limits.whose)
            .map_err(|error| Failure::launch(format!("make a control group: {error}")))?;
        let sampled =
            Sampled { memory: cgroups.memory().is_none(), processes: cgroups.pids().is_none() };
        Ok(Self { group, session: 0, mark, limits: limits.clone(), sampled })
    }

    pub(crate) fn hold(&mut self, pid: i32) {
        self.session = pid;
    }

    pub(crate) fn procs_files(&self) -> Vec<PathBuf> {
        self.group.procs_files()
    }

    /// The limit that the run is over now, if any.
    pub(crate) fn over(&self) -> Option<Failure> {
        let memory = Failure::Memory { limit: self.limits.memory_bytes };
        let processes = Failure::Processes { limit: self.limits.processes };
        if self.group.ran_out_of_memory() {
            return Some(memory);
        }
        let within = usize::try_from(self.limits.processes).unwrap_or(usize::MAX);
        if self.group.ran_out_of_tasks() || self.group.processes().is_some_and(|now| now > within) {
            return Some(processes);
        }
        if !self.sampled.memory && !self.sampled.processes {
            return None;
        }
        let usage = processes::usage(self.session);
        // Too many processes also need much memory, so they are looked at first.
        if usage.processes > self.limits.processes {
            return Some(processes);
        }
        (usage.resident_bytes > self.limits.memory_bytes).then_some(memory)
    }

    /// Asks all processes to end.
    pub(crate) fn terminate(&self) {
        if self.session > 0 {
            processes::signal_group(self.session, Signal::TERM);
        }
    }

    /// Kills all processes now.
    pub(crate) fn kill(&self) {
        self.group.kill();
        if self.session <= 0 {
            return;
        }
        processes::signal_group(self.session, Signal::KILL);
        if self.group.processes().is_some() {
            return;
        }
        for _ in 0..KILL_ROUNDS {
            let left = processes::members(self.session, &self.mark);
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(processes::kill);
        }
    }

    /// Kills, waits until all are gone, and removes the control group.
    pub(crate) async fn clear(&self) {
        let deadline = tokio::time::Instant::now() + CLEAR_WITHIN;
        self.kill();
        while !(self.group.is_empty() && self.group.remove()) {
            if tokio::time::Instant::now() > deadline {
                tracing::warn!(session = self.session, "processes of a guest do not end");
                return;
            }
            tokio::time::sleep(CLEAR_EVERY).await;
            self.group.kill();
        }
    }
}
