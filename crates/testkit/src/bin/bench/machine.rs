//! The machine, the moment and the load under which a run stands.
//!
//! Invariant: read when the run begins and when it ends, so that a page shows if others were at work meanwhile.

use model::Timestamp;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a reader must know of where the figures come from.
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: f64,
    kernel: String,
    began: Timestamp,
    load: String,
}

impl Machine {
    /// As it is now.
    pub(crate) fn look() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            memory_gib: memory_gib(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            began: Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap_or(0)),
            load: load(),
        }
    }

    /// A paragraph.
    pub(crate) fn described(&self, took: Duration) -> String {
        let Self { cores, processor, memory_gib, kernel, began, load: before } = self;
        format!(
            "Taken {began} in {:.0} s on {cores} cores ({processor}), {memory_gib:.0} GiB, Linux {kernel}.\n\
             Load average of the machine (1, 5, 15 minutes) when the run began: {before}; when it ended: {}.\n",
            took.as_secs_f64(),
            load(),
        )
    }
}

fn line(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let found = text.lines().find(|line| line.starts_with(name))?;
    Some(found.split_once(':')?.1.trim().to_owned())
}

fn memory_gib() -> f64 {
    let kib = line("/proc/meminfo", "MemTotal").unwrap_or_default();
    let number = kib.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    number.unwrap_or(0.0) / f64::from(1 << 20)
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}
