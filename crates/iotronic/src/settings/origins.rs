//! Pages of which origins may read answers.
//!
//! Invariant: what is kept is `*`, or an origin as browsers write it (scheme, host, port if it is not the usual one; no path),
//! so that comparing text is enough.

use serde::{Deserialize, Serialize};

/// Origins, or `*` for all; a list, or one text with commas between them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Said", into = "Vec<String>")]
pub struct Origins(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    List(Vec<String>),
}

impl TryFrom<Said> for Origins {
    type Error = String;
    fn try_from(said: Said) -> Result<Self, String> {
        match said {
            Said::Text(text) => Self::read(text.split(',')),
            Said::List(list) => Self::read(list.iter().map(String::as_str)),
        }
    }
}

impl From<Origins> for Vec<String> {
    fn from(origins: Origins) -> Self {
        origins.0
    }
}

impl Origins {
    /// These.
    ///
    /// # Errors
    /// One is not an origin.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let texts = texts.into_iter().map(str::trim).filter(|text| !text.is_empty());
        texts.map(origin).collect::<Result<_, _>>().map(Self)
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every origin.
    #[must_use]
    pub fn all(&self) -> bool {
        self.0.iter().any(|origin| origin == "*")
    }

    /// Whether this one is named.
    #[must_use]
    pub fn names(&self, origin: &str) -> bool {
        self.0.iter().any(|named| named == origin)
    }
}

fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*".contains(&byte))
    };
    if text == "*" || host.is_some_and(is_host) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "api.allowed_origins: {text:?} is not an origin; write it as https://console.example:8443, without a path, or * \
         for all"
    ))
}
