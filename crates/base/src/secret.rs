//! Secrets: random values, text that does not print itself, files that only their owner reads.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroize as _;

/// Text that is wiped on drop and never printed by `Debug`.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "String")]
pub struct Secret(String);

impl Secret {
    /// The text itself; keep it where it is used.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `N` bytes of the operating system's randomness.
///
/// # Panics
/// When the operating system has none to give; no process of ours can go on safely then.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// A random value in `0.0..1.0`, for jitter.
#[must_use]
pub fn random_unit() -> f64 {
    f64::from(u32::from_le_bytes(random::<4>())) / (f64::from(u32::MAX) + 1.0)
}

/// `N` random bytes as base64url text.
#[must_use]
pub fn random_text<const N: usize>() -> String {
    let mut bytes = random::<N>();
    let text = URL_SAFE_NO_PAD.encode(bytes);
    bytes.zeroize();
    text
}

/// Writes a file that only its owner reads (mode 0600): to a temporary name, synced, then renamed, and the folder synced.
///
/// # Errors
/// What the system says; the old file is then still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_synced(path, bytes, 0o600)
}

/// As [`write_private`] with a mode of choice.
///
/// # Errors
/// What the system says; the old file is then still there.
pub fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let temporary = path.with_file_name(format!(".{name}.{}", random_text::<6>()));
    let written = write_new(&temporary, bytes, mode).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether group or others may read `path`.
///
/// # Errors
/// What the system says about the file.
pub fn readable_by_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}
