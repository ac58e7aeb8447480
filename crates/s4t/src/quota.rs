//! Quotas: how much a project has and may have.

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use api::client::{Method, escape};
use api::quotas::{Change, Quota};
use clap::{Args, Subcommand};
use model::quota::Setting;

const COLUMNS: &[&str] = &[
    "project",
    "boards.used",
    "boards.limit",
    "services.used",
    "services.limit",
    "plugins.used",
    "plugins.limit",
    "plugin_bytes.used",
    "plugin_bytes.limit",
];

/// Quotas: how much a project has and may have.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a project has and may have.
    Show {
        /// Id or name; the own one when left out.
        project: Option<String>,
    },
    /// Say how much one may have, as who operates the cloud.
    Set(Limits),
}

/// A number, `unlimited`, or `default` for what the cloud's configuration says.
#[derive(Args)]
pub(crate) struct Limits {
    /// Id or name.
    project: String,
    /// Boards: a number, unlimited or default.
    #[arg(long, value_name = "LIMIT")]
    boards: Option<Setting>,
    /// Services.
    #[arg(long, value_name = "LIMIT")]
    services: Option<Setting>,
    /// Plugins.
    #[arg(long, value_name = "LIMIT")]
    plugins: Option<Setting>,
    /// Bytes of plugins.
    #[arg(long, value_name = "LIMIT")]
    plugin_bytes: Option<Setting>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Show { project } => {
                let project = match project {
                    Some(project) => project,
                    None => own(session)?,
                };
                out.one(&session.client.get::<Quota>(&path(&project))?, COLUMNS)
            }
            Self::Set(Limits { project, boards, services, plugins, plugin_bytes }) => {
                let change = Change { boards, services, plugins, plugin_bytes };
                let path = path(&project);
                let quota: Quota =
                    session.client.request(&Method::PATCH, &path, Some(&change), &[])?;
                out.one(&quota, COLUMNS)
            }
        }
    }
}

fn path(project: &str) -> String {
    format!("/v2/projects/{}/quota", escape(project))
}

/// The project that one is signed in to.
fn own(session: &Session) -> Result<String, Failure> {
    let here: api::session::Session = session.client.get(api::session::PATH)?;
    Ok(here.project.id.to_string())
}
