//! A program that stays up: its output in a file, stopped by its number.
//!
//! Invariant: a process started here does not outlive its value: it is asked (SIGTERM), after the grace it is cut
//! (SIGKILL). What it said is printed when its test panics.

use crate::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end after SIGTERM when its value is dropped.
const GRACE: Duration = Duration::from_secs(20);
/// How often the end of a process is looked for.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of its output that are repeated when a test fails.
const LAST_WORDS: usize = 6000;

/// Where one of our programs lies.
///
/// # Panics
/// It is not built.
#[must_use]
pub fn program_path(name: &str) -> PathBuf {
    let folder = std::env::var_os("S4T_BIN_DIR").map_or_else(beside_the_tests, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing; build it with: cargo build -p iotronic -p lightning-rod -p s4t",
        path.display()
    );
    path
}

/// The tests lie in `deps` below the programs.
fn beside_the_tests() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().to_owned()
}

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    /// Where its part of the log begins.
    from: usize,
}

impl Program {
    /// Starts it; what it says is appended to `log`.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let from = usize::try_from(file.metadata().unwrap().len()).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned(), from }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said since it was started.
    #[must_use]
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(self.from..).unwrap_or_default()).into_owned()
    }

    /// The first line that `wanted` makes something of.
    ///
    /// # Panics
    /// The program ended, or did not say it in time.
    #[track_caller]
    pub fn line<T>(&mut self, within: Duration, wanted: impl Fn(&str) -> Option<T>) -> T {
        until(&format!("a line of {}", self.name), within, || {
            let ended = self.child.try_wait().unwrap();
            if let Some(found) = self.said().lines().find_map(&wanted) {
                return Ok(found);
            }
            if let Some(status) = ended {
                panic!("{} ended with {status}: {}", self.name, self.said());
            }
            Err("it has not said it".to_owned())
        })
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        // Not reaped yet, so the number is still its own; it may have ended by itself.
        let _ = kill_process(pid, signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
                _ => return None,
            }
        }
    }

    /// SIGTERM, and its end.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn stop(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(within).unwrap_or_else(|| {
            panic!("{} did not end within {} s of SIGTERM", self.name, within.as_secs())
        })
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its memory in KiB: now, and the most it ever had.
    ///
    /// # Panics
    /// It has ended.
    #[must_use]
    pub fn memory_kib(&self) -> (u64, u64) {
        memory_kib(self.pid())
    }

    fn show_last_words(&self) {
        let said = self.said();
        let from = said.ceil_char_boundary(said.len().saturating_sub(LAST_WORDS));
        eprintln!("---- {} said last ({}):\n{}", self.name, self.log.display(), &said[from..]);
    }
}

/// Memory of a process in KiB: now, and at most so far.
///
/// # Panics
/// There is none of that number.
#[must_use]
pub fn memory_kib(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_last_words();
            self.kill();
        } else if self.is_alive() {
            self.signal(Signal::TERM);
            if self.wait(GRACE).is_none() {
                eprintln!("{} did not end by itself and was cut", self.name);
                self.kill();
            }
        }
    }
}

/// An empty file that can be opened for appending; for tests of [`Program`].
#[cfg(test)]
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    std::fs::File::create(&log).unwrap();
    (folder, log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_waited_for_and_the_end_too() {
        let (_folder, log) = scratch();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo up 7; trap 'exit 3' TERM; while :; do sleep 0.01; done"]);
        let mut program = Program::start("shell", &mut shell, &log);
        let number = program.line(GRACE, |line| line.strip_prefix("up ")?.parse::<u8>().ok());
        assert_eq!(number, 7);
        // The trap is set after the line.
        until("the trap", GRACE, || {
            program.signal(Signal::TERM);
            program.wait(LOOK * 4).ok_or_else(|| "still there".to_owned())
        });
        assert!(!program.is_alive());
    }
}
