//! Packs a Debian package: control data, file tree, `dpkg-deb`.
//!
//! Invariant: the same commit gives the same bytes (times come from the commit, owners are root). Deliberately not here:
//! what a package holds (see `contents`).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contents::Package;
use super::payload::{Content, Entry, FILE, PROGRAM, stage};
use super::target::Target;
use crate::command::{Fallible, capture};

const MAINTAINER: &str = "Stack4Things in Rust authors <maintainers@stack4things.invalid>";

/// Packs into `out` and returns the file.
pub(super) fn build(
    package: &Package,
    version: &str,
    target: &Target,
    out: &Path,
) -> Fallible<PathBuf> {
    let file = format!("{}_{version}_{}.deb", package.name, target.architecture());
    let (place, tree) = (out.join(&file), out.join(format!(".{file}.tree")));
    remove_tree(&tree)?;
    stage(&package.entries, &tree)?;
    stage(&control_files(package, version, target)?, &tree.join("DEBIAN"))?;
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&place);
    pack.envs(commit_time().map(|time| ("SOURCE_DATE_EPOCH", time)));
    capture(&mut pack)?;
    remove_tree(&tree)?;
    Ok(place)
}

fn remove_tree(tree: &Path) -> Fallible<()> {
    match fs::remove_dir_all(tree) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", tree.display()))
        }
        _ => Ok(()),
    }
}

fn control_files(package: &Package, version: &str, target: &Target) -> Fallible<Vec<Entry>> {
    let mut files = vec![Entry::text("control", FILE, control(package, version, target)?)];
    let conffiles: String = package.conffiles().map(|path| format!("/{path}\n")).collect();
    if !conffiles.is_empty() {
        files.push(Entry::text("conffiles", FILE, conffiles));
    }
    let scripts = package.scripts.iter();
    files.extend(scripts.map(|(name, text)| Entry::text(name, PROGRAM, text.clone())));
    Ok(files)
}

fn control(package: &Package, version: &str, target: &Target) -> Fallible<String> {
    let program = fs::read(&package.program)
        .map_err(|error| format!("{} cannot be read: {error}", package.program.display()))?;
    let mut depends = c_library(&program);
    depends.extend(package.depends.iter().map(|one| (*one).to_owned()));
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}: {value}");
        }
    };
    field("Package", package.name);
    field("Version", version);
    field("Architecture", target.architecture());
    field("Maintainer", MAINTAINER);
    field("Section", package.section);
    field("Priority", "optional");
    field("Installed-Size", &installed_kib(package).to_string());
    field("Depends", &depends.join(", "));
    field("Recommends", &package.recommends.join(", "));
    field("Suggests", &package.suggests.join(", "));
    field("Description", &format!("{}\n {}", package.summary, package.details));
    Ok(text)
}

/// The oldest C library the program runs on, read from the symbol versions it asks for.
fn c_library(program: &[u8]) -> Vec<String> {
    match newest_symbol_version(program) {
        Some((major, minor)) => vec![format!("libc6 (>= {major}.{minor})"), "libgcc-s1".into()],
        None => Vec::new(),
    }
}

fn newest_symbol_version(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    program
        .windows(MARK.len() + LONGEST_VERSION)
        .filter_map(|window| version(window.strip_prefix(MARK)?))
        .max()
}

/// As in `2.34`.
const LONGEST_VERSION: usize = 4;

fn version(bytes: &[u8]) -> Option<(u32, u32)> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let text: String = digits.map(|byte| char::from(*byte)).collect();
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

fn installed_kib(package: &Package) -> u64 {
    let bytes: u64 = package
        .entries
        .iter()
        .map(|entry| match &entry.content {
            Content::Text(text) => text.len() as u64,
            Content::File(path) => fs::metadata(path).map_or(0, |data| data.len()),
        })
        .sum();
    bytes.div_ceil(1024)
}

/// The time all files carry; outside a repository the time of packing does.
fn commit_time() -> Option<String> {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    given
        .or_else(|| capture(Command::new("git").args(["log", "-1", "--format=%ct"])).ok())
        .map(|time| time.trim().to_owned())
        .filter(|time| !time.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::is_installed;
    use crate::package::contents::{packages, sample};

    const HOST: &str = "x86_64-unknown-linux-gnu";

    #[test]
    fn control_data_names_version_machine_and_the_oldest_c_library() {
        let folder = tempfile::tempdir().unwrap();
        let board = Target::new("aarch64-unknown-linux-gnu", HOST).unwrap();
        let [cloud, ..] = packages(&sample(folder.path())).unwrap();
        let text = control(&cloud, "1.2.3", &board).unwrap();
        for line in [
            "Package: stack4things-iotronic",
            "Version: 1.2.3",
            "Architecture: arm64",
            "Depends: libc6 (>= 2.34), libgcc-s1, passwd, init-system-helpers (>= 1.60)",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn the_newest_symbol_version_counts_as_a_number() {
        assert_eq!(newest_symbol_version(b"\0GLIBC_2.9\0\0\0GLIBC_2.17\0\0\0"), Some((2, 17)));
        assert_eq!(newest_symbol_version(b"GLIBC_PRIVATE\0\0\0"), None);
        assert_eq!(newest_symbol_version(b""), None);
    }

    #[test]
    fn a_packed_package_holds_owners_modes_and_conffiles() {
        if !is_installed("dpkg-deb") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let here = Target::new(HOST, HOST).unwrap();
        let [_, agent, _] = packages(&sample(folder.path())).unwrap();
        let file = build(&agent, "0.0.1", &here, folder.path()).unwrap();
        assert!(file.ends_with("stack4things-lightning-rod_0.0.1_amd64.deb"));

        let ask = |word: &str| capture(Command::new("dpkg-deb").arg(word).arg(&file)).unwrap();
        let list = ask("--contents");
        let line = |end: &str| list.lines().find(|line| line.ends_with(end)).unwrap().to_owned();
        assert!(line("./usr/bin/lightning-rod").starts_with("-rwxr-xr-x root/root"), "{list}");
        assert!(line("./etc/stack4things/lightning-rod.toml").starts_with("-rw-r-----"), "{list}");
        assert!(line("./usr/lib/systemd/system/lightning-rod.service").starts_with("-rw-r--r--"));
        let info = ask("--info");
        for part in ["conffiles", "postinst", "prerm", "postrm"] {
            assert!(info.contains(part), "{part} in {info}");
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "the staging tree stays behind"
        );
    }

    #[test]
    fn packing_twice_gives_the_same_bytes() {
        if !is_installed("dpkg-deb") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let here = Target::new(HOST, HOST).unwrap();
        let packed = || {
            let [.., client] = packages(&sample(folder.path())).unwrap();
            fs::read(build(&client, "0.0.1", &here, folder.path()).unwrap()).unwrap()
        };
        assert!(packed() == packed());
    }
}
