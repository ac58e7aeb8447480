//! How the cloud itself is, for those who operate it.
//!
//! Invariant: no secret leaves: values under keys that name one, and passwords inside URLs, are covered.

use crate::app::Error;
use crate::cloud::Cloud;
use api::system::{Database, Legacy, Listener, Process, Tls};
use model::board::Status;
use model::operation::State;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use store::{boards, events, operations};

/// What this process does; there is no other one yet.
const ROLES: [&str; 5] = ["api", "conductor", "wamp-agent", "tunnel-agent", "dashboard"];
/// Parts of keys whose values nobody reads.
const SECRET: [&str; 3] = ["password", "secret", "credential"];
/// Stands for what is covered.
const COVERED: &str = "***";
/// Files of the database, and what SQLite keeps beside it.
const FILES: [&str; 3] = ["cloud.db", "cloud.db-wal", "cloud.db-shm"];

/// What this process does.
#[must_use]
pub fn roles() -> Vec<String> {
    ROLES.map(str::to_owned).into()
}

/// Where it listens.
#[must_use]
pub fn listeners(cloud: &Cloud) -> Vec<Listener> {
    let encrypted = cloud.settings.is_encrypted();
    let listener = |name: &str, address: String, encrypted| Listener {
        name: name.to_owned(),
        address,
        encrypted,
    };
    let ports = cloud.settings.services.ports.range();
    let services = format!("{}:{}-{}", cloud.settings.services.listen, ports.start(), ports.end());
    let mut all = vec![listener("api", cloud.address.to_string(), encrypted)];
    if let Some(legacy) = cloud.legacy {
        all.push(listener("wamp", legacy.wamp.to_string(), encrypted));
        all.push(listener("wstun", legacy.wstun.to_string(), encrypted));
    }
    all.push(listener("services", services, false));
    all
}

/// How what it listens on is encrypted.
#[must_use]
pub fn tls(cloud: &Cloud) -> Tls {
    let set = &cloud.settings.tls;
    let source = match (set.internal, &set.certificate) {
        (true, _) => "internal",
        (false, Some(_)) => "certificate",
        (false, None) => "none",
    };
    Tls {
        source: source.to_owned(),
        authority: cloud.authority.clone(),
        key: cloud.key.public().fingerprint(),
    }
}

/// Which projects may have upstream boards.
#[must_use]
pub fn legacy(cloud: &Cloud) -> Legacy {
    let set = &cloud.settings.legacy;
    Legacy { enabled: set.enabled, projects: set.projects.clone().into() }
}

/// Boards by status, decommissioned ones left out.
///
/// # Errors
/// The store failed.
pub async fn count_boards(cloud: &Cloud) -> Result<BTreeMap<String, u64>, Error> {
    let counted = boards::by_status(&cloud.store).await?;
    let living = counted.into_iter().filter(|(status, _)| *status != Status::Decommissioned);
    Ok(living.map(|(status, number)| (status.word().to_owned(), number)).collect())
}

/// Open operations by state.
///
/// # Errors
/// The store failed.
pub async fn count_operations(cloud: &Cloud) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts: BTreeMap<_, _> =
        [State::Pending, State::Running].map(|state| (state.word().to_owned(), 0)).into();
    for (state, number) in operations::open_by_state(&cloud.store).await? {
        counts.insert(state.word().to_owned(), number);
    }
    Ok(counts)
}

/// State at rest.
///
/// # Errors
/// The store failed.
pub async fn database(cloud: &Cloud) -> Result<Database, Error> {
    let size = |name| std::fs::metadata(cloud.dir.join(name)).map_or(0, |file| file.len());
    Ok(Database {
        bytes: FILES.into_iter().map(size).fold(0, u64::saturating_add),
        first_event: events::first_seq(&cloud.store).await?,
        last_event: events::last_seq(&cloud.store),
        dropped_records: cloud.store.dropped(),
    })
}

/// The process, as Linux tells of it.
#[must_use]
pub fn process() -> Process {
    Process {
        pid: std::process::id(),
        memory_bytes: memory(Path::new("/proc/self/status")),
        open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
    }
}

fn memory(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Settings in force.
#[must_use]
pub fn settings(cloud: &Cloud) -> Value {
    covered(serde_json::to_value(&cloud.settings).unwrap_or_default())
}

fn covered(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(cover_member).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(covered).collect()),
        Value::String(text) => Value::String(without_password(text)),
        other => other,
    }
}

fn cover_member((key, value): (String, Value)) -> (String, Value) {
    let is_secret = SECRET.iter().any(|word| key.contains(word)) && !value.is_null();
    let value = if is_secret { COVERED.into() } else { covered(value) };
    (key, value)
}

/// `scheme://user:password@host` without the password.
fn without_password(text: String) -> String {
    let cut = || {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end)?;
        let (who, host) = authority.rsplit_once('@')?;
        let (user, _) = who.split_once(':')?;
        Some(format!("{scheme}://{user}:{COVERED}@{host}{tail}"))
    };
    cut().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_covered_wherever_they_stand() {
        let settings = json!({
            "database": { "url": "postgres://s4t:p@ss:word@db.example:5432/s4t?x=1", "pool": 5 },
            "mail": { "password": "hunter2", "client_secret": "x", "secret_file": null },
            "list": ["amqp://a:b@c", "https://cloud.example/a@b", "plain"],
        });
        assert_eq!(
            covered(settings),
            json!({
                "database": { "url": "postgres://s4t:***@db.example:5432/s4t?x=1", "pool": 5 },
                "mail": { "password": "***", "client_secret": "***", "secret_file": null },
                "list": ["amqp://a:***@c", "https://cloud.example/a@b", "plain"],
            })
        );
    }

    #[test]
    fn a_process_knows_its_memory() {
        let process = process();
        assert!(process.memory_bytes.is_some_and(|bytes| bytes > 1 << 20), "{process:?}");
        assert!(process.open_files.is_some_and(|files| files >= 3), "{process:?}");
    }
}
