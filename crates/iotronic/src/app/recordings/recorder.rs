//! Writing one recording: lines of asciicast version 2, whatever bytes a board shows.
//!
//! Invariants: the file is the session owner's alone to read (0600) and never longer than the bound; characters that come in
//! two pieces are put together, and bytes that are none are replaced, so each line is JSON.

use super::{FOLDER, file};
use model::Kind;
use rpc::Fault;
use rpc::terminal::Size;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

/// A recording that goes on.
pub struct Recorder {
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    most: u64,
    began: Instant,
    /// The first bytes of a character whose others have not come.
    begun: Vec<u8>,
}

/// What a recording came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Size of the file.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Recorder {
    /// Begins the file of a session in the data folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(dir: &Path, id: Uuid, size: Size, at: i64, most: u64) -> Result<Self, Fault> {
        let open = || -> io::Result<File> {
            match DirBuilder::new().mode(0o700).create(dir.join(FOLDER)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(file(dir, id))
        };
        let out = BufWriter::new(open().map_err(|error| failed(&error))?);
        let (hash, began, begun) = (Sha256::new(), Instant::now(), Vec::new());
        let mut this = Self { out, hash, bytes: 0, most, began, begun };
        let head =
            json!({ "version": 2, "width": size.cols, "height": size.rows, "timestamp": at });
        this.line(&head.to_string())?;
        Ok(this)
    }

    /// What the board shows.
    ///
    /// # Errors
    /// It cannot be written, or is full.
    pub fn shown(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.begun.extend_from_slice(bytes);
        let whole = self.begun.len().saturating_sub(unfinished(&self.begun));
        let rest = self.begun.split_off(whole);
        let piece = std::mem::replace(&mut self.begun, rest);
        if piece.is_empty() { Ok(()) } else { self.event("o", &String::from_utf8_lossy(&piece)) }
    }

    /// The screen has another size.
    ///
    /// # Errors
    /// As [`Recorder::shown`].
    pub fn resized(&mut self, size: Size) -> Result<(), Fault> {
        self.event("r", &format!("{}x{}", size.cols, size.rows))
    }

    /// Ends it; what is written is on the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(mut self) -> Result<Written, Fault> {
        let rest = std::mem::take(&mut self.begun);
        if !rest.is_empty() {
            // At the bound a last broken character is not worth a word.
            let _ = self.event("o", &String::from_utf8_lossy(&rest));
        }
        let synced = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        synced.map_err(|error| failed(&error))?;
        Ok(Written { bytes: self.bytes, sha256: base::key::to_hex(&self.hash.finalize()) })
    }

    fn event(&mut self, code: &str, text: &str) -> Result<(), Fault> {
        let seconds = self.began.elapsed().as_secs_f64();
        self.line(&json!([seconds, code, text]).to_string())
    }

    fn line(&mut self, line: &str) -> Result<(), Fault> {
        let after = self.bytes.saturating_add(line.len() as u64 + 1);
        if after > self.most {
            let text = format!(
                "the recording of this terminal is full ({} bytes, recordings.session_bytes); open another one",
                self.most
            );
            return Err(Fault::new(Kind::Exhausted, text));
        }
        for part in [line.as_bytes(), b"\n"] {
            self.out.write_all(part).map_err(|error| failed(&error))?;
            self.hash.update(part);
        }
        self.bytes = after;
        Ok(())
    }
}

fn failed(error: &io::Error) -> Fault {
    tracing::error!(%error, "a recording cannot be written");
    let text = "terminals of this board are recorded, and the recording cannot be written; tell who operates the cloud";
    Fault::new(Kind::Internal, text)
}

/// How many bytes at the end are the begin of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let looked_at = bytes.len().min(3);
    for back in 1..=looked_at {
        let Some(byte) = bytes.get(bytes.len().saturating_sub(back)) else { return 0 };
        let length = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if back < length { back } else { 0 };
    }
    0
}

/// Size and hash of a file that a dead process left; of one that is not there, those of nothing.
pub(super) fn digest(path: &Path) -> (u64, String) {
    let mut hash = Sha256::new();
    let mut bytes = 0_u64;
    if let Ok(mut file) = File::open(path) {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = io::Read::read(&mut file, &mut piece) {
            hash.update(piece.get(..count).unwrap_or_default());
            bytes = bytes.saturating_add(count as u64);
        }
    }
    (bytes, base::key::to_hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const SIZE: Size = Size { cols: 80, rows: 24 };

    fn lines(dir: &Path, id: Uuid) -> Vec<Value> {
        let text = std::fs::read_to_string(file(dir, id)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn shown(lines: &[Value]) -> String {
        lines[1..]
            .iter()
            .filter(|line| line[1] == "o")
            .map(|line| line[2].as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_recording_is_asciicast_and_hashes_to_what_is_said() {
        let (dir, id) = (tempfile::tempdir().unwrap(), Uuid::now_v7());
        let mut recorder = Recorder::begin(dir.path(), id, SIZE, 7, 10_000).unwrap();
        recorder.shown("gr\u{fc}\u{df}".as_bytes()).unwrap();
        recorder.resized(Size { cols: 100, rows: 30 }).unwrap();
        let written = recorder.end().unwrap();
        let lines = lines(dir.path(), id);
        assert_eq!(lines[0], json!({ "version": 2, "width": 80, "height": 24, "timestamp": 7 }));
        assert_eq!((&lines[2][1], &lines[2][2]), (&json!("r"), &json!("100x30")));
        assert_eq!(shown(&lines), "gr\u{fc}\u{df}");
        assert_eq!(digest(&file(dir.path(), id)), (written.bytes, written.sha256));
        assert!(!base::secret::readable_by_others(&file(dir.path(), id)).unwrap());
        assert!(!base::secret::readable_by_others(&dir.path().join(FOLDER)).unwrap());
    }

    #[test]
    fn a_recording_that_is_full_says_so_and_never_passes_its_bound() {
        let (dir, id) = (tempfile::tempdir().unwrap(), Uuid::now_v7());
        let mut recorder = Recorder::begin(dir.path(), id, SIZE, 0, 500).unwrap();
        let full = (0..100).find_map(|_| recorder.shown(b"0123456789").err()).unwrap();
        assert_eq!(full.kind, Kind::Exhausted);
        assert!(recorder.end().unwrap().bytes <= 500);
        assert!(Recorder::begin(dir.path(), id, SIZE, 0, 500).is_err(), "one session, one file");
    }

    proptest! {
        #[test]
        fn text_in_any_pieces_comes_out_whole_and_any_bytes_are_lines_of_json(
            text in "\\PC{0,40}", noise in prop::collection::vec(any::<u8>(), 0..40), cut in 1..5_usize,
        ) {
            let dir = tempfile::tempdir().unwrap();
            for (bytes, wanted) in [(text.as_bytes(), Some(&text)), (&noise, None)] {
                let id = Uuid::now_v7();
                let mut recorder = Recorder::begin(dir.path(), id, SIZE, 0, 1 << 20).unwrap();
                for piece in bytes.chunks(cut) {
                    recorder.shown(piece).unwrap();
                }
                recorder.end().unwrap();
                let lines = lines(dir.path(), id);
                if let Some(wanted) = wanted {
                    prop_assert_eq!(&shown(&lines), wanted);
                }
            }
        }
    }
}
