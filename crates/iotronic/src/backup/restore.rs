//! A cloud out of a backup.
//!
//! Invariant: everything is unpacked, checked and brought up to date in a folder `.restoring` below the new one, and moved from there
//! last; as long as that folder is there no cloud starts. So a restore that died is seen, and one that failed leaves nothing.

use super::Error;
use super::format::{
    DATABASE, KEY, MANIFEST, MAX_MANIFEST, Manifest, RECORDINGS, TAIL, VERSION, digest, digest_of,
    is_ours, is_recording, mode, tail,
};
use super::make::sync;
use crate::cloud_keys::CloudKeys;
use base::key::KeyPair;
use model::Timestamp;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use store::{Options, RESTORING, Store, author};
use tar::Archive;

/// What else lies in a folder of the store; it is not moved.
const LOCK: &str = "lock";

/// A cloud that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Fingerprint of its key.
    pub cloud: String,
    /// The moment of its state.
    pub made_at: Timestamp,
}

/// Makes the cloud that `file` holds in `dir`, which is empty or made.
///
/// # Errors
/// The backup is not whole or too new, the folder is not empty, or something cannot be written.
pub async fn restore(dir: &Path, file: &Path) -> Result<Restored, Error> {
    whole(file)?;
    let stage = Stage::take(dir)?;
    let manifest = unpack(file, &stage.folder)?;
    check(file, &manifest, &stage.folder)?;
    bring_up_to_date(&manifest, &stage.folder).await?;
    stage.take_place()?;
    Ok(Restored { cloud: manifest.cloud, made_at: manifest.made_at })
}

/// Every byte is as it was written.
fn whole(path: &Path) -> Result<(), Error> {
    let at = |source| Error::at(path)(source);
    let mut file = File::open(path).map_err(at)?;
    let length = file.metadata().map_err(at)?.len();
    let mut start = [0; MANIFEST.len() + 1];
    let is_one = match file.read_exact(&mut start) {
        Ok(()) => start.strip_suffix(&[0]) == Some(MANIFEST.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(at(error)),
    };
    if !is_one {
        return Err(Error::NotABackup(path.to_owned()));
    }
    let Some(body) = length.checked_sub(TAIL as u64) else {
        return Err(Error::damaged(path, "its end is missing"));
    };
    file.seek(SeekFrom::Start(0)).map_err(at)?;
    let mut reader = BufReader::new(file);
    let (found, _) = digest(reader.by_ref().take(body)).map_err(at)?;
    let mut end = Vec::new();
    reader.take(TAIL as u64 + 1).read_to_end(&mut end).map_err(at)?;
    if end == tail(&found).map_err(at)? {
        return Ok(());
    }
    Err(Error::damaged(path, "its checksum is another"))
}

/// The new folder with the one in it where things are made ready.
struct Stage {
    dir: PathBuf,
    folder: PathBuf,
    /// Whether the folder itself was made here.
    is_made: bool,
    is_done: bool,
}

impl Stage {
    fn take(dir: &Path) -> Result<Self, Error> {
        let made = DirBuilder::new().mode(0o700).create(dir);
        let is_made = match made {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(Error::at(dir)(error)),
        };
        let names = || -> io::Result<Vec<_>> {
            std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
        };
        if !names().map_err(Error::at(dir))?.is_empty() {
            return Err(Error::NotEmpty(dir.to_owned()));
        }
        let folder = dir.join(RESTORING);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::NotEmpty(dir.to_owned()));
            }
            made => made.map_err(Error::at(&folder))?,
        }
        let stage = Self { dir: dir.to_owned(), folder, is_made, is_done: false };
        // A cloud that was started at the same moment saw the folder empty, too.
        if names().map_err(Error::at(dir))? != [RESTORING] {
            return Err(Error::NotEmpty(dir.to_owned()));
        }
        Ok(stage)
    }

    /// The database comes last, and then the mark goes.
    fn take_place(mut self) -> Result<(), Error> {
        let at = |source| Error::at(&self.dir)(source);
        let _ = std::fs::remove_file(self.folder.join(LOCK));
        sync(&self.folder).map_err(at)?;
        let names = std::fs::read_dir(&self.folder).map_err(at)?;
        let names: io::Result<Vec<_>> = names.map(|entry| entry.map(|e| e.file_name())).collect();
        let mut names = names.map_err(at)?;
        names.sort_by_key(|name| name == DATABASE);
        for name in names {
            std::fs::rename(self.folder.join(&name), self.dir.join(&name)).map_err(at)?;
        }
        sync(&self.dir).map_err(at)?;
        std::fs::remove_dir(&self.folder).map_err(at)?;
        sync(&self.dir).map_err(at)?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // What was moved already stays beside the mark, and no cloud starts there.
        let _ = std::fs::remove_dir_all(&self.folder);
        if self.is_made {
            let _ = std::fs::remove_dir(&self.dir);
        }
    }
}

fn unpack(path: &Path, into: &Path) -> Result<Manifest, Error> {
    let damaged = |reason: String| Error::damaged(path, reason);
    let file = File::open(path).map_err(Error::at(path))?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut entries = archive.entries().map_err(Error::at(path))?;
    let mut next = || match entries.next() {
        Some(entry) => entry.map_err(|error| damaged(error.to_string())),
        None => Err(damaged("a file is missing".into())),
    };
    let mut text = Vec::new();
    next()?.take(MAX_MANIFEST).read_to_end(&mut text).map_err(Error::at(path))?;
    let manifest = read(path, &text)?;
    for listed in &manifest.files {
        let mut entry = next()?;
        let is_it = entry.path_bytes() == listed.name.as_bytes() && is_ours(&listed.name);
        if !is_it || entry.size() != listed.bytes {
            return Err(damaged(format!("{:?} is not what the manifest says", listed.name)));
        }
        if is_recording(&listed.name) {
            folder(&into.join(RECORDINGS))?;
        }
        let target = into.join(&listed.name);
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode(&listed.name));
        let mut out = options.open(&target).map_err(Error::at(&target))?;
        io::copy(&mut entry, &mut out).map_err(Error::at(&target))?;
        out.sync_all().map_err(Error::at(&target))?;
        if digest_of(&target)?.0 != listed.sha256 {
            return Err(damaged(format!("the checksum of {:?} is another", listed.name)));
        }
    }
    Ok(manifest)
}

fn folder(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::at(path)(error)),
        _ => Ok(()),
    }
}

/// A newer program may say more, and is named before anything else is looked at.
fn read(path: &Path, text: &[u8]) -> Result<Manifest, Error> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
        program: String,
    }
    let damaged = |error: serde_json::Error| Error::damaged(path, format!("manifest: {error}"));
    let Version { version, program } = serde_json::from_slice(text).map_err(damaged)?;
    if version > VERSION {
        return Err(Error::Newer { path: path.to_owned(), program });
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(damaged)?;
    if manifest.schema > store::backup::newest_schema() {
        return Err(Error::Newer { path: path.to_owned(), program });
    }
    Ok(manifest)
}

fn check(path: &Path, manifest: &Manifest, stage: &Path) -> Result<(), Error> {
    let schema = store::backup::check(&stage.join(DATABASE))?;
    let key = KeyPair::load(&stage.join(KEY))?.public().fingerprint();
    if schema != manifest.schema || key != manifest.cloud {
        return Err(Error::damaged(path, "the manifest tells of another cloud"));
    }
    CloudKeys::open(stage)?;
    Ok(())
}

async fn bring_up_to_date(manifest: &Manifest, stage: &Path) -> Result<(), Error> {
    let store = Store::open(stage, Options::default()).await?;
    let (cloud, made_at) = (manifest.cloud.clone(), manifest.made_at);
    let job = author::program("restore", async {
        let job = store.write(move |tx| {
            Box::pin(async move { store::backup::restored(tx, &cloud, made_at).await })
        });
        job.await
    });
    let done = job.await;
    store.close().await;
    done?;
    Ok(store::backup::settle(stage)?)
}
