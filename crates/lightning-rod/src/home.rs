//! The agent's folder: who the board is, and the files of everything else.
//!
//! | file | what |
//! |---|---|
//! | `board.key` | the board's Ed25519 key, mode 0600 |
//! | `board.key.next`, `key.since` | the key it is about to have ([`crate::keys`]), and since when it has the present one |
//! | `board.json` | [`Identity`], written when the cloud has accepted the claim, and when it tells another name |
//! | `cloud.json` | [`CloudSaid`], written when it is not what the cloud said the last time |
//! | `claim` | text of a claim, dropped in by an image; gone once it was used |
//! | `journal` | begin and end of commands |
//! | `plugins/`, `plugins.json`, `services.json` | what was injected and enabled |
//! | `clock` | the latest time the cloud told, or by which a right was honoured |
//! | `epoch` | the epoch of rights |
//! | `lock`, `enrol.lock` | held by the agent that runs, and by whoever enrols |
//!
//! Invariants: every file is replaced as a whole; secrets are readable by their owner alone; one agent runs per folder.

use base::key::KeyPair;
use model::{BoardId, Kind, Name, ProjectId};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What went wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}; the agent's user must own this folder and everything in it")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} is damaged: {reason}; restore it from a backup, or remove it")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Root is about to leave files in the folder that the agent's user could not read.
    #[error(
        "{path} belongs to another user; run this as that user: sudo -u '#{owner}' lightning-rod …"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Another process is at work here.
    #[error("another agent holds {0}; stop it first, or give another folder with --home")]
    Locked(PathBuf),
}

impl Error {
    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::File { .. } | Self::Damaged { .. } => Kind::Internal,
            Self::Foreign { .. } => Kind::Forbidden,
            Self::Locked(_) => Kind::Conflict,
        }
    }

    /// For mapping errors of the system.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// Who the board is, as the cloud said at enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The board.
    pub uuid: BoardId,
    /// Its name.
    pub name: Name,
    /// Its project.
    pub project: ProjectId,
    /// Where its cloud is.
    pub url: String,
    /// Fingerprint of the cloud's key.
    pub pin: String,
    /// The cloud's key itself, proven at enrolment.
    pub cloud: String,
    /// Certificate of the cloud's own authority (PEM), when the claim named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// SHA-256 of the claim's secret (hexadecimal), to know the claim again; the claim itself is kept nowhere.
    #[serde(default)]
    pub claim_sha256: String,
}

/// What the cloud said about itself when the board came online last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudSaid {
    /// The protocol that both speak.
    pub protocol: u32,
    /// What it can do beyond that; see [`rpc::connection::CloudCapability`].
    pub capabilities: Vec<String>,
}

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Running the agent.
    Run,
    /// Enrolling.
    Enrol,
}

/// A lock that is held as long as this value lives.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "the open file is the lock")] File);

/// The folder.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Opens the folder, and makes it (mode 0700) when missing.
    ///
    /// # Errors
    /// It cannot be made, or root opens what is another user's.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let (dir, owner) = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .and_then(|()| dir.canonicalize())
            .and_then(|dir| dir.metadata().map(|found| (dir, found.uid())))
            .map_err(Error::at(dir))?;
        check_owner(&dir, owner, rustix::process::geteuid().as_raw())?;
        Ok(Self { dir })
    }

    /// The folder as it stands, to look at: nothing is made, so root may look at another user's. None when there is none.
    #[must_use]
    pub fn look(dir: &Path) -> Option<Self> {
        let dir = dir.canonicalize().ok()?;
        dir.is_dir().then_some(Self { dir })
    }

    /// The path of something in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The board's key, made and synced on first use.
    ///
    /// # Errors
    /// It cannot be read or made, or others can read it.
    pub fn key(&self) -> Result<KeyPair, base::key::Error> {
        KeyPair::load_or_create(&self.path("board.key"))
    }

    /// A new key in place of one that no cloud takes any more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new_key(&self) -> Result<KeyPair, base::key::Error> {
        KeyPair::create(&self.path("board.key"))
    }

    /// Who the board is, if it is enrolled.
    ///
    /// # Errors
    /// The file is unreadable or damaged.
    pub fn identity(&self) -> Result<Option<Identity>, Error> {
        let path = self.path("board.json");
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Error::Damaged { path, reason: error.to_string() })
    }

    /// Writes who the board is, durably.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_identity(&self, identity: &Identity) -> Result<(), Error> {
        let path = self.path("board.json");
        let json = serde_json::to_vec_pretty(identity).unwrap_or_default();
        base::secret::write_private(&path, &json).map_err(Error::at(&path))
    }

    /// What the cloud said when the board came online last; none before it did, or when the file is damaged.
    #[must_use]
    pub fn cloud_said(&self) -> Option<CloudSaid> {
        let text = std::fs::read_to_string(self.path("cloud.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps what the cloud said.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_cloud_said(&self, said: &CloudSaid) -> Result<(), Error> {
        let path = self.path("cloud.json");
        let json = serde_json::to_vec_pretty(said).unwrap_or_default();
        base::secret::write_private(&path, &json).map_err(Error::at(&path))
    }

    /// The text of a claim that was dropped in, if any.
    ///
    /// # Errors
    /// The file is unreadable.
    pub fn dropped_claim(&self) -> Result<Option<String>, Error> {
        let text = read_if_there(&self.path("claim"))?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Removes a dropped claim.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_dropped_claim(&self) -> Result<(), Error> {
        remove(&self.path("claim"))
    }

    /// Makes the machine nobody's board: name and key are gone for good, a claim makes it another board.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn forget(&self) -> Result<(), Error> {
        ["board.json", "board.key", "board.key.next", "key.since", "epoch"]
            .into_iter()
            .try_for_each(|name| remove(&self.path(name)))
    }

    /// Whether an agent runs here. Makes no file.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let Ok(file) = File::open(self.path("lock")) else { return false };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Takes a lock without waiting.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be made.
    pub fn lock(&self, lock: Lock) -> Result<Held, Error> {
        let path = self.path(match lock {
            Lock::Run => "lock",
            Lock::Enrol => "enrol.lock",
        });
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Held(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(path)),
            Err(TryLockError::Error(source)) => Err(Error::at(&path)(source)),
        }
    }
}

/// Root may write anywhere; whoever else may not is told by the system.
fn check_owner(dir: &Path, owner: u32, me: u32) -> Result<(), Error> {
    if me == 0 && owner != 0 {
        return Err(Error::Foreign { path: dir.to_owned(), owner });
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::at(path)(error)),
        _ => Ok(()),
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::at(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_and_a_damaged_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("a/b")).unwrap();
        assert_eq!(home.identity().unwrap(), None);
        let identity = Identity {
            uuid: BoardId::new(),
            name: "rod".parse().unwrap(),
            project: ProjectId::new(),
            url: "http://localhost".into(),
            pin: "p".into(),
            cloud: "k".into(),
            authority: None,
            claim_sha256: String::new(),
        };
        home.save_identity(&identity).unwrap();
        assert_eq!(home.identity().unwrap(), Some(identity));
        std::fs::write(home.path("board.json"), "{").unwrap();
        assert!(matches!(home.identity(), Err(Error::Damaged { .. })));
    }

    #[test]
    fn root_leaves_no_files_in_the_folder_of_the_agents_user() {
        let dir = Path::new("/var/lib/lightning-rod");
        let error = check_owner(dir, 998, 0).unwrap_err();
        assert!(error.to_string().contains("sudo -u '#998'"), "{error}");
        assert!(check_owner(dir, 0, 0).is_ok());
        assert!(check_owner(dir, 998, 998).is_ok());
    }

    #[test]
    fn one_agent_runs_in_a_folder_while_another_process_may_enrol() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let held = home.lock(Lock::Run).unwrap();
        assert!(matches!(home.lock(Lock::Run), Err(Error::Locked(_))));
        home.lock(Lock::Enrol).unwrap();
        drop(held);
        home.lock(Lock::Run).unwrap();
    }
}
