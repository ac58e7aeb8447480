//! Writing an archive.

use super::{Budget, Error, KEPT, MAX_DEPTH, OWN, UPSTREAM_HOME, UPSTREAM_SETTINGS};
use crate::home::Home;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tar::{Builder, Header};

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes the board of `home` to `file`; `settings` is upstream's settings file, where there may be one.
///
/// # Errors
/// There is no board, the file exists or cannot be written, or there is too much.
pub fn backup(home: &Home, settings: &Path, file: &Path) -> Result<Saved, Error> {
    let is_own = home.path("board.json").exists();
    if !is_own && !settings.exists() {
        return Err(Error::Nobody(home.dir().to_owned()));
    }
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let out = new.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(file.to_owned()),
        _ => Error::at(file)(error),
    })?;
    let done = write(home, (!is_own).then_some(settings), out, file);
    if done.is_err() {
        // Half an archive must not be taken for one.
        let _ = std::fs::remove_file(file);
    }
    done
}

fn write(home: &Home, settings: Option<&Path>, out: File, file: &Path) -> Result<Saved, Error> {
    let mut archive = Archive {
        builder: Builder::new(GzEncoder::new(out, Compression::default())),
        budget: Budget::default(),
        file,
    };
    let below = if settings.is_some() { UPSTREAM_HOME } else { OWN };
    for name in KEPT {
        archive.add(&home.path(name), &Path::new(below).join(name), 0)?;
    }
    if let Some(settings) = settings {
        archive.add(settings, Path::new(UPSTREAM_SETTINGS), 0)?;
    }
    let encoder = archive.builder.into_inner().map_err(Error::at(file))?;
    let written = encoder.finish().and_then(|out| out.sync_all());
    written.map_err(Error::at(file))?;
    Ok(Saved { files: archive.budget.files, bytes: archive.budget.bytes })
}

struct Archive<'a> {
    builder: Builder<GzEncoder<File>>,
    budget: Budget,
    file: &'a Path,
}

impl Archive<'_> {
    /// Adds a file or a folder; links and devices are left out, they say nothing of the board.
    fn add(&mut self, path: &Path, name: &Path, depth: usize) -> Result<(), Error> {
        let meta = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            meta => meta.map_err(Error::at(path))?,
        };
        if meta.is_dir() && depth < MAX_DEPTH {
            return self.add_folder(path, name, depth);
        }
        if !meta.is_file() {
            return Ok(());
        }
        let opened = File::open(path).map_err(Error::at(path))?;
        let size = opened.metadata().map_err(Error::at(path))?.len();
        self.budget.take(size)?;
        let mut header = Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(0);
        // Exactly as much as the header says, should the file grow; what is missing is filled.
        let exact = opened.take(size).chain(io::repeat(0)).take(size);
        self.builder.append_data(&mut header, name, exact).map_err(Error::at(self.file))
    }

    fn add_folder(&mut self, path: &Path, name: &Path, depth: usize) -> Result<(), Error> {
        let entries = std::fs::read_dir(path).map_err(Error::at(path))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if let Some(last) = path.file_name() {
                self.add(&path, &name.join(last), depth + 1)?;
            }
        }
        Ok(())
    }
}
