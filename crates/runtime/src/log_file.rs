//! The files of guests' logs, written by one thread, because a slow card must not stall the agent.
//!
//! Invariants: adding a line never waits; what waits for the disk is bounded in lines and bytes, and beyond that a line is
//! lost for the file, which its log hears at once; a failing disk loses files, never guests.

use crate::log::Line;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// The file is rotated once at this size; one older file is kept.
const FILE_BYTES: u64 = 1 << 20;
/// Lines, and their bytes, that may wait for the disk.
pub(crate) const QUEUE_LINES: usize = 1024;
const QUEUE_BYTES: usize = 512 << 10;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It will be written.
    Queued,
    /// There is no place for it.
    Lost,
}

/// The thread that writes. It ends with the last log.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter {
    orders: SyncSender<Order>,
    waiting: Arc<AtomicUsize>,
}

enum Order {
    Line(Arc<Path>, Vec<u8>),
    Flush(SyncSender<()>),
}

impl LogWriter {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, queue) = sync_channel(QUEUE_LINES);
        let waiting = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&waiting);
        let thread = std::thread::Builder::new().name("guests' logs".into());
        thread.spawn(move || write_all(&queue, &counted))?;
        Ok(Self { orders, waiting })
    }

    fn append(&self, path: &Arc<Path>, text: Vec<u8>) -> Written {
        let bytes = text.len();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= QUEUE_BYTES
            && self.orders.try_send(Order::Line(Arc::clone(path), text)).is_ok()
        {
            return Written::Queued;
        }
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        Written::Lost
    }

    /// Waits until what was added so far is written; whether that was so in time. Not for the reactor's thread.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let (done, written) = sync_channel(1);
        let end = std::time::Instant::now() + within;
        let mut order = Order::Flush(done);
        while let Err(error) = self.orders.try_send(order) {
            let std::sync::mpsc::TrySendError::Full(back) = error else { return false };
            if std::time::Instant::now() > end {
                return false;
            }
            order = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        written.recv_timeout(end.saturating_duration_since(std::time::Instant::now())).is_ok()
    }
}

fn write_all(queue: &Receiver<Order>, waiting: &AtomicUsize) {
    for order in queue {
        match order {
            Order::Line(path, text) => {
                let _ = write(&path, &text);
                waiting.fetch_sub(text.len(), Ordering::Relaxed);
            }
            Order::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

/// Opened for each line: a guest that was removed takes its file along, and nothing is held open.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text)?;
    if file.metadata()?.len() >= FILE_BYTES {
        fs::rename(path, older(path))?;
    }
    Ok(())
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("1")
}

/// The file of one guest: lines as JSON, one a line.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: Arc<Path>,
    writer: LogWriter,
}

impl LogFile {
    /// The file of the guest whose directory is `home`.
    pub(crate) fn of(home: &Path, writer: &LogWriter) -> Self {
        Self { path: home.join("log").into(), writer: writer.clone() }
    }

    /// Adds a line without waiting.
    pub(crate) fn append(&self, line: &Line) -> Written {
        let Ok(mut text) = serde_json::to_vec(line) else { return Written::Lost };
        text.push(b'\n');
        self.writer.append(&self.path, text)
    }

    /// What the files hold, one line at a time; lines torn by a power loss are skipped.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line> + use<> {
        [older(&self.path), self.path.to_path_buf()]
            .into_iter()
            .filter_map(|path| File::open(path).ok())
            .flat_map(|file| BufReader::new(file).lines().map_while(Result::ok))
            .filter_map(|text| serde_json::from_str(&text).ok())
    }
}
