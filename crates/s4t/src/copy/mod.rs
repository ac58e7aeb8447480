//! `s4t cp`: files and folders to a board or from it, through what `s4t exec` uses: no SSH server, no open port.
//!
//! Both ways one `tar` runs on the board and a library here. Invariants: a file appears under its name when all of it is there;
//! nothing that a board sends is written outside the destination; the names that a board sees are data, not words for its shell.

mod place;
mod receive;
mod script;
mod send;

use crate::failure::Failure;
use crate::session::Session;
use crate::terminal;
use bytes::Bytes;
use clap::Args;
use model::Kind;
use place::Place;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Pieces that wait for the other side.
const QUEUE: usize = 8;
/// Longest reason of the board that is repeated.
const MAX_REASON: u64 = 2000;

/// Copy files to a board or from it.
#[derive(Args)]
pub(crate) struct Cp {
    /// Folders too, with all that is in them.
    #[arg(short, long)]
    recursive: bool,
    /// A path of this machine, or BOARD:PATH. A path that is not absolute begins where the board's user is at home.
    from: Place,
    /// The other of both. An existing folder gets the copy into it.
    to: Place,
}

impl Cp {
    /// Copies.
    pub(crate) fn run(&self, session: &Session) -> Result<(), Failure> {
        let whole = self.recursive;
        match (&self.from, &self.to) {
            (Place::Here(from), Place::There { board, path }) => {
                terminal::run(upload(session, from, board, path, whole))
            }
            (Place::There { board, path }, Place::Here(to)) => {
                terminal::run(download(session, board, path, to, whole))
            }
            (Place::Here(_), Place::Here(_)) => {
                Err(Failure::invalid("neither side is on a board").help("write one as BOARD:PATH"))
            }
            (Place::There { .. }, Place::There { .. }) => {
                Err(Failure::invalid("both sides are on boards").help("copy to this machine first"))
            }
        }
    }
}

async fn upload(
    session: &Session,
    from: &Path,
    board: &str,
    path: &str,
    whole: bool,
) -> Result<(), Failure> {
    let source = send::Source::look(from, whole)?;
    let command = script::take(path, source.name());
    let (pieces, input) = mpsc::channel(QUEUE);
    let (output, said) = mpsc::channel(QUEUE);
    let packing = tokio::task::spawn_blocking(move || source.pack(send::Pieces::new(pieces)));
    let (ended, reason) = tokio::join!(
        terminal::pipe(&session.client, board, Some(&command), input, output),
        reason(said)
    );
    let packed = packing.await.map_err(|error| internal(&error.to_string()))?;
    match ended? {
        0 => packed.map_err(|error| local(from, &error)),
        _ => Err(refused(board, &reason)),
    }
}

async fn download(
    session: &Session,
    board: &str,
    path: &str,
    to: &Path,
    whole: bool,
) -> Result<(), Failure> {
    let goal = receive::Goal::look(to, script::name(path)?).map_err(|error| local(to, &error))?;
    let command = script::give(path, whole);
    let (nothing, input) = mpsc::channel(1);
    drop(nothing);
    let (output, pieces) = mpsc::channel(QUEUE);
    let unpacking = tokio::task::spawn_blocking(move || goal.unpack(receive::Pieces::new(pieces)));
    let ended = terminal::pipe(&session.client, board, Some(&command), input, output).await;
    let arrived = unpacking.await.map_err(|error| internal(&error.to_string()))?;
    match ended? {
        0 => arrived.keep().map_err(|error| local(to, &error)),
        _ => Err(refused(board, arrived.reason())),
    }
}

/// What the board said, its beginning.
async fn reason(mut said: mpsc::Receiver<Bytes>) -> Vec<u8> {
    let most = usize::try_from(MAX_REASON).unwrap_or(0);
    let mut reason = Vec::new();
    while let Some(piece) = said.recv().await {
        reason.extend(piece.iter().take(most.saturating_sub(reason.len())));
    }
    reason
}

fn refused(board: &str, reason: &[u8]) -> Failure {
    let reason = String::from_utf8_lossy(reason);
    let reason = reason.trim();
    let text = match reason {
        "" => format!("board {board} could not copy, and does not say why"),
        reason => format!("board {board} says: {reason}"),
    };
    Failure::new(Kind::Invalid, text)
}

fn local(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Invalid, format!("{}: {error}", path.display()))
}

fn internal(text: &str) -> Failure {
    Failure::new(Kind::Internal, text)
}

/// The last name of a path, which the copy gets.
fn last_name(path: &Path) -> Option<PathBuf> {
    path.file_name().map(PathBuf::from)
}
