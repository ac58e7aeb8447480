//! `cargo xtask package`: Debian packages of the three programs and a self-contained tarball of the agent.
//!
//! Invariant: everything that is missing for a target is said before anything is built; what ships beside the programs
//! lies as plain files in `packaging/`. Deliberately not here: signing and publishing.

mod contents;
mod deb;
mod payload;
mod scratch;
mod tarball;
mod target;
mod toolchain;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command::{Fallible, capture, cargo, run as run_command};
use crate::dashboard;
use crate::workspace::Workspace;
use contents::Sources;
use target::Target;

const USAGE: &str = "usage: cargo xtask package [--target TRIPLE] [--out DIR] [--try]";

/// What a person asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    triple: Option<String>,
    out: Option<PathBuf>,
    trial: Trial,
}

/// Whether the packages are installed in a scratch root once made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trial {
    #[default]
    No,
    Yes,
}

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    let wish = parse(words)?;
    let host = toolchain::host()?;
    let target = Target::new(wish.triple.as_deref().unwrap_or(&host), &host)?;
    toolchain::require(&target)?;
    if wish.trial == Trial::Yes {
        trial::require(&target)?;
    }
    let out = workspace.root().join(wish.out.unwrap_or_else(|| "dist".into()));
    let products = make(workspace, &target, &out)?;
    for product in &products {
        println!("{}", product.display());
    }
    if wish.trial == Trial::Yes {
        trial::run(workspace, &products)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(words: &[String]) -> Fallible<Wish> {
    let mut wish = Wish::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value =
            || words.next().cloned().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
        match word.as_str() {
            "--target" => wish.triple = Some(value()?),
            "--out" => wish.out = Some(value()?.into()),
            "--try" => wish.trial = Trial::Yes,
            _ => return Err(format!("package takes no `{word}`; {USAGE}")),
        }
    }
    Ok(wish)
}

fn make(workspace: &Workspace, target: &Target, out: &Path) -> Fallible<Vec<PathBuf>> {
    dashboard::make(workspace, dashboard::Extent::Pages)?;
    let sources = build(workspace, target)?;
    fs::create_dir_all(out)
        .map_err(|error| format!("{} cannot be made: {error}", out.display()))?;
    let version = workspace.version()?;
    let mut products = Vec::new();
    for package in contents::packages(&sources)? {
        eprintln!("packing {}", package.name);
        products.push(deb::build(&package, &version, target, out)?);
    }
    eprintln!("packing the agent's tarball");
    products.push(tarball::build(&sources, &version, target, out)?);
    Ok(products)
}

/// Builds the three programs: the agent for size, the others for speed.
fn build(workspace: &Workspace, target: &Target) -> Fallible<Sources> {
    let variables = toolchain::variables(target);
    let build = |profile: &str, programs: &[&str]| {
        let mut command = cargo(workspace);
        command.args(["build", "--locked", "--profile", profile]);
        command.args(programs.iter().flat_map(|program| ["--package", program]));
        command.args(target.cargo_words()).envs(variables.iter().cloned());
        run_command(&mut command)
    };
    build("board", &["lightning-rod"])?;
    build("release", &["iotronic", "s4t"])?;
    let built = target.output_in(&workspace.target_dir());
    Ok(Sources {
        iotronic: built.join("release/iotronic"),
        s4t: built.join("release/s4t"),
        lightning_rod: built.join("board/lightning-rod"),
        completion: completion(workspace, target, &built)?,
        packaging: workspace.root().join("packaging"),
        license: workspace.root().join("LICENSE"),
    })
}

/// The completion script comes out of `s4t` itself; one built for another machine does not run here.
fn completion(workspace: &Workspace, target: &Target, built: &Path) -> Fallible<String> {
    if target.is_host() {
        let mut command = std::process::Command::new(built.join("release/s4t"));
        return capture(command.args(["completion", "bash"]));
    }
    capture(cargo(workspace).args([
        "run",
        "--quiet",
        "--package",
        "s4t",
        "--",
        "completion",
        "bash",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn target_out_and_trial_are_read() {
        let wish = parse(&words("--target aarch64-unknown-linux-gnu --out x --try")).unwrap();
        assert_eq!(wish.triple.as_deref(), Some("aarch64-unknown-linux-gnu"));
        assert_eq!(wish.out, Some("x".into()));
        assert_eq!(wish.trial, Trial::Yes);
        assert_eq!(parse(&[]).unwrap(), Wish::default());
    }

    #[test]
    fn an_unknown_word_or_a_missing_value_shows_the_usage() {
        for line in ["--fast", "--target", "--out"] {
            assert!(parse(&words(line)).unwrap_err().contains(USAGE), "{line}");
        }
    }
}
