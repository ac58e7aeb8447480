//! The audit: looking at rows, proving them, checking the whole, erasing what is personal, keeping a copy.
//!
//! Invariant: what is said to be good was computed here, from what the cloud sent; the cloud's word is not taken for it.

mod proof;
mod verify;

use crate::failure::Failure;
use crate::operation::{Query, all_pages};
use crate::output::Output;
use crate::session::Session;
use api::Page;
use api::audit::{ERASE, EXPORT, Erase, Erased, HEADS, Head, PATH, READS, Row};
use clap::{Args, Subcommand};
use model::{Kind, Timestamp};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;

const COLUMNS: &[&str] =
    &["seq", "at", "actor_kind", "actor", "verb", "subject_type", "subject", "outcome", "detail"];

/// Audit: who changed rights, commanded boards and reached their services.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List rows, the newest last.
    List(List),
    /// Show one row.
    Show {
        /// Its number.
        seq: u64,
    },
    /// Check the chain, the tree and the signatures of the whole log, or of an export of it.
    Verify(verify::Verify),
    /// Prove that a row is in a signed head; `--output json` prints the proof for others to check.
    Proof {
        /// The row's number.
        seq: u64,
        /// Size of the head (default the newest).
        #[arg(long)]
        size: Option<u64>,
    },
    /// List signed heads, the newest last; keep one elsewhere to check the log against later.
    Heads {
        /// At most so many.
        #[arg(short = 'n', long, default_value_t = 20)]
        limit: u32,
    },
    /// List how often somebody looked at what, by the hour.
    Reads {
        /// Only this user (id).
        #[arg(long)]
        actor: Option<String>,
        /// At most so many.
        #[arg(short = 'n', long, default_value_t = 100)]
        limit: u32,
    },
    /// Erase personal values; the chain stays valid.
    Erase(Erasing),
    /// Write the whole log to a file, which `verify --file` checks without the cloud.
    Export {
        /// The file; `-` for standard output.
        file: PathBuf,
    },
}

/// Which rows.
#[derive(Args)]
pub(crate) struct List {
    /// Only by this actor (id).
    #[arg(long)]
    actor: Option<String>,
    /// Only this verb, such as role:assign, or role:* for all that begin so.
    #[arg(long)]
    verb: Option<String>,
    /// Only about this subject (id).
    #[arg(long)]
    subject: Option<String>,
    /// Only in this project (id).
    #[arg(long)]
    project: Option<String>,
    /// Not before, as 2026-01-31T09:00:00Z.
    #[arg(long)]
    since: Option<Timestamp>,
    /// Before.
    #[arg(long)]
    until: Option<Timestamp>,
    /// At most so many; the newest.
    #[arg(short = 'n', long, default_value_t = 100)]
    limit: u32,
}

/// What is erased.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Erasing {
    /// Everything about this user (id or name).
    #[arg(long)]
    user: Option<String>,
    /// This value wherever it stands, such as an address.
    #[arg(long)]
    value: Option<String>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(session, out),
            Self::Show { seq } => show(session, out, seq),
            Self::Verify(verify) => verify.run(Some(session), out),
            Self::Proof { seq, size } => proof::run(session, out, seq, size),
            Self::Heads { limit } => {
                let mut heads: Vec<Head> = newest(session, HEADS, Query::default(), limit)?;
                heads.reverse();
                out.list(&heads, &["size", "at", "root", "key"])
            }
            Self::Reads { actor, limit } => {
                let query =
                    Query::default().add("actor", actor).add("limit", Some(limit.to_string()));
                let page: Page<Value> = session.client.get(&query.on(READS))?;
                out.list(&page.items, &["hour", "project", "actor", "verb", "times"])
            }
            Self::Erase(Erasing { user, value }) => {
                let erased: Erased = session.client.post(ERASE, &Erase { user, value })?;
                out.remark(&format!("{} values were erased", erased.erased));
                Ok(())
            }
            Self::Export { file } => export(session, &file),
        }
    }
}

/// The newest items of a list that knows `order`.
fn newest<T: serde::de::DeserializeOwned>(
    session: &Session,
    path: &str,
    query: Query,
    limit: u32,
) -> Result<Vec<T>, Failure> {
    all_pages(session, path, query.add("order", Some("desc".to_owned())), Some(limit))
}

impl List {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let query = Query::default()
            .add("actor", self.actor)
            .add("verb", self.verb)
            .add("subject", self.subject)
            .add("project", self.project)
            .add("since", self.since.map(|at| at.to_string()))
            .add("until", self.until.map(|at| at.to_string()));
        let mut rows: Vec<Row> = newest(session, PATH, query, self.limit)?;
        rows.reverse();
        out.list(&rows, COLUMNS)
    }
}

/// A row with its detail as JSON and its personal values by name.
fn show(session: &Session, out: &mut Output, seq: u64) -> Result<(), Failure> {
    let row: Row = session.client.get(&format!("{PATH}/{seq}"))?;
    let mut shown = serde_json::to_value(&row).unwrap_or_default();
    if let Some(shown) = shown.as_object_mut() {
        if let Ok(detail) = serde_json::from_str::<Value>(&row.detail) {
            shown.insert("detail".into(), detail);
        }
        let known = row.known.iter().map(|known| (known.field.clone(), json!(known.value)));
        shown.insert("known".into(), Value::Object(known.collect()));
    }
    out.one(&shown, &[])
}

fn export(session: &Session, path: &std::path::Path) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| {
        Failure::new(Kind::Internal, format!("{} cannot be written: {error}", path.display()))
    };
    let mut file: Box<dyn std::io::Write> = match path.to_str() {
        Some("-") => Box::new(std::io::stdout().lock()),
        _ => Box::new(std::io::BufWriter::new(std::fs::File::create(path).map_err(wrong)?)),
    };
    for line in session.client.lines(EXPORT)? {
        let line = line.map_err(broken)?;
        writeln!(file, "{line}").map_err(wrong)?;
    }
    file.flush().map_err(wrong)
}

/// The cloud broke off.
fn broken(error: std::io::Error) -> Failure {
    Failure::new(Kind::Unreachable, format!("the log broke off: {error}; ask again"))
}
