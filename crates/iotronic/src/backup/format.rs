//! What stands in a backup: a tar archive of a manifest, the files that it names in its order, and at the end the SHA-256 of every
//! byte before. So `tar -t` shows what is in it, and one flipped or missing byte is found before anything is believed.
//!
//! Invariant: names are those of [`is_ours`] only, so no entry of a foreign archive reaches another place.

use super::Error;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};
use std::path::Path;
use tar::{EntryType, Header};
use uuid::Uuid;

/// Name of the first entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of the last.
const DIGEST: &str = "sha256";
/// The version that is written and the newest that is read.
pub(super) const VERSION: u32 = 2;
/// Largest manifest that is read: with a line for each of a hundred thousand recordings.
pub(super) const MAX_MANIFEST: u64 = 32 * 1024 * 1024;
/// The database, the one file without which there is no cloud but the key.
pub(super) const DATABASE: &str = "cloud.db";
/// The cloud's identity.
pub(super) const KEY: &str = "cloud.key";
/// What else lies in a data folder and belongs to the cloud, besides settings.
const OTHERS: [&str; 4] = ["cloud.keys.json", "admin.json", "authority.pem", "authority.key"];
/// The folder of recordings, and how their names end.
pub(super) const RECORDINGS: &str = "recordings";
const CAST: &str = ".cast";
/// Bytes of the last entry and of the archive's end.
pub(super) const TAIL: usize = 4 * 512;
/// Longest name of a file of settings.
const MAX_NAME: usize = 64;

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Of this form.
    pub(super) version: u32,
    /// Version of the program that made it.
    pub(super) program: String,
    /// When.
    pub(super) made_at: Timestamp,
    /// Fingerprint of the cloud's key.
    pub(super) cloud: String,
    /// Version of the database's schema.
    pub(super) schema: i64,
    /// In the order of the archive.
    pub(super) files: Vec<File>,
}

/// A file in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Whether a file of this name may be in a backup.
pub(super) fn is_ours(name: &str) -> bool {
    name == DATABASE
        || name == KEY
        || OTHERS.contains(&name)
        || is_settings(name)
        || is_recording(name)
}

/// The name of a recording in a backup, and below the data folder.
pub(super) fn recording(id: Uuid) -> String {
    format!("{RECORDINGS}/{id}{CAST}")
}

/// Whether it is one: no other name with a folder is.
pub(super) fn is_recording(name: &str) -> bool {
    let id = name.strip_prefix(RECORDINGS).and_then(|rest| rest.strip_prefix('/'));
    let id = id.and_then(|rest| rest.strip_suffix(CAST)).and_then(|id| id.parse().ok());
    id.is_some_and(|id| name == recording(id))
}

/// Whether it is a file of settings that somebody keeps in the data folder.
pub(super) fn is_settings(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let stem = name.strip_suffix(".toml").unwrap_or_default();
    !stem.is_empty()
        && !stem.starts_with('.')
        && name.len() <= MAX_NAME
        && name.bytes().all(is_plain)
}

/// Its mode: nobody else reads a backup or what comes out of it, but for the certificate that clients are given.
pub(super) fn mode(name: &str) -> u32 {
    if name == "authority.pem" { 0o644 } else { 0o600 }
}

/// The head of an entry; the same bytes for the same name and length.
pub(super) fn header(name: &str, bytes: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// All that comes after the bytes of this digest.
pub(super) fn tail(digest: &str) -> io::Result<Vec<u8>> {
    let text = format!("{digest}\n");
    let mut tail = header(DIGEST, text.len() as u64)?.as_bytes().to_vec();
    tail.extend_from_slice(text.as_bytes());
    tail.resize(TAIL, 0);
    Ok(tail)
}

/// A writer that knows the digest of what went through it.
pub(super) struct Hashed<W> {
    inner: W,
    hash: Sha256,
    pub(super) bytes: u64,
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// What it wrote to, and the digest of what it wrote.
    pub(super) fn finish(self) -> (W, String) {
        (self.inner, hex(self.hash))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(hash: Sha256) -> String {
    base::key::to_hex(&hash.finalize())
}

/// The digest of all that is read, and how much that is.
pub(super) fn digest(mut from: impl Read) -> io::Result<(String, u64)> {
    let mut hashed = Hashed::new(io::sink());
    let bytes = io::copy(&mut from, &mut hashed)?;
    Ok((hashed.finish().1, bytes))
}

/// The digest of a file.
pub(super) fn digest_of(path: &Path) -> Result<(String, u64), Error> {
    let file = std::fs::File::open(path).map_err(Error::at(path))?;
    digest(io::BufReader::new(file)).map_err(Error::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_a_clouds_own_files_are_ours() {
        for good in [
            "cloud.db",
            "cloud.key",
            "admin.json",
            "authority.key",
            "iotronic.toml",
            "a-b_1.toml",
            "recordings/01a20f31-0d26-766c-a508-334fadff9b41.cast",
        ] {
            assert!(is_ours(good), "{good}");
        }
        for bad in [
            "",
            ".toml",
            "..toml",
            "token.key",
            "lock",
            "a/b.toml",
            "../x.toml",
            "cloud.db-wal",
            "x.json",
            "recordings",
            "recordings/x.cast",
            "recordings/../01a20f31-0d26-766c-a508-334fadff9b41.cast",
            "recordings/01A20F31-0D26-766C-A508-334FADFF9B41.cast",
        ] {
            assert!(!is_ours(bad), "{bad}");
        }
        assert!(!is_ours(&format!("{}.toml", "x".repeat(80))));
    }

    #[test]
    fn the_end_of_an_archive_depends_on_the_digest_alone() {
        let (digest, bytes) = digest(&b"abc"[..]).unwrap();
        assert_eq!((digest.len(), bytes), (64, 3));
        assert_eq!(tail(&digest).unwrap().len(), TAIL);
        assert_ne!(tail(&digest).unwrap(), tail(&"0".repeat(64)).unwrap());
    }
}
