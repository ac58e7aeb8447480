//! `/identity/v3/projects` and who has which role there.

use super::{DOMAIN, Filter, collection, id, write};
use crate::app::access::Caller;
use crate::app::projects;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use model::access::Role;
use model::{Kind, ProjectId, UserId};
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
    /// Ours: whether its boards may be upstream ones.
    #[serde(default)]
    allow_legacy: bool,
}

/// What an administrator changes.
#[derive(Deserialize)]
pub(crate) struct ProjectChange {
    name: Option<String>,
    enabled: Option<bool>,
    allow_legacy: Option<bool>,
}

fn yes() -> bool {
    true
}

/// Make a project.
pub(crate) async fn create(
    _: Caller,
    State(cloud): State<Cloud>,
    Body(Wrapped { project }): Body<Wrapped<NewProject>>,
) -> Answer {
    let NewProject { name, enabled, allow_legacy } = project;
    let row = ProjectRow { id: ProjectId::new(), name, enabled, allow_legacy };
    let shown = json!({ "project": view(&cloud, &row) });
    write(&cloud, move |tx| Box::pin(async move { identity::create_project(tx, &row).await }))
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
    let picked = rows.iter().filter(|row| filter.picks(&row.name));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "projects", items)))
}

/// Show a project.
pub(crate) async fn show(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
) -> Answer<Json<Value>> {
    let row = identity::get_project(&cloud.store, &id(&project, "project")?).await?;
    Ok(Json(json!({ "project": view(&cloud, &row) })))
}

/// Change a project.
pub(crate) async fn change(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(project): Path<String>,
    Body(Wrapped { project: change }): Body<Wrapped<ProjectChange>>,
) -> Answer<Json<Value>> {
    let mut row = identity::get_project(&cloud.store, &id(&project, "project")?).await?;
    row.name = change.name.unwrap_or(row.name);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    row.allow_legacy = change.allow_legacy.unwrap_or(row.allow_legacy);
    projects::update(&cloud, &row).await?;
    cloud.sign_in.forget_grants();
    Ok(Json(json!({ "project": view(&cloud, &row) })))
}

/// List the projects that one may sign in to.
pub(crate) async fn mine(caller: Caller, State(cloud): State<Cloud>) -> Answer<Json<Value>> {
    let rows = identity::projects_of(&cloud.store, &caller.principal().user).await?;
    let items = rows.iter().map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "projects", items)))
}

/// List roles; there are no others.
pub(crate) async fn roles(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Json<Value> {
    let picked = Role::ALL.into_iter().filter(|role| filter.picks(role.word()));
    let items = picked.map(|role| json!({ "id": role, "name": role, "domain_id": null })).collect();
    Json(collection(&cloud, "roles", items))
}

/// Give a user a role in a project.
pub(crate) async fn assign(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(path): Path<(String, String, String)>,
) -> Answer {
    let (project, user, role) = assignment(&path)?;
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::get_project(&mut *tx, &project).await?;
            identity::get_user(&mut *tx, &user).await?;
            identity::assign(tx, &user, &project, role).await
        })
    })
    .await?;
    Ok(nothing())
}

/// Take a role away.
pub(crate) async fn unassign(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(path): Path<(String, String, String)>,
) -> Answer {
    let (project, user, role) = assignment(&path)?;
    write(&cloud, move |tx| {
        Box::pin(async move { identity::unassign(tx, &user, &project, role).await })
    })
    .await?;
    Ok(nothing())
}

fn assignment(
    (project, user, role): &(String, String, String),
) -> Result<(ProjectId, UserId, Role), Failure> {
    let role =
        role.parse().map_err(|error: model::Invalid| Failure::new(Kind::NotFound, error.0))?;
    Ok((id(project, "project")?, id(user, "user")?, role))
}

fn view(cloud: &Cloud, row: &ProjectRow) -> Value {
    json!({
        "id": row.id, "name": row.name, "enabled": row.enabled, "domain_id": DOMAIN, "parent_id": DOMAIN,
        "is_domain": false, "description": "", "allow_legacy": row.allow_legacy, "tags": [], "options": {},
        "links": { "self": format!("{}/identity/v3/projects/{}", cloud.public_url, row.id) },
    })
}
