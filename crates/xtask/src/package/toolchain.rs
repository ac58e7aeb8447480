//! What this machine has for building for a target, and the exact commands for what it lacks.
//!
//! Invariant: all that is missing is named at once, so that nobody mends one thing to learn of the next.
//! Deliberately not here: installing compilers on a developer's machine unasked.

use std::path::Path;
use std::process::Command;

use super::target::Target;
use crate::command::{Fallible, capture, is_installed};

/// The triple of this machine.
pub(super) fn host() -> Fallible<String> {
    let version = capture(rustc().arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc does not say for which machine it is; `rustc -vV` has no host".into())
}

/// Fails with every missing piece and how to get it.
pub(super) fn require(target: &Target) -> Fallible<()> {
    let mut missing = Vec::new();
    if !has_standard_library(target)? {
        missing.push(missing_library(target));
    }
    missing.extend(missing_linker(
        target,
        std::env::var(target.linker_variable()).ok(),
        is_installed,
    ));
    if !is_installed("dpkg-deb") {
        missing.push("dpkg-deb, which packs .deb files:\n    apt-get install dpkg".into());
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "packages for {} cannot be built on this machine; it lacks\n  {}",
        target.triple(),
        missing.join("\n  ")
    ))
}

fn missing_library(target: &Target) -> String {
    let (triple, architecture) = (target.triple(), target.architecture());
    format!(
        "Rust's standard library for {triple}:\n    rustup target add {triple}\n    \
         (or, with Debian's own Rust: apt-get install libstd-rust-web-dev:{architecture}, see docs/packaging.md)"
    )
}

/// The linker a person named, or the usual cross compiler.
fn missing_linker(
    target: &Target,
    given: Option<String>,
    installed: impl Fn(&str) -> bool,
) -> Option<String> {
    if let Some(linker) = given {
        let exists = installed(&linker) || Path::new(&linker).is_file();
        return (!exists)
            .then(|| format!("the linker `{linker}` that {} names", target.linker_variable()));
    }
    let compiler = target.cross_compiler();
    (!target.is_host() && !installed(compiler)).then(|| {
        format!(
            "a linker and C compiler for it:\n    apt-get install {} libc6-dev-{}-cross\n    \
             (or name another: export {}=…)",
            target.cross_package(),
            target.architecture(),
            target.linker_variable()
        )
    })
}

/// What cargo must be told to link for elsewhere, unless a person told it already.
pub(super) fn variables(target: &Target) -> Vec<(String, String)> {
    let name = target.linker_variable();
    if target.is_host() || std::env::var_os(&name).is_some() {
        return Vec::new();
    }
    vec![(name, target.cross_compiler().to_owned())]
}

fn has_standard_library(target: &Target) -> Fallible<bool> {
    let words = ["--print", "target-libdir", "--target", target.triple()];
    let folder = capture(rustc().args(words))?;
    Ok(Path::new(folder.trim()).is_dir())
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = "aarch64-unknown-linux-gnu";

    fn board() -> Target {
        Target::new(BOARD, "x86_64-unknown-linux-gnu").unwrap()
    }

    #[test]
    fn a_missing_cross_linker_is_answered_with_the_package_and_the_variable() {
        let text = missing_linker(&board(), None, |_| false).unwrap();
        for part in [
            "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_missing_library_is_answered_with_both_ways_to_it() {
        let text = missing_library(&board());
        for part in ["rustup target add aarch64-unknown-linux-gnu", "libstd-rust-web-dev:arm64"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn an_installed_or_given_linker_is_enough() {
        assert_eq!(missing_linker(&board(), None, |name| name == "aarch64-linux-gnu-gcc"), None);
        assert_eq!(missing_linker(&board(), Some("lld".into()), |name| name == "lld"), None);
    }

    #[test]
    fn a_given_linker_that_does_not_exist_is_named() {
        let text = missing_linker(&board(), Some("no-such-ld".into()), |_| false).unwrap();
        assert!(text.contains("no-such-ld"), "{text}");
    }

    #[test]
    fn this_machine_can_build_for_itself() {
        let host = host().unwrap();
        assert!(has_standard_library(&Target::new(&host, &host).unwrap()).unwrap());
    }
}
