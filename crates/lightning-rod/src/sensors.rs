//! What the board senses: the machine's own sensors, or invented ones for trying things out.
//!
//! Invariant: reading never fails; a sensor that gives no value now is left out of the answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most sensors that are read.
const MAX_SENSORS: usize = 64;

/// A set of sensors.
pub trait Sensors: Send + Sync + 'static {
    /// Their names.
    fn names(&self) -> Vec<String>;
    /// Their values now, by name.
    fn read(&self) -> BTreeMap<String, f64>;
}

/// The sensors the settings ask for.
#[must_use]
pub fn sensors(settings: &crate::settings::Sensors, seed: u64) -> Arc<dyn Sensors> {
    if settings.simulated {
        Arc::new(Simulated::new(seed))
    } else {
        Arc::new(Host::find(Path::new("/sys")))
    }
}

/// The machine's thermal zones and temperature inputs, in degrees Celsius.
#[derive(Debug)]
pub struct Host {
    inputs: BTreeMap<String, PathBuf>,
}

impl Host {
    /// Looks for sensors below `sys`, which is `/sys` but in tests.
    #[must_use]
    pub fn find(sys: &Path) -> Self {
        let mut inputs = BTreeMap::new();
        for zone in entries(&sys.join("class/thermal"), "thermal_zone") {
            insert(&mut inputs, &word(&zone.join("type"), "zone"), zone.join("temp"));
        }
        for chip in entries(&sys.join("class/hwmon"), "hwmon") {
            let name = word(&chip.join("name"), "hwmon");
            for input in entries(&chip, "temp").into_iter().filter(|path| is_input(path)) {
                insert(&mut inputs, &name, input);
            }
        }
        Self { inputs }
    }
}

impl Sensors for Host {
    fn names(&self) -> Vec<String> {
        self.inputs.keys().cloned().collect()
    }

    fn read(&self) -> BTreeMap<String, f64> {
        let value = |path: &PathBuf| Some(f64::from(read_number(path)?) / 1000.0);
        self.inputs.iter().filter_map(|(name, path)| Some((name.clone(), value(path)?))).collect()
    }
}

fn entries(dir: &Path, start: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = found
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn is_input(path: &Path) -> bool {
    path.to_string_lossy().ends_with("_input")
}

fn insert(inputs: &mut BTreeMap<String, PathBuf>, name: &str, path: PathBuf) {
    let numbered = (1..).map(|n| if n == 1 { name.to_owned() } else { format!("{name}_{n}") });
    let free = numbered.take(MAX_SENSORS).find(|name| !inputs.contains_key(name));
    if let Some(name) = free.filter(|_| inputs.len() < MAX_SENSORS) {
        inputs.insert(name, path);
    }
}

/// The file's text as one lower-case word.
fn word(path: &Path, otherwise: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let word: String = text.trim().chars().take(32).map(clean).collect();
    if word.is_empty() { otherwise.to_owned() } else { word }
}

fn read_number(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Slow plausible waves, different from board to board and the same for the same moment.
#[derive(Debug)]
pub struct Simulated {
    phase: f64,
}

/// Name, middle, swing, period in seconds.
const WAVES: [(&str, f64, f64, f64); 5] = [
    ("temperature", 21.0, 4.0, 3600.0),
    ("humidity", 55.0, 12.0, 5400.0),
    ("pressure", 1013.0, 6.0, 21_600.0),
    ("light", 400.0, 350.0, 7200.0),
    ("co2", 520.0, 90.0, 1800.0),
];

impl Simulated {
    /// `seed` tells one board's waves from another's.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { phase: (seed % 1000) as f64 / 1000.0 * std::f64::consts::TAU }
    }

    fn at(&self, seconds: f64) -> BTreeMap<String, f64> {
        let value = |middle: f64, swing: f64, period: f64| {
            let turn = seconds / period * std::f64::consts::TAU + self.phase;
            // A faster ripple on the slow wave, so that neighbouring readings differ.
            let wave = 0.9 * turn.sin() + 0.1 * (turn * 37.0).sin();
            ((middle + swing * wave) * 100.0).round() / 100.0
        };
        WAVES.iter().map(|(name, m, s, p)| ((*name).to_owned(), value(*m, *s, *p))).collect()
    }
}

impl Sensors for Simulated {
    fn names(&self) -> Vec<String> {
        WAVES.iter().map(|(name, ..)| (*name).to_owned()).collect()
    }

    fn read(&self) -> BTreeMap<String, f64> {
        let micros = base::clock::Clock::unix_micros(&base::clock::SystemClock);
        self.at(micros as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thermal_zones_and_chips_are_found_and_read() {
        let sys = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = sys.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("class/thermal/thermal_zone0/type", "cpu-thermal\n");
        file("class/thermal/thermal_zone0/temp", "48250\n");
        file("class/thermal/thermal_zone1/type", "cpu-thermal\n");
        file("class/thermal/thermal_zone1/temp", "garbage");
        file("class/hwmon/hwmon0/name", "nvme");
        file("class/hwmon/hwmon0/temp1_input", "-1000");
        let host = Host::find(sys.path());
        assert_eq!(host.names(), ["cpu_thermal", "cpu_thermal_2", "nvme"]);
        let values = host.read();
        assert_eq!(values["cpu_thermal"], 48.25);
        assert_eq!(values["nvme"], -1.0);
        assert!(!values.contains_key("cpu_thermal_2"));
    }

    #[test]
    fn simulated_values_stay_plausible_and_differ_between_boards() {
        let (one, two) = (Simulated::new(1), Simulated::new(500));
        assert_ne!(one.at(1000.0), two.at(1000.0));
        for second in 0..1000 {
            for (name, middle, swing, _) in WAVES {
                let value = one.at(f64::from(second) * 60.0)[name];
                assert!((value - middle).abs() <= swing + 0.01, "{name} {value}");
            }
        }
    }

    #[test]
    fn a_machine_without_sensors_has_none() {
        assert!(Host::find(Path::new("/nonexistent")).read().is_empty());
    }
}
