//! Recordings of terminals: what a board showed, as asciicast version 2, in one file for each session.
//!
//! Invariants: nothing is recorded unless an administrator said so, and then the person is told before the shell; what comes from
//! the keyboard is never recorded (passwords are typed there), only what the board shows, and the screen's size. A terminal
//! that is to be recorded and cannot be, or not any further, ends: what is shown is recorded or not shown. The file's SHA-256
//! stands in the audit, in the transaction that ends the session.

mod recorder;

pub use recorder::{Recorder, Written};

use crate::app::access::Caller;
use crate::app::{Error, boards};
use crate::cloud::Cloud;
use api::recordings::{NewSetting, Wish};
use model::audit::ActorKind;
use model::{Invalid, Kind, Timestamp};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::Page;
use store::audit::Entry;
use store::recordings::{self, RecordingRow, SettingRow};
use uuid::Uuid;

const FOLDER: &str = "recordings";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn file(dir: &Path, id: Uuid) -> PathBuf {
    dir.join(FOLDER).join(format!("{id}.cast"))
}

/// Recordings that the caller may see, of one board or of all.
///
/// # Errors
/// There is no such board.
pub async fn list(
    cloud: &Cloud,
    caller: &Caller,
    board: Option<&str>,
    page: Page,
) -> Result<Vec<RecordingRow>, Error> {
    let board = match board {
        Some(board) => Some(boards::get(cloud, caller, board).await?.id),
        None => None,
    };
    Ok(recordings::list(&cloud.store, caller.scope(), board, page).await?)
}

/// One recording.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<RecordingRow, Error> {
    let row = recordings::get(&cloud.store, caller.scope(), id(ident)?).await?;
    caller.may(&row.project, "recording")?;
    Ok(row)
}

fn id(ident: &str) -> Result<Uuid, Error> {
    let text =
        || format!("there is no recording {ident:?}: give its id, as GET /v2/recordings shows it");
    Uuid::try_parse(ident).map_err(|_| Error::new(Kind::NotFound, text()))
}

/// The file of one, and that somebody took it is told.
///
/// # Errors
/// There is none, or it is erased.
pub async fn open(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<std::fs::File, Error> {
    let row = get(cloud, caller, ident).await?;
    let gone = || Error::new(Kind::NotFound, "what was recorded is erased");
    if row.erased_at.is_some() {
        return Err(gone());
    }
    let file = std::fs::File::open(file(&cloud.dir, row.id)).map_err(|_| gone())?;
    let entry = Entry::new("recording:read", "recording", row.id).of(&row.project);
    cloud.store.write(move |tx| Box::pin(tx.audit(entry))).await?;
    Ok(file)
}

/// Erases what was recorded; that it was, and what it hashed to, stays.
///
/// # Errors
/// There is none, or it goes on.
pub async fn erase(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<(), Error> {
    let row = get(cloud, caller, ident).await?;
    let job = cloud
        .store
        .write(move |tx| Box::pin(async move { recordings::erase(tx, None, row.id).await }));
    job.await?;
    remove(cloud, row.id);
    Ok(())
}

/// A file that cannot be removed now is found again by its row, which says that it is erased.
fn remove(cloud: &Cloud, id: Uuid) {
    match std::fs::remove_file(file(&cloud.dir, id)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::error!(recording = %id, %error, "the file of an erased recording cannot be removed; remove it by hand");
        }
        _ => {}
    }
}

/// What was said about recording.
///
/// # Errors
/// The database failed.
pub async fn settings(cloud: &Cloud, caller: &Caller) -> Result<Vec<SettingRow>, Error> {
    Ok(recordings::settings(&cloud.store, caller.scope()).await?)
}

/// Says whether terminals of a board, or of the caller's project, are recorded. Those that are open go on as they began.
///
/// # Errors
/// There is no such board.
pub async fn set(cloud: &Cloud, caller: &Caller, new: NewSetting) -> Result<(), Error> {
    let (project, board) = match &new.board {
        Some(ident) => {
            let board = boards::get(cloud, caller, ident).await?;
            if board.legacy {
                let text = "upstream boards have no terminals here";
                return Err(Invalid::new(text).into());
            }
            (board.project, Some(board.id))
        }
        None => (caller.project().clone(), None),
    };
    let record = match new.record {
        Wish::On => Some(true),
        Wish::Off => Some(false),
        Wish::Default => None,
    };
    let job = cloud.store.write(move |tx| {
        Box::pin(async move { recordings::set(tx, &project, board, record).await })
    });
    Ok(job.await?)
}

/// Ends what the last process could not: each gets the hash of what there is.
///
/// # Errors
/// The database failed.
pub async fn end_interrupted(cloud: &Cloud) -> Result<(), store::Error> {
    for row in recordings::unended(&cloud.store).await? {
        let (bytes, sha256) = recorder::digest(&file(&cloud.dir, row.id));
        let detail =
            json!({ "session": row.id, "recording": { "sha256": sha256, "bytes": bytes } });
        let entry = Entry::new("terminal:close", "board", row.board).of(&row.project).with(detail);
        let entry = entry.by(ActorKind::Cloud, "").ending("interrupted");
        let job = cloud.store.write(move |tx| {
            Box::pin(async move {
                recordings::end(tx, row.id, bytes, &sha256).await?;
                tx.audit(entry).await
            })
        });
        job.await?;
    }
    Ok(())
}

/// Erases what is older, or more, than is kept.
///
/// # Errors
/// The database failed.
pub async fn sweep(cloud: &Cloud, now: Timestamp) -> Result<(), store::Error> {
    let kept = &cloud.settings.recordings;
    let age = DAY.saturating_mul(kept.days);
    let back = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let before = Timestamp::from_micros(now.micros().saturating_sub(back));
    loop {
        let over = recordings::over(&cloud.store, before, kept.total_bytes).await?;
        for id in &over {
            let id = *id;
            let job = cloud
                .store
                .write(move |tx| Box::pin(async move { recordings::erase(tx, None, id).await }));
            job.await?;
            remove(cloud, id);
        }
        if over.len() < recordings::BATCH as usize {
            return Ok(());
        }
    }
}
