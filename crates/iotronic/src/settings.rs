//! Settings of the cloud, each documented in docs/configuration.md.
//!
//! Invariant: a [`Settings`] that came out of [`load`] is complete and consistent: ranges are not empty, TLS files come in
//! pairs, and nobody listens beyond loopback in plain text without having said so. Unknown keys are refused by name.

mod check;
mod origins;
mod pmtiles;
mod roles;
mod ui;

pub use check::{Error, load};
pub use origins::Origins;
pub use roles::Roles;
pub use ui::Ui;

use base::logs;
use model::quota;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Start of the environment variables: `IOTRONIC__SECTION__KEY`.
pub const PREFIX: &str = "IOTRONIC";

/// Everything that can be set.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
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
    /// The dashboard's pages.
    pub ui: Ui,
    /// How silent boards are noticed.
    pub liveness: Liveness,
    /// Signing of the audit.
    pub audit: Audit,
    /// How much history is kept.
    pub retention: Retention,
    /// How much a project may have, unless something else is said about it.
    pub quota: quota::Defaults,
    /// How much is kept of recorded terminals.
    pub recordings: Recordings,
    /// Bounds.
    pub limits: Limits,
    /// Log output.
    pub log: logs::Settings,
}

/// `[api]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether plain text is allowed on other than loopback addresses.
    pub allow_plain: bool,
    /// Pages of which origins may ask and read answers.
    pub allowed_origins: Origins,
}

/// `[wamp]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wamp {
    /// Address and port, opened only for legacy boards.
    pub listen: SocketAddr,
}

/// `[wstun]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wstun {
    /// Address and port, opened only for legacy boards.
    pub listen: SocketAddr,
}

/// `[legacy]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Legacy {
    /// Whether upstream boards are let in: opens `wamp.listen` and `wstun.listen`.
    pub enabled: bool,
    /// Which projects may have them.
    pub projects: Projects,
    /// Where they reach `wamp.listen`, port included; empty derives it from `public_url`.
    pub public_wamp_url: String,
}

/// `[services]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    /// Address on which public ports are opened.
    pub listen: IpAddr,
    /// Ports that may be handed out.
    pub ports: Ports,
}

/// `[tls]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Make an own certificate authority on first start and a certificate from it at each start.
    pub internal: bool,
    /// Whether people may use TLS 1.2; boards never may.
    pub allow_1_2: bool,
    /// More names and addresses for that certificate, beside the one of `public_url`.
    pub names: Vec<String>,
}

/// `[identity]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Seconds for which a token is good.
    pub token_s: u64,
    /// What roles of other names are worth.
    pub roles: Roles,
    /// A Keystone in the place of our own identity service; empty for our own.
    pub keystone_url: String,
    /// The authority of its certificate, PEM; none for the public ones.
    pub keystone_authority: Option<PathBuf>,
}

/// `[liveness]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Liveness {
    /// Seconds of silence after which an idle board is pinged.
    pub idle_ping_s: u64,
    /// Seconds of silence after which an idle board is given up.
    pub idle_dead_s: u64,
    /// Seconds between the load reports of a board.
    pub report_every_s: u32,
}

/// `[audit]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Seconds after which rows are signed, however few.
    pub head_s: u64,
    /// Rows after which they are signed, however soon.
    pub head_rows: u32,
}

/// `[retention]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days for which ended operations are kept.
    pub operations_days: u32,
    /// Most ended operations that are kept.
    pub operations: u32,
    /// Most events that are kept.
    pub events: u32,
    /// Days for which rows of the audit are kept; 0 for ever.
    pub audit_days: u32,
}

/// `[recordings]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// Largest recording of one terminal, which ends there.
    pub session_bytes: u64,
    /// Days for which recordings are kept.
    pub days: u32,
    /// Bytes of all together; the oldest go first.
    pub total_bytes: u64,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
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
    /// Those of them that come from one address (one /64 network of IPv6).
    pub enrolling_per_address: u32,
    /// Requests a second that one user, or one address of people who are not signed in, may make in the long run.
    pub requests_per_s: u32,
    /// Requests that it may make at once, after a rest.
    pub requests_burst: u32,
    /// Seconds one request may take, waits that it asks for not counted.
    pub request_s: u64,
    /// Seconds that requests get to end when the cloud is told to stop.
    pub grace_s: u64,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: loopback(8812), allow_plain: false, allowed_origins: Origins::default() }
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
        Self {
            token_s: 3600,
            roles: Roles::default(),
            keystone_url: String::new(),
            keystone_authority: None,
        }
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self { idle_ping_s: 30, idle_dead_s: 75, report_every_s: 60 }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { head_s: 60, head_rows: 1000 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { operations_days: 30, operations: 100_000, events: 100_000, audit_days: 0 }
    }
}

impl Default for Recordings {
    fn default() -> Self {
        Self { session_bytes: 16 << 20, days: 30, total_bytes: 1 << 30 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            service_connections: 10_000,
            connections_per_service: 1000,
            enrolling: 256,
            enrolling_per_address: 64,
            requests_per_s: 1000,
            requests_burst: 5000,
            request_s: 30,
            grace_s: 10,
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A range of ports, written `20000-29999`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
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

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        format!("{}-{}", ports.first, ports.last)
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

/// Names of projects, or `*` for all; one text or a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "OneOrMany", into = "Vec<String>")]
pub struct Projects(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Projects {
    fn from(said: OneOrMany) -> Self {
        match said {
            OneOrMany::One(name) => Self(vec![name]),
            OneOrMany::Many(names) => Self(names),
        }
    }
}

impl From<Projects> for Vec<String> {
    fn from(projects: Projects) -> Self {
        projects.0
    }
}

impl Projects {
    /// Every project.
    #[must_use]
    pub fn every() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// Whether it is every project.
    #[must_use]
    pub fn all(&self) -> bool {
        self.names("*")
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn allow(&self, project: &str) -> bool {
        self.all() || self.names(project)
    }

    /// Whether this one is named.
    #[must_use]
    pub fn names(&self, project: &str) -> bool {
        self.0.iter().any(|name| name == project)
    }
}

impl Settings {
    /// Where upstream boards reach the cloud, given its public URL and the address of the WAMP listener. Upstream's agent
    /// wants the port written out.
    #[must_use]
    pub fn wamp_url(&self, public_url: &str, listening: SocketAddr) -> String {
        let given = &self.legacy.public_wamp_url;
        if !given.is_empty() {
            return given.clone();
        }
        let scheme = if self.is_encrypted() { "wss" } else { "ws" };
        let rest = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        format!("{scheme}://{host}:{}/", listening.port())
    }

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
