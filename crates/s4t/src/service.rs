//! Services, and their exposures on boards.

use crate::board;
use crate::failure::Failure;
use crate::operation::{self, Giving, Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::client::{Method, escape};
use api::services::{Change, Enable, Exposure, New, PATH, Service};
use clap::{Args, Subcommand};
use model::Name;
use model::service::{Port, Protocol};
use serde_json::{Value, json};

const COLUMNS: &[&str] = &["id", "name", "port", "protocol", "created_at"];
const EXPOSED: &[&str] =
    &["service", "name", "local_port", "public_port", "state", "connections", "problem"];

/// Services: what listens on boards.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create one.
    Create {
        /// Name.
        name: Name,
        /// Where it listens on a board's loopback.
        #[arg(long)]
        port: Port,
    },
    /// List services; with --board those exposed on that board.
    List {
        /// Those exposed on this board.
        #[arg(long)]
        board: Option<String>,
    },
    /// Show one.
    Show {
        /// Id or name.
        service: String,
    },
    /// Change name or port.
    Set {
        /// Id or name.
        service: String,
        /// New name.
        #[arg(long)]
        name: Option<Name>,
        /// New local port; exposures take it when they are restored.
        #[arg(long)]
        port: Option<Port>,
    },
    /// Delete one; it must be disabled on all boards.
    Delete {
        /// Id or name.
        service: String,
    },
    /// Make one reachable on a public port.
    Enable {
        #[command(flatten)]
        on: OnBoard,
        /// The public port wanted; a free one when left out.
        #[arg(long)]
        public_port: Option<Port>,
    },
    /// Close the public port and cut its connections.
    Disable(OnBoard),
    /// Tell the board again, and take over a changed port.
    Restore(OnBoard),
}

/// A service on a board.
#[derive(Args)]
pub(crate) struct OnBoard {
    /// Service, id or name.
    service: String,
    /// Board, id or name.
    board: String,
    #[command(flatten)]
    giving: Giving,
}

impl OnBoard {
    fn path(&self) -> String {
        format!("{}/services/{}", board::path(&self.board), escape(&self.service))
    }
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let path = |service: &str| format!("{PATH}/{}", escape(service));
        let none: Option<&()> = None;
        match self {
            Self::Create { name, port } => {
                let new = New { name, port, protocol: Protocol::Tcp };
                out.one(&session.client.post::<Service>(PATH, &new)?, COLUMNS)
            }
            Self::List { board: Some(board) } => {
                let path = format!("{}/services", board::path(&board));
                out.list(&all_pages::<Value>(session, &path, Query::default(), None)?, EXPOSED)
            }
            Self::List { board: None } => {
                out.list(&all_pages::<Value>(session, PATH, Query::default(), None)?, COLUMNS)
            }
            Self::Show { service } => {
                out.one(&session.client.get::<Service>(&path(&service))?, &[])
            }
            Self::Set { service, name, port } => {
                let change = Change { name, port };
                let after: Service =
                    session.client.request(&Method::PATCH, &path(&service), Some(&change), &[])?;
                out.one(&after, COLUMNS)
            }
            Self::Delete { service } => {
                session.client.request::<Value>(&Method::DELETE, &path(&service), none, &[])?;
                Ok(())
            }
            Self::Enable { on, public_port } => {
                on.giving.done(session, &Method::PUT, &on.path(), &Enable { public_port })?;
                out.one(&session.client.get::<Exposure>(&on.path())?, EXPOSED)
            }
            Self::Disable(on) => {
                let operation = on.giving.done(session, &Method::DELETE, &on.path(), &json!({}))?;
                operation::show(out, &operation)
            }
            Self::Restore(on) => {
                on.giving.done(
                    session,
                    &Method::POST,
                    &format!("{}/restore", on.path()),
                    &json!({}),
                )?;
                out.one(&session.client.get::<Exposure>(&on.path())?, EXPOSED)
            }
        }
    }
}
