//! Operations, and how every command that gives one waits for its end.

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use api::Page;
use api::client::{Method, escape};
use api::operations::{Detail, MAX_WAIT_S, Operation, PATH};
use clap::{Args, Subcommand};
use model::Kind;
use model::operation::State;
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};

const COLUMNS: &[&str] =
    &["id", "method", "board", "subject.name", "state", "created_at", "ended_at", "fault.message"];

/// Operations: what was asked of boards.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List operations, newest first.
    List(List),
    /// Show one with its history.
    Show {
        /// Its id.
        operation: String,
    },
    /// Withdraw one, or ask the board to stop it.
    Cancel {
        /// Its id.
        operation: String,
    },
    /// Wait for the end of one.
    Wait {
        /// Its id.
        operation: String,
        /// Seconds to wait at the most.
        #[arg(long, default_value_t = 60)]
        timeout: u64,
    },
}

/// Which operations.
#[derive(Args)]
pub(crate) struct List {
    /// Only of this board.
    #[arg(long)]
    board: Option<String>,
    /// Only in this state.
    #[arg(long)]
    state: Option<State>,
    /// Only of this method, such as PluginCall.
    #[arg(long)]
    method: Option<String>,
    /// Only parts of this request to many boards (id).
    #[arg(long)]
    main: Option<String>,
    /// At most so many.
    #[arg(long)]
    limit: Option<u32>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(list) => {
                let query = Query::default()
                    .add("board", list.board)
                    .add("state", list.state.map(|state| state.word().to_owned()))
                    .add("method", list.method)
                    .add("main", list.main)
                    .add("order", Some("desc".to_owned()));
                let items: Vec<Value> = all_pages(session, PATH, query, list.limit)?;
                out.list(&items, COLUMNS)
            }
            Self::Show { operation } => {
                let detail: Detail =
                    session.client.get(&format!("{PATH}/{}", escape(&operation)))?;
                out.one(&detail, &[])
            }
            Self::Cancel { operation } => {
                let path = format!("{PATH}/{}/cancel", escape(&operation));
                let operation: Operation = session.client.post(&path, &serde_json::json!({}))?;
                out.one(&operation, COLUMNS)
            }
            Self::Wait { operation, timeout } => {
                let operation = wait(session, &operation, Duration::from_secs(timeout))?;
                ended(&operation)?;
                out.one(&operation, COLUMNS)
            }
        }
    }
}

/// Options of every command that changes something on a board.
#[derive(Args, Clone, Copy)]
pub(crate) struct Giving {
    /// Seconds to wait for the board; 0 returns as soon as the command is stored.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// Seconds after which the command is not given to an offline board any more (default one day).
    #[arg(long)]
    deadline: Option<u64>,
}

impl Giving {
    /// Gives a command and waits for its end. An operation that goes on after the time is a failure that names it.
    pub(crate) fn give(
        self,
        session: &Session,
        method: &Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Operation, Failure> {
        let first = self.timeout.min(MAX_WAIT_S.into());
        let query = Query::default()
            .add("wait", Some(first.to_string()))
            .add("deadline", self.deadline.map(|deadline| deadline.to_string()));
        let begun = Instant::now();
        let operation: Operation =
            session.client.request(method, &query.on(path), Some(body), &[])?;
        let left = Duration::from_secs(self.timeout).saturating_sub(begun.elapsed());
        if self.timeout == 0 || operation.state.has_ended() {
            return Ok(operation);
        }
        wait(session, &operation.id.to_string(), left)
    }

    /// Gives a command, waits for its end, and fails when it failed.
    pub(crate) fn done(
        self,
        session: &Session,
        method: &Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Operation, Failure> {
        let operation = self.give(session, method, path, body)?;
        if self.timeout > 0 {
            ended(&operation)?;
        }
        Ok(operation)
    }
}

/// Shows an operation that was given.
pub(crate) fn show(out: &mut Output, operation: &Operation) -> Result<(), Failure> {
    out.one(operation, COLUMNS)
}

fn wait(session: &Session, id: &str, limit: Duration) -> Result<Operation, Failure> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now()).as_secs().min(MAX_WAIT_S.into());
        let detail: Detail = session.client.get(&format!("{PATH}/{}?wait={left}", escape(id)))?;
        if detail.operation.state.has_ended() || left == 0 {
            return Ok(detail.operation);
        }
    }
}

/// Whether it succeeded; otherwise why not.
fn ended(operation: &Operation) -> Result<(), Failure> {
    let fault = operation.fault.as_ref();
    match operation.state {
        State::Succeeded => Ok(()),
        State::Failed => {
            let kind = fault.map_or(Kind::Internal, |fault| fault.kind);
            Err(Failure::new(
                kind,
                fault.map_or_else(
                    || "the board gave no reason".to_owned(),
                    |fault| fault.message.clone(),
                ),
            ))
        }
        State::Pending | State::Running => Err(Failure::operation(
            operation.state,
            format!("operation {} is still {}", operation.id, operation.state),
        )
        .help(format!("it goes on; see `s4t operation wait {}`", operation.id))),
        State::Cancelled | State::Expired | State::Unknown => {
            let why = fault.map_or_else(String::new, |fault| format!(": {}", fault.message));
            Err(Failure::operation(
                operation.state,
                format!("operation {} ended {}{why}", operation.id, operation.state),
            ))
        }
    }
}

/// A query string in the making.
#[derive(Default, Clone)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn add(mut self, key: &str, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0 += &format!("{key}={}", escape(&value));
        }
        self
    }

    pub(crate) fn on(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// All items of a list, page by page, or the first `limit` of them.
pub(crate) fn all_pages<T: serde::de::DeserializeOwned>(
    session: &Session,
    path: &str,
    query: Query,
    limit: Option<u32>,
) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    let mut marker = None;
    loop {
        let left =
            limit.map(|limit| limit.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX)));
        let size = left.unwrap_or(api::page::MAX_LIMIT).clamp(1, api::page::MAX_LIMIT);
        let page: Page<T> = session.client.get(
            &query.clone().add("limit", Some(size.to_string())).add("marker", marker).on(path),
        )?;
        items.extend(page.items);
        marker = page.next;
        let enough = limit.is_some_and(|limit| items.len() >= limit as usize);
        if enough || marker.is_none() {
            return Ok(items);
        }
    }
}
