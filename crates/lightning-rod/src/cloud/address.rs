//! The cloud's address, taken apart.
//!
//! Invariant: what comes out can stand in a `Host` header and in a request line.

use model::Invalid;
use std::str::FromStr;

/// Whether the connection is wrapped in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http`: the cloud's key still proves who it is; what is said can be overheard.
    Plain,
    /// `https`.
    Tls,
}

/// `http(s)://host[:port][/prefix]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// With or without TLS.
    pub scheme: Scheme,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path in front of every path of the cloud, without a slash at its end.
    pub prefix: String,
}

impl Address {
    /// What goes into the `Host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let default = match self.scheme {
            Scheme::Plain => 80,
            Scheme::Tls => 443,
        };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(url: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str| {
            Invalid::new(format!(
                "the cloud's address {url:?} {what}; expected https://host[:port][/path]"
            ))
        };
        let (scheme, rest, default) =
            match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
                (Some(rest), _) => (Scheme::Plain, rest, 80),
                (_, Some(rest)) => (Scheme::Tls, rest, 443),
                _ => return Err(wrong("starts with neither http:// nor https://")),
            };
        if !rest.chars().all(|c| c.is_ascii_graphic()) || rest.contains(['?', '#', '@', '"', '\\'])
        {
            return Err(wrong("has characters that do not belong there"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_port(authority).ok_or_else(|| wrong("has a broken host"))?;
        let port = match port {
            None => default,
            Some(text) => text
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| wrong("has a broken port"))?,
        };
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { scheme, host: host.to_owned(), port, prefix })
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, authority, port, prefix) in [
            ("http://cloud", "cloud", 80, ""),
            ("https://cloud:8812/", "cloud:8812", 8812, ""),
            ("https://cloud/s4t/", "cloud", 443, "/s4t"),
            ("http://[::1]:8812/a/b", "[::1]:8812", 8812, "/a/b"),
        ] {
            let address: Address = url.parse().unwrap();
            assert_eq!((address.authority().as_str(), address.port), (authority, port), "{url}");
            assert_eq!(address.prefix, prefix, "{url}");
        }
    }

    #[test]
    fn broken_addresses_are_refused() {
        for url in [
            "",
            "cloud",
            "ftp://x",
            "http://",
            "http://a:0",
            "http://a:x",
            "http://u@a",
            "http://a b",
            "http://[::1",
            "http://::1",
        ] {
            assert!(url.parse::<Address>().is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in "(https?://)?.{0,40}") {
            let _ = text.parse::<Address>();
        }
    }
}
