//! Making a backup.

use super::Error;
use super::format::{
    DATABASE, File, Hashed, KEY, MANIFEST, Manifest, VERSION, digest, digest_of, header, is_ours,
    is_recording, recording, tail,
};
use base::clock::{Clock as _, SystemClock};
use base::key::KeyPair;
use base::secret::random_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Largest file beside the database.
const MAX_SMALL: u64 = 1 << 20;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Fingerprint of the cloud's key.
    pub cloud: String,
    /// Size of the file.
    pub bytes: u64,
    /// Version of the database's schema.
    pub schema: i64,
}

/// Files beside the database, by name.
type Small = BTreeMap<String, Vec<u8>>;

/// Writes all that the cloud in `data` is into `file`, whether it runs or not.
///
/// # Errors
/// There is no cloud, there is such a file, or something cannot be read or written.
pub fn make(data: &Path, file: &Path) -> Result<Made, Error> {
    if !data.join(DATABASE).is_file() {
        return Err(Error::NoCloud(data.to_owned()));
    }
    if data.join("cloud.key.next").exists() {
        return Err(Error::KeyHalfChanged(data.to_owned()));
    }
    if file.symlink_metadata().is_ok() {
        return Err(Error::Exists(file.to_owned()));
    }
    let scratch = Scratch::beside(file)?;
    let cloud = KeyPair::load(&data.join(KEY))?.public().fingerprint();
    let small = small(data)?;
    let copy = scratch.0.join(DATABASE);
    drop(private(&copy)?);
    // Before the copy begins: all that was answered until now is in it.
    let made_at = Timestamp::from_micros(SystemClock.unix_micros());
    let schema = store::backup::copy(data, &copy)?;
    if self::small(data)? != small {
        return Err(Error::KeysChanged);
    }
    let manifest = Manifest {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at,
        cloud: cloud.clone(),
        schema,
        files: listed(&copy, &small)?.into_iter().chain(recorded(data, &copy)?).collect(),
    };
    let archive = scratch.0.join("archive");
    let sources = Sources { data, copy: &copy, small: &small };
    let (bytes, sha256) = write(&archive, &manifest, &sources).map_err(|error| {
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        if is_gone { Error::RecordingErased } else { Error::at(&archive)(error) }
    })?;
    if file.symlink_metadata().is_ok() {
        return Err(Error::Exists(file.to_owned()));
    }
    std::fs::rename(&archive, file).map_err(Error::at(file))?;
    sync(folder(file)).map_err(Error::at(file))?;
    leave(data, &Note { made_at, cloud: cloud.clone(), bytes, sha256 })?;
    Ok(Made { cloud, bytes, schema })
}

/// The folder in a cloud's, where it finds which backups of it were made.
pub const NOTES: &str = "backups-made";

/// That a backup was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The moment of its state.
    pub made_at: Timestamp,
    /// Fingerprint of the cloud's key.
    pub cloud: String,
    /// Size of the file.
    pub bytes: u64,
    /// Its digest, but for the last 2 KiB, which hold it.
    pub sha256: String,
}

/// Nobody reads it half: it gets its name when it is whole.
fn leave(data: &Path, note: &Note) -> Result<(), Error> {
    let notes = data.join(NOTES);
    match DirBuilder::new().mode(0o700).create(&notes) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::at(&notes)(error));
        }
        _ => {}
    }
    let name = random_text::<9>();
    let (begun, whole) = (notes.join(format!(".{name}")), notes.join(format!("{name}.json")));
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&begun)?;
        file.write_all(&serde_json::to_vec(note)?)?;
        file.sync_all()?;
        std::fs::rename(&begun, &whole)?;
        sync(&notes)
    };
    write().map_err(Error::at(&whole))
}

/// Where the content of the files comes from.
struct Sources<'a> {
    data: &'a Path,
    copy: &'a Path,
    small: &'a Small,
}

/// Recordings that the copy tells of as ended and not erased, as long as their files are there.
fn recorded(data: &Path, copy: &Path) -> Result<Vec<File>, Error> {
    let all = store::backup::recordings(copy)?.into_iter().map(|row| File {
        name: recording(row.id),
        bytes: row.bytes,
        sha256: row.sha256,
    });
    let is_there = |file: &File| {
        let found = data.join(&file.name).metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == file.bytes)
    };
    Ok(all.filter(is_there).collect())
}

/// A folder for what is not whole yet, which only its owner may enter; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(file: &Path) -> Result<Self, Error> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = folder(file).join(format!(".{name}.{}", random_text::<6>()));
        DirBuilder::new().mode(0o700).create(&path).map_err(Error::at(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is named so that one sees what it was.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn private(path: &Path) -> Result<std::fs::File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(Error::at(path))
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

fn small(data: &Path) -> Result<Small, Error> {
    let mut found = Small::new();
    for entry in std::fs::read_dir(data).map_err(Error::at(data))? {
        let entry = entry.map_err(Error::at(data))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == DATABASE || !is_ours(&name) {
            continue;
        }
        let path = entry.path();
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(Error::at(&path))?;
        file.take(MAX_SMALL + 1).read_to_end(&mut bytes).map_err(Error::at(&path))?;
        if bytes.len() as u64 > MAX_SMALL {
            return Err(Error::at(&path)(io::ErrorKind::FileTooLarge.into()));
        }
        found.insert(name, bytes);
    }
    Ok(found)
}

fn listed(copy: &Path, small: &Small) -> Result<Vec<File>, Error> {
    let (sha256, bytes) = digest_of(copy)?;
    let mut files = vec![File { name: DATABASE.to_owned(), bytes, sha256 }];
    for (name, content) in small {
        let (sha256, bytes) = digest(content.as_slice()).map_err(Error::at(Path::new(name)))?;
        files.push(File { name: name.clone(), bytes, sha256 });
    }
    Ok(files)
}

/// Its size, and the digest that it ends with.
fn write(path: &Path, manifest: &Manifest, from: &Sources<'_>) -> io::Result<(u64, String)> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path)?;
    let mut out = Hashed::new(BufWriter::new(file));
    let text = serde_json::to_vec_pretty(manifest)?;
    entry(&mut out, MANIFEST, text.len() as u64, text.as_slice())?;
    for File { name, bytes, .. } in &manifest.files {
        match from.small.get(name) {
            Some(content) => entry(&mut out, name, *bytes, content.as_slice())?,
            None if is_recording(name) => {
                entry(&mut out, name, *bytes, std::fs::File::open(from.data.join(name))?)?;
            }
            None => entry(&mut out, name, *bytes, std::fs::File::open(from.copy)?)?,
        }
    }
    let written = out.bytes;
    let (mut out, digest) = out.finish();
    let tail = tail(&digest)?;
    out.write_all(&tail)?;
    out.flush()?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok((written.saturating_add(tail.len() as u64), digest))
}

fn entry(out: &mut impl io::Write, name: &str, bytes: u64, from: impl io::Read) -> io::Result<()> {
    out.write_all(header(name, bytes)?.as_bytes())?;
    let copied = io::copy(&mut from.take(bytes), out)?;
    if copied != bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let fill = usize::try_from(bytes.next_multiple_of(512).saturating_sub(bytes)).unwrap_or(0);
    out.write_all(&vec![0; fill])
}
