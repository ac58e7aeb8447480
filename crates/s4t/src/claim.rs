//! Claims.

use crate::board::labels;
use crate::failure::Failure;
use crate::operation::{Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::claims::{Claim, Made, New, PATH};
use api::client::{Method, escape};
use clap::{Args, Subcommand};
use model::{ClaimId, Kind, Name};
use serde_json::Value;

const COLUMNS: &[&str] =
    &["id", "name", "uses_left", "uses", "labels", "fleet", "expires_at", "replaces", "revoked_at"];

/// Claims: rights to enrol boards.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a claim (the same as `board claim`).
    Create(Claiming),
    /// List claims.
    List,
    /// Show one.
    Show {
        /// Its id, or its name when no other claim has it.
        claim: String,
    },
    /// Withdraw one; boards enrolled with it stay.
    Delete {
        /// Its id, or its name when no other claim has it.
        claim: String,
    },
}

/// What the claim gives.
#[derive(Args)]
pub(crate) struct Claiming {
    /// Name of the board; with more than one use, the beginning of the boards' names.
    name: Name,
    /// How many boards it may enrol; more than one suits an image.
    #[arg(long)]
    uses: Option<u32>,
    /// Seconds until it expires (default one week).
    #[arg(long)]
    expires_in: Option<u64>,
    /// A label for the boards, KEY=VALUE.
    #[arg(short = 'l', long = "label")]
    labels: Vec<String>,
    /// A fleet for the boards.
    #[arg(long)]
    fleet: Option<String>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Create(claiming) => claiming.run(session, out),
            Self::List => {
                out.list(&all_pages::<Value>(session, PATH, Query::default(), None)?, COLUMNS)
            }
            Self::Show { claim } => {
                out.one(&session.client.get::<Claim>(&path(session, &claim)?)?, &[])
            }
            Self::Delete { claim } => {
                let none: Option<&()> = None;
                let path = path(session, &claim)?;
                session.client.request::<Value>(&Method::DELETE, &path, none, &[])?;
                Ok(())
            }
        }
    }
}

/// The path of a claim. The cloud knows claims by id alone, because their names repeat.
fn path(session: &Session, claim: &str) -> Result<String, Failure> {
    if claim.parse::<ClaimId>().is_ok() {
        return Ok(format!("{PATH}/{}", escape(claim)));
    }
    let all = all_pages::<Claim>(session, PATH, Query::default(), None)?;
    let named: Vec<_> = all.into_iter().filter(|other| other.name.as_str() == claim).collect();
    let help = "`s4t claim list` shows the ids";
    match named.as_slice() {
        [one] => Ok(format!("{PATH}/{}", one.id)),
        [] => {
            Err(Failure::new(Kind::NotFound, format!("no claim has the name {claim}")).help(help))
        }
        _ => {
            let text = format!("{} claims have the name {claim}", named.len());
            Err(Failure::new(Kind::Conflict, text).help(help))
        }
    }
}

impl Claiming {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let new = New {
            name: self.name,
            uses: self.uses,
            expires_in_s: self.expires_in,
            labels: labels(&self.labels)?,
            fleet: self.fleet,
            contribution: None,
        };
        show(out, &session.client.post(PATH, &new)?)
    }
}

/// Shows a claim just made: `-f value` prints the claim alone.
pub(crate) fn show(out: &mut Output, made: &Made) -> Result<(), Failure> {
    out.remark("keep the claim: it is not stored and not shown again");
    out.one(made, &["claim"])
}
