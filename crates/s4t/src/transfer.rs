//! Transfers: boards on their way from one project to another.

use crate::failure::Failure;
use crate::operation::{Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::boards::Summary;
use api::client::{Method, escape};
use api::transfers::PATH;
use clap::Subcommand;
use model::TransferId;
use serde_json::{Value, json};

/// What is shown of each.
pub(crate) const COLUMNS: &[&str] =
    &["id", "board_name", "from", "to", "offered_by", "expires_at", "state"];

/// Transfers: boards that are offered to another project (`board transfer` offers one).
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List offers to the own project and by it.
    List,
    /// Take an offered board into the own project.
    Accept {
        /// Its id.
        transfer: TransferId,
    },
    /// Withdraw an offer, or decline it.
    Delete {
        /// Its id.
        transfer: TransferId,
    },
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List => {
                out.list(&all_pages::<Value>(session, PATH, Query::default(), None)?, COLUMNS)
            }
            Self::Accept { transfer } => {
                let path = format!("{}/accept", path(transfer));
                out.one(&session.client.post::<Summary>(&path, &json!({}))?, &[])
            }
            Self::Delete { transfer } => {
                let none: Option<&()> = None;
                session.client.request::<Value>(&Method::DELETE, &path(transfer), none, &[])?;
                Ok(())
            }
        }
    }
}

fn path(transfer: TransferId) -> String {
    format!("{PATH}/{}", escape(&transfer.to_string()))
}
