//! A program that stays up: started in a group of its own, its output kept in a file, stopped by its number.
//!
//! Invariant: a process started here does not outlive its value: first it is asked (SIGTERM), after the grace it is cut
//! (SIGKILL). Deliberately not here: what the programs are.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Fallible, shown};

/// Lines held for whoever waits for one; later lines go to the file alone.
const LINES_HELD: usize = 256;
/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(15);
/// How often the end of a process is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of its output repeated when a program goes wrong.
const LAST_WORDS: usize = 15;

/// A running program.
pub(crate) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; its output goes to `FOLDER/NAME.log`.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Fallible<Self> {
        let output = folder.join(format!("{name}.log"));
        let log = File::create(&output)
            .map_err(|error| format!("{} cannot be written: {error}", output.display()))?;
        let errors = log.try_clone().map_err(|error| format!("{}: {error}", output.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            // Ctrl-C reaches us alone; we stop the others in order.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("`{}` cannot be started: {error}", shown(command)))?;
        let (sender, lines) = sync_channel(LINES_HELD);
        let reader = child.stdout.take().map(|stdout| {
            thread::spawn(move || keep(stdout, log, |line| drop(sender.try_send(line))))
        });
        Ok(Self { name: name.into(), child, output, lines, reader })
    }

    /// The first line that `wanted` makes something of.
    pub(crate) fn line<T>(
        &self,
        within: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Fallible<T> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.complaint(&format!("not ready within {} s", within.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.complaint("ended too early"));
                }
            }
        }
    }

    /// Whether it is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end and waits; after the grace it is cut, and that is an error.
    pub(crate) fn stop(&mut self) -> Fallible<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Err(self.complaint(&format!("had ended before, with {status}")));
        }
        self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                self.join_reader();
                return self.orderly(status);
            }
            thread::sleep(LOOK);
        }
        self.cut();
        Err(self.complaint(&format!("did not end within {} s of SIGTERM", GRACE.as_secs())))
    }

    /// Ended by itself with 0, or by the signal we sent.
    fn orderly(&self, status: ExitStatus) -> Fallible<ExitStatus> {
        let by_us = status.signal() == Some(Signal::TERM.as_raw());
        if status.success() || by_us {
            return Ok(status);
        }
        Err(self.complaint(&format!("ended with {status}")))
    }

    fn ended(&mut self) -> Fallible<Option<ExitStatus>> {
        self.child
            .try_wait()
            .map_err(|error| format!("{} cannot be waited for: {error}", self.name))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Not reaped yet, so the number is still its own.
            let _ = kill_process(pid, signal);
        }
    }

    fn cut(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.join_reader();
    }

    /// Waits for the rest of the output. A grandchild may hold the pipe open, so only a finished reader is joined.
    fn join_reader(&mut self) {
        if let Some(reader) = self.reader.take_if(|reader| reader.is_finished()) {
            let _ = reader.join();
        }
    }

    fn complaint(&self, what: &str) -> String {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(LAST_WORDS);
        let last: String =
            lines.iter().skip(last).map(|line| format!("\n      | {line}")).collect();
        format!("{} {what}{last}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_alive() {
            // Dropped on the way out of an error that says more than this one could.
            let _ = self.stop();
        }
    }
}

/// Copies output to the file and hands it on line by line.
fn keep(output: impl Read, mut log: File, mut hand_on: impl FnMut(String)) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        // A full disk loses the log, not the demo.
        let _ = log.write_all(&line);
        hand_on(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Process {
        Process::start("shell", Command::new("sh").args(["-c", script]), folder).unwrap()
    }

    #[test]
    fn a_line_is_waited_for_and_the_process_stops_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell("echo hello; echo ready url=x; exec sleep 60", folder.path());
        let url = process.line(Duration::from_secs(10), |line| {
            line.strip_prefix("ready url=").map(str::to_owned)
        });
        assert_eq!(url.unwrap(), "x");
        assert!(process.is_alive());
        assert_eq!(process.stop().unwrap().signal(), Some(15));
    }

    #[test]
    fn one_that_ends_too_early_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let process = shell("echo no such port >&2; exit 3", folder.path());
        let error = process.line(Duration::from_secs(10), |_| None::<()>).unwrap_err();
        assert!(error.contains("ended too early") && error.contains("no such port"), "{error}");
    }

    #[test]
    fn a_bad_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done";
        let mut process = shell(script, folder.path());
        process.line(Duration::from_secs(10), |line| (line == "up").then_some(())).unwrap();
        assert!(process.stop().unwrap_err().contains("exit status: 4"));
    }

    #[test]
    fn dropping_it_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let process = shell("echo $$; exec sleep 60", folder.path());
        let pid: i32 = process.line(Duration::from_secs(10), |line| line.parse().ok()).unwrap();
        drop(process);
        let pid = Pid::from_raw(pid).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
