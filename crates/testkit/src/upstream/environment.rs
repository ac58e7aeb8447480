//! The environments in which the packages run: made once for each list of pins, kept in the cache.
//!
//! Invariants: an environment is used only when its mark says that it is complete, and made by one process at a time
//! (others wait at the lock). It is made where it stays, because the programs in it know their own path.

use std::fs::{File, OpenOptions};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Pins that every Python environment has: old packages are built with them, and the board agent wants a pip that
/// still carries `pkg_resources`.
const BASE: &str = "pip==23.2.1 setuptools==65.5.0 wheel==0.45.1 pbr==7.1.3";
/// Packages that the build of others loads without saying so; those of them that have a pin come first.
const BUILDERS: [&str; 3] = ["cffi", "numpy", "pycparser"];
/// The Python for which the pins were found.
const PYTHON: &str = "3.11";
/// Longest time one step of making an environment may take.
const STEP_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Between two looks at a step.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of an installer's output that a failure shows.
const LAST_WORDS: usize = 4000;

/// Where environments are kept: `$S4T_CACHE`, or `~/.cache/s4t-tests`.
#[must_use]
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into()));
    std::env::var_os("S4T_CACHE").map_or_else(|| home().join(".cache/s4t-tests"), PathBuf::from)
}

/// A folder of the tree's `crates/testkit/upstream/`.
pub(super) fn material(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream").join(name)
}

/// A Python environment with the pins of `crates/testkit/upstream/<name>.txt`.
pub(super) fn python(name: &str) -> PathBuf {
    let pins = material(&format!("{name}.txt"));
    let text = std::fs::read_to_string(&pins).unwrap();
    once(name, &[&text, BASE, PYTHON], |folder, log| {
        run(log, Command::new(find_python()).args(["-m", "venv"]).arg(folder));
        let pip = || {
            let mut command = Command::new(folder.join("bin/python"));
            command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            command
        };
        run(log, pip().args(BASE.split(' ')));
        let builders = builders(&text);
        if !builders.is_empty() {
            run(log, pip().arg("--no-deps").args(builders));
        }
        run(log, pip().args(["--no-deps", "--no-build-isolation", "-r"]).arg(&pins));
    })
}

/// The pins of [`BUILDERS`].
fn builders(pins: &str) -> Vec<&str> {
    let is_builder = |line: &&str| {
        line.split_once("==").is_some_and(|(name, _)| BUILDERS.contains(&name.trim()))
    };
    pins.lines().map(str::trim).filter(is_builder).collect()
}

/// A folder with the npm packages of `crates/testkit/upstream/<name>.txt` in its `node_modules`.
pub(super) fn node(name: &str) -> PathBuf {
    let pins = std::fs::read_to_string(material(&format!("{name}.txt"))).unwrap();
    once(name, &[&pins], |folder, log| {
        std::fs::create_dir_all(folder).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
        npm.arg("--prefix").arg(folder);
        run(log, npm.args(pins.lines().filter(|line| !line.starts_with('#'))));
    })
}

/// The WAMP vectors that everybody may use; the sources of a Python package carry them.
pub(super) fn vectors() -> PathBuf {
    const SOURCES: &str = "autobahn==26.10.2";
    let folder = once("wamp-vectors", &[SOURCES], |folder, log| {
        std::fs::create_dir_all(folder).unwrap();
        let mut pip = Command::new(python("crossbar").join("bin/python"));
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        run(log, pip.args(["--no-binary", ":all:", "--dest"]).arg(folder).arg(SOURCES));
        let archive = folder.join(SOURCES.replace("==", "-") + ".tar.gz");
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(archive).arg("-C").arg(folder).args(["--strip-components", "1"]);
        run(log, tar.args(["--wildcards", "*/.proto/testsuite/*"]));
    });
    folder.join(".proto/testsuite")
}

/// Makes the environment unless a complete one is there.
fn once(name: &str, inputs: &[&str], make: impl FnOnce(&Path, &Path)) -> PathBuf {
    let mut hasher = std::hash::DefaultHasher::new();
    inputs.hash(&mut hasher);
    let folder = cache().join(format!("upstream-{name}-{:016x}", hasher.finish()));
    let mark = folder.join("complete");
    if mark.exists() {
        return folder;
    }
    std::fs::create_dir_all(cache()).unwrap();
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !mark.exists() {
        let (start, log) = (Instant::now(), folder.with_extension("log"));
        eprintln!(
            "upstream: making {} once; this takes minutes, see {}",
            folder.display(),
            log.display()
        );
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::remove_file(&log);
        make(&folder, &log);
        std::fs::write(&mark, "").unwrap();
        eprintln!("upstream: {name} is there after {} s", start.elapsed().as_secs());
    }
    folder
}

fn run(log: &Path, command: &mut Command) {
    let file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    let error = file.try_clone().unwrap();
    let child = command.stdin(Stdio::null()).stdout(file).stderr(error).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let deadline = Instant::now() + STEP_DEADLINE;
    let said = || {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text[text.ceil_char_boundary(text.len().saturating_sub(LAST_WORDS))..].to_owned()
    };
    loop {
        match child.try_wait().unwrap() {
            Some(status) if status.success() => return,
            Some(status) => panic!("{command:?} ended with {status}:\n{}", said()),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                panic!("{command:?} took longer than {} s:\n{}", STEP_DEADLINE.as_secs(), said());
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// The path of a Python of the wanted version that can make environments.
fn find_python() -> PathBuf {
    let named = std::env::var("S4T_PYTHON").ok();
    let candidates = named.iter().map(String::as_str).chain(["python3.11", "python3"]);
    let question = "import ensurepip, sys; print(sys.executable, '%d.%d' % sys.version_info[:2])";
    for candidate in candidates {
        let Ok(answer) = Command::new(candidate).args(["-c", question]).output() else { continue };
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        if let Some((path, PYTHON)) = answer.trim().rsplit_once(' ') {
            return PathBuf::from(path);
        }
    }
    panic!(
        "no Python {PYTHON} with ensurepip was found; install it (on Debian: python3.11 python3.11-venv) or name it \
         with S4T_PYTHON"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_of_others_loads_comes_first() {
        let pins = "# why\nautobahn==1.0\nnumpy==2.4.6\n  cffi==2.0.0\nnumpydoc==1\n";
        assert_eq!(builders(pins), ["numpy==2.4.6", "cffi==2.0.0"]);
    }
}
