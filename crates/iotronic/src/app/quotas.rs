//! Quotas: what a project has and may have. Who is refused is refused by the store, which counts.

use crate::app::Error;
use crate::app::access::Caller;
use crate::cloud::Cloud;
use api::quotas::Change;
use model::ProjectId;
use model::quota::{Counted, Setting};
use store::identity;
use store::quotas::{self, QuotaRow};

/// What a project, by id or name, has and may have.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<(ProjectId, QuotaRow), Error> {
    let project = project(cloud, caller, ident).await?;
    let row = quotas::of(&cloud.store, &project).await?;
    Ok((project, row))
}

/// Says something else about some limits of a project. What it has beyond them stays.
///
/// # Errors
/// There is no such project.
pub async fn change(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    change: Change,
) -> Result<(ProjectId, QuotaRow), Error> {
    let project = project(cloud, caller, ident).await?;
    let settings = said(change);
    let id = project.clone();
    let done = cloud
        .store
        .write(move |tx| Box::pin(async move { quotas::change(tx, &id, &settings).await }));
    Ok((project, done.await?))
}

async fn project(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<ProjectId, Error> {
    let by_id = match ident.parse() {
        Ok(id) => identity::get_project(&cloud.store, &id).await,
        Err(_) => Err(store::Error::NotFound { what: "project" }),
    };
    let row = match by_id {
        Err(store::Error::NotFound { .. }) => {
            identity::get_project_by_name(&cloud.store, ident).await?
        }
        found => found?,
    };
    caller.may(&row.id, "project")?;
    Ok(row.id)
}

fn said(change: Change) -> Vec<(Counted, Setting)> {
    let of = |counted| match counted {
        Counted::Boards => change.boards,
        Counted::Services => change.services,
        Counted::Plugins => change.plugins,
        Counted::PluginBytes => change.plugin_bytes,
    };
    let all = Counted::ALL.into_iter();
    all.filter_map(|counted| Some((counted, of(counted)?))).collect()
}
