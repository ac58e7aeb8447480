//! A sign-in that `s4t login` remembers: an application credential in a private file.

use super::request::credential;
use super::{Address, Plan, Source, read, trust};
use crate::failure::Failure;
use api::client::Trust;
use model::Kind;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A remembered sign-in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remembered {
    pub(crate) url: String,
    /// The Keystone where one signs in, when that is not the cloud itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_url: Option<String>,
    pub(crate) credential_id: String,
    pub(crate) credential_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<String>,
}

/// The remembered cloud.
pub(super) fn from_remembered(source: &Source) -> Result<Plan, Failure> {
    let path = remembered_path()?;
    if !path.exists() {
        return Err(Failure::new(Kind::Unauthenticated, "nobody is signed in")
            .help("sign in with `s4t login --url URL`, or set OS_CLOUD, S4T_ADMIN_FILE or S4T_TOKEN with S4T_URL"));
    }
    let remembered: Remembered = serde_json::from_str(&read(&path)?).map_err(|error| {
        Failure::invalid(format!("{} is damaged: {error}", path.display()))
            .help("sign in again with `s4t login`")
    })?;
    let trust = match (&source.cacert, remembered.authority) {
        (None, Some(pem)) => Trust::Authority(pem),
        (given, _) => trust(given.as_deref())?,
    };
    let url = source.url.clone().unwrap_or(remembered.url);
    let request = credential(remembered.credential_id, remembered.credential_secret);
    Ok(match remembered.auth_url {
        None => {
            let path = api::identity::TOKENS.into();
            Plan { url, path, request, trust, address: Address::AsGiven }
        }
        Some(there) => {
            let path = "/auth/tokens".into();
            Plan { url: there, path, request, trust, address: Address::Known(url) }
        }
    })
}

/// Where a sign-in is remembered.
pub(crate) fn remembered_path() -> Result<PathBuf, Failure> {
    std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
        .map(|folder| folder.join("s4t/login.json"))
        .ok_or_else(|| {
            Failure::invalid(
                "neither HOME nor XDG_CONFIG_HOME is set, so there is no place for a sign-in",
            )
        })
}
