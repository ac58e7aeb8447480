//! To this machine: unpacks what a board gives, which may be anything.

use super::MAX_REASON;
use bytes::{Buf as _, Bytes};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Where the copy goes.
pub(super) struct Goal {
    /// The path that it has in the end.
    path: PathBuf,
    /// The name that it has in the archive.
    name: String,
    /// The folder beside it, in which it stands until all of it is there.
    folder: PathBuf,
}

/// What has come.
pub(super) struct Arrived {
    goal: Goal,
    unpacked: io::Result<()>,
    said: Vec<u8>,
}

impl Goal {
    /// Looks where it goes, and makes a folder beside.
    pub(super) fn look(to: &Path, name: String) -> io::Result<Self> {
        let path = if to.is_dir() { to.join(&name) } else { to.to_owned() };
        let beside = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let folder = beside.join(format!(".s4t-cp.{}", base::secret::random_text::<6>()));
        fs::create_dir(&folder)?;
        Ok(Self { path, name, folder })
    }

    /// Unpacks all of it. The library refuses what would land outside.
    pub(super) fn unpack(self, mut pieces: Pieces) -> Arrived {
        let unpacked = tar::Archive::new(&mut pieces).unpack(&self.folder);
        let said = match unpacked {
            Ok(()) => pieces.rest().unwrap_or_default(),
            Err(_) => pieces.head,
        };
        Arrived { goal: self, unpacked, said }
    }
}

impl Drop for Goal {
    fn drop(&mut self) {
        // Empty, or half a copy.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Arrived {
    /// Why the board could not: what it said behind the archive, or instead of one.
    pub(super) fn reason(&self) -> &[u8] {
        let text = self.said.iter().position(|byte| *byte != 0).unwrap_or(self.said.len());
        self.said.get(text..).unwrap_or_default()
    }

    /// Puts it in its place.
    pub(super) fn keep(self) -> io::Result<()> {
        self.unpacked?;
        let Goal { path, name, folder } = &self.goal;
        let came = folder.join(name);
        if path.is_dir() && came.is_dir() {
            return merge(&came, path);
        }
        fs::rename(came, path)
    }
}

/// A folder that exists already gets the new files among its own.
fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let goal = to.join(entry.file_name());
        if goal.is_dir() && entry.file_type()?.is_dir() {
            merge(&entry.path(), &goal)?;
        } else {
            fs::rename(entry.path(), goal)?;
        }
    }
    Ok(())
}

/// Where an archive comes from, piece by piece.
pub(super) struct Pieces {
    from: mpsc::Receiver<Bytes>,
    piece: Bytes,
    /// The first bytes of all.
    head: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(from: mpsc::Receiver<Bytes>) -> Self {
        Self { from, piece: Bytes::new(), head: Vec::new() }
    }

    /// What is left, its beginning; all of it is taken.
    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.by_ref().take(MAX_REASON).read_to_end(&mut rest)?;
        io::copy(self, &mut io::sink())?;
        Ok(rest)
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.from.blocking_recv() {
                Some(piece) => {
                    let room =
                        usize::try_from(MAX_REASON).unwrap_or(0).saturating_sub(self.head.len());
                    self.head.extend(piece.iter().take(room));
                    self.piece = piece;
                }
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}
