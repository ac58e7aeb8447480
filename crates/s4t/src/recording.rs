//! Recordings of terminals: which there are, what was shown, and whose terminals are recorded.

use crate::failure::Failure;
use crate::operation::{Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::Page;
use api::client::{Method, escape};
use api::recordings::{NewSetting, PATH, Recording, SETTINGS, Setting, Wish};
use clap::{Subcommand, ValueEnum};
use model::Kind;
use serde_json::Value;
use std::io::Write as _;

const COLUMNS: &[&str] = &["id", "board", "user", "began_at", "ended_at", "bytes", "erased_at"];
const SETTING: &[&str] = &["project", "board", "record"];

/// Recordings of terminals, for administrators of a project.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List them.
    List {
        /// Of this board only.
        #[arg(long)]
        board: Option<String>,
    },
    /// Show one: whose it is and what it hashes to.
    Show {
        /// Its id.
        recording: String,
    },
    /// Write what was shown to standard output, as asciicast version 2 (`asciinema play` shows it).
    Cast {
        /// Its id.
        recording: String,
    },
    /// Erase what was shown; that it was recorded, and its hash, stay.
    Erase {
        /// Its id.
        recording: String,
    },
    /// Show whose terminals are recorded.
    Settings,
    /// Say whether the terminals of a board, or of the whole project, are recorded.
    Set {
        /// On, off, or what else counts.
        #[arg(value_enum)]
        record: Word,
        /// Of this board; left out, of the project that one is signed in to.
        #[arg(long)]
        board: Option<String>,
    },
}

/// Whether terminals are recorded.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Word {
    /// They are.
    On,
    /// They are not.
    Off,
    /// What was said is taken back.
    Default,
}

impl From<Word> for Wish {
    fn from(word: Word) -> Self {
        match word {
            Word::On => Self::On,
            Word::Off => Self::Off,
            Word::Default => Self::Default,
        }
    }
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let client = &session.client;
        match self {
            Self::List { board } => {
                let query = Query::default().add("board", board);
                let rows: Vec<Recording> = all_pages(session, PATH, query, None)?;
                out.list(&rows, COLUMNS)
            }
            Self::Show { recording } => out.one(&client.get::<Recording>(&path(&recording))?, &[]),
            Self::Cast { recording } => cast(session, &recording),
            Self::Erase { recording } => {
                let none: Option<&()> = None;
                client.request::<Value>(&Method::DELETE, &path(&recording), none, &[])?;
                Ok(())
            }
            Self::Settings => out.list(&client.get::<Page<Setting>>(SETTINGS)?.items, SETTING),
            Self::Set { record, board } => {
                let new = NewSetting { board, record: record.into() };
                let after: Page<Setting> =
                    client.request(&Method::PUT, SETTINGS, Some(&new), &[])?;
                out.list(&after.items, SETTING)
            }
        }
    }
}

fn path(recording: &str) -> String {
    format!("{PATH}/{}", escape(recording))
}

fn cast(session: &Session, recording: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for line in session.client.lines(&format!("{}/cast", path(recording)))? {
        let line = line.map_err(|error| {
            Failure::new(Kind::Unreachable, format!("the recording broke off: {error}; ask again"))
        })?;
        writeln!(out, "{line}").map_err(Failure::output)?;
    }
    out.flush().map_err(Failure::output)
}
