//! From this machine: packs a file or folder.

use super::last_name;
use crate::failure::Failure;
use bytes::Bytes;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Most bytes of one piece.
const PIECE: usize = 64 * 1024;

/// What is to be copied.
pub(super) struct Source {
    path: PathBuf,
    name: String,
}

impl Source {
    /// Looks whether it can be.
    ///
    /// # Errors
    /// It is not there, or a folder without `whole`.
    pub(super) fn look(path: &Path, whole: bool) -> Result<Self, Failure> {
        // What `.` and `..` are called is asked of the system.
        let named = match path.file_name() {
            Some(_) => path.to_owned(),
            None => path.canonicalize().map_err(|error| super::local(path, &error))?,
        };
        let found = std::fs::metadata(path).map_err(|error| super::local(path, &error))?;
        if found.is_dir() && !whole {
            let text = format!("{} is a folder", path.display());
            return Err(Failure::invalid(text).help("copy it with -r"));
        }
        let name = last_name(&named).and_then(|name| name.into_os_string().into_string().ok());
        let name = name.ok_or_else(|| {
            Failure::invalid(format!("{} has no name that can be sent", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Packs all of it.
    pub(super) fn pack(self, pieces: Pieces) -> io::Result<()> {
        let mut archive = tar::Builder::new(pieces);
        archive.follow_symlinks(false);
        // Which every tar understands.
        archive.sparse(false);
        if self.path.is_dir() {
            archive.append_dir_all(&self.name, &self.path)?;
        } else {
            archive.append_file(&self.name, &mut std::fs::File::open(&self.path)?)?;
        }
        archive.into_inner()?.flush()
    }
}

/// Where an archive goes, piece by piece.
pub(super) struct Pieces {
    out: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(out: mpsc::Sender<Bytes>) -> Self {
        Self { out, piece: Vec::with_capacity(PIECE) }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        let room = PIECE.saturating_sub(self.piece.len()).min(bytes.len());
        self.piece.extend_from_slice(bytes.get(..room).unwrap_or_default());
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the board takes no more");
        self.out.blocking_send(piece.into()).map_err(gone)
    }
}
