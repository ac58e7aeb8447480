//! Delegations: boards, plugins, services, fleets and projects in other hands.

use crate::failure::Failure;
use crate::operation::{Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::client::{Method, escape};
use api::delegations::{Delegation, New, PATH, Revoked};
use base::clock::{Clock as _, SystemClock};
use clap::{Args, Subcommand};
use model::delegation::Hold;
use model::{DelegationId, Timestamp};
use serde_json::Value;
use std::time::Duration;

const COLUMNS: &[&str] =
    &["id", "resource", "delegator", "delegated", "from", "until", "depth", "hold", "revoked_at"];

/// Delegations: what others may do with one's boards, and until when.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Let somebody use a board, a plugin, a service, a fleet or a project.
    Create(Lending),
    /// List those of the project's things.
    List {
        /// Those that one gave or holds, in any project.
        #[arg(long)]
        mine: bool,
        /// Also those that were revoked or are over.
        #[arg(long)]
        past: bool,
    },
    /// Show one.
    Show {
        /// Its id.
        delegation: DelegationId,
    },
    /// Take one back, with all that rest on it.
    Delete {
        /// Its id.
        delegation: DelegationId,
    },
}

/// What is lent.
#[derive(Args)]
pub(crate) struct Lending {
    /// What of: board:NAME, fleet:NAME, project:ID, plugin:NAME or service:NAME.
    #[arg(required_unless_present_any = ["plugin", "service"], conflicts_with_all = ["plugin", "service"])]
    resource: Option<String>,
    /// A plugin, by name or id: to be put on boards and called where it is.
    #[arg(long, conflicts_with = "service")]
    plugin: Option<String>,
    /// A service, by name or id.
    #[arg(long)]
    service: Option<String>,
    /// The plugin or service on this board alone.
    #[arg(long, value_name = "BOARD", conflicts_with = "resource")]
    on: Option<String>,
    /// Who gets it: a user's id or name.
    #[arg(long)]
    to: String,
    /// What may be done: an action such as plugin_action:call, or read, write, NOUN:all, all:VERB.
    #[arg(short = 'r', long = "right", required = true)]
    rights: Vec<String>,
    /// From when (default now), as 2026-01-31T09:00:00Z.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Until when.
    #[arg(long, required_unless_present = "hours")]
    until: Option<Timestamp>,
    /// For how many hours, instead of --until.
    #[arg(long, conflicts_with = "until")]
    hours: Option<u32>,
    /// How often it may be passed on.
    #[arg(long, default_value_t = 0)]
    depth: u8,
    /// Nobody else has it exclusively at that time: a booking.
    #[arg(long)]
    exclusive: bool,
    /// The delegation to pass on, where it is not plain.
    #[arg(long)]
    parent: Option<DelegationId>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let none: Option<&()> = None;
        match self {
            Self::Create(lending) => {
                out.one(&session.client.post::<Delegation>(PATH, &lending.into_new())?, &[])
            }
            Self::List { mine, past } => {
                let query = Query::default()
                    .add("of", mine.then(|| "mine".to_owned()))
                    .add("past", past.then(|| "true".to_owned()));
                out.list(&all_pages::<Value>(session, PATH, query, None)?, COLUMNS)
            }
            Self::Show { delegation } => {
                out.one(&session.client.get::<Delegation>(&path(delegation))?, &[])
            }
            Self::Delete { delegation } => {
                let path = path(delegation);
                let revoked: Revoked = session.client.request(&Method::DELETE, &path, none, &[])?;
                out.remark(&format!("{} ended", revoked.ended));
                Ok(())
            }
        }
    }
}

fn path(delegation: DelegationId) -> String {
    format!("{PATH}/{}", escape(&delegation.to_string()))
}

impl Lending {
    fn into_new(self) -> New {
        let now = || Timestamp::from_micros(SystemClock.unix_micros());
        let from = self.from.unwrap_or_else(now);
        let hours = Duration::from_secs(u64::from(self.hours.unwrap_or(0)) * 3600);
        let resource = match (self.plugin, self.service) {
            (Some(plugin), _) => format!("plugin:{plugin}"),
            (None, Some(service)) => format!("service:{service}"),
            (None, None) => self.resource.unwrap_or_default(),
        };
        New {
            resource: self.on.map_or(resource.clone(), |board| format!("{resource}@{board}")),
            to: self.to,
            rights: self.rights,
            from: self.from,
            until: self.until.unwrap_or_else(|| from.after(hours)),
            depth: Some(self.depth),
            hold: self.exclusive.then_some(Hold::Exclusive),
            parent: self.parent,
        }
    }
}
