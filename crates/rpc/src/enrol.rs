//! `stack4things.enrol`: a machine presents a claim and becomes a board.
//!
//! The session is authenticated by the machine's own new key (WAMP-cryptosign), so the key that is bound is the key whose
//! possession was just proven. Asking again with the same key gives the same answer, whatever became of the claim since.

use model::{BoardId, Name, ProjectId};
use serde::{Deserialize, Serialize};

/// Keyword arguments.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrol {
    /// The claim's secret.
    pub secret: String,
    /// Host name, from which a board of an image's claim gets its name.
    #[serde(default)]
    pub hostname: String,
}

impl std::fmt::Debug for Enrol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Enrol({})", self.hostname)
    }
}

/// The answer (the `message` of the envelope).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Who the machine is from now on.
    pub uuid: BoardId,
    /// Its name.
    pub name: Name,
    /// Its project.
    pub project: ProjectId,
}
