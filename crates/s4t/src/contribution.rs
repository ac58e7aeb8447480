//! Contributions: what is given of one's boards to others.

use crate::board::path;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use api::client::Method;
use api::contributions::{Contribution, New, Offering};
use clap::{Args, Subcommand};
use model::ProjectId;
use model::contribution::{Caps, RawHours};
use serde_json::Value;

/// Contributions: in which hours a board is lent, how much of it, and to whom without asking.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what is given of a board.
    Set(Setting),
    /// Show what is given of one.
    Show {
        /// The board's name or id.
        board: String,
    },
    /// Say nothing any more.
    Delete {
        /// The board's name or id.
        board: String,
    },
}

/// What is given.
#[derive(Args)]
pub(crate) struct Setting {
    /// The board's name or id.
    board: String,
    /// Hours of the week, such as "mon-fri 08:00-18:00"; may be repeated.
    #[arg(long = "hours")]
    hours: Vec<String>,
    /// Their time zone as POSIX writes it, such as CET-1CEST,M3.5.0,M10.5.0/3.
    #[arg(long, default_value = "UTC0", requires = "hours")]
    zone: String,
    /// Seconds of processor time that each run of a borrower's code may take.
    #[arg(long)]
    cpu_s: Option<u32>,
    /// Bytes of memory of all borrowers' code together.
    #[arg(long)]
    memory_bytes: Option<u64>,
    /// Bytes of each file that it writes.
    #[arg(long)]
    file_bytes: Option<u64>,
    /// Processes of all borrowers' code together.
    #[arg(long)]
    processes: Option<u32>,
    /// Percent of one core that all borrowers' code may take together.
    #[arg(long)]
    cpu_percent: Option<u32>,
    /// Offer it: what who books it may do, such as read or plugin_action:call; may be repeated.
    #[arg(long = "offer")]
    rights: Vec<String>,
    /// Offer it to people of this project only (its id); may be repeated.
    #[arg(long = "to", requires = "rights")]
    projects: Vec<ProjectId>,
    /// Hours of one booking at most.
    #[arg(long, default_value_t = 8, requires = "rights")]
    max_hours: u32,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let at = |board: &str| format!("{}/contribution", path(board));
        match self {
            Self::Set(setting) => {
                let (path, new) = (at(&setting.board), setting.into_new()?);
                let none = &[];
                let said: Contribution =
                    session.client.request(&Method::PUT, &path, Some(&new), none)?;
                out.one(&said, &[])
            }
            Self::Show { board } => out.one(&session.client.get::<Contribution>(&at(&board))?, &[]),
            Self::Delete { board } => {
                let none: Option<&()> = None;
                session.client.request::<Value>(&Method::DELETE, &at(&board), none, &[])?;
                Ok(())
            }
        }
    }
}

impl Setting {
    fn into_new(self) -> Result<New, Failure> {
        let raw = RawHours { zone: self.zone, spans: self.hours };
        let is_given = !raw.spans.is_empty();
        let hours = is_given
            .then(|| raw.try_into())
            .transpose()
            .map_err(|wrong: model::Invalid| Failure::invalid(wrong.0))?;
        let caps = Caps {
            cpu_s: self.cpu_s,
            memory_bytes: self.memory_bytes,
            file_bytes: self.file_bytes,
            processes: self.processes,
            cpu_percent: self.cpu_percent,
        };
        let (rights, projects, max_hours) = (self.rights, self.projects, self.max_hours);
        let offer = (!rights.is_empty()).then_some(Offering { rights, projects, max_hours });
        Ok(New { hours, caps, offer })
    }
}
