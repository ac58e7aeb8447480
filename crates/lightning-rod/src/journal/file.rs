//! The journal's file: read at open, appended to, synced, rewritten when too much of it is past.
//!
//! Invariants: after [`JournalFile::append`] returned `Ok` the records are on the disk, if that was asked for; a torn or damaged tail is cut at
//! open and nothing before it is touched; a rewrite replaces the file as a whole or not at all.

use super::book::{Answer, Book, Place, Stage};
use super::record::{FRAME_HEAD, Head, MAGIC, Record, Repeat};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How well records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Care {
    /// They outlive the process.
    Written,
    /// They outlive a power failure.
    Synced,
}

impl Care {
    /// What records of such work need.
    pub(super) fn of(repeat: Repeat) -> Self {
        match repeat {
            Repeat::Harmless => Self::Written,
            Repeat::Never => Self::Synced,
        }
    }
}

/// An open journal file.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    length: u64,
    broken: bool,
}

/// A rewritten file, not in its place yet.
struct Copied {
    file: File,
    length: u64,
    places: Vec<(model::OperationId, Place)>,
}

impl JournalFile {
    /// Opens or makes the file and reads what it holds into `book`.
    pub(super) fn open(path: &Path, book: &mut Book) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mut this = Self { path: path.to_owned(), file, length: 0, broken: false };
        let found = this.file.metadata()?.len();
        if found < MAGIC.len() as u64 {
            this.start_afresh()?;
            return Ok(this);
        }
        this.length = read_all(&this.file, book)?;
        if this.length < found {
            tracing::warn!(cut_bytes = found - this.length, "journal ended in a torn record, cut");
            this.file.set_len(this.length)?;
            this.file.sync_data()?;
        }
        Ok(this)
    }

    /// Bytes in the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes encoded records at the end; gives back where they begin. After an error the file is as before,
    /// or, when even that cannot be had, refuses everything from then on.
    pub(super) fn append(&mut self, records: &[u8], care: Care) -> io::Result<u64> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed; restart the agent"));
        }
        let start = self.length;
        let written = self.file.write_all_at(records, start).and_then(|()| match care {
            Care::Written => Ok(()),
            Care::Synced => self.file.sync_data(),
        });
        if let Err(error) = written {
            // After a failed sync nobody knows what is on the disk, so the tail is cut before anything follows it.
            self.broken = self.file.set_len(start).and_then(|()| self.file.sync_data()).is_err();
            return Err(error);
        }
        self.length += records.len() as u64;
        Ok(start)
    }

    /// Reads an answer.
    pub(super) fn read(&self, place: Place) -> io::Result<String> {
        let mut bytes = vec![0; place.length as usize];
        self.file.read_exact_at(&mut bytes, place.offset)?;
        String::from_utf8(bytes).map_err(|_| io::Error::other("an answer is damaged"))
    }

    /// Rewrites the file with what `book` holds.
    pub(super) fn compact(&mut self, book: &mut Book) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        let Copied { file, length, places } = self.write_copy(&temporary, book)?;
        std::fs::rename(&temporary, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        (self.file, self.length, self.broken) = (file, length, false);
        for (operation, place) in places {
            book.end(operation, Answer::Stored(place));
        }
        Ok(())
    }

    fn write_copy(&self, path: &Path, book: &Book) -> io::Result<Copied> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        let mut out = BufWriter::new(&file);
        out.write_all(MAGIC)?;
        let mut length = MAGIC.len() as u64;
        let mut places = Vec::new();
        let mut bytes = Vec::new();
        for (operation, entry) in book.iter() {
            bytes.clear();
            let (keep_until, repeat) = (entry.keep_until, entry.repeat);
            Record::Begin { operation, keep_until, repeat, method: entry.method.clone() }
                .encode(&mut bytes);
            if let Stage::Ended(answer) = &entry.stage {
                let answer = self.text(answer)?;
                let offset = length + (bytes.len() + Record::ANSWER_AT) as u64;
                let text_length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
                places.push((operation, Place { offset, length: text_length }));
                Record::End { operation, answer }.encode(&mut bytes);
            }
            out.write_all(&bytes)?;
            length += bytes.len() as u64;
        }
        out.flush()?;
        drop(out);
        file.sync_all()?;
        Ok(Copied { file, length, places })
    }

    /// The text of an answer, wherever it is.
    pub(super) fn text(&self, answer: &Answer) -> io::Result<String> {
        match answer {
            Answer::Stored(place) => self.read(*place),
            Answer::Held(text) => Ok(text.clone()),
        }
    }

    fn start_afresh(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(MAGIC, 0)?;
        self.file.sync_all()?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.length = MAGIC.len() as u64;
        Ok(())
    }
}

/// Reads records until the end or the first damaged one; gives back how many bytes are sound.
fn read_all(file: &File, book: &mut Book) -> io::Result<u64> {
    let mut input = BufReader::new(file);
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(io::Error::other(
            "it is no journal of this agent; move it away, or install the agent that wrote it",
        ));
    }
    let mut sound = MAGIC.len() as u64;
    let mut payload = Vec::new();
    while let Some((record, length)) = read_one(&mut input, &mut payload)? {
        apply(book, record, sound);
        sound += length;
    }
    Ok(sound)
}

fn read_one(input: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Option<(Record, u64)>> {
    let mut head = [0; FRAME_HEAD];
    if !fill(input, &mut head)? {
        return Ok(None);
    }
    let Some(head) = Head::decode(head) else { return Ok(None) };
    payload.resize(head.length, 0);
    if !fill(input, payload)? {
        return Ok(None);
    }
    let length = (FRAME_HEAD + head.length) as u64;
    Ok(head.payload(payload).map(|record| (record, length)))
}

/// Whether the buffer could be filled; false at the end of the file.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn apply(book: &mut Book, record: Record, frame_at: u64) {
    match record {
        Record::Begin { operation, keep_until, repeat, method } => {
            book.enter(operation, repeat, keep_until, &method, Stage::Interrupted);
        }
        Record::End { operation, answer } => {
            let offset = frame_at + Record::ANSWER_AT as u64;
            let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
            book.end(operation, Answer::Stored(Place { offset, length }));
        }
    }
}
