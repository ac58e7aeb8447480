//! Backups that were made of this cloud, by whoever may read its folder: each leaves a note there, and a row in the audit.
//!
//! Invariant: a note goes only after its row is committed, so one may be told twice and none is lost. Who holds the folder can
//! also keep a note away from the cloud; `docs/security.md` says what that one is trusted with.

use crate::backup::{NOTES, Note};
use crate::cloud::Cloud;
use model::audit::ActorKind;
use serde_json::json;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::audit::Entry;

/// How often notes are looked for.
const PERIOD: Duration = Duration::from_secs(2);
/// Longest note, and most of one look.
const MAX_NOTE: u64 = 4096;
const MAX_NOTES: usize = 100;

/// Tells of backups as long as the cloud runs.
pub async fn watch(cloud: Cloud) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        for path in notes(&cloud.dir.join(NOTES)) {
            if let Err(error) = tell(&cloud, &path).await {
                tracing::error!(note = %path.display(), %error, "a backup was made and cannot be told in the audit");
            }
        }
    }
}

fn notes(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .take(MAX_NOTES)
        .collect()
}

async fn tell(cloud: &Cloud, path: &Path) -> Result<(), store::Error> {
    let entry = match read(path) {
        Ok((note, uid)) => {
            let detail = json!({
                "made_at": note.made_at, "bytes": note.bytes, "sha256": note.sha256, "uid": uid,
            });
            Entry::new("cloud:backup", "cloud", note.cloud).with(detail)
        }
        Err(error) => {
            tracing::warn!(note = %path.display(), %error, "a note of a backup cannot be read");
            let detail = json!({ "unreadable": error.to_string() });
            Entry::new("cloud:backup", "cloud", "").with(detail).ending("unknown")
        }
    };
    let entry = entry.by(ActorKind::Cloud, "backup");
    cloud.store.write(move |tx| Box::pin(tx.audit(entry))).await?;
    if let Err(error) = std::fs::remove_file(path) {
        tracing::error!(note = %path.display(), %error, "the note of a backup cannot be removed");
    }
    Ok(())
}

/// What it says, and which user of the machine wrote it.
fn read(path: &Path) -> io::Result<(Note, u32)> {
    let file = File::open(path)?;
    let uid = file.metadata()?.uid();
    let mut text = Vec::new();
    file.take(MAX_NOTE).read_to_end(&mut text)?;
    Ok((serde_json::from_slice(&text)?, uid))
}
