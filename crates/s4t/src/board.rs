//! Boards.

use crate::claim::{self, Claiming};
use crate::failure::Failure;
use crate::logs::Reading;
use crate::operation::{self, Giving, Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use crate::transfer;
use api::actions::Action;
use api::boards::{Answer, Board, Change, Delay, Echo, PATH, Unpark};
use api::client::{Method, escape};
use api::transfers::Transfer;
use clap::{Args, Subcommand};
use model::board::{Position, Status};
use model::label::Labels;
use model::{Kind, Name, ProjectId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const COLUMNS: &[&str] = &["id", "name", "status", "labels", "agent_version", "last_seen"];
const DETAIL: &[&str] = &[
    "id",
    "name",
    "status",
    "project",
    "fleet",
    "labels",
    "position",
    "agent_version",
    "last_seen",
    "key",
    "parked",
    "facts.hostname",
    "facts.model",
    "facts.architecture",
    "facts.system",
    "facts.link.address",
    "facts.sandbox",
    "load.cpu",
    "load.memory_used_bytes",
    "load.temperature_c",
    "load.sensors",
    "load_at",
    "created_at",
];

/// Boards: devices that are part of the cloud.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a claim, with which a machine becomes a board.
    Claim(Claiming),
    /// List boards.
    List(List),
    /// Show one.
    Show {
        /// Id or name.
        board: String,
    },
    /// Change name, labels, position or fleet.
    Set(Set),
    /// Give a board up: its key is refused from now on.
    #[command(visible_alias = "decommission")]
    Delete {
        /// Ids or names.
        #[arg(required = true)]
        boards: Vec<String>,
    },
    /// Make a claim with which another machine takes over this board's identity.
    Replace {
        /// Id or name.
        board: String,
    },
    /// Give it to another project: at once for who administers both, else as an offer that is accepted there.
    Transfer {
        /// Id or name.
        board: String,
        /// The receiving project's id.
        #[arg(long = "to", value_name = "PROJECT")]
        project: ProjectId,
    },
    /// Let one of two machines with one key go on as the board; it makes a new key, and the other one is refused.
    Unpark {
        /// Id or name.
        board: String,
        /// Only the machine that comes from this address; without it, whichever connects next.
        #[arg(long)]
        from: Option<IpAddr>,
    },
    /// Let a board change its key; the old one is refused from then on.
    RotateKey {
        /// Id or name.
        board: String,
        #[command(flatten)]
        giving: Giving,
    },
    /// Ask a board for its clock.
    Ping {
        /// Id or name.
        board: String,
    },
    /// Let a board say something back.
    Echo {
        /// Id or name.
        board: String,
        /// What.
        say: String,
    },
    /// Show a board's network interfaces.
    Network {
        /// Id or name.
        board: String,
    },
    /// Reboot a board (by the command its agent was configured with).
    Reboot(Delayed),
    /// Restart a board's agent.
    RestartAgent(Delayed),
    /// Let a board do something, in upstream's words.
    Action {
        /// Id or name.
        board: String,
        #[command(flatten)]
        asked: Asking,
        #[command(flatten)]
        giving: Giving,
    },
    /// Show the log of a board's agent.
    Logs {
        /// Id or name.
        board: String,
        #[command(flatten)]
        logs: Reading,
    },
    /// Wait until a board has a status.
    Wait(Wait),
}

/// Which boards.
#[derive(Args)]
pub(crate) struct List {
    /// Only boards with these labels: 'kind=lamp,zone in (north|east)'.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// Only boards in this status.
    #[arg(long)]
    status: Option<Status>,
    /// Only boards of this fleet.
    #[arg(long)]
    fleet: Option<String>,
    /// Only boards that have this plugin.
    #[arg(long)]
    plugin: Option<String>,
    /// Only boards on which this service is open.
    #[arg(long)]
    service: Option<String>,
    /// Only boards whose name contains this text.
    #[arg(long)]
    text: Option<String>,
    /// At most so many.
    #[arg(long)]
    limit: Option<u32>,
}

/// What to change.
#[derive(Args)]
pub(crate) struct Set {
    /// Id or name.
    board: String,
    /// New name.
    #[arg(long)]
    name: Option<Name>,
    /// Set a label, KEY=VALUE; remove one, KEY-.
    #[arg(short = 'l', long = "label")]
    labels: Vec<String>,
    /// New position: LATITUDE,LONGITUDE[,ALTITUDE].
    #[arg(long, allow_hyphen_values = true)]
    position: Option<String>,
    /// New fleet; '' takes the board out of its fleet.
    #[arg(long)]
    fleet: Option<String>,
}

/// A board and a delay.
#[derive(Args)]
pub(crate) struct Delayed {
    /// Id or name.
    board: String,
    /// Seconds to wait on the board, at least 3.
    #[arg(long)]
    delay: Option<u32>,
    #[command(flatten)]
    giving: Giving,
}

/// What to wait for.
#[derive(Args)]
pub(crate) struct Wait {
    /// Id or name.
    board: String,
    /// The status.
    #[arg(long = "for", default_value = "online")]
    status: Status,
    /// Seconds to wait at the most.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

/// What is to be done.
#[derive(Args)]
pub(crate) struct Asking {
    /// DevicePing, DeviceEcho, DeviceNetConfig, DeviceReboot, DeviceRestartLR, DeviceUpgradeLR, DevicePkgOperation,
    /// DeviceMountFs, DeviceRestSubmit or DeviceFactoryReset.
    action: String,
    /// Parameters, a JSON object, such as '{"manager": "apt", "command": "install", "package": "vim"}'.
    #[arg(long, default_value = "{}")]
    params: String,
}

impl Asking {
    /// As the cloud is asked.
    pub(crate) fn action(self) -> Result<Action, Failure> {
        let parameters = serde_json::from_str(&self.params)
            .map_err(|error| Failure::invalid(format!("--params is not JSON: {error}")))?;
        Ok(Action { action: self.action, parameters })
    }
}

/// Path of one board.
pub(crate) fn path(board: &str) -> String {
    format!("{PATH}/{}", escape(board))
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Claim(claiming) => claiming.run(session, out),
            Self::List(list) => list.run(session, out),
            Self::Show { board } => out.one(&session.client.get::<Board>(&path(&board))?, DETAIL),
            Self::Set(set) => set.run(session, out),
            Self::Delete { boards } => delete(session, out, &boards),
            Self::Replace { board } => claim::show(
                out,
                &session.client.post(&format!("{}/replace", path(&board)), &json!({}))?,
            ),
            Self::Transfer { board, project } => {
                let path = format!("{}/transfer", path(&board));
                let new = api::transfers::New { project };
                out.one(&session.client.post::<Transfer>(&path, &new)?, transfer::COLUMNS)
            }
            Self::Unpark { board, from } => {
                let path = format!("{}/unpark", path(&board));
                out.one(&session.client.post::<Board>(&path, &Unpark { from })?, DETAIL)
            }
            Self::RotateKey { board, giving } => {
                let path = format!("{}/rotate-key", path(&board));
                operation::show(out, &giving.done(session, &Method::POST, &path, &json!({}))?)
            }
            Self::Ping { board } => {
                answer(out, session.client.post(&format!("{}/ping", path(&board)), &json!({}))?)
            }
            Self::Echo { board, say } => {
                answer(out, session.client.post(&format!("{}/echo", path(&board)), &Echo { say })?)
            }
            Self::Network { board } => network(session, out, &board),
            Self::Reboot(delayed) => delayed.run(session, out, "reboot"),
            Self::RestartAgent(delayed) => delayed.run(session, out, "restart-agent"),
            Self::Action { board, asked, giving } => {
                let path = format!("{}/actions", path(&board));
                let operation = giving.done(session, &Method::POST, &path, &asked.action()?)?;
                match &operation.result {
                    Some(result) => out.value(result),
                    None => operation::show(out, &operation),
                }
            }
            Self::Logs { board, logs } => logs.run(session, out, &format!("{}/logs", path(&board))),
            Self::Wait(wait) => wait.run(session, out),
        }
    }
}

fn answer(out: &mut Output, answer: Answer) -> Result<(), Failure> {
    out.value(&answer.result)
}

fn network(session: &Session, out: &mut Output, board: &str) -> Result<(), Failure> {
    let answer: Answer = session.client.get(&format!("{}/network", path(board)))?;
    match answer.result {
        Value::Array(interfaces) => {
            out.list(&interfaces, &["name", "state", "mac", "mtu", "addresses"])
        }
        other => out.value(&other),
    }
}

fn delete(session: &Session, out: &Output, boards: &[String]) -> Result<(), Failure> {
    for board in boards {
        let none: Option<&()> = None;
        session.client.request::<Value>(&Method::DELETE, &path(board), none, &[])?;
        out.remark(&format!("{board} is decommissioned; its key is refused from now on"));
    }
    Ok(())
}

impl List {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let query = Query::default()
            .add("selector", self.selector)
            .add("status", self.status.map(|status| status.word().to_owned()))
            .add("fleet", self.fleet)
            .add("plugin", self.plugin)
            .add("service", self.service)
            .add("text", self.text);
        out.list(&all_pages::<Value>(session, PATH, query, self.limit)?, COLUMNS)
    }
}

impl Set {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let path = path(&self.board);
        let before: Board = session.client.get(&path)?;
        let labels = (!self.labels.is_empty())
            .then(|| changed(&before.summary.labels, &self.labels))
            .transpose()?;
        let position = self.position.as_deref().map(position).transpose()?;
        let change = Change { name: self.name, labels, position, fleet: self.fleet };
        let tag = format!("\"{}\"", before.summary.revision);
        let after: Board =
            session.client.request(&Method::PATCH, &path, Some(&change), &[("if-match", &tag)])?;
        out.one(&after, DETAIL)
    }
}

fn changed(before: &Labels, changes: &[String]) -> Result<Labels, Failure> {
    let mut labels: BTreeMap<String, String> = before.clone().into();
    for change in changes {
        match (change.split_once('='), change.strip_suffix('-')) {
            (Some((key, value)), _) => drop(labels.insert(key.to_owned(), value.to_owned())),
            (None, Some(key)) => drop(labels.remove(key)),
            (None, None) => {
                return Err(Failure::invalid(format!("{change:?} is neither KEY=VALUE nor KEY-")));
            }
        }
    }
    Ok(labels.try_into()?)
}

/// Labels out of KEY=VALUE texts.
pub(crate) fn labels(texts: &[String]) -> Result<Labels, Failure> {
    changed(&Labels::default(), texts)
}

fn position(text: &str) -> Result<Position, Failure> {
    let numbers: Vec<f64> =
        text.split(',').map(|part| part.trim().parse().unwrap_or(f64::NAN)).collect();
    let raw = match numbers.as_slice() {
        [latitude, longitude] => json!({ "latitude": latitude, "longitude": longitude }),
        [latitude, longitude, altitude] => {
            json!({ "latitude": latitude, "longitude": longitude, "altitude": altitude })
        }
        _ => {
            return Err(Failure::invalid(format!("{text:?} is not LATITUDE,LONGITUDE[,ALTITUDE]")));
        }
    };
    serde_json::from_value(raw)
        .map_err(|error| Failure::invalid(format!("{text:?} is not a position: {error}")))
}

impl Delayed {
    fn run(self, session: &Session, out: &mut Output, verb: &str) -> Result<(), Failure> {
        let path = format!("{}/{verb}", path(&self.board));
        let operation =
            self.giving.done(session, &Method::POST, &path, &Delay { delay: self.delay })?;
        operation::show(out, &operation)
    }
}

impl Wait {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            let board: Board = session.client.get(&path(&self.board))?;
            if board.summary.status == self.status {
                return out.one(&board.summary, COLUMNS);
            }
            if Instant::now() >= until {
                let text = format!(
                    "board {} is {} after {} s",
                    self.board, board.summary.status, self.timeout
                );
                return Err(
                    Failure::new(Kind::Timeout, text).help(format!("waited for {}", self.status))
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_removed() {
        let before = labels(&["a=1".into(), "b=2".into()]).unwrap();
        let after = changed(&before, &["a-".into(), "c=3".into()]).unwrap();
        assert_eq!(after, labels(&["b=2".into(), "c=3".into()]).unwrap());
        assert!(changed(&before, &["nonsense".into()]).is_err());
    }

    #[test]
    fn positions_are_two_or_three_numbers_on_the_globe() {
        assert_eq!(position("38.2,-15.5").unwrap().longitude, -15.5);
        for wrong in ["38", "x,y", "98,0", ""] {
            assert!(position(wrong).is_err(), "{wrong}");
        }
    }
}
