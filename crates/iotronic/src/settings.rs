//! Settings of the cloud, each documented in docs/configuration.md.
//!
//! Invariant: a [`Settings`] that came out of [`load`] is complete and consistent: ranges are not empty, TLS files come in
//! pairs, and nobody listens beyond loopback in plain text without having said so. Unknown keys are refused by name.

use base::logs;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Start of the environment variables: `IOTRONIC__SECTION__KEY`.
pub const PREFIX: &str = "IOTRONIC";

/// Everything that can be set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where people and boards reach the cloud; empty derives it from `api.listen`.
    pub public_url: String,
    /// The one listener of people and native boards.
    pub api: Api,
    /// WAMP listener of upstream boards.
    pub wamp: Wamp,
    /// wstun listener of upstream boards.
    pub wstun: Wstun,
    /// Upstream boards.
    pub legacy: Legacy,
    /// Public ports of forwarded services.
    pub services: Services,
    /// Encryption of the API listener.
    pub tls: Tls,
    /// Tokens.
    pub identity: Identity,
    /// How silent boards are noticed.
    pub liveness: Liveness,
    /// How much history is kept.
    pub retention: Retention,
    /// Bounds.
    pub limits: Limits,
    /// Log output.
    pub log: logs::Settings,
}

/// `[api]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether plain text is allowed on other than loopback addresses.
    pub allow_plain: bool,
}

/// `[wamp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wamp {
    /// Address and port, opened only for legacy boards.
    pub listen: SocketAddr,
}

/// `[wstun]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wstun {
    /// Address and port, opened only for legacy boards.
    pub listen: SocketAddr,
}

/// `[legacy]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Legacy {
    /// Whether upstream boards are let in.
    pub enabled: bool,
}

/// `[services]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    /// Address on which public ports are opened.
    pub listen: IpAddr,
    /// Ports that may be handed out.
    pub ports: Ports,
}

/// `[tls]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Make an own certificate authority on first start and a certificate from it at each start.
    pub internal: bool,
    /// More names and addresses for that certificate, beside the one of `public_url`.
    pub names: Vec<String>,
}

/// `[identity]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Seconds for which a token is good.
    pub token_s: u64,
}

/// `[liveness]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Liveness {
    /// Seconds of silence after which an idle board is pinged.
    pub idle_ping_s: u64,
    /// Seconds of silence after which an idle board is given up.
    pub idle_dead_s: u64,
    /// Seconds between the load reports of a board.
    pub report_every_s: u32,
}

/// `[retention]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days for which ended operations are kept.
    pub operations_days: u32,
    /// Most ended operations that are kept.
    pub operations: u32,
    /// Most events that are kept.
    pub events: u32,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections to the API listener at one time, those of boards included.
    pub connections: u32,
    /// Connections to all public ports at one time.
    pub service_connections: u32,
    /// Connections to the public port of one service at one time.
    pub connections_per_service: u32,
    /// Machines enrolling at one time.
    pub enrolling: u32,
    /// Seconds one request may take, waits that it asks for not counted.
    pub request_s: u64,
    /// Seconds that requests get to end when the cloud is told to stop.
    pub grace_s: u64,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: loopback(8812), allow_plain: false }
    }
}

impl Default for Wamp {
    fn default() -> Self {
        Self { listen: loopback(8181) }
    }
}

impl Default for Wstun {
    fn default() -> Self {
        Self { listen: loopback(8080) }
    }
}

impl Default for Services {
    fn default() -> Self {
        Self { listen: Ipv4Addr::LOCALHOST.into(), ports: Ports { first: 20_000, last: 29_999 } }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self { token_s: 3600 }
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self { idle_ping_s: 30, idle_dead_s: 75, report_every_s: 60 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { operations_days: 30, operations: 100_000, events: 100_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            service_connections: 10_000,
            connections_per_service: 1000,
            enrolling: 256,
            request_s: 30,
            grace_s: 10,
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A range of ports, written `20000-29999`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// The ports.
    #[must_use]
    pub fn range(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl TryFrom<String> for Ports {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let read = || {
            let (first, last) = text.split_once('-')?;
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        };
        match read() {
            Some((first, last)) if 0 < first && first <= last => Ok(Self { first, last }),
            _ => Err(format!("{text:?} is not a range of ports; write it as 20000-29999")),
        }
    }
}

/// Why the cloud does not start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They cannot be read.
    #[error(transparent)]
    Load(#[from] base::config::Error),
    /// They contradict each other.
    #[error("{0}")]
    Inconsistent(String),
}

/// Reads the file (if any) and the environment, and checks the whole.
///
/// # Errors
/// Unreadable file, unknown keys, values that do not fit or contradict each other.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Settings, Error> {
    let settings: Settings = base::config::load(file, PREFIX, environment)?;
    settings.check()?;
    Ok(settings)
}

impl Settings {
    /// Whether the API listener speaks TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.internal || self.tls.certificate.is_some()
    }

    /// The public URL without trailing slash, given the address that is really listened on.
    #[must_use]
    pub fn url(&self, listening: SocketAddr) -> String {
        if !self.public_url.is_empty() {
            return self.public_url.trim_end_matches('/').to_owned();
        }
        let scheme = if self.is_encrypted() { "https" } else { "http" };
        let mut address = listening;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("{scheme}://{address}")
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Inconsistent(text.to_owned()));
        if self.legacy.enabled {
            return wrong(
                "legacy.enabled is true, and upstream boards are not in this version; leave it false",
            );
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return wrong("tls.certificate and tls.key belong together; set both or none");
        }
        if self.tls.internal && self.tls.certificate.is_some() {
            return wrong("tls.internal and tls.certificate exclude each other; set one of them");
        }
        if !self.api.listen.ip().is_loopback() && !self.is_encrypted() && !self.api.allow_plain {
            return wrong(
                "api.listen is not a loopback address and TLS is off: set tls.internal = true, give tls.certificate and \
                 tls.key, or, behind a proxy that ends TLS, say api.allow_plain = true",
            );
        }
        if !self.public_url.is_empty()
            && !self.public_url.starts_with("http://")
            && !self.public_url.starts_with("https://")
        {
            return wrong("public_url must start with http:// or https://");
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), Error> {
        let liveness = self.liveness;
        let positive = [
            ("identity.token_s", self.identity.token_s),
            ("liveness.idle_ping_s", liveness.idle_ping_s),
            ("liveness.report_every_s", liveness.report_every_s.into()),
            ("retention.operations_days", self.retention.operations_days.into()),
            ("retention.operations", self.retention.operations.into()),
            ("retention.events", self.retention.events.into()),
            ("limits.connections", self.limits.connections.into()),
            ("limits.service_connections", self.limits.service_connections.into()),
            ("limits.connections_per_service", self.limits.connections_per_service.into()),
            ("limits.enrolling", self.limits.enrolling.into()),
            ("limits.request_s", self.limits.request_s),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::Inconsistent(format!("{key} must be at least 1")));
        }
        if liveness.idle_dead_s <= liveness.idle_ping_s {
            return Err(Error::Inconsistent(
                "liveness.idle_dead_s must be larger than liveness.idle_ping_s".into(),
            ));
        }
        Ok(())
    }
}

impl Liveness {
    /// The watch over a control channel or link.
    #[must_use]
    pub fn watch(self) -> websocket::Settings {
        websocket::Settings {
            idle_ping: Duration::from_secs(self.idle_ping_s),
            idle_dead: Duration::from_secs(self.idle_dead_s),
            ..websocket::Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Settings, Error> {
        let variable =
            |(key, value): &(&str, &str)| (format!("IOTRONIC__{key}"), (*value).to_owned());
        load(None, pairs.iter().map(variable))
    }

    #[test]
    fn the_environment_reaches_every_listener() {
        let settings = from(&[
            ("API__LISTEN", "127.0.0.1:0"),
            ("WAMP__LISTEN", "127.0.0.1:1"),
            ("WSTUN__LISTEN", "127.0.0.1:2"),
            ("SERVICES__PORTS", "30000-30010"),
            ("PUBLIC_URL", "https://cloud.example/"),
        ])
        .unwrap();
        assert_eq!(settings.services.ports.range(), 30_000..=30_010);
        assert_eq!(settings.url(settings.api.listen), "https://cloud.example");
    }

    #[test]
    fn plain_text_beyond_loopback_must_be_asked_for() {
        let open = ("API__LISTEN", "0.0.0.0:8812");
        assert!(from(&[open]).unwrap_err().to_string().contains("tls.internal"));
        assert!(from(&[open, ("TLS__INTERNAL", "true")]).is_ok());
        assert!(from(&[open, ("API__ALLOW_PLAIN", "true")]).is_ok());
    }

    #[test]
    fn contradictions_and_unknown_keys_are_named() {
        for (pairs, named) in [
            (vec![("LEGACY__ENABLED", "true")], "not in this version"),
            (vec![("TLS__CERTIFICATE", "a.pem")], "belong together"),
            (vec![("SERVICES__PORTS", "9-3")], "range of ports"),
            (vec![("LIVENESS__IDLE_DEAD_S", "30")], "larger"),
            (vec![("LIMITS__CONNECTIONS", "0")], "limits.connections"),
            (vec![("API__LISEN", "x")], "lisen"),
        ] {
            let error = from(&pairs).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    /// The keys of a section, out of what is said about a key that does not exist.
    fn keys(section: Option<&str>) -> Vec<String> {
        let variable = section.map_or("ZZZ".to_owned(), |section| format!("{section}__ZZZ"));
        let error = from(&[(&variable.to_uppercase(), "1")]).unwrap_err().to_string();
        let expected = error.split("expected").nth(1).unwrap();
        let expected = expected.split(" in `").next().unwrap();
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_is_documented_and_nothing_else_is() {
        let mut known = Vec::new();
        for name in keys(None) {
            if name == "public_url" {
                known.push(name);
                continue;
            }
            known.extend(keys(Some(&name)).iter().map(|key| format!("{name}.{key}")));
        }
        let document = include_str!("../../../docs/configuration.md");
        let chapter = document.split("## iotronic").nth(1).unwrap();
        let table = chapter.split("\n### ").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut documented: Vec<_> =
            rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
        known.sort();
        documented.sort();
        assert_eq!(known, documented);
    }
}
