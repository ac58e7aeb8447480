//! Runs `cargo test`, shows its output as it comes and counts from it.
//!
//! Invariant: a run that ends badly without a failed test in its output (it did not compile, a test process died) counts
//! as one failure more. Deliberately not here: which tests run.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};

use super::tally::Tally;
use crate::command::{Fallible, shown};

/// What a run of tests came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    tally: Tally,
    passed: Vec<String>,
    failed: Vec<String>,
    ignored: Vec<String>,
    unsteady: Vec<String>,
    /// Whether every failure has a name.
    named: bool,
}

impl Outcome {
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// The failed tests, each once, when all of them are known by name.
    pub(super) fn failed_by_name(&self) -> Option<Vec<&str>> {
        let mut names: Vec<&str> = self.failed.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        (self.named && !names.is_empty()).then_some(names)
    }

    /// Takes in how the failed tests did when they were asked again.
    pub(super) fn asked_again(&mut self, again: &Self) {
        let steady = |name: &String| again.failed.contains(name) || !again.passed.contains(name);
        let (failed, unsteady) = std::mem::take(&mut self.failed).into_iter().partition(steady);
        (self.failed, self.unsteady) = (failed, unsteady);
        self.tally = self.tally.with_failed_turned_unsteady(self.unsteady.len());
    }

    /// Repeats at the end what a person would otherwise search for in the output.
    pub(super) fn explain(&self, skipped: &[String]) {
        for name in &self.failed {
            eprintln!("FAILED   {name}");
        }
        for name in &self.unsteady {
            eprintln!("UNSTEADY {name}: failed at first, passed when asked again; find out why");
        }
        for name in self.ignored.iter().chain(skipped) {
            eprintln!("skipped  {name}");
        }
    }

    fn take(&mut self, line: &str) {
        if let Some(tally) = Tally::of_result_line(line) {
            self.tally += tally;
        } else if let Some((name, end)) = test_line(line) {
            match end {
                "ok" => self.passed.push(name.into()),
                "FAILED" => self.failed.push(name.into()),
                end if end.starts_with("ignored") => self.ignored.push(name.into()),
                _ => {}
            }
        }
    }

    /// A bad end that no test explains.
    fn close(&mut self, ended_well: bool) {
        self.named = self.tally.failed == self.failed.len();
        if !ended_well && self.tally.failed == 0 {
            self.tally += Tally::FAILED;
            self.failed.push("the run itself: it did not compile, or a test process died".into());
            self.named = false;
        }
    }
}

/// `test some::name ... ok` in two.
fn test_line(line: &str) -> Option<(&str, &str)> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    Some((name.trim_end_matches(" - should panic"), end))
}

/// Runs to the end, whatever fails on the way.
pub(super) fn run_tests(command: &mut Command, shown_to: &mut impl Write) -> Fallible<Outcome> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(command)))?;
    let mut outcome = Outcome::default();
    if let Some(output) = child.stdout.take() {
        read(output, shown_to, &mut outcome);
    }
    let ended_well = child.wait().is_ok_and(|status: ExitStatus| status.success());
    outcome.close(ended_well);
    Ok(outcome)
}

fn read(output: impl Read, shown_to: &mut impl Write, outcome: &mut Outcome) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    // Test output may be no UTF-8; counting goes on all the same.
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        // Nobody reading our output is no reason to stop testing.
        let _ = shown_to.write_all(text.as_bytes());
        outcome.take(text.trim_end());
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(output: &str, ended_well: bool) -> Outcome {
        let mut outcome = Outcome::default();
        output.lines().for_each(|line| outcome.take(line));
        outcome.close(ended_well);
        outcome
    }

    #[test]
    fn the_results_of_all_test_programs_add_up() {
        let output = "test a ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n\
            test b ... FAILED\ntest c ... ignored, needs root\n\
            test result: FAILED. 4 passed; 1 failed; 1 ignored; 0 measured\n";
        let outcome = of(output, false);
        assert_eq!(outcome.tally(), Tally { passed: 5, failed: 1, skipped: 1, unsteady: 0 });
        assert_eq!(outcome.failed, ["b"]);
        assert_eq!(outcome.ignored, ["c"]);
    }

    #[test]
    fn a_failed_test_that_passes_when_asked_again_is_counted_and_named_as_unsteady() {
        let first = "test a ... FAILED\ntest b ... FAILED\ntest c ... ok\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        let mut outcome = of(first, false);
        assert_eq!(outcome.failed_by_name(), Some(vec!["a", "b"]));
        let second = "test a ... ok\ntest b ... FAILED\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured\n";
        outcome.asked_again(&of(second, false));
        assert_eq!((outcome.failed, outcome.unsteady), (vec!["b".into()], vec!["a".into()]));
        assert_eq!(outcome.tally, Tally { passed: 2, failed: 1, skipped: 0, unsteady: 1 });
    }

    #[test]
    fn what_did_not_run_when_asked_again_stays_failed_and_a_dead_run_is_not_asked() {
        let mut outcome =
            of("test a ... FAILED\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n", false);
        outcome.asked_again(&of("test result: ok. 0 passed; 0 failed; 0 ignored\n", true));
        assert_eq!((outcome.tally.failed, outcome.tally.unsteady), (1, 0));
        assert_eq!(of("", false).failed_by_name(), None);
        assert_eq!(of("test a ... ok\n", true).failed_by_name(), None);
    }

    #[test]
    fn a_run_that_dies_without_a_failed_test_counts_as_failed() {
        assert_eq!(of("", false).tally(), Tally::FAILED);
        assert_eq!(of("", true).tally(), Tally::default());
    }

    #[test]
    fn output_that_is_no_text_does_not_stop_the_count() {
        let bytes =
            [&[0xff, 0xfe, b'\n'][..], b"test result: ok. 2 passed; 0 failed; 0 ignored"].concat();
        let mut outcome = Outcome::default();
        read(&bytes[..], &mut Vec::new(), &mut outcome);
        assert_eq!(outcome.tally().passed, 2);
    }

    #[test]
    fn a_real_process_is_read_to_its_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 7 passed; 0 failed; 0 ignored'; exit 1"]);
        let mut seen = Vec::new();
        let outcome = run_tests(&mut command, &mut seen).unwrap();
        assert!(seen.starts_with(b"test result"));
        assert_eq!(outcome.tally(), Tally { passed: 7, failed: 1, skipped: 0, unsteady: 0 });
    }
}
