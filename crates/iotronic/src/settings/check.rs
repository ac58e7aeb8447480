//! Reading settings and holding them against each other.
//!
//! Invariant: whatever is refused is refused by the key's name and with what to set instead.

use super::{PREFIX, Settings};
use std::path::Path;

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
    fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Inconsistent(text.to_owned()));
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
        self.ui.check().map_err(Error::Inconsistent)?;
        self.check_keystone()?;
        self.check_legacy()?;
        self.check_numbers()
    }

    fn check_keystone(&self) -> Result<(), Error> {
        let url = &self.identity.keystone_url;
        if url.is_empty() || url.starts_with("https://") {
            return Ok(());
        }
        let wrong = |text: &str| Err(Error::Inconsistent(text.to_owned()));
        let Some(rest) = url.strip_prefix("http://") else {
            return wrong("identity.keystone_url must start with http:// or https://");
        };
        let is_near = ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
            let after = rest.strip_prefix(host).and_then(|rest| rest.chars().next());
            rest == *host || matches!(after, Some(':' | '/'))
        });
        if is_near || self.api.allow_plain {
            return Ok(());
        }
        wrong(
            "identity.keystone_url is in plain text, and tokens and passwords go there: use https://, or on a network of \
             your own say api.allow_plain = true",
        )
    }

    fn check_legacy(&self) -> Result<(), Error> {
        let url = &self.legacy.public_wamp_url;
        let rest = url.strip_prefix("ws://").or_else(|| url.strip_prefix("wss://"));
        let authority = rest.unwrap_or_default().split('/').next().unwrap_or_default();
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if !url.is_empty() && port.is_none() {
            return Err(Error::Inconsistent(
                "legacy.public_wamp_url must be ws:// or wss://, a host, and a port: upstream's agent wants it written out, \
                 as in wss://cloud.example:8181/"
                    .to_owned(),
            ));
        }
        Ok(())
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
            ("audit.head_s", self.audit.head_s),
            ("audit.head_rows", self.audit.head_rows.into()),
            ("recordings.session_bytes", self.recordings.session_bytes),
            ("recordings.days", self.recordings.days.into()),
            ("recordings.total_bytes", self.recordings.total_bytes),
            ("limits.connections", self.limits.connections.into()),
            ("limits.service_connections", self.limits.service_connections.into()),
            ("limits.connections_per_service", self.limits.connections_per_service.into()),
            ("limits.enrolling", self.limits.enrolling.into()),
            ("limits.enrolling_per_address", self.limits.enrolling_per_address.into()),
            ("limits.requests_per_s", self.limits.requests_per_s.into()),
            ("limits.requests_burst", self.limits.requests_burst.into()),
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
            ("API__ALLOWED_ORIGINS", "https://A.example, http://[::1]:8080"),
        ])
        .unwrap();
        assert!(settings.api.allowed_origins.names("https://a.example"));
        assert!(settings.api.allowed_origins.names("http://[::1]:8080"));
        assert_eq!(settings.services.ports.range(), 30_000..=30_010);
        assert_eq!(settings.url(settings.api.listen), "https://cloud.example");
    }

    #[test]
    fn upstream_boards_are_told_a_url_with_its_port() {
        let settings = from(&[
            ("PUBLIC_URL", "https://cloud.example/x"),
            ("TLS__INTERNAL", "true"),
            ("LEGACY__PROJECTS", "city"),
        ]);
        let settings = settings.unwrap();
        let listening = settings.wamp.listen;
        assert_eq!(settings.wamp_url(&settings.public_url, listening), "wss://cloud.example:8181/");
        assert_eq!(settings.wamp_url("http://[::1]:8812", listening), "wss://[::1]:8181/");
        assert!(settings.legacy.projects.names("city"));
        assert!(!settings.legacy.projects.all());
        let given = from(&[("LEGACY__PUBLIC_WAMP_URL", "ws://a.example:99/")]).unwrap();
        assert_eq!(given.wamp_url("http://b.example", listening), "ws://a.example:99/");
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
            (vec![("LEGACY__PUBLIC_WAMP_URL", "wss://cloud.example/")], "legacy.public_wamp_url"),
            (vec![("TLS__CERTIFICATE", "a.pem")], "belong together"),
            (vec![("SERVICES__PORTS", "9-3")], "range of ports"),
            (vec![("LIVENESS__IDLE_DEAD_S", "30")], "larger"),
            (vec![("LIMITS__CONNECTIONS", "0")], "limits.connections"),
            (vec![("UI__TILE_URL", "tiles.example")], "ui.tile_url"),
            (vec![("API__LISEN", "x")], "lisen"),
            (vec![("API__ALLOWED_ORIGINS", "a.example")], "api.allowed_origins"),
            (vec![("API__ALLOWED_ORIGINS", "https://a.example/")], "without a path"),
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
    fn passwords_go_to_a_keystone_encrypted_unless_it_is_near() {
        let with = |url: &str| from(&[("IDENTITY__KEYSTONE_URL", url)]);
        for good in [
            "https://k.example/v3",
            "http://127.0.0.1:5000/v3",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["k.example", "http://k.example", "http://localhost.example", "ftp://k"] {
            assert!(with(bad).unwrap_err().to_string().contains("keystone_url"), "{bad}");
        }
        let allowed =
            [("IDENTITY__KEYSTONE_URL", "http://k.example"), ("API__ALLOW_PLAIN", "true")];
        assert!(from(&allowed).is_ok());
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
        let document = include_str!("../../../../docs/configuration.md");
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
