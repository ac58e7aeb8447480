//! The guests installed on this board, on disk.
//!
//! Layout: `<dir>/<id>/guest.json` names the source file beside it; `<dir>/<id>/work` is the guest's home.
//! Invariant: an installation is whole or absent, also after power loss: the source is written and synced
//! under a new name, then `guest.json` is replaced in one step; finding one reads no disk, which may be slow. Not here:
//! running them.

use crate::failure::Failure;
use crate::guest::{Guest, Language, check_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const RECORD: &str = "guest.json";
/// How often a folder that fills again is deleted.
const DELETIONS: u32 = 100;

/// What is kept about an installed guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installed {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) language: Language,
    /// File name of the source within the guest's directory.
    pub(crate) file: String,
    revision: u64,
}

/// The directory of all guests.
#[derive(Debug)]
pub(crate) struct Library {
    dir: PathBuf,
    /// What the records say; changed after them.
    known: Mutex<BTreeMap<String, Installed>>,
}

impl Library {
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        make_dir(dir).map_err(|error| Failure::disk(format!("make {}", dir.display()), &error))?;
        // Guests run elsewhere, so paths given to them must not depend on our working directory.
        let dir =
            fs::canonicalize(dir).map_err(|error| Failure::disk("open the guests", &error))?;
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| load(&dir.join(entry.file_name())));
        let known = found.map(|guest| (guest.id.clone(), guest)).collect();
        Ok(Self { dir, known: Mutex::new(known) })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn home(&self, id: &str) -> PathBuf {
        self.dir.join(id)
    }

    pub(crate) fn work(&self, id: &str) -> PathBuf {
        self.home(id).join("work")
    }

    pub(crate) fn source(&self, guest: &Installed) -> PathBuf {
        self.home(&guest.id).join(&guest.file)
    }

    pub(crate) fn install(&self, guest: &Guest) -> Result<(), Failure> {
        guest.check()?;
        self.write(guest).map_err(|error| Failure::disk(format!("install {}", guest.id), &error))
    }

    fn write(&self, guest: &Guest) -> io::Result<()> {
        let home = self.home(&guest.id);
        make_dir(&home)?;
        make_dir(&self.work(&guest.id))?;
        let before = self.known().get(&guest.id).cloned();
        let revision = before.as_ref().map_or(1, |before| before.revision.saturating_add(1));
        let file = format!("source-{revision}.{}", guest.language.extension());
        write_synced(&home.join(&file), guest.source.as_bytes())?;
        let record = Installed {
            id: guest.id.clone(),
            name: guest.name.clone(),
            language: guest.language,
            file,
            revision,
        };
        let fresh = home.join("guest.json.new");
        write_synced(&fresh, &serde_json::to_vec(&record)?)?;
        fs::rename(&fresh, home.join(RECORD))?;
        sync_dir(&home)?;
        sync_dir(&self.dir)?;
        self.known().insert(guest.id.clone(), record);
        if let Some(before) = before {
            let _ = fs::remove_file(home.join(before.file));
        }
        Ok(())
    }

    pub(crate) fn find(&self, id: &str) -> Result<Installed, Failure> {
        check_id(id)?;
        self.known().get(id).cloned().ok_or_else(|| Failure::NotInstalled { id: id.to_owned() })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Installed>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest with its source, as it was handed over.
    pub(crate) fn read(&self, id: &str) -> Result<Guest, Failure> {
        let found = self.find(id)?;
        let source = fs::read_to_string(self.source(&found))
            .map_err(|error| Failure::disk(format!("read the source of {id}"), &error))?;
        Ok(Guest { id: found.id, name: found.name, language: found.language, source })
    }

    pub(crate) fn remove(&self, id: &str) -> Result<(), Failure> {
        self.find(id)?;
        self.known().remove(id);
        let home = self.home(id);
        // Without its record the guest is gone, even if the rest cannot be deleted at once.
        fs::remove_file(home.join(RECORD))
            .and_then(|()| delete(&home))
            .and_then(|()| sync_dir(&self.dir))
            .map_err(|error| Failure::disk(format!("remove {id}"), &error))
    }

    pub(crate) fn list(&self) -> Vec<Installed> {
        self.known().values().cloned().collect()
    }
}

/// A line of the guest's log that was on its way may make its file anew meanwhile; then it is deleted again.
fn delete(home: &Path) -> io::Result<()> {
    for _ in 1..DELETIONS {
        match fs::remove_dir_all(home) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            done => return done,
        }
    }
    fs::remove_dir_all(home)
}

fn load(home: &Path) -> Option<Installed> {
    let guest: Installed = serde_json::from_slice(&fs::read(home.join(RECORD)).ok()?).ok()?;
    (home.file_name()?.to_str()? == guest.id).then_some(guest)
}

fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(source: &str) -> Guest {
        Guest {
            id: "a".to_owned(),
            name: "lamp".to_owned(),
            language: Language::Python,
            source: source.to_owned(),
        }
    }

    #[test]
    fn a_second_installation_replaces_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(dir.path()).unwrap();
        library.install(&guest("one")).unwrap();
        library.install(&guest("two")).unwrap();
        assert_eq!(library.read("a").unwrap().source, "two");
        assert_eq!(library.list().len(), 1);
        let sources = fs::read_dir(library.home("a")).unwrap().flatten();
        let left = sources.filter(|e| e.file_name().to_string_lossy().starts_with("source"));
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn a_removed_guest_is_not_installed() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(dir.path()).unwrap();
        library.install(&guest("one")).unwrap();
        library.remove("a").unwrap();
        assert_eq!(library.find("a"), Err(Failure::NotInstalled { id: "a".to_owned() }));
        assert!(matches!(library.find("../a"), Err(Failure::BadGuest { .. })));
    }

    #[test]
    fn a_damaged_record_reads_as_not_installed() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(dir.path()).unwrap();
        library.install(&guest("one")).unwrap();
        fs::write(library.home("a").join(RECORD), "{").unwrap();
        let library = Library::open(dir.path()).unwrap();
        assert_eq!(library.find("a").unwrap_err().label(), "not_installed");
    }
}
