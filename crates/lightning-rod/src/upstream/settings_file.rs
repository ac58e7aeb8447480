//! Upstream's `settings.json`: who the board is and where its cloud is, in upstream's own form.
//!
//! Invariants: what is not understood is kept; the file is replaced as a whole and readable by its owner alone; an answer of
//! the cloud that would make the board unregistered is not written.

use crate::home::Error;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What upstream ships in place of a code.
pub(crate) const PLACEHOLDER: &str = "<REGISTRATION-TOKEN>";
/// Largest file.
const MAX_BYTES: u64 = 1 << 20;
/// Members without which upstream's agent takes itself for unregistered.
const NEEDED: [&str; 11] = [
    "uuid",
    "code",
    "name",
    "status",
    "type",
    "mobile",
    "extra",
    "agent",
    "created_at",
    "updated_at",
    "location",
];

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct SettingsFile {
    path: PathBuf,
}

/// How far the board has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// Nobody has told it a code yet.
    FirstBoot,
    /// It has a code to register with.
    Unregistered {
        /// The code.
        code: String,
        /// Where to.
        at: Router,
    },
    /// It is a board.
    Registered(Box<Board>),
}

/// A router of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Router {
    /// `ws(s)://host:port/`
    pub(crate) url: String,
    /// Its realm.
    pub(crate) realm: String,
}

/// A registered board.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Board {
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) status: String,
    /// Host name of the cloud's agent, in front of its procedures.
    pub(crate) agent: String,
    pub(crate) location: Value,
    pub(crate) extra: Value,
    pub(crate) at: Router,
}

impl SettingsFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says; none when there is none.
    pub(crate) fn read(&self) -> Result<Option<Stage>, Error> {
        match self.value()? {
            Some(value) => stage(&value).map(Some).map_err(|reason| self.damaged(reason)),
            None => Ok(None),
        }
    }

    /// Writes the cloud's configuration, as it came.
    pub(crate) fn write(&self, configuration: &Value) -> Result<(), Error> {
        let bytes = super::book::pretty(configuration);
        base::secret::write_private(&self.path, &bytes).map_err(Error::at(&self.path))
    }

    /// Marks the board as one that has met its cloud.
    pub(crate) fn set_operative(&self) -> Result<(), Error> {
        let mut value = self.value()?.unwrap_or_default();
        if let Some(status) = value.pointer_mut("/iotronic/board/status") {
            *status = "operative".into();
            self.write(&value)?;
        }
        Ok(())
    }

    /// Writes what registers this board with a code.
    pub(crate) fn configure(&self, url: &str, code: &str) -> Result<(), Error> {
        self.write(&template(url, rpc::REALM, code))
    }

    /// The file as upstream ships it: a board of nobody.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        self.write(&template("ws://<WAMP-SERVER>:<WAMP-PORT>/", "<IOTRONIC-REALM>", PLACEHOLDER))
    }

    fn value(&self) -> Result<Option<Value>, Error> {
        match std::fs::metadata(&self.path) {
            Ok(meta) if meta.len() > MAX_BYTES => {
                return Err(self.damaged(format!("it is larger than {MAX_BYTES} bytes")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let bytes = std::fs::read(&self.path).map_err(Error::at(&self.path))?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { path: self.path.clone(), reason }
    }
}

fn template(url: &str, realm: &str, code: &str) -> Value {
    json!({ "iotronic": {
        "board": { "code": code },
        "wamp": { "registration-agent": { "url": url, "realm": realm } },
    }})
}

/// How far a configuration brings the board.
pub(crate) fn stage(value: &Value) -> Result<Stage, String> {
    let board = value.pointer("/iotronic/board");
    let has = |name: &&str| board.and_then(|board| board.get(name)).is_some();
    let is_whole = NEEDED.iter().all(has) && value.pointer("/iotronic/extra").is_some();
    if let (true, Some(board)) = (is_whole, board) {
        return registered(value, board).map(|board| Stage::Registered(Box::new(board)));
    }
    let code = board.and_then(|board| board.get("code")).and_then(Value::as_str);
    match code.filter(|code| !code.is_empty() && *code != PLACEHOLDER) {
        None => Ok(Stage::FirstBoot),
        Some(code) => {
            let at =
                router(value, "registration-agent").or_else(|_| router(value, "main-agent"))?;
            Ok(Stage::Unregistered { code: code.to_owned(), at })
        }
    }
}

fn registered(value: &Value, board: &Value) -> Result<Board, String> {
    let text = |name: &str| {
        let found = board.get(name).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| format!("iotronic.board.{name} is no text"))
    };
    let status = text("status")?;
    if status != "registered" && status != "operative" {
        return Err(format!(
            "iotronic.board.status is {status:?}, neither registered nor operative"
        ));
    }
    let agent = text("agent")?;
    if !wamp::uri::is_valid(&format!("{agent}.stack4things"), 255) {
        return Err("iotronic.board.agent is no host name".into());
    }
    Ok(Board {
        uuid: text("uuid")?.parse().map_err(|_| "iotronic.board.uuid is no UUID".to_owned())?,
        name: text("name")?,
        status,
        agent,
        location: board.get("location").cloned().unwrap_or_default(),
        extra: value.pointer("/iotronic/extra").cloned().unwrap_or_default(),
        at: router(value, "main-agent")?,
    })
}

fn router(value: &Value, which: &str) -> Result<Router, String> {
    let part = |name: &str| {
        let found =
            value.pointer(&format!("/iotronic/wamp/{which}/{name}")).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| format!("iotronic.wamp.{which}.{name} is missing"))
    };
    Ok(Router { url: part("url")?, realm: part("realm")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn whole() -> Value {
        json!({"iotronic": {
            "extra": {},
            "board": {
                "uuid": "5b1f2ac8-6b6f-4d39-9a52-0c5b9b2d1c5f", "code": "C", "name": "rod",
                "status": "registered", "type": "generic", "mobile": false, "extra": {},
                "agent": "agent-a", "created_at": "2026-01-01T00:00:00", "updated_at": null,
                "location": {"latitude": "38", "longitude": "15", "altitude": "0"}, "odd": [1]
            },
            "wamp": {
                "registration-agent": {"url": "ws://r:8181/", "realm": "s4t"},
                "main-agent": {"url": "ws://m:8181/", "realm": "s4t"}
            }
        }})
    }

    #[test]
    fn a_board_goes_from_first_boot_to_operative_and_what_is_not_known_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(dir.path().join("settings.json"));
        assert_eq!(file.read().unwrap(), None);
        file.reset().unwrap();
        assert_eq!(file.read().unwrap(), Some(Stage::FirstBoot));
        file.configure("ws://r:8181/", "CODE'; rm -rf /").unwrap();
        let at = Router { url: "ws://r:8181/".into(), realm: "s4t".into() };
        let code = "CODE'; rm -rf /".to_owned();
        assert_eq!(file.read().unwrap(), Some(Stage::Unregistered { code, at }));
        file.write(&whole()).unwrap();
        file.set_operative().unwrap();
        let Some(Stage::Registered(board)) = file.read().unwrap() else { panic!("not registered") };
        assert_eq!((board.status.as_str(), board.at.url.as_str()), ("operative", "ws://m:8181/"));
        assert_eq!(file.value().unwrap().unwrap()["iotronic"]["board"]["odd"], json!([1]));
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.starts_with("{\n    \"iotronic\""), "as upstream writes it: {text}");
    }

    #[test]
    fn an_answer_that_lacks_a_member_leaves_the_board_unregistered() {
        for name in NEEDED {
            let mut value = whole();
            value["iotronic"]["board"].as_object_mut().unwrap().remove(name);
            assert!(!matches!(stage(&value), Ok(Stage::Registered(_))), "{name}");
        }
        let mut value = whole();
        value["iotronic"]["board"]["status"] = "broken".into();
        assert!(stage(&value).is_err());
        value = whole();
        value["iotronic"]["board"]["uuid"] = "../../etc".into();
        assert!(stage(&value).is_err());
        value = whole();
        value["iotronic"]["board"]["agent"] = "a b\n".into();
        assert!(stage(&value).is_err());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(dir.path().join("settings.json"));
        std::fs::write(file.path(), "{").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("is damaged"));
    }

    proptest! {
        #[test]
        fn any_values_are_a_stage_or_an_error(uuid in ".*", status in ".*", url in ".*") {
            let mut value = whole();
            value["iotronic"]["board"]["uuid"] = uuid.into();
            value["iotronic"]["board"]["status"] = status.into();
            value["iotronic"]["wamp"]["main-agent"]["url"] = url.into();
            let _ = stage(&value);
        }
    }
}
