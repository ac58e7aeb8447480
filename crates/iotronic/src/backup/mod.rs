//! `iotronic backup` and `iotronic restore`: all that a cloud is, in one file, and a cloud out of such a file.
//!
//! Invariants: a backup is written whole or not at all, readable by its owner only, and says of every byte whether it is as it
//! was written; a restore looks at all of it before the first file of the new folder is in its place. Deliberately not in a
//! backup: the key that signs tokens (people sign in anew, so that what was ended since does not come back), recordings of
//! terminals that are open at that moment, and settings that lie elsewhere than in the data folder. That one was made is left
//! in the folder [`NOTES`] for the cloud, which tells it in its audit (`app/backups`).

mod error;
mod format;
mod make;
mod restore;

pub use error::Error;
pub use make::{Made, NOTES, Note, make};
pub use restore::{Restored, restore};

use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// `iotronic backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// Folder of the cloud, which may be running.
    #[arg(long, value_name = "DIR", env = "IOTRONIC_DATA")]
    data: PathBuf,
    /// The file to write; there must be none of this name.
    file: PathBuf,
}

/// `iotronic restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// Folder of the new cloud: an empty one, or one that is made.
    #[arg(long, value_name = "DIR", env = "IOTRONIC_DATA")]
    data: PathBuf,
    /// The backup.
    file: PathBuf,
}

/// Makes a backup and says what is in it.
///
/// # Errors
/// See [`make`].
pub fn run_backup(Backup { data, file }: &Backup, out: &mut dyn Write) -> Result<(), Error> {
    let Made { cloud, bytes, schema } = make(data, file)?;
    let said = writeln!(
        out,
        "backed up cloud {cloud} (schema {schema}) into {}, {bytes} bytes\nkeep it as secret as the data folder: who has it can be the cloud",
        file.display()
    );
    said.map_err(Error::Output)
}

/// Restores a backup and says what the cloud is now.
///
/// # Errors
/// See [`restore`].
pub fn run_restore(Restore { data, file }: &Restore, out: &mut dyn Write) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let restored = runtime.map_err(Error::Output)?.block_on(restore(data, file))?;
    let Restored { cloud, made_at } = restored;
    let said = writeln!(
        out,
        "restored cloud {cloud} as it was at {made_at} into {}\nsee that the cloud it was made of is not running any more, then start it: iotronic serve --data {}",
        data.display(),
        data.display()
    );
    said.map_err(Error::Output)
}
