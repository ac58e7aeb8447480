//! The launcher: the agent's binary started again with a hidden argument, which confines itself and
//! then becomes the interpreter.
//!
//! Doing this in a fresh process instead of between fork and exec keeps every step ordinary safe Rust.
//! Invariant: the interpreter is executed only after every step succeeded; a step that fails is reported
//! on the channel, so that the agent says why. Not here: what the limits are (`LaunchSpec`).

use crate::launch_spec::{GUEST_EXEC, LaunchSpec};
use crate::sandbox;
use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Exit code of a launcher that could not start the interpreter.
const LAUNCH_FAILED: i32 = 125;

/// Call this first in `main`, before any thread or reactor exists: returns at once unless this process was
/// started as the launcher, and then never.
pub fn run_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().as_deref() != Some(OsStr::new(GUEST_EXEC)) {
        return;
    }
    let spec = args.next().unwrap_or_default();
    match sandbox::take_channel() {
        Ok(channel) => report(channel, &become_guest(&spec.to_string_lossy())),
        Err(error) => report(std::io::stdin(), &format!("take the channel: {error}")),
    }
    std::process::exit(LAUNCH_FAILED);
}

/// Returns only with the reason why it failed.
fn become_guest(spec: &str) -> String {
    let spec: LaunchSpec = match serde_json::from_str(spec) {
        Ok(spec) => spec,
        Err(error) => return format!("{GUEST_EXEC} is started by the agent only: {error}"),
    };
    if let Err(reason) = confine(&spec) {
        return reason;
    }
    let error = Command::new(&spec.program)
        .args(&spec.args)
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .exec();
    format!("execute {}: {error}", spec.program.display())
}

fn confine(spec: &LaunchSpec) -> Result<(), String> {
    sandbox::own_session().map_err(step("make a session"))?;
    sandbox::die_with_parent(spec.parent).map_err(step("arm the death signal"))?;
    for procs in &spec.cgroup_procs {
        std::fs::write(procs, "0").map_err(step("join the control group"))?;
    }
    std::env::set_current_dir(&spec.dir).map_err(step("enter the working directory"))?;
    sandbox::private_umask();
    sandbox::limit_resources(&spec.rlimits).map_err(step("set resource limits"))?;
    sandbox::give_up_privileges().map_err(step("give up privileges"))?;
    sandbox::filter_system_calls().map_err(step("filter system calls"))
}

fn step<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

/// A frame like the runners write, so that the agent hears the reason.
fn report(channel: impl AsFd, reason: &str) {
    let message = serde_json::json!({ "launch": reason }).to_string();
    let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
    let frame = [length.as_slice(), message.as_bytes()].concat();
    if sandbox::write_all(channel, &frame).is_err() {
        let _ = writeln!(std::io::stderr(), "{reason}");
    }
}
