//! What the board says about itself: facts, which seldom change, and load, which always does.
//!
//! Everything comes from `/proc`, `/sys` and a few system calls of Linux; nothing assumes an architecture. Invariant:
//! gathering never fails and starts no process; what cannot be known stays empty.

mod load;
pub mod network;

pub use load::LoadMeter;

use crate::settings::Settings;
use model::facts::{Facts, Link};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Longest text taken from a file.
const MAX_TEXT: usize = 200;

/// Gathers facts. `local` is the board's own address on the way to the cloud.
#[must_use]
pub fn facts(
    settings: &Settings,
    home: &Path,
    local: Option<IpAddr>,
    sandbox: Vec<String>,
    sensors: Vec<String>,
) -> Facts {
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    Facts {
        hostname: text(system.nodename()),
        model: machine_model(),
        architecture: text(system.machine()),
        system: operating_system(),
        kernel: text(system.release()),
        processors: processors(),
        memory_bytes: load::memory().total,
        disk_bytes: load::disk(home).total,
        link: local.and_then(network::link_of),
        position: settings.position,
        sandbox,
        interpreters: interpreters(settings),
        sensors,
    }
}

/// The host name alone, for enrolment.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Upstream's description of the link.
#[must_use]
pub fn connectivity(link: Option<&Link>) -> BTreeMap<String, String> {
    let Some(link) = link else { return BTreeMap::new() };
    let pairs = [("iface", &link.interface), ("local_ip", &link.address), ("mac", &link.mac)];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// The device tree's model on boards, the vendor's words on PCs.
fn machine_model() -> String {
    let first = |path: &str| Some(clean(&read_to_string(path).ok()?)).filter(|s| !s.is_empty());
    first("/proc/device-tree/model")
        .or_else(|| {
            let vendor = first("/sys/class/dmi/id/sys_vendor")?;
            Some(format!("{vendor} {}", first("/sys/class/dmi/id/product_name")?))
        })
        .unwrap_or_default()
}

fn operating_system() -> String {
    let text = read_to_string("/etc/os-release")
        .or_else(|_| read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    pretty_name(&text)
}

fn pretty_name(os_release: &str) -> String {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    clean(value.unwrap_or("Linux").trim_matches(['"', '\'']))
}

fn clean(text: &str) -> String {
    let visible = text.trim_matches(['\0', '\n', ' ']).chars().filter(|c| !c.is_control());
    visible.take(MAX_TEXT).collect()
}

fn interpreters(settings: &Settings) -> BTreeMap<String, String> {
    [("python", &settings.runtime.python), ("node", &settings.runtime.node)]
        .into_iter()
        .filter_map(|(language, program)| {
            Some((language.to_owned(), look_up(program)?.display().to_string()))
        })
        .collect()
}

fn look_up(program: &str) -> Option<PathBuf> {
    let is_executable = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(is_executable);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(is_executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_a_processor_and_memory() {
        let local = Some(IpAddr::from([127, 0, 0, 1]));
        let facts = facts(&Settings::default(), Path::new("/"), local, vec![], vec![]);
        assert!(!facts.kernel.is_empty() && !facts.architecture.is_empty());
        assert!(facts.processors > 0 && facts.memory_bytes > 0 && facts.disk_bytes > 0);
        assert_eq!(facts.link.unwrap().interface, "lo");
    }

    #[test]
    fn texts_of_the_machine_are_cleaned() {
        assert_eq!(clean("Raspberry Pi 4 Model B\0"), "Raspberry Pi 4 Model B");
        assert_eq!(pretty_name("ID=x\nPRETTY_NAME=\"Debian 12\"\n"), "Debian 12");
        assert_eq!(pretty_name(""), "Linux");
    }
}
