//! Reading an archive, ours or upstream's, into a folder that is no board yet.

use super::{Budget, Error, IDENTITIES, KEPT, OWN, UPSTREAM_HOME, UPSTREAM_SETTINGS};
use crate::home::Home;
use flate2::read::GzDecoder;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use tar::Archive;

/// Where files wait until all of them are there.
const STAGE: &str = ".restoring";

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Files.
    pub files: usize,
    /// Entries that belong to the machine and not to the board, left out.
    pub skipped: usize,
}

/// Reads `file` into `home`, whose lock the caller holds.
///
/// # Errors
/// The folder is a board already, or the archive is none, too large, or holds no board.
pub fn restore(home: &Home, file: &Path) -> Result<Restored, Error> {
    if IDENTITIES.iter().any(|name| home.path(name).exists()) {
        return Err(Error::Somebody(home.dir().to_owned()));
    }
    let stage = home.path(STAGE);
    clear(&stage)?;
    make_dir(&stage)?;
    let done = unpack(file, &stage).and_then(|restored| {
        let is_board = IDENTITIES.iter().any(|name| stage.join(name).exists());
        let nobody = || archive(file)("it holds neither board.json nor settings.json".into());
        if is_board { Ok(restored) } else { Err(nobody()) }
    });
    let done = done.and_then(|restored| move_in(&stage, home).map(|()| restored));
    clear(&stage)?;
    done
}

fn unpack(file: &Path, stage: &Path) -> Result<Restored, Error> {
    let opened = File::open(file).map_err(Error::at(file))?;
    let wrong = |error: io::Error| archive(file)(error.to_string());
    let mut budget = Budget::default();
    let mut restored = Restored { files: 0, skipped: 0 };
    let mut archive = Archive::new(GzDecoder::new(opened));
    for entry in archive.entries().map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let size = entry.header().size().map_err(wrong)?;
        budget.take(size)?;
        let name = entry.path().map_err(wrong)?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        match place(&name).filter(|_| kind.is_file()) {
            Some(place) => {
                write(entry, &stage.join(place), size)?;
                restored.files += 1;
            }
            None => restored.skipped += 1,
        }
    }
    Ok(restored)
}

/// Where an entry goes below the folder; none for what is not the board's.
fn place(name: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    if clean == Path::new(UPSTREAM_SETTINGS) {
        return Some("settings.json".into());
    }
    let below = clean.strip_prefix(OWN).or_else(|_| clean.strip_prefix(UPSTREAM_HOME)).ok()?;
    let first = below.components().next()?;
    KEPT.iter().any(|kept| first.as_os_str() == *kept).then(|| below.to_owned())
}

fn write(entry: impl io::Read, path: &Path, size: u64) -> Result<(), Error> {
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    let new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut out = new.map_err(Error::at(path))?;
    io::copy(&mut entry.take(size), &mut out).map_err(Error::at(path))?;
    out.sync_all().map_err(Error::at(path))
}

/// Moves everything to its place, what says who the board is last.
fn move_in(stage: &Path, home: &Home) -> Result<(), Error> {
    let entries = std::fs::read_dir(stage).map_err(Error::at(stage))?;
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort_by_key(|name| IDENTITIES.iter().any(|identity| name == identity));
    for name in names {
        let to = home.dir().join(&name);
        clear(&to)?;
        std::fs::rename(stage.join(&name), &to).map_err(Error::at(&to))?;
    }
    let synced = File::open(home.dir()).and_then(|dir| dir.sync_all());
    synced.map_err(Error::at(home.dir()))
}

fn clear(path: &Path) -> Result<(), Error> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(Error::at(path))
}

fn make_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::at(dir))
}

fn archive(file: &Path) -> impl FnOnce(String) -> Error {
    let path = file.to_owned();
    move |reason| Error::Archive { path, reason }
}
