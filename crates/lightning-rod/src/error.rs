//! Why the agent as a whole cannot do what was asked, each with its [`Kind`] and so its exit code.

use crate::{cloud, home};
use model::{Invalid, Kind};
use thiserror::Error;

/// Why `enrol`, `run` or `status` ended.
#[derive(Debug, Error)]
pub enum Error {
    /// The settings do not load.
    #[error(transparent)]
    Settings(#[from] base::config::Error),
    /// A setting has a value that does not work.
    #[error("settings are not valid: {0}")]
    Setting(String),
    /// The home folder is not usable.
    #[error(transparent)]
    Home(#[from] home::Error),
    /// The board's key is not usable.
    #[error(transparent)]
    Key(#[from] base::key::Error),
    /// The claim is not one.
    #[error(transparent)]
    Claim(Invalid),
    /// What comes in cannot be read.
    #[error(
        "{0}; give the claim with --claim CLAIM, LIGHTNING_ROD_CLAIM, or on the standard input with --claim -"
    )]
    Input(String),
    /// The machine is a board already.
    #[error(
        "this home is enrolled already, as board {name} ({uuid}) at {url}; \
         give another folder with --home, or remove this one to give that identity up"
    )]
    Enrolled {
        /// The board.
        uuid: model::BoardId,
        /// Its name.
        name: model::Name,
        /// Its cloud.
        url: String,
    },
    /// There is no identity yet.
    #[error(
        "this home is not enrolled; run: lightning-rod enrol --home DIR --claim - and give it the claim"
    )]
    NotEnrolled,
    /// The cloud cannot be reached or was not what it should be.
    #[error(transparent)]
    Cloud(#[from] cloud::Error),
    /// The cloud refused.
    #[error("the cloud refused: {0}")]
    Refused(model::operation::Fault),
    /// The journal does not open.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
    /// The runtime of plugins does not start.
    #[error("plugins cannot be run: {0}")]
    Runtime(#[from] runtime::Failure),
    /// A backup is not made or not restored.
    #[error(transparent)]
    Backup(#[from] crate::backup::Error),
    /// The log cannot be set up.
    #[error("{0}")]
    Log(String),
}

impl Error {
    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Settings(_)
            | Self::Setting(_)
            | Self::Claim(_)
            | Self::Input(_)
            | Self::Log(_) => Kind::Invalid,
            Self::Home(error) => error.kind(),
            Self::Key(_) | Self::Journal(_) | Self::Runtime(_) => Kind::Internal,
            Self::Enrolled { .. } => Kind::Conflict,
            Self::Backup(error) => error.kind(),
            Self::NotEnrolled => Kind::NotFound,
            Self::Cloud(error) => error.kind(),
            Self::Refused(fault) => fault.kind,
        }
    }
}
