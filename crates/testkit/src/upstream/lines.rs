//! A child process that speaks JSON, one object a line each way.
//!
//! Invariants: every answer has a deadline; the child ends with the value: its input is closed, and if that does not
//! help within the grace, it is cut.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a child may take to end after its input has ended.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks at an ending child.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of what it said that a failure shows.
const LAST_WORDS: usize = 4000;

#[derive(Debug)]
pub(super) struct Lines {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    log: PathBuf,
}

impl Lines {
    /// Starts it; what it says on standard error goes to `log`.
    pub(super) fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { input: child.stdin.take(), child, answers, log }
    }

    /// Sends a line and waits for the answer.
    pub(super) fn ask(&mut self, question: &Value, within: Duration) -> Value {
        let input = self.input.as_mut().unwrap();
        if let Err(error) = writeln!(input, "{question}").and_then(|()| input.flush()) {
            panic!("{question} cannot be sent: {error}; it said:\n{}", self.said());
        }
        self.next(within, &format!("{question}"))
    }

    /// Waits for a line.
    pub(super) fn next(&mut self, within: Duration, what: &str) -> Value {
        let Ok(line) = self.answers.recv_timeout(within) else {
            panic!("no answer to {what} within {} s; it said:\n{}", within.as_secs(), self.said())
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Its process number.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said last on standard error.
    pub(super) fn said(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text[text.ceil_char_boundary(text.len().saturating_sub(LAST_WORDS))..].to_owned()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
