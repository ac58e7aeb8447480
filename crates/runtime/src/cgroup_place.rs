//! Where on this machine control groups may be made, and the tidying of those that were left behind.
//!
//! Invariants: a place is given only after a group could be made and limited there; other processes' groups
//! are never changed; groups of an agent that died are emptied and removed, but only those of our own process
//! namespace, because nobody can tell whether an agent elsewhere lives. Not here: groups of runs (`cgroup`).

use crate::cgroup::{Hierarchy, Version};
use crate::processes::namespace_of;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Rounds of emptying a runtime's groups, and the pause between them.
const REMOVE_ROUNDS: usize = 20;
const REMOVE_EVERY: Duration = Duration::from_millis(5);
/// Prefix of the groups we make; the agent's process number, a count, and the process namespace of that number follow.
const PREFIX: &str = "s4t-guests-";

/// Our places in the hierarchies that have these controllers, made and proven writable. Those of version 2 are one place,
/// because a process is in one group there.
pub(crate) fn hierarchies<const N: usize>(
    own: &str,
    mounts: &str,
    controllers: [&str; N],
) -> [Option<Hierarchy>; N] {
    let mut unified = None;
    controllers.map(|controller| {
        let (version, here) = locate(own, mounts, controller)?;
        let hierarchy = match (version, &unified) {
            (Version::V2, Some(base)) => Hierarchy::clone(base),
            _ => base(version, &here)?,
        };
        if version == Version::V2 {
            unified = Some(hierarchy.clone());
        }
        let is_usable = limits(&hierarchy, controller);
        if !is_usable && version == Version::V1 {
            let _ = fs::remove_dir(&hierarchy.dir);
        }
        is_usable.then_some(hierarchy)
    })
}

fn base(version: Version, here: &Path) -> Option<Hierarchy> {
    if version == Version::V2 {
        delegate(here).ok()?;
    }
    remove_stale(version, here, &namespace());
    let hierarchy = Hierarchy { version, dir: make_base(here).ok()? };
    if version == Version::V2 {
        let _ = hierarchy.write("cgroup.subtree_control", "+memory +pids");
        let _ = hierarchy.write("cgroup.subtree_control", "+cpu");
    }
    Some(hierarchy)
}

/// Whether groups made there can be limited.
fn limits(hierarchy: &Hierarchy, controller: &str) -> bool {
    let file = match (hierarchy.version, controller) {
        (Version::V1, "memory") => "memory.limit_in_bytes",
        (Version::V2, "memory") => "memory.max",
        (Version::V1, "cpu") => "cpu.cfs_quota_us",
        (Version::V2, "cpu") => "cpu.max",
        _ => "pids.max",
    };
    let Ok(probe) = hierarchy.child("probe") else { return false };
    let is_there = probe.dir.join(file).exists();
    let _ = fs::remove_dir(&probe.dir);
    is_there
}

/// Where the group of this process lies, in version 1 if `controller` is bound there, else in version 2.
fn locate(own: &str, mounts: &str, controller: &str) -> Option<(Version, PathBuf)> {
    let named = |list: &str| list.split(',').any(|name| name == controller);
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        if named(controllers) {
            let here = mounted(mounts, "cgroup", named, path)?;
            return Some((Version::V1, here));
        }
    }
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let here = mounted(mounts, "cgroup2", |_| true, path)?;
    let available = fs::read_to_string(here.join("cgroup.controllers")).unwrap_or_default();
    available.split_ascii_whitespace().any(|name| name == controller).then_some((Version::V2, here))
}

/// Translates a path in a hierarchy to one in the file system, by `/proc/self/mountinfo`.
fn mounted(
    mounts: &str,
    kind: &str,
    options_match: impl Fn(&str) -> bool,
    path: &str,
) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (fs_kind, options) = (right.next()?, right.nth(1)?);
        if fs_kind != kind || !options_match(options) {
            return None;
        }
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let inside = Path::new(path).strip_prefix(root).ok()?;
        Some(Path::new(point).join(inside))
    })
}

/// Version 2 lets a group have processes or controlled children, not both: move ourselves into a leaf.
/// Done only where nobody else would be affected.
fn delegate(here: &Path) -> io::Result<()> {
    let enabled = fs::read_to_string(here.join("cgroup.subtree_control"))?;
    let has = |name| enabled.split_ascii_whitespace().any(|word| word == name);
    if has("memory") && has("pids") {
        // Without it the others are limited all the same.
        let _ = fs::write(here.join("cgroup.subtree_control"), "+cpu");
        return Ok(());
    }
    if here.join("cgroup.type").exists() {
        let own = std::process::id().to_string();
        let alone = fs::read_to_string(here.join("cgroup.procs"))?.lines().all(|pid| pid == own);
        if !alone {
            return Err(io::Error::other("other processes share this control group"));
        }
        let leaf = here.join("agent");
        if !leaf.exists() {
            fs::create_dir(&leaf)?;
        }
        fs::write(leaf.join("cgroup.procs"), own)?;
    }
    let _ = fs::write(here.join("cgroup.subtree_control"), "+cpu");
    fs::write(here.join("cgroup.subtree_control"), "+memory +pids")
}

fn make_base(here: &Path) -> io::Result<PathBuf> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let dir = here.join(format!("{PREFIX}{}-{number}-{}", std::process::id(), namespace()));
    fs::create_dir(&dir)?;
    Ok(dir)
}

/// The number of the process namespace we are in; numbers of processes mean something only there.
fn namespace() -> String {
    namespace_of("self").unwrap_or_default()
}

/// Groups of agents of our `namespace` that died: their guests are killed too.
fn remove_stale(version: Version, here: &Path, namespace: &str) {
    for entry in fs::read_dir(here).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(words) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let [owner, _, at] = words.split('-').collect::<Vec<_>>()[..] else { continue };
        if at == namespace && !Path::new("/proc").join(owner).exists() {
            remove_base(version, &entry.path());
        }
    }
}

/// Empties and removes the groups of one runtime. Killed processes need a moment to leave theirs; what is
/// left after a short wait is removed at the next start.
pub(crate) fn remove_base(version: Version, base: &Path) {
    for _ in 0..REMOVE_ROUNDS {
        for group in groups_in(base) {
            // The group of all guests of others has groups of its own.
            groups_in(&group).into_iter().for_each(|run| end(version, run));
            end(version, group);
        }
        if fs::remove_dir(base).is_ok() || !base.exists() {
            return;
        }
        std::thread::sleep(REMOVE_EVERY);
    }
}

fn groups_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn end(version: Version, dir: PathBuf) {
    let group = Hierarchy { version, dir };
    group.kill();
    let _ = fs::remove_dir(&group.dir);
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1_MOUNTS: &str = "\
30 20 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 20 0:27 /docker/ab /sys/fs/cgroup/pids rw,relatime shared:4 - cgroup cgroup rw,pids";

    #[test]
    fn version_1_is_found_by_its_controller_and_mount_root() {
        let own = "8:pids:/docker/ab/x\n4:memory:/a/b\n0::/";
        let found = locate(own, V1_MOUNTS, "memory");
        assert_eq!(found, Some((Version::V1, "/sys/fs/cgroup/memory/a/b".into())));
        let found = locate(own, V1_MOUNTS, "pids");
        assert_eq!(found, Some((Version::V1, "/sys/fs/cgroup/pids/x".into())));
    }

    #[test]
    fn version_2_needs_the_controller_to_be_available() {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().join("system.slice/agent.service");
        fs::create_dir_all(&here).unwrap();
        fs::write(here.join("cgroup.controllers"), "cpu memory\n").unwrap();
        let mounts = format!("30 20 0:26 / {} rw - cgroup2 cgroup2 rw", root.path().display());
        let own = "0::/system.slice/agent.service\n";
        assert_eq!(locate(own, &mounts, "memory"), Some((Version::V2, here)));
        assert_eq!(locate(own, &mounts, "pids"), None);
    }

    #[test]
    fn garbage_in_proc_means_no_control_groups() {
        assert_eq!(locate("x\n1:2", "y - z", "memory"), None);
    }

    #[test]
    fn only_groups_of_dead_agents_of_our_own_namespace_are_removed() {
        let here = tempfile::tempdir().unwrap();
        let (ours, own) = (namespace(), std::process::id());
        assert!(!ours.is_empty());
        // The largest number of a process is below 2^22.
        let dead = format!("{PREFIX}4194305-0-{ours}");
        let kept = [
            format!("{PREFIX}{own}-0-{ours}"),
            format!("{PREFIX}4194305-0-1{ours}"),
            format!("{PREFIX}4194305-0"),
            "somebody-else".to_owned(),
        ];
        for name in kept.iter().chain([&dead]) {
            fs::create_dir(here.path().join(name)).unwrap();
        }
        remove_stale(Version::V2, here.path(), &ours);
        assert!(!here.path().join(&dead).exists());
        for name in &kept {
            assert!(here.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_group_shared_with_others_is_not_taken_over() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("cgroup.subtree_control"), "").unwrap();
        fs::write(here.path().join("cgroup.type"), "domain\n").unwrap();
        fs::write(here.path().join("cgroup.procs"), "1\n2\n").unwrap();
        assert!(delegate(here.path()).is_err());
    }
}
