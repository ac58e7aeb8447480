//! Tokens that are kept until shortly before they expire, one private file for each identity, so that a loop of commands
//! signs in once. Keeping is a convenience: where it is not possible, the next command signs in again.

use super::Plan;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A kept token is used until so many seconds before its end.
const MARGIN_S: i64 = 60;

/// A token that was kept, with the cloud's address as the catalog gave it.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) token: String,
    pub(super) url: String,
    pub(super) expires_at: model::Timestamp,
}

/// The place of one identity's token.
pub(super) struct Place(Option<PathBuf>);

impl Place {
    /// The place of who signs in so.
    pub(super) fn of(plan: &Plan) -> Self {
        Self(path(plan))
    }

    /// The token there, if it is good for a while.
    pub(super) fn token(&self) -> Option<Kept> {
        let kept: Kept =
            serde_json::from_str(&std::fs::read_to_string(self.0.as_ref()?).ok()?).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let end = kept.expires_at.micros() / 1_000_000 - MARGIN_S;
        (i64::try_from(now).ok()? < end).then_some(kept)
    }

    pub(super) fn keep(&self, kept: &Kept) {
        let Some(path) = &self.0 else { return };
        let Some(folder) = path.parent() else { return };
        if let Ok(json) = serde_json::to_vec(kept)
            && std::fs::create_dir_all(folder).is_ok()
        {
            let _ = base::secret::write_private(path, &json);
        }
    }
}

fn cache() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(folder.join("s4t"))
}

fn path(plan: &Plan) -> Option<PathBuf> {
    let identity = serde_json::to_vec(&plan.request).ok()?;
    let digest = Sha256::new()
        .chain_update(plan.url.as_bytes())
        .chain_update([0])
        .chain_update(identity)
        .finalize();
    let name = URL_SAFE_NO_PAD.encode(digest.as_slice().get(..18)?);
    Some(cache()?.join(format!("token-{name}.json")))
}

/// Forgets kept tokens, so that the next command signs in.
pub(crate) fn forget_tokens() {
    let Some(folder) = cache() else { return };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("token-") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
