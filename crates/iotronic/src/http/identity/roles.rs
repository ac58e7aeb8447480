//! `/identity/v3/roles`: the four that are built in, and those that somebody made.

use super::{Filter, changed, collection, id, only_domain, write};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use model::access::Role;
use model::{Kind, RoleId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::identity::{self, RoleRow};

/// `{"role": {…}}`.
#[derive(Deserialize)]
pub(super) struct Wrapped<T> {
    role: T,
}

/// A role to make.
#[derive(Deserialize)]
pub(super) struct NewRole {
    name: String,
    description: Option<String>,
    domain_id: Option<String>,
}

/// What an administrator changes.
#[derive(Deserialize)]
pub(super) struct RoleChange {
    name: Option<String>,
    description: Option<String>,
}

/// List roles.
pub(super) async fn list(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let rows = identity::list_roles(&cloud.store).await?;
    // Roles are of no domain, which is what clients ask for without saying.
    let picked = rows.iter().filter(|row| filter.picks(&row.name));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "roles", items)))
}

/// Make a role. What it is worth is said in the settings.
pub(super) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(Wrapped { role }): Body<Wrapped<NewRole>>,
) -> Answer {
    only_domain(role.domain_id.as_deref())?;
    let description = role.description.unwrap_or_default();
    let row = RoleRow { id: RoleId::new(), name: role.name, description };
    let shown = json!({ "role": view(&cloud, &row) });
    let event =
        changed(caller.grant(), "role", "created", None, &row.id, json!({ "name": row.name }));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::create_role(tx, &row).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Show a role.
pub(super) async fn show(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(role): Path<String>,
) -> Answer<Json<Value>> {
    let row = identity::get_role(&cloud.store, &id(&role, "role")?).await?;
    Ok(Json(json!({ "role": view(&cloud, &row) })))
}

/// Change a role that somebody made.
pub(super) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(role): Path<String>,
    Body(Wrapped { role: change }): Body<Wrapped<RoleChange>>,
) -> Answer<Json<Value>> {
    let mut row = identity::get_role(&cloud.store, &made(&role)?).await?;
    row.name = change.name.unwrap_or(row.name);
    row.description = change.description.unwrap_or(row.description);
    let shown = json!({ "role": view(&cloud, &row) });
    let event =
        changed(caller.grant(), "role", "updated", None, &row.id, json!({ "name": row.name }));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::update_role(tx, &row).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(Json(shown))
}

/// Delete a role that somebody made, and take it from everybody.
pub(super) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(role): Path<String>,
) -> Answer {
    let role = made(&role)?;
    let event = changed(caller.grant(), "role", "deleted", None, &role, json!({}));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::delete_role(tx, &role).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(nothing())
}

fn made(text: &str) -> Result<RoleId, Failure> {
    if text.parse::<Role>().is_ok() {
        return Err(Failure::new(
            Kind::Forbidden,
            format!("the role {text} is built in and stays"),
        ));
    }
    id(text, "role")
}

fn view(cloud: &Cloud, row: &RoleRow) -> Value {
    let own = format!("{}/identity/v3/roles/{}", cloud.public_url, row.id);
    json!({
        "id": row.id, "name": row.name, "description": row.description, "domain_id": null, "options": {},
        "links": { "self": own },
    })
}
