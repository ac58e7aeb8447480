//! `/v2/projects/{project}/quota`.

use crate::app::access::Caller;
use crate::app::quotas;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Path};
use api::quotas::{Change, Count, Quota};
use axum::Json;
use axum::extract::State;
use model::ProjectId;
use model::quota::Counted;
use store::quotas::QuotaRow;

/// Show how much a project has and may have.
#[utoipa::path(get, path = "/v2/projects/{project}/quota", tag = "projects", operation_id = "quota", responses((status = 200, body = Quota)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
) -> Answer<Json<Quota>> {
    let (project, row) = quotas::get(&cloud, &caller, &project).await?;
    Ok(Json(view(&cloud, project, &row)))
}

/// Say how much a project may have. What it has beyond a limit stays; more is refused.
#[utoipa::path(patch, path = "/v2/projects/{project}/quota", tag = "projects", operation_id = "change_quota", request_body = Change, responses((status = 200, body = Quota)))]
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
    Body(change): Body<Change>,
) -> Answer<Json<Quota>> {
    let (project, row) = quotas::change(&cloud, &caller, &project, change).await?;
    Ok(Json(view(&cloud, project, &row)))
}

fn view(cloud: &Cloud, project: ProjectId, row: &QuotaRow) -> Quota {
    let defaults = cloud.store.quota();
    let [boards, services, plugins, plugin_bytes] = row.used;
    let count = |counted, used| {
        let (limit, own) = row.own.limit(counted, &defaults);
        Count { used, limit, own }
    };
    Quota {
        project,
        boards: count(Counted::Boards, boards),
        services: count(Counted::Services, services),
        plugins: count(Counted::Plugins, plugins),
        plugin_bytes: count(Counted::PluginBytes, plugin_bytes),
    }
}
