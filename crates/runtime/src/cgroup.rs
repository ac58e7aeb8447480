//! Control groups for guests, version 1 and 2, without any library: they are files.
//!
//! Invariants: groups are made only below the group this process is in; a group is removed when its run
//! ends. Not here: where on this machine groups may be made (`cgroup_place`), whether a limit that was met
//! ends the run (`cage`).

use crate::cgroup_place::{hierarchies, remove_base};
use crate::share::{Share, Whose};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rounds of killing before a group is given up as stuck in the kernel.
const KILL_ROUNDS: usize = 8;
/// The group below which all guests of others run.
const LENT: &str = "lent";
/// The processor is shared out in slices of this many microseconds.
const PERIOD_US: u64 = 100_000;
/// The kernel counts threads; Node starts about ten before the first line of a plugin.
const TASKS_PER_PROCESS: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A directory of one hierarchy in which we may make groups.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    pub(crate) dir: PathBuf,
}

/// What this machine lets us do with control groups.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    memory: Option<Hierarchy>,
    pids: Option<Hierarchy>,
    cpu: Option<Hierarchy>,
    made: AtomicU64,
}

impl Cgroups {
    /// Nothing: every group-wide limit is sampled.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Looks for writable controllers below the group this process is in.
    pub(crate) fn detect() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let [memory, pids, cpu] = hierarchies(&own, &mounts, ["memory", "pids", "cpu"]);
        Self { memory, pids, cpu, made: AtomicU64::new(0) }
    }

    pub(crate) fn memory(&self) -> Option<Version> {
        self.memory.as_ref().map(|hierarchy| hierarchy.version)
    }

    pub(crate) fn pids(&self) -> Option<Version> {
        self.pids.as_ref().map(|hierarchy| hierarchy.version)
    }

    pub(crate) fn cpu(&self) -> Option<Version> {
        self.cpu.as_ref().map(|hierarchy| hierarchy.version)
    }

    /// Makes the group of one run.
    pub(crate) fn group(&self, memory_bytes: u64, tasks: u32, whose: Whose) -> io::Result<Group> {
        let name = format!("run-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let child = |of: &Option<Hierarchy>| match (of, whose) {
            (None, _) => Ok(None),
            (Some(base), Whose::Own) => base.child(&name).map(Some),
            (Some(base), Whose::Lent) => base.lent()?.child(&name).map(Some),
        };
        let cpu = match whose {
            Whose::Own => None,
            Whose::Lent => child(&self.cpu)?,
        };
        let group = Group { memory: child(&self.memory)?, pids: child(&self.pids)?, cpu };
        group.limit(memory_bytes, tasks)?;
        Ok(group)
    }

    /// Bounds all guests of others together, those that run as well as later ones.
    pub(crate) fn share(&self, share: &Share) -> io::Result<()> {
        if let Some(base) = &self.cpu {
            base.lent()?.share_processor(share.cpu_percent)?;
        }
        if let Some(base) = &self.pids {
            let tasks = share.processes.map(|most| most.saturating_mul(TASKS_PER_PROCESS));
            base.lent()?
                .write("pids.max", tasks.map_or_else(|| "max".into(), |n| n.to_string()))?;
        }
        match &self.memory {
            Some(base) => base.lent()?.share_memory(share.memory_bytes),
            None => Ok(()),
        }
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for hierarchy in self.memory.iter().chain(&self.pids).chain(&self.cpu) {
            remove_base(hierarchy.version, &hierarchy.dir);
        }
    }
}

impl Hierarchy {
    pub(crate) fn child(&self, name: &str) -> io::Result<Self> {
        let dir = self.dir.join(name);
        match fs::create_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Self { version: self.version, dir }),
        }
    }

    pub(crate) fn write(&self, file: &str, value: impl ToString) -> io::Result<()> {
        fs::write(self.dir.join(file), value.to_string())
    }

    /// The group of all guests of others, made when it is first asked for.
    fn lent(&self) -> io::Result<Self> {
        let lent = self.child(LENT)?;
        if self.version == Version::V2 {
            // One by one: a controller that is not there must not keep the others away.
            for controller in ["+memory", "+pids", "+cpu"] {
                let _ = lent.write("cgroup.subtree_control", controller);
            }
        }
        Ok(lent)
    }

    /// Of one core, in hundredths; without a number as much as there is.
    fn share_processor(&self, percent: Option<u32>) -> io::Result<()> {
        let quota = percent.map(|percent| u64::from(percent).saturating_mul(PERIOD_US / 100));
        match self.version {
            Version::V1 => {
                self.write("cpu.cfs_period_us", PERIOD_US)?;
                let quota = quota.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
                self.write("cpu.cfs_quota_us", quota)
            }
            Version::V2 => {
                let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
                self.write("cpu.max", format!("{quota} {PERIOD_US}"))
            }
        }
    }

    fn share_memory(&self, bytes: Option<u64>) -> io::Result<()> {
        let (most, file, swap) = match self.version {
            Version::V1 => ("-1", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
            Version::V2 => ("max", "memory.max", "memory.swap.max"),
        };
        let value = bytes.map_or_else(|| most.to_owned(), |bytes| bytes.to_string());
        if self.version == Version::V2 {
            let _ = self.write(swap, if bytes.is_some() { "0" } else { most });
            return self.write(file, value);
        }
        // The limit with swap is never below the one without: what grows is raised first. Absent where swap is not accounted.
        let _ = self.write(swap, &value);
        let done = self.write(file, &value);
        let _ = self.write(swap, &value);
        done
    }

    /// A counter in a file of `key value` lines.
    fn counter(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn members(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

/// The control group of one run; removed by [`Group::remove`].
#[derive(Debug)]
pub(crate) struct Group {
    memory: Option<Hierarchy>,
    pids: Option<Hierarchy>,
    /// Of guests of others only.
    cpu: Option<Hierarchy>,
}

impl Group {
    fn limit(&self, memory_bytes: u64, tasks: u32) -> io::Result<()> {
        if let Some(memory) = &self.memory {
            match memory.version {
                Version::V1 => {
                    memory.write("memory.limit_in_bytes", memory_bytes)?;
                    // Absent where swap is not accounted.
                    let _ = memory.write("memory.memsw.limit_in_bytes", memory_bytes);
                }
                Version::V2 => {
                    memory.write("memory.max", memory_bytes)?;
                    let _ = memory.write("memory.swap.max", 0);
                    let _ = memory.write("memory.oom.group", 1);
                }
            }
        }
        self.pids.as_ref().map_or(Ok(()), |pids| pids.write("pids.max", tasks))
    }

    /// Files by which a process joins.
    pub(crate) fn procs_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.each().map(|group| group.dir.join("cgroup.procs")).collect();
        files.dedup();
        files
    }

    /// Whether the kernel killed for memory here.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.memory.as_ref().is_some_and(|memory| {
            let file = match memory.version {
                Version::V1 => "memory.oom_control",
                Version::V2 => "memory.events",
            };
            memory.counter(file, "oom_kill") > 0
        })
    }

    /// Whether a fork was refused here.
    pub(crate) fn ran_out_of_tasks(&self) -> bool {
        self.pids.as_ref().is_some_and(|pids| pids.counter("pids.events", "max") > 0)
    }

    /// Processes here now; `None` without a group.
    pub(crate) fn processes(&self) -> Option<usize> {
        self.each().next().map(|group| group.members().len())
    }

    /// Kills everything inside, forks that race with it included.
    pub(crate) fn kill(&self) {
        if let Some(pids) = &self.pids {
            let _ = pids.write("pids.max", 0);
        }
        for group in self.each() {
            group.kill();
        }
    }

    /// Whether all are gone and reaped.
    pub(crate) fn is_empty(&self) -> bool {
        self.each().all(|group| group.members().is_empty())
    }

    /// Removes the directories; says whether that worked.
    pub(crate) fn remove(&self) -> bool {
        self.each().all(|group| fs::remove_dir(&group.dir).is_ok() || !group.dir.exists())
    }

    fn each(&self) -> impl Iterator<Item = &Hierarchy> {
        self.memory.iter().chain(&self.pids).chain(&self.cpu)
    }
}

impl Hierarchy {
    pub(crate) fn kill(&self) {
        if self.version == Version::V2 && self.write("cgroup.kill", 1).is_ok() {
            return;
        }
        for _ in 0..KILL_ROUNDS {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            members.into_iter().for_each(crate::processes::kill);
        }
    }
}
