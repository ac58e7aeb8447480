//! The agent's command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Makes this device part of a Stack4Things cloud.
#[derive(Debug, Parser)]
#[command(name = "lightning-rod", version, propagate_version = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol this device with a claim; giving the same claim again changes nothing.
    Enrol(Enrol),
    /// Run the agent; it waits for enrolment when there is none.
    Run(Run),
    /// Print who this device is.
    Status(Folder),
    /// Write the board's identity, plugins and services to a new file (tar.gz); keep it secret, it holds the key.
    Backup(Archive),
    /// Make this device the board of a backup, of this agent's or of upstream's `device_bkp_rest`; stop the old one first.
    Restore(Archive),
}

/// Where the agent keeps its things.
#[derive(Debug, Args)]
pub struct Folder {
    /// The agent's folder.
    #[arg(long, value_name = "DIR", env = "LIGHTNING_ROD_HOME")]
    pub home: PathBuf,
}

/// `enrol`
#[derive(Debug, Args)]
pub struct Enrol {
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub folder: Folder,
    /// The claim, as `s4t board claim` printed it, or `-` to read it from the standard input. Other users of this machine see
    /// arguments: better give it by `-`, by the environment, or as the file `claim` in the folder.
    #[arg(long, value_name = "CLAIM", env = "LIGHTNING_ROD_CLAIM", hide_env_values = true)]
    pub claim: String,
    /// Settings file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub folder: Folder,
    /// Settings file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only check the settings.
    #[arg(long)]
    pub check_config: bool,
}

/// `backup` and `restore`
#[derive(Debug, Args)]
pub struct Archive {
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub folder: Folder,
    /// Settings file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The archive.
    pub file: PathBuf,
}
