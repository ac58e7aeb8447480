//! Which layers of confinement this machine gives; the board's record shows them.
//!
//! Invariant: a layer is reported present only when runs really get it. Not here: the layers themselves.

use crate::cgroup::{Cgroups, Version};
use crate::sandbox;
use serde::Serialize;

/// One layer of confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// A stable name: `process_group`, `rlimits`, `seccomp`, `memory`, …
    pub name: &'static str,
    /// Whether runs get it here.
    pub presence: Presence,
    /// By what means, or why it is missing.
    pub detail: String,
}

/// Whether a layer protects runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// The kernel enforces it.
    Enforced,
    /// The agent looks from time to time and kills what is over; a short burst may pass.
    Sampled,
    /// Not on this machine.
    Missing,
}

pub(crate) fn layers(cgroups: &Cgroups) -> Vec<Layer> {
    let always = |name, detail: &str| Layer {
        name,
        presence: Presence::Enforced,
        detail: detail.to_owned(),
    };
    vec![
        always("process_group", "own session, killed as a whole, dies with the agent"),
        always("environment", "clean environment, own working directory, no inherited files"),
        always(
            "rlimits",
            "cpu time, open files, file size, no core files; address space for Python",
        ),
        always("no_new_privs", "no program gains privileges"),
        seccomp(),
        Layer {
            name: "own_user",
            presence: Presence::Missing,
            detail: "plugins run as the user of the agent".to_owned(),
        },
        grouped("memory", cgroups.memory()),
        grouped("processes", cgroups.pids()),
        together(cgroups),
    ]
}

/// All of them or it is missing: a share of the processor is what no other layer gives.
fn together(cgroups: &Cgroups) -> Layer {
    let name = "guests_of_others_together";
    let (presence, detail) = match cgroups.cpu() {
        Some(Version::V1) => (Presence::Enforced, "control groups, version 1"),
        Some(Version::V2) => (Presence::Enforced, "control group, version 2"),
        None => (
            Presence::Missing,
            "no writable control group: a share of the processor is not enforced, and other caps hold for each run alone",
        ),
    };
    Layer { name, presence, detail: detail.to_owned() }
}

fn seccomp() -> Layer {
    let (presence, detail) = match sandbox::filter_architecture() {
        Some(_) => (Presence::Enforced, "system calls that no plugin needs are denied".to_owned()),
        None => {
            (Presence::Missing, format!("no filter for architecture {}", std::env::consts::ARCH))
        }
    };
    Layer { name: "seccomp", presence, detail }
}

fn grouped(name: &'static str, version: Option<Version>) -> Layer {
    let (presence, detail) = match version {
        Some(Version::V1) => (Presence::Enforced, "control group, version 1"),
        Some(Version::V2) => (Presence::Enforced, "control group, version 2"),
        None => (Presence::Sampled, "no writable control group: looked at every 250 ms"),
    };
    Layer { name, presence, detail: detail.to_owned() }
}
