//! `/v2/plugins`.

use crate::app::access::Caller;
use crate::app::plugins;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, created, nothing, tagged};
use crate::http::extract::{Body, IfMatch, Path, Query};
use crate::http::page;
use api::Page;
use api::page::Paging;
use api::plugins::{Change, New, Plugin, Summary};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use model::Kind;
use store::plugins::PluginRow;

/// List plugins: the project's own and public ones.
#[utoipa::path(get, path = "/v2/plugins", tag = "plugins", params(Paging), responses((status = 200, body = Page<Summary>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Summary>>> {
    let wanted = page::of(&paging)?;
    let rows = plugins::list(&cloud, &caller, wanted).await?;
    Ok(Json(page::page(rows, wanted, |row| row.id, |row| summary(&row))))
}

/// Make a plugin.
#[utoipa::path(post, path = "/v2/plugins", tag = "plugins", request_body = New, responses((status = 201, body = Plugin)))]
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<New>,
) -> Answer {
    let row = plugins::create(&cloud, &caller, new, None).await?;
    let (location, revision) = (format!("/v2/plugins/{}", row.id), row.revision);
    Ok(created(&location, revision, &whole(&cloud, row).await?))
}

/// Show a plugin with its source.
#[utoipa::path(get, path = "/v2/plugins/{plugin}", tag = "plugins", responses((status = 200, body = Plugin)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(plugin): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let row = plugins::get(&cloud, &caller, &plugin).await?;
    Ok(tagged(&headers, row.revision, &whole(&cloud, row).await?))
}

/// Change a plugin; boards keep what they have until it is injected again.
#[utoipa::path(patch, path = "/v2/plugins/{plugin}", tag = "plugins", request_body = Change, responses((status = 200, body = Plugin)))]
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(plugin): Path<String>,
    IfMatch(expected): IfMatch,
    Body(change): Body<Change>,
) -> Answer {
    let row = plugins::update(&cloud, &caller, &plugin, change, None, expected).await?;
    Ok(tagged(&HeaderMap::new(), row.revision, &whole(&cloud, row).await?))
}

/// Remove a plugin that no board has.
#[utoipa::path(delete, path = "/v2/plugins/{plugin}", tag = "plugins", responses((status = 204)))]
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(plugin): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer {
    plugins::delete(&cloud, &caller, &plugin, expected).await?;
    Ok(nothing())
}

fn summary(row: &PluginRow) -> Summary {
    Summary {
        id: row.id,
        name: row.name.clone(),
        project: row.project.clone(),
        owner: row.owner.clone(),
        language: row.language,
        mode: row.mode,
        visibility: row.visibility,
        created_at: row.created_at,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at),
        revision: row.revision,
    }
}

async fn whole(cloud: &Cloud, row: PluginRow) -> Result<Plugin, Failure> {
    let source = plugins::source(cloud, &row).await?;
    let limits = serde_json::from_value(row.limits.clone())
        .map_err(|error| Failure::new(Kind::Internal, format!("stored limits: {error}")))?;
    Ok(Plugin { summary: summary(&row), source, parameters: row.parameters, limits })
}
