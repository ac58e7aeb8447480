//! `iotronic import`: brings what a cloud of upstream's (IoTronic 0.4, 0.5) holds in MariaDB or MySQL into a store of ours.
//!
//! Invariants: ids are kept and what is there already is left alone, so a second run creates nothing twice; nothing of the
//! dump is ever evaluated; the whole import is rehearsed on a copy first, and a rehearsal that fails changes nothing; every
//! row that is not brought is named with its reason. Floors: `dump` (text to rows) → `found` (rows to records) → `bring`
//! (records to the store) → `report`.
//!
//! Deliberately not here: a driver for the database (`mysqldump` is run instead), sessions, requests and results (they mean
//! nothing to another cloud), network ports and web services (counted, and left).

mod bring;
mod dump;
mod error;
mod found;
mod people;
mod record;
mod rehearsal;
mod report;
mod source;

pub use error::Error;
pub use report::{Count, Report};

use clap::{Args, ValueEnum};
use found::Found;
use people::People;
use rehearsal::Rehearsal;
use std::io::Write;
use std::path::{Path, PathBuf};
use store::Store;

/// What is imported from where, and how.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Folder of everything the cloud keeps; the cloud has been started once on it and is stopped now.
    #[arg(long, value_name = "DIR", env = "IOTRONIC_DATA")]
    data: PathBuf,
    /// A file that mysqldump wrote, `-` for standard input, or mysql://USER@HOST[:PORT]/DATABASE, for which mysqldump is
    /// run; its password is IOTRONIC_IMPORT_PASSWORD.
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// The database to read in a dump of several.
    #[arg(long, value_name = "NAME", default_value = "iotronic")]
    database: String,
    /// Names of projects and users by their Keystone ids (JSON).
    #[arg(long, value_name = "FILE")]
    project_map: Option<PathBuf>,
    /// Let upstream's agents connect in the projects of the imported boards.
    #[arg(long)]
    allow_legacy: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How the report is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Imports, and writes the report to `out`.
///
/// # Errors
/// The source, the map or the store cannot be read, or the store cannot be written.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let people = People::load(arguments.project_map.as_deref())?;
    let mut found = Found::new(people);
    source::read(&arguments.from, &arguments.database, &mut found)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })?;
    let report = runtime.block_on(import(arguments, &found))?;
    match arguments.format {
        Format::Text => report.write_text(out),
        Format::Json => report.write_json(out),
    }
    .map_err(|source| Error::Report { source })
}

async fn import(arguments: &Arguments, found: &Found) -> Result<Report, Error> {
    let rehearsal = Rehearsal::prepare(&arguments.data)?;
    let rehearsed = into(rehearsal.dir(), arguments, found).await?;
    drop(rehearsal);
    if arguments.dry_run {
        return Ok(rehearsed);
    }
    into(&arguments.data, arguments, found).await
}

async fn into(dir: &Path, arguments: &Arguments, found: &Found) -> Result<Report, Error> {
    let store = Store::open(dir, store::Options::default()).await?;
    let done = fill(&store, arguments, found).await;
    store.close().await;
    done
}

async fn fill(store: &Store, arguments: &Arguments, found: &Found) -> Result<Report, Error> {
    // The first start makes the administrator only in a cloud without users.
    if store::identity::list_users(store).await?.is_empty() {
        return Err(Error::NeverStarted { dir: arguments.data.clone() });
    }
    let mut report = found.report.clone();
    report.from = source::shown(&arguments.from);
    report.is_dry_run = arguments.dry_run;
    bring::everything(store, found, &mut report).await?;
    if arguments.allow_legacy {
        bring::allow_legacy(store, found).await?;
    }
    Ok(report)
}
