//! `docs/soak.md`: the latest of each long run, with date, commit and machine.
//!
//! Invariant: a run replaces its own row and no other, so a page of runs that were made apart says of each when and of what it
//! was; a run that failed is written like any other. Deliberately not here: what the runs do.

use std::fs;

use super::Outcome;
use crate::command::{Fallible, capture};
use crate::workspace::Workspace;

const HEAD: &str = "\
# Long runs

Rows are written by `cargo xtask soak --write`, each by the latest run of its name (`cargo xtask soak NAME --write` repeats one). The runs are those of
`cargo xtask test` with larger counts, and the fuzz targets of `fuzz/`, built with a nightly compiler. Where a run is cut by time, the last
column says how much was done.

| run | of what | on | at commit | machine | took | ended |
|---|---|---|---|---|---|---|
";

/// One row for each outcome.
pub(super) fn rows(workspace: &Workspace, outcomes: &[Outcome]) -> Fallible<Vec<String>> {
    let commit = workspace.commit()?;
    let date = capture(std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let machine = machine();
    let row = |Outcome { run, amount, took, ended }: &Outcome| {
        let ended = ended.clone().unwrap_or_else(|reason| format!("FAILED: {reason}"));
        // Whatever a failure says, it stays one cell of one line.
        let ended = ended.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ");
        format!(
            "| {run} | {amount} | {} | {commit} | {machine} | {} s | {ended} |",
            date.trim(),
            took.as_secs()
        )
    };
    Ok(outcomes.iter().map(row).collect())
}

/// Cores and memory.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |line: &str| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok();
    let kib: f64 = memory.lines().find_map(kib).unwrap_or_default();
    format!("{cores} cores, {:.0} GiB", kib / 1024.0 / 1024.0)
}

/// Writes the page with these rows in the place of older ones of the same runs.
pub(super) fn write(workspace: &Workspace, rows: &[String]) -> Fallible<()> {
    let file = workspace.root().join("docs/soak.md");
    let before = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, merged(&before, rows))
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

fn merged(before: &str, rows: &[String]) -> String {
    let mut all: Vec<&str> = before.lines().filter(|line| is_row(line)).collect();
    for row in rows {
        match all.iter_mut().find(|old| name(old) == name(row)) {
            Some(old) => *old = row,
            None => all.push(row),
        }
    }
    format!("{HEAD}{}\n", all.join("\n"))
}

fn is_row(line: &str) -> bool {
    line.starts_with("| ") && name(line) != Some("run")
}

fn name(row: &str) -> Option<&str> {
    row.split('|').nth(1).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_replaces_its_own_row_and_no_other() {
        let row = |text: &str| text.to_owned();
        let first = merged("", &[row("| kills | 60 |"), row("| chains | 80000 |")]);
        let second = merged(&first, &[row("| kills | 1000 |"), row("| fuzz `right` | 1 |")]);
        assert!(second.starts_with(HEAD));
        let rows: Vec<_> = second.lines().filter(|line| is_row(line)).collect();
        assert_eq!(rows, ["| kills | 1000 |", "| chains | 80000 |", "| fuzz `right` | 1 |"]);
    }
}
