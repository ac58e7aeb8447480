//! Load: what the machine and the agent use now.

use model::facts::Load;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Measures load; remembers the processor's counters between two reports.
#[derive(Debug)]
pub struct LoadMeter {
    home: PathBuf,
    before: Ticks,
}

/// The processor's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Ticks {
    busy: u64,
    all: u64,
}

/// How much of something there is, and how much is used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    pub(super) total: u64,
    pub(super) used: u64,
}

impl LoadMeter {
    /// A meter whose first reading covers the time since the machine started.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self { home: home.to_owned(), before: Ticks::default() }
    }

    /// The load now.
    pub fn read(&mut self, sensors: BTreeMap<String, f64>) -> Load {
        let now = parse_ticks(&read_to_string("/proc/stat").unwrap_or_default());
        let cpu = share(self.before, now);
        self.before = now;
        Load {
            uptime_s: first_number("/proc/uptime") as u64,
            load_1m: first_number("/proc/loadavg"),
            cpu,
            memory_used_bytes: memory().used,
            disk_used_bytes: disk(&self.home).used,
            temperature_c: processor_temperature(),
            sensors,
            agent_memory_bytes: status_kib("VmRSS:") * 1024,
        }
    }
}

fn share(before: Ticks, now: Ticks) -> f64 {
    let all = now.all.saturating_sub(before.all);
    if all == 0 { 0.0 } else { now.busy.saturating_sub(before.busy) as f64 / all as f64 }
}

/// `cpu user nice system idle iowait irq softirq steal …`, in ticks.
fn parse_ticks(stat: &str) -> Ticks {
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let numbers: Vec<u64> =
        line.split_ascii_whitespace().take(8).map(|n| n.parse().unwrap_or(0)).collect();
    let all: u64 = numbers.iter().sum();
    let idle: u64 = numbers.iter().skip(3).take(2).sum();
    Ticks { busy: all - idle, all }
}

pub(super) fn memory() -> Amount {
    let text = read_to_string("/proc/meminfo").unwrap_or_default();
    let total = kib(&text, "MemTotal:") * 1024;
    let available = kib(&text, "MemAvailable:") * 1024;
    Amount { total, used: total.saturating_sub(available) }
}

fn status_kib(key: &str) -> u64 {
    kib(&read_to_string("/proc/self/status").unwrap_or_default(), key)
}

fn kib(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_ascii_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

pub(super) fn disk(path: &Path) -> Amount {
    let Ok(found) = rustix::fs::statvfs(path) else { return Amount::default() };
    let total = found.f_blocks.saturating_mul(found.f_frsize);
    let free = found.f_bfree.saturating_mul(found.f_frsize);
    Amount { total, used: total.saturating_sub(free) }
}

fn processor_temperature() -> Option<f64> {
    let text = read_to_string("/sys/class/thermal/thermal_zone0/temp").ok()?;
    Some(f64::from(text.trim().parse::<i32>().ok()?) / 1000.0)
}

fn first_number(path: &str) -> f64 {
    let text = read_to_string(path).unwrap_or_default();
    text.split_ascii_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_time_since_the_last_reading() {
        let before = parse_ticks("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1");
        let now = parse_ticks("cpu  60 0 60 70 10 0 0 0 99 99\n");
        assert_eq!(before, Ticks { busy: 20, all: 100 });
        assert_eq!(share(before, now), 1.0);
        assert_eq!(share(now, now), 0.0);
        assert_eq!(parse_ticks("garbage"), Ticks::default());
    }

    #[test]
    fn this_machine_has_a_load() {
        let load = LoadMeter::new(Path::new("/")).read(BTreeMap::new());
        assert!(load.uptime_s > 0 && load.memory_used_bytes > 0 && load.agent_memory_bytes > 0);
        assert!((0.0..=1.0).contains(&load.cpu));
    }
}
