//! Projects, for administrators of the cloud.

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use api::client::{Method, escape};
use clap::Subcommand;
use model::Kind;
use serde::{Deserialize, Serialize};
use serde_json::json;

const PATH: &str = "/identity/v3/projects";
const COLUMNS: &[&str] = &["id", "name", "enabled", "allow_legacy"];

/// Projects: who owns what.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create one.
    Create {
        /// Name.
        name: String,
        /// Whether its boards may be upstream ones.
        #[arg(long)]
        allow_legacy: bool,
    },
    /// List projects.
    List,
    /// Show one.
    Show {
        /// Id or name.
        project: String,
    },
    /// Change one.
    Set {
        /// Id or name.
        project: String,
        /// New name.
        #[arg(long)]
        name: Option<String>,
        /// Whether one may sign in to it: true or false.
        #[arg(long)]
        enabled: Option<bool>,
        /// Whether its boards may be upstream ones; `--allow-legacy=false` sends those away that are connected.
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        allow_legacy: Option<bool>,
    },
}

/// As the cloud shows one; more that Keystone's clients see is left out.
#[derive(Clone, Serialize, Deserialize)]
struct Project {
    id: String,
    name: String,
    enabled: bool,
    allow_legacy: bool,
}

#[derive(Deserialize)]
struct One {
    project: Project,
}

#[derive(Deserialize)]
struct Many {
    projects: Vec<Project>,
}

#[derive(Serialize)]
struct Change<T> {
    project: T,
}

/// What is changed.
#[derive(Serialize)]
struct Changed {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_legacy: Option<bool>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Create { name, allow_legacy } => {
                let project = json!({ "name": name, "allow_legacy": allow_legacy });
                let made: One = session.client.post(PATH, &Change { project })?;
                out.one(&made.project, COLUMNS)
            }
            Self::List => out.list(&session.client.get::<Many>(PATH)?.projects, COLUMNS),
            Self::Show { project } => out.one(&find(session, &project)?, COLUMNS),
            Self::Set { project, name, enabled, allow_legacy } => {
                let path = format!("{PATH}/{}", escape(&find(session, &project)?.id));
                let change = Change { project: Changed { name, enabled, allow_legacy } };
                let after: One =
                    session.client.request(&Method::PATCH, &path, Some(&change), &[])?;
                out.one(&after.project, COLUMNS)
            }
        }
    }
}

/// The project of this id or name.
fn find(session: &Session, project: &str) -> Result<Project, Failure> {
    let all: Many = session.client.get(PATH)?;
    let found = all.projects.into_iter().find(|row| row.id == project || row.name == project);
    found.ok_or_else(|| Failure::new(Kind::NotFound, format!("there is no project {project:?}")))
}
