//! Where `DeviceRestSubmit` may go: a URL taken apart, and the prefixes that the board's owner allows.
//!
//! Invariant: a URL passes only when scheme, host and port are those of a prefix and its path begins with the prefix's whole
//! segments; a path that could be read in two ways (dots, encoded dots and slashes, backslashes) passes nowhere. Pure.

use crate::cloud::Address;

/// Longest URL.
const MAX_URL: usize = 4096;

/// A URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// `http(s)://host:port`
    pub(super) base: String,
    pub(super) address: Address,
    /// Path, beginning with a slash.
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: Option<String>,
}

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// It is none, or ambiguous.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the URL {url:?} {why}");
        if url.len() > MAX_URL {
            return Err(format!("the URL is longer than {MAX_URL} bytes"));
        }
        let url_only = url.split_once('#').map_or(url, |(before, _)| before);
        let (front, query) = match url_only.split_once('?') {
            Some((front, query)) => (front, Some(query.to_owned())),
            None => (url_only, None),
        };
        let (scheme, rest) = front.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, "/".to_owned()),
        };
        let base = format!("{}://{}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let address: Address = base.parse().map_err(|_| wrong("is none of http or https"))?;
        if !is_plain(&path)
            || query.as_deref().is_some_and(|query| !query.chars().all(is_printable))
        {
            return Err(wrong("has a path that is not plain"));
        }
        Ok(Self { base, address, path, query })
    }

    /// Whether it lies below one of these prefixes.
    pub(super) fn is_below(&self, prefixes: &[String]) -> bool {
        prefixes.iter().filter_map(|prefix| Self::parse(prefix).ok()).any(|prefix| {
            let same = self.address.scheme == prefix.address.scheme
                && self.address.host == prefix.address.host
                && self.address.port == prefix.address.port;
            let below = self.path.strip_prefix(prefix.path.trim_end_matches('/'));
            same && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Where an answer's `Location` leads.
    pub(super) fn follow(&self, location: &str) -> Result<Self, String> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Self::parse(&format!("{}{location}", self.base));
        }
        Self::parse(location)
    }

    /// What stands in the request line.
    pub(super) fn request_target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Checks the prefixes of the settings.
///
/// # Errors
/// One is no URL, or has a query.
pub(crate) fn check_prefixes(prefixes: &[String]) -> Result<(), String> {
    for prefix in prefixes {
        if Target::parse(prefix)?.query.is_some() {
            return Err(format!("{prefix:?} has a query"));
        }
    }
    Ok(())
}

fn is_printable(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

fn is_plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let is_clear = !["%2e", "%2f", "%5c", "%00"].iter().any(|code| lower.contains(code));
    let has_dots = path.split('/').any(|segment| segment == "." || segment == "..");
    path.chars().all(is_printable) && is_clear && !has_dots
}

/// Percent-encodes a part of a query.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_allowed(url: &str, prefix: &str) -> bool {
        Target::parse(url).is_ok_and(|target| target.is_below(&[prefix.to_owned()]))
    }

    #[test]
    fn a_url_below_a_prefix_passes() {
        for (url, prefix) in [
            ("http://api:80/v1/x?q=1", "http://api/v1"),
            ("http://api/v1", "http://api/v1/"),
            ("http://API/v1/", "http://api/v1"),
            ("https://api:8443/", "https://api:8443"),
            ("http://[::1]:80/a", "http://[::1]/"),
        ] {
            assert!(is_allowed(url, prefix), "{url} below {prefix}");
        }
    }

    #[test]
    fn a_url_that_only_looks_like_it_does_not() {
        for url in [
            "http://api.evil/v1",
            "http://api/v10",
            "http://api/",
            "https://api/v1",
            "http://api:81/v1",
            "http://api@evil/v1",
            "http://evil/http://api/v1",
            "http://api/v1/../x",
            "http://api/v1/%2e%2e/x",
            "http://api/v1/..%2fx",
            "http://api/v1\\..\\x",
            "http://api/v1/\r\nHost: evil",
            "http://api/v1 x",
            "file:///v1",
            "//api/v1",
            "",
            "api/v1",
            "http:///v1",
            "http://api/v1/é",
        ] {
            assert!(!is_allowed(url, "http://api/v1"), "{url}");
        }
        assert!(check_prefixes(&["http://a/?q".to_owned()]).is_err());
        assert!(check_prefixes(&["a".to_owned()]).is_err());
    }

    #[test]
    fn a_redirect_is_followed_from_where_it_was_said() {
        let from = Target::parse("http://api:81/v1/x?q").unwrap();
        assert_eq!(from.follow("/v1/y?z").unwrap().request_target(), "/v1/y?z");
        assert_eq!(from.follow("/v1/y").unwrap().base, "http://api:81");
        assert_eq!(from.follow("https://evil/").unwrap().base, "https://evil");
        assert!(from.follow("//evil/").is_err() && from.follow("y").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_target_or_an_error(url in "(https?://)?.{0,40}") {
            let _ = Target::parse(&url);
        }

        #[test]
        fn an_encoded_part_has_no_sign_of_its_own(text in ".*") {
            prop_assert!(!encode(&text).contains(['&', '=', '#', '?', ' ', '/', '\n']));
        }
    }
}
