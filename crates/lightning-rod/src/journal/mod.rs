//! The board's journal: begin and end of every command, so that a command asked for twice is done once.
//!
//! Invariants: work that must not be repeated starts only after its begin is on the disk, and its answer leaves only after
//! its end is; when it was interrupted it ends as `unknown`. Work that may be repeated is written down as well and not
//! waited for: a power failure may forget it, then it is done again. An operation id that was answered is answered the same
//! again, also by a later process. One thread owns the file; requests that come together share one sync.
//!
//! At the bounds: over [`MAX_ENTRIES`] operations or [`MAX_FILE`] bytes the oldest ended ones are forgotten; over
//! [`MAX_WAITING`] askers for one running operation the next is refused.
//!
//! Not here: doing the work (`dispatch`).

mod book;
mod file;
mod record;

pub use book::MAX_ENTRIES;
pub use record::{MAX_ANSWER, Repeat};

use book::{Answer, Book, Decision, Place};
use file::{Care, JournalFile};
use model::{OperationId, Timestamp};
use record::Record;
use rpc::Envelope;
use rpc::envelope::End;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long an answer is kept beyond the operation's deadline.
pub const KEEP: Duration = Duration::from_secs(24 * 3600);
/// Size at which the file is rewritten.
const COMPACT_AT: u64 = 4 << 20;
/// Size over which a rewrite drops the oldest answers until half of it is left.
pub const MAX_FILE: u64 = 64 << 20;
/// Askers that may wait for one running operation.
pub const MAX_WAITING: usize = 16;
/// Requests that share one sync at most.
const MAX_BATCH: usize = 256;
/// Requests that may queue for the thread; more wait.
const QUEUE: usize = 64;

/// Why the journal cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("journal {path} cannot be opened: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error(
        "the board's journal cannot be written ({0}); nothing was done; free disk space and try again"
    )]
    Write(String),
    /// Too much is going on.
    #[error("the board's journal is full of running operations; try again later")]
    Full,
    /// Too many ask for the same.
    #[error("{MAX_WAITING} askers wait for this operation already")]
    Waiting,
    /// The agent is ending.
    #[error("the agent is stopping; ask again when it is back")]
    Stopped,
}

/// What to do about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Do the work, then call [`Journal::end`].
    Run,
    /// It was done; this is the answer.
    Answer(String),
}

/// Work that is asked for.
#[derive(Debug, Clone)]
pub struct Work {
    /// The operation.
    pub operation: OperationId,
    /// Whether it may be repeated after an interruption.
    pub repeat: Repeat,
    /// The method's name, for people.
    pub method: String,
    /// When it stops making sense.
    pub deadline: Timestamp,
    /// The moment it was asked for.
    pub now: Timestamp,
}

/// The journal; clones share it. The thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Journal {
    orders: mpsc::Sender<Order>,
}

type Reply = oneshot::Sender<Result<Turn, Error>>;

#[derive(Debug)]
enum Order {
    Begin { work: Work, reply: Reply },
    End { operation: OperationId, answer: String, reply: oneshot::Sender<()> },
}

impl Journal {
    /// Opens the journal in `path`, makes it when missing, and starts its thread.
    ///
    /// # Errors
    /// The file cannot be read or is no journal.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, Error> {
        let at = |source| Error::Open { path: path.to_owned(), source };
        let owner = Owner::open(path, now).map_err(at)?;
        let (orders, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || owner.run(queue))
            .map_err(at)?;
        Ok(Self { orders })
    }

    /// Asks whether to do the work. Waits while it is being done for somebody else. Must not be dropped half-way by
    /// somebody who would not look at the answer.
    ///
    /// # Errors
    /// The begin could not be made durable; the work must not be done then.
    pub async fn begin(&self, work: Work) -> Result<Turn, Error> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Begin { work, reply }).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }

    /// Notes the answer of work that [`Turn::Run`] began, durably, and hands it to everybody who waits. An answer that
    /// cannot be written is still given for as long as this process lives.
    pub async fn end(&self, operation: OperationId, answer: String) {
        let (reply, done) = oneshot::channel();
        if self.orders.send(Order::End { operation, answer, reply }).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// What the thread owns.
struct Owner {
    book: Book,
    file: JournalFile,
    waiting: HashMap<OperationId, Vec<Reply>>,
    compact_at: u64,
    /// The latest moment heard of.
    now: Timestamp,
}

/// A change that waits for the sync.
enum Staged {
    Begun { operation: OperationId, reply: Reply },
    Ended { operation: OperationId, answer: String, at: u64, reply: oneshot::Sender<()> },
}

impl Owner {
    fn open(path: &Path, now: Timestamp) -> std::io::Result<Self> {
        let mut book = Book::default();
        let mut file = JournalFile::open(path, &mut book)?;
        let lost = book.undecidable();
        let text = Envelope::end(
            End::Unknown,
            "the agent ended while it worked on this; look at the board before asking anew",
        );
        for operation in lost {
            tracing::warn!(%operation, "operation was interrupted and must not run twice, unknown");
            let mut answer = text.clone();
            answer.req_id = Some(operation.to_string());
            let answer = answer.to_text();
            let mut bytes = Vec::new();
            let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
            Record::End { operation, answer }.encode(&mut bytes);
            let offset = file.append(&bytes, Care::Synced)? + Record::ANSWER_AT as u64;
            book.end(operation, Answer::Stored(Place { offset, length }));
        }
        let mut this = Self { book, file, waiting: HashMap::new(), compact_at: COMPACT_AT, now };
        this.book.expire(now);
        this.book.shrink();
        this.compact_if_due();
        Ok(this)
    }

    fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH {
                let Ok(next) = queue.try_recv() else { break };
                batch.push(next);
            }
            self.serve(batch);
            self.compact_if_due();
        }
    }

    /// Serves a batch with one sync at most.
    fn serve(&mut self, batch: Vec<Order>) {
        let mut bytes = Vec::new();
        let mut staged = Vec::new();
        let mut care = Care::Written;
        for order in batch {
            match order {
                Order::Begin { work, reply } => {
                    let Work { operation, repeat, method, deadline, now } = work;
                    let keep_until = deadline.after(KEEP);
                    self.now = self.now.max(now);
                    match self.book.request(operation, repeat, keep_until, &method) {
                        Decision::Run => {
                            care = care.max(Care::of(repeat));
                            Record::Begin { operation, keep_until, repeat, method }
                                .encode(&mut bytes);
                            staged.push(Staged::Begun { operation, reply });
                        }
                        other => self.answer(operation, other, reply),
                    }
                }
                Order::End { operation, answer, reply } => {
                    let at = bytes.len() as u64;
                    care = care.max(self.book.repeat(operation).map_or(Care::Synced, Care::of));
                    Record::End { operation, answer: answer.clone() }.encode(&mut bytes);
                    staged.push(Staged::Ended { operation, answer, at, reply });
                }
            }
        }
        self.commit(&bytes, care, staged);
    }

    fn answer(&mut self, operation: OperationId, decision: Decision, reply: Reply) {
        match decision {
            Decision::Answer(answer) => {
                let text = self.file.text(&answer).map_err(|e| Error::Write(e.to_string()));
                let _ = reply.send(text.map(Turn::Answer));
            }
            Decision::Join => {
                let waiting = self.waiting.entry(operation).or_default();
                if waiting.len() < MAX_WAITING {
                    waiting.push(reply);
                } else {
                    let _ = reply.send(Err(Error::Waiting));
                }
            }
            Decision::Full | Decision::Run => {
                let _ = reply.send(Err(Error::Full));
            }
        }
    }

    fn commit(&mut self, bytes: &[u8], care: Care, staged: Vec<Staged>) {
        if staged.is_empty() {
            return;
        }
        let written = self.file.append(bytes, care);
        if let Err(error) = &written {
            tracing::error!(%error, "journal cannot be written");
        }
        for change in staged {
            match change {
                Staged::Begun { operation, reply } => self.begun(operation, &written, reply),
                Staged::Ended { operation, answer, at, reply } => {
                    let place = match &written {
                        Ok(start) => Answer::Stored(Place {
                            offset: start + at + Record::ANSWER_AT as u64,
                            length: u32::try_from(answer.len()).unwrap_or(u32::MAX),
                        }),
                        Err(_) => Answer::Held(answer.clone()),
                    };
                    self.book.end(operation, place);
                    for waiting in self.waiting.remove(&operation).unwrap_or_default() {
                        let _ = waiting.send(Ok(Turn::Answer(answer.clone())));
                    }
                    let _ = reply.send(());
                }
            }
        }
    }

    fn begun(&mut self, operation: OperationId, written: &std::io::Result<u64>, reply: Reply) {
        let turn = match written {
            Ok(_) => Ok(Turn::Run),
            Err(error) => Err(Error::Write(error.to_string())),
        };
        // The asker may be gone; nobody does the work then, and nobody must wait for it.
        let is_run = turn.is_ok();
        if reply.send(turn).is_err() || !is_run {
            self.never_mind(operation);
        }
    }

    /// Work was entered and will not be done by whoever asked first: those who wait are turned away to ask again.
    fn never_mind(&mut self, operation: OperationId) {
        self.book.forget(operation);
        for waiting in self.waiting.remove(&operation).unwrap_or_default() {
            let _ = waiting.send(Err(Error::Stopped));
        }
    }

    fn compact_if_due(&mut self) {
        if self.file.length() < self.compact_at {
            return;
        }
        self.book.expire(self.now);
        let compacted = self.compact_below(MAX_FILE);
        if let Err(error) = compacted {
            tracing::error!(%error, "journal cannot be rewritten");
        }
        self.compact_at = (self.file.length() * 2).clamp(COMPACT_AT, MAX_FILE);
    }

    fn compact_below(&mut self, limit: u64) -> std::io::Result<()> {
        self.file.compact(&mut self.book)?;
        if self.file.length() < limit {
            return Ok(());
        }
        let mut size = self.file.length();
        while size > limit / 2 && self.drop_oldest(&mut size) {}
        self.file.compact(&mut self.book)
    }

    fn drop_oldest(&mut self, size: &mut u64) -> bool {
        let length = self.book.oldest_answer_length();
        *size = size.saturating_sub(length);
        self.book.drop_oldest_ended()
    }
}
