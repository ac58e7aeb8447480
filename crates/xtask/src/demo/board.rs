//! A board of the demo: a real `lightning-rod` with simulated sensors.
//!
//! Invariant: its home is its own; it knows of the cloud only what its claim says. Deliberately not here: making claims.

use super::scene::Scene;
use crate::command::{Fallible, capture};
use crate::process::Process;

/// The three of them.
pub(super) const NAMES: [&str; 3] = ["harbour", "market", "station"];

/// Presents the claim and makes the board's key.
pub(super) fn enrol(scene: &Scene, name: &str, claim: &str) -> Fallible<()> {
    let mut command = scene.program("lightning-rod");
    command.arg("enrol").arg("--home").arg(scene.board_home(name)).args(["--claim", claim]);
    capture(&mut command).map(drop)
}

/// Starts the agent.
pub(super) fn start(scene: &Scene, name: &str) -> Fallible<Process> {
    let mut command = scene.program("lightning-rod");
    command.arg("run").arg("--home").arg(scene.board_home(name));
    command.env("LIGHTNING_ROD__SENSORS__SIMULATED", "true");
    Process::start(name, &mut command, scene.folder())
}
