//! The local end of a terminal: keyboard and screen, or whatever standard input and output are.
//!
//! Invariant: the local terminal is as it was found when [`Raw`] is dropped. Two threads do what may block, so that the
//! conversation with the cloud never does.

use bytes::Bytes;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Read as _, Write as _};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Pieces that wait for the other side, each way.
const QUEUE: usize = 8;
/// Largest piece of input.
const PIECE: usize = 16 * 1024;
/// Largest side of a screen that the cloud takes.
const MAX_SIDE: u16 = 1000;

/// Columns and rows of the local screen, if it says something sensible.
pub(super) fn size() -> Option<(u16, u16)> {
    let window = tcgetwinsize(io::stdout()).ok()?;
    let sound = 1..=MAX_SIDE;
    let size = (window.ws_col, window.ws_row);
    (sound.contains(&size.0) && sound.contains(&size.1)).then_some(size)
}

/// The local terminal, passing every key on as it is.
pub(super) struct Raw(Termios);

impl Raw {
    pub(super) fn enter() -> io::Result<Self> {
        let found = tcgetattr(io::stdin())?;
        let mut raw = found.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(found))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// What is typed, piece by piece; the channel closes at the end of the input. The thread ends with the process: nothing
/// wakes a read of a terminal.
pub(super) fn keyboard() -> mpsc::Receiver<Bytes> {
    let (keys, typed) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        loop {
            match io::stdin().read(&mut buffer) {
                Ok(read @ 1..) => {
                    let piece = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                    if keys.blocking_send(piece).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
            }
        }
    });
    typed
}

/// Where output goes. Dropping the sender ends the thread once all is shown.
pub(super) fn screen() -> (mpsc::Sender<Bytes>, JoinHandle<io::Result<()>>) {
    let (output, mut shown) = mpsc::channel::<Bytes>(QUEUE);
    let thread = std::thread::spawn(move || {
        let mut out = io::stdout().lock();
        while let Some(piece) = shown.blocking_recv() {
            out.write_all(&piece)?;
            out.flush()?;
        }
        Ok(())
    });
    (output, thread)
}
