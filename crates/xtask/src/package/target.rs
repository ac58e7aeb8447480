//! The machines we package for: Rust's name, Debian's name, and the cross linker between here and there.
//!
//! Invariant: a target has one row in one table; adding a kind of board is adding a row. Deliberately not here: asking
//! this machine what it has installed (see `toolchain`).

use std::path::{Path, PathBuf};

use crate::command::Fallible;

/// A row: triple, Debian architecture, cross compiler, the Debian package it comes in.
type Row = (&'static str, &'static str, &'static str, &'static str);

const TABLE: [Row; 5] = [
    ("x86_64-unknown-linux-gnu", "amd64", "x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
    ("aarch64-unknown-linux-gnu", "arm64", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    (
        "armv7-unknown-linux-gnueabihf",
        "armhf",
        "arm-linux-gnueabihf-gcc",
        "gcc-arm-linux-gnueabihf",
    ),
    ("i686-unknown-linux-gnu", "i386", "i686-linux-gnu-gcc", "gcc-i686-linux-gnu"),
    ("riscv64gc-unknown-linux-gnu", "riscv64", "riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
];

/// Where packages run, seen from the machine that builds them.
#[derive(Debug)]
pub(super) struct Target {
    row: Row,
    site: Site,
}

/// Whether the target is the machine that builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    Here,
    Elsewhere,
}

impl Target {
    /// Finds the row of a triple.
    pub(super) fn new(triple: &str, host: &str) -> Fallible<Self> {
        let row = TABLE.into_iter().find(|row| row.0 == triple).ok_or_else(|| {
            let known: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
            format!("no packages are made for `{triple}`; known targets: {}", known.join(", "))
        })?;
        Ok(Self { row, site: if triple == host { Site::Here } else { Site::Elsewhere } })
    }

    pub(super) fn triple(&self) -> &'static str {
        self.row.0
    }

    /// What Debian calls it.
    pub(super) fn architecture(&self) -> &'static str {
        self.row.1
    }

    pub(super) fn cross_compiler(&self) -> &'static str {
        self.row.2
    }

    pub(super) fn cross_package(&self) -> &'static str {
        self.row.3
    }

    pub(super) fn is_host(&self) -> bool {
        self.site == Site::Here
    }

    /// The variable by which cargo is told the linker.
    pub(super) fn linker_variable(&self) -> String {
        format!("CARGO_TARGET_{}_LINKER", self.triple().to_uppercase().replace('-', "_"))
    }

    pub(super) fn cargo_words(&self) -> Vec<&'static str> {
        if self.is_host() { Vec::new() } else { vec!["--target", self.triple()] }
    }

    /// Cargo keeps what it builds for elsewhere in a folder of its own.
    pub(super) fn output_in(&self, target_dir: &Path) -> PathBuf {
        if self.is_host() { target_dir.into() } else { target_dir.join(self.triple()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "x86_64-unknown-linux-gnu";

    #[test]
    fn a_board_is_known_by_both_names() {
        let board = Target::new("armv7-unknown-linux-gnueabihf", HOST).unwrap();
        assert_eq!(board.architecture(), "armhf");
        assert_eq!(board.linker_variable(), "CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER");
        assert_eq!(board.output_in(Path::new("t")), Path::new("t/armv7-unknown-linux-gnueabihf"));
        assert_eq!(board.cargo_words(), ["--target", "armv7-unknown-linux-gnueabihf"]);
    }

    #[test]
    fn the_machine_itself_needs_no_target() {
        let here = Target::new(HOST, HOST).unwrap();
        assert!(here.is_host() && here.cargo_words().is_empty());
        assert_eq!(here.output_in(Path::new("t")), Path::new("t"));
    }

    #[test]
    fn an_unknown_triple_is_answered_with_the_known_ones() {
        let error = Target::new("avr-none", HOST).unwrap_err();
        assert!(error.contains("avr-none") && error.contains("aarch64"), "{error}");
    }
}
