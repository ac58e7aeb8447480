//! `/identity/v3/projects`.

use super::{DOMAIN, Filter, changed, collection, id, only_domain, operates, own_or_any, write};
use crate::app::access::Caller;
use crate::app::projects;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Person, Query, wrong};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use model::{Kind, ProjectId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::identity::{self, ProjectRow};

/// `{"project": {…}}`.
#[derive(Deserialize)]
pub(crate) struct Wrapped<T> {
    project: T,
}

/// A project to make.
#[derive(Deserialize)]
pub(crate) struct NewProject {
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
    description: Option<String>,
    domain_id: Option<String>,
    parent_id: Option<String>,
    /// Ours: whether its boards may be upstream ones.
    #[serde(default)]
    allow_legacy: bool,
}

/// What an administrator changes.
#[derive(Deserialize)]
pub(crate) struct ProjectChange {
    name: Option<String>,
    enabled: Option<bool>,
    description: Option<String>,
    domain_id: Option<String>,
    allow_legacy: Option<bool>,
}

fn yes() -> bool {
    true
}

/// Make a project.
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(Wrapped { project }): Body<Wrapped<NewProject>>,
) -> Answer {
    only_domain(project.domain_id.as_deref())?;
    if project.parent_id.is_some_and(|parent| parent != DOMAIN) {
        return Err(wrong("projects have no projects in them; leave parent_id out"));
    }
    let mut row = ProjectRow::new(ProjectId::new(), project.name);
    row.enabled = project.enabled;
    row.allow_legacy = project.allow_legacy;
    row.description = project.description.unwrap_or_default();
    let shown = json!({ "project": view(&cloud, &row) });
    let more = json!({ "name": row.name });
    let event = changed(caller.grant(), "project", "created", Some(&row.id), &row.id, more);
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::create_project(tx, &row).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// List projects.
pub(crate) async fn list(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let rows = identity::list_projects(&cloud.store).await?;
    let picked = rows.iter().filter(|row| filter.picks_one(&row.name, row.enabled));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "projects", items)))
}

/// Show a project: one's own, or for those who operate the cloud, any.
pub(crate) async fn show(
    who: Person,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
) -> Answer<Json<Value>> {
    let project: ProjectId = id(&project, "project")?;
    if !operates(&who.grant, "project:get_one") {
        let mine = identity::projects_of(&cloud.store, &who.grant.principal.user).await?;
        if mine.iter().all(|row| row.id != project) {
            return Err(Failure::new(Kind::NotFound, "no such project"));
        }
    }
    let row = identity::get_project(&cloud.store, &project).await?;
    Ok(Json(json!({ "project": view(&cloud, &row) })))
}

/// Change a project.
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
    Body(Wrapped { project: change }): Body<Wrapped<ProjectChange>>,
) -> Answer<Json<Value>> {
    only_domain(change.domain_id.as_deref())?;
    let mut row = identity::get_project(&cloud.store, &id(&project, "project")?).await?;
    row.name = change.name.unwrap_or(row.name);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    row.allow_legacy = change.allow_legacy.unwrap_or(row.allow_legacy);
    row.description = change.description.unwrap_or(row.description);
    let more = json!({ "name": row.name, "enabled": row.enabled });
    let event = changed(caller.grant(), "project", "updated", Some(&row.id), &row.id, more);
    projects::update(&cloud, &row, event).await?;
    cloud.sign_in.forget_grants();
    Ok(Json(json!({ "project": view(&cloud, &row) })))
}

/// Delete a project that holds nothing any more.
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
) -> Answer {
    let project: ProjectId = id(&project, "project")?;
    if project == *caller.project() {
        let text = "nobody deletes the project they are signed in to; sign in to another";
        return Err(Failure::new(Kind::Conflict, text));
    }
    let event = changed(caller.grant(), "project", "deleted", None, &project, json!({}));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::delete_project(tx, &project).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(nothing())
}

/// List the projects that one may sign in to.
pub(crate) async fn mine(who: Person, State(cloud): State<Cloud>) -> Answer<Json<Value>> {
    let mut rows = identity::projects_of(&cloud.store, &who.grant.principal.user).await?;
    // A credential opens one project.
    rows.retain(|row| row.enabled && (who.said.credential.is_none() || row.id == who.said.project));
    let items = rows.iter().map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "projects", items)))
}

/// List the projects in which a user has a role.
pub(crate) async fn of_user(
    who: Person,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let user = own_or_any(&who.grant, &user, "user:projects")?;
    let rows = identity::projects_of(&cloud.store, &user).await?;
    let picked = rows.iter().filter(|row| filter.picks_one(&row.name, row.enabled));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "projects", items)))
}

fn view(cloud: &Cloud, row: &ProjectRow) -> Value {
    json!({
        "id": row.id, "name": row.name, "enabled": row.enabled, "domain_id": DOMAIN, "parent_id": DOMAIN,
        "is_domain": false, "description": row.description, "allow_legacy": row.allow_legacy, "tags": [], "options": {},
        "links": { "self": format!("{}/identity/v3/projects/{}", cloud.public_url, row.id) },
    })
}
