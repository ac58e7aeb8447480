//! Fleets.

use crate::board::Asking;
use crate::failure::Failure;
use crate::operation::{Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::actions::Asked;
use api::client::{Method, escape};
use api::fleets::{Change, Fleet, New, PATH};
use clap::Subcommand;
use model::Name;
use serde_json::Value;

const COLUMNS: &[&str] = &["id", "name", "description", "rule", "created_at"];

/// Fleets: named sets of boards.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create one.
    Create {
        /// Name.
        name: Name,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
        /// Boards whose labels fit are in it: `kind=lamp,zone in (north|east),!broken`.
        #[arg(long)]
        rule: Option<String>,
    },
    /// List fleets.
    List,
    /// Show one.
    Show {
        /// Id or name.
        fleet: String,
    },
    /// List the boards of one.
    Boards {
        /// Id or name.
        fleet: String,
    },
    /// Let all its boards do something, in upstream's words.
    Action {
        /// Id or name.
        fleet: String,
        #[command(flatten)]
        asked: Asking,
    },
    /// Change name, description or rule.
    Set {
        /// Id or name.
        fleet: String,
        /// New name.
        #[arg(long)]
        name: Option<Name>,
        /// New description.
        #[arg(long)]
        description: Option<String>,
        /// New rule; an empty one takes it away.
        #[arg(long)]
        rule: Option<String>,
    },
    /// Delete one; its boards stay, without fleet.
    Delete {
        /// Id or name.
        fleet: String,
    },
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let path = |fleet: &str| format!("{PATH}/{}", escape(fleet));
        let none: Option<&()> = None;
        match self {
            Self::Create { name, description, rule } => {
                let new = New { name, description, rule };
                out.one(&session.client.post::<Fleet>(PATH, &new)?, COLUMNS)
            }
            Self::List => {
                out.list(&all_pages::<Value>(session, PATH, Query::default(), None)?, COLUMNS)
            }
            Self::Show { fleet } => out.one(&session.client.get::<Fleet>(&path(&fleet))?, &[]),
            Self::Boards { fleet } => {
                let path = format!("{}/boards", path(&fleet));
                let boards = all_pages::<Value>(session, &path, Query::default(), None)?;
                out.list(&boards, &["id", "name", "status", "labels", "last_seen"])
            }
            Self::Action { fleet, asked } => {
                let path = format!("{}/actions", path(&fleet));
                let begun: Asked = session.client.post(&path, &asked.action()?)?;
                out.remark(&format!("s4t operation list --main {} shows how it goes", begun.main));
                out.list(&begun.parts, &["board", "operation"])
            }
            Self::Set { fleet, name, description, rule } => {
                let change = Change { name, description, rule };
                let after: Fleet =
                    session.client.request(&Method::PATCH, &path(&fleet), Some(&change), &[])?;
                out.one(&after, COLUMNS)
            }
            Self::Delete { fleet } => {
                session.client.request::<Value>(&Method::DELETE, &path(&fleet), none, &[])?;
                Ok(())
            }
        }
    }
}
