//! Embeds the dashboard's pages: what `cargo xtask dashboard` left in `dashboard/dist` goes into the program, each file also
//! gzipped where that makes it smaller. Without that folder the program is built all the same and has no pages.
//!
//! Invariant: what is embedded is copied here first, so a build never mixes two states of the folder.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let variable =
        |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or_else(|| missing(name));
    let pages = variable("CARGO_MANIFEST_DIR")?.join("../../dashboard/dist");
    make(&pages, &variable("OUT_DIR")?.join("ui"))
}

fn missing(variable: &str) -> io::Error {
    io::Error::other(format!("cargo sets {variable} for build scripts, but it is not set"))
}

/// Copies what is there, which may be nothing, and writes the list of it. Runs no other program.
pub(crate) fn make(pages: &Path, out: &Path) -> io::Result<()> {
    // Cargo cannot watch a folder that is not there. Where it cannot be made, each build asks again.
    let _ = fs::create_dir_all(pages);
    println!("cargo::rerun-if-changed={}", pages.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    collect(pages, "", &mut files)?;
    files.sort();
    fs::create_dir_all(out)?;
    let mut list = "static EMBEDDED: &[Embedded] = &[\n".to_owned();
    for (number, name) in files.iter().enumerate() {
        list += &embed(&pages.join(name), name, &out.join(number.to_string()))?;
    }
    list += "];\n";
    fs::write(out.join("list.rs"), list)
}

/// The names of all files below a folder, with `/` between; hidden ones are left out.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::other(format!("{} is no name for a page", name.display()))
        })?;
        let kind = entry.file_type()?;
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() {
            files.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

/// One entry of the list.
fn embed(from: &Path, name: &str, to: &Path) -> io::Result<String> {
    let plain = fs::read(from)?;
    fs::write(to, &plain)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    let small = encoder.finish()?;
    let mut entry = format!("    Embedded {{ name: {name:?}, plain: include_bytes!({to:?}), ");
    if small.len() < plain.len() {
        let to = to.with_extension("gz");
        fs::write(&to, small)?;
        let _ = writeln!(entry, "gzip: Some(include_bytes!({to:?})) }},");
    } else {
        entry += "gzip: None },\n";
    }
    Ok(entry)
}
