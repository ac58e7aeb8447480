//! `cargo xtask bench`: speed and size of the programs as they are shipped, beside upstream's figures.
//!
//! Invariant: what is measured is built as packages are: the agent for size, the others for speed. The page in `docs` is
//! written only by `--write`, and names the commit. Deliberately not here: measuring, which is a program of `testkit`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::command::{Fallible, cargo, run as run_command, shown};
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench [--write] [--only GROUP…]";
/// The page, in the root of the workspace.
const PAGE: &str = "docs/benchmarks.md";
/// Programs and the profile each is shipped in.
const PROGRAMS: [(&str, &str); 6] = [
    ("iotronic", "release"),
    ("s4t", "release"),
    ("lightning-rod", "board"),
    // No program that is shipped: what one check costs cannot be seen from outside.
    ("token_check", "release/examples"),
    // The router of the boards' control channel, alone, and what loads it.
    ("wamp_router", "release/examples"),
    ("wamp_load", "release/examples"),
];

const OPENING: &str = "\
# Benchmarks

Written by `cargo xtask bench --write`; it builds the programs as they are shipped, starts one cloud and one board with their default
settings on loopback, and measures from outside. Load generators, local services and the ends of forwarded connections are not
counted as ours. *Upstream* is IoTronic 0.4.17 with lightning-rod 0.5.0 and node-reverse-wstunnel 1.0.0, run unmodified in the same
run; a figure that says *quoted* was measured before on the same kind of machine (2 cores, 24 GiB, load average 10-35): those of
processor time and memory carry over, times only roughly. CPU is user and system time
of `iotronic` and `lightning-rod` together, from the kernel's accounts. Where a line says so, the quietest of several rounds is
judged, because the goals are meant for an idle machine; what stands beside it says how the other rounds went.
";

#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    page: Page,
    groups: Vec<String>,
}

/// What becomes of the page in `docs`.
#[derive(Debug, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Keep,
    Write,
}

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    let wish = parse(words)?;
    let bench = build(workspace)?;
    let folder = gather(&workspace.target_dir())?;
    let measured = measure(&bench, &folder, &wish.groups)?;
    print!("{measured}");
    if wish.page == Page::Write {
        let path = workspace.root().join(PAGE);
        let text = format!("{OPENING}\nOf commit {}. {measured}", workspace.commit()?);
        fs::write(&path, text)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        eprintln!("written: {PAGE}");
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(words: &[String]) -> Fallible<Wish> {
    let mut wish = Wish::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--write" => wish.page = Page::Write,
            "--only" => wish.groups = words.by_ref().cloned().collect(),
            _ => return Err(format!("bench takes no `{word}`; {USAGE}")),
        }
    }
    if wish.page == Page::Write && !wish.groups.is_empty() {
        return Err(format!(
            "the page holds all groups, so `--write` and `--only` exclude each other; {USAGE}"
        ));
    }
    Ok(wish)
}

/// Builds everything and answers where the measuring program lies.
fn build(workspace: &Workspace) -> Fallible<PathBuf> {
    let build = |profile: &str, words: &[&str]| {
        let mut command = cargo(workspace);
        run_command(command.args(["build", "--locked", "--profile", profile]).args(words))
    };
    eprintln!("building the programs as they are shipped");
    build("board", &["--package", "lightning-rod"])?;
    build("release", &["--package", "iotronic", "--package", "s4t"])?;
    build("release", &["--package", "iotronic", "--example", "token_check"])?;
    build("release", &["--package", "wamp", "--examples"])?;
    build("release", &["--package", "testkit", "--bin", "bench"])?;
    Ok(workspace.target_dir().join("release/bench"))
}

/// One folder in which all three programs are found.
fn gather(target: &Path) -> Fallible<PathBuf> {
    let folder = target.join("bench-programs");
    let failed = |error| format!("{} cannot be written: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    for (program, profile) in PROGRAMS {
        let place = folder.join(program);
        if place.symlink_metadata().is_ok() {
            fs::remove_file(&place).map_err(failed)?;
        }
        symlink(target.join(profile).join(program), &place).map_err(failed)?;
    }
    Ok(folder)
}

fn measure(bench: &Path, programs: &Path, groups: &[String]) -> Fallible<String> {
    let mut command = Command::new(bench);
    command.env("S4T_BIN_DIR", programs);
    if !groups.is_empty() {
        command.arg("--only").args(groups);
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(&command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{}` ended with {}", shown(&command), output.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_page_is_written_only_of_a_whole_run() {
        assert_eq!(parse(&words("--write")).unwrap().page, Page::Write);
        assert_eq!(parse(&words("--only query start")).unwrap().groups, ["query", "start"]);
        assert!(parse(&words("--write --only query")).unwrap_err().contains(USAGE));
        assert!(parse(&words("--fast")).unwrap_err().contains("--fast"));
    }

    #[test]
    fn all_programs_are_found_in_one_folder_however_often_it_is_made() {
        let target = tempfile::tempdir().unwrap();
        gather(target.path()).unwrap();
        let folder = gather(target.path()).unwrap();
        let points_to = fs::read_link(folder.join("lightning-rod")).unwrap();
        assert_eq!(points_to, target.path().join("board/lightning-rod"));
    }
}
