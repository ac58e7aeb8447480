//! Who has which role where: given, taken, asked for, and listed.

use super::{Filter, changed, collection, domain, id, is_yes, operates, write};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Path, Person, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::{Kind, ProjectId, RoleId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use store::identity::{self, AssignmentFilter, AssignmentRow};

type Segments = (String, String, String);

/// Give a user a role in a project.
pub(super) async fn assign(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(path): Path<Segments>,
) -> Answer {
    let (project, user, role) = read(&path)?;
    let more = json!({ "user": user, "role": role });
    let event = changed(caller.grant(), "role", "assigned", Some(&project), &role, more);
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::get_project(&mut *tx, &project).await?;
            identity::get_user(&mut *tx, &user).await?;
            identity::get_role(&mut *tx, &role).await?;
            identity::assign(tx, &user, &project, role).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(nothing())
}

/// Take a role away.
pub(super) async fn unassign(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(path): Path<Segments>,
) -> Answer {
    let (project, user, role) = read(&path)?;
    let more = json!({ "user": user, "role": role });
    let event = changed(caller.grant(), "role", "unassigned", Some(&project), &role, more);
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::unassign(tx, &user, &project, role).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(nothing())
}

/// Whether a user has a role in a project.
pub(super) async fn check(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(path): Path<Segments>,
) -> Answer<Response> {
    let (project, user, role) = read(&path)?;
    let roles = identity::roles_of(&cloud.store, &user, &project).await?;
    if roles.iter().any(|row| row.id == role) {
        return Ok(nothing());
    }
    Err(Failure::new(Kind::NotFound, "the user does not have this role there"))
}

/// List the roles of a user in a project.
pub(super) async fn of_user(
    _: Caller,
    State(cloud): State<Cloud>,
    Path((project, user)): Path<(String, String)>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let (project, user): (ProjectId, UserId) = (id(&project, "project")?, id(&user, "user")?);
    identity::get_project(&cloud.store, &project).await?;
    identity::get_user(&cloud.store, &user).await?;
    let rows = identity::roles_of(&cloud.store, &user, &project).await?;
    let picked = rows.iter().filter(|row| filter.picks(&row.name));
    let items = picked.map(|row| json!({ "id": row.id, "name": row.name, "domain_id": null }));
    Ok(Json(collection(&cloud, "roles", items.collect())))
}

fn read((project, user, role): &Segments) -> Result<(ProjectId, UserId, RoleId), Failure> {
    Ok((id(project, "project")?, id(user, "user")?, id(role, "role")?))
}

/// What assignments are asked for, in Keystone's words; those about domains, groups and the system pick nothing here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    #[serde(rename = "user.id")]
    user: Option<String>,
    #[serde(rename = "group.id")]
    group: Option<String>,
    #[serde(rename = "role.id")]
    role: Option<String>,
    #[serde(rename = "scope.project.id")]
    project: Option<String>,
    #[serde(rename = "scope.domain.id")]
    domain: Option<String>,
    #[serde(rename = "scope.system")]
    system: Option<String>,
    include_names: Option<String>,
}

/// List assignments: one's own, or, for those who operate the cloud, everybody's.
pub(super) async fn list(
    who: Person,
    State(cloud): State<Cloud>,
    Query(mut wanted): Query<Wanted>,
) -> Answer<Json<Value>> {
    if !operates(&who.grant, "assignment:get") {
        let own = who.grant.principal.user.as_str();
        if *wanted.user.get_or_insert_with(|| own.to_owned()) != own {
            let text = "assignment:get for another user needs the role admin";
            return Err(Failure::new(Kind::Forbidden, text));
        }
    }
    let rows = picked(&cloud, &wanted).await?;
    let items = if wanted.include_names.as_deref().is_some_and(is_yes) {
        let names = Names::read(&cloud).await?;
        rows.iter().map(|row| view(&cloud, row, Some(&names))).collect()
    } else {
        rows.iter().map(|row| view(&cloud, row, None)).collect()
    };
    Ok(Json(collection(&cloud, "role_assignments", items)))
}

async fn picked(cloud: &Cloud, wanted: &Wanted) -> Answer<Vec<AssignmentRow>> {
    if wanted.group.is_some() || wanted.domain.is_some() || wanted.system.is_some() {
        return Ok(Vec::new());
    }
    let user = wanted.user.as_deref().map(|text| id::<UserId>(text, "user")).transpose()?;
    let project =
        wanted.project.as_deref().map(|text| id::<ProjectId>(text, "project")).transpose()?;
    let role = wanted.role.as_deref().map(|text| id::<RoleId>(text, "role")).transpose()?;
    let filter =
        AssignmentFilter { user: user.as_ref(), project: project.as_ref(), role: role.as_ref() };
    Ok(identity::list_assignments(&cloud.store, filter).await?)
}

/// Names by id.
struct Names {
    users: HashMap<String, String>,
    projects: HashMap<String, String>,
    roles: HashMap<String, String>,
}

impl Names {
    async fn read(cloud: &Cloud) -> Result<Self, store::Error> {
        let users = identity::list_users(&cloud.store).await?;
        let projects = identity::list_projects(&cloud.store).await?;
        let roles = identity::list_roles(&cloud.store).await?;
        Ok(Self {
            users: users.into_iter().map(|row| (row.id.into(), row.name)).collect(),
            projects: projects.into_iter().map(|row| (row.id.into(), row.name)).collect(),
            roles: roles.into_iter().map(|row| (row.id.into(), row.name)).collect(),
        })
    }
}

fn view(cloud: &Cloud, row: &AssignmentRow, names: Option<&Names>) -> Value {
    let AssignmentRow { user, project, role } = row;
    let named = |id: &str, of: fn(&Names) -> &HashMap<String, String>| match names {
        None => json!({ "id": id }),
        Some(names) => json!({ "id": id, "name": of(names).get(id), "domain": domain() }),
    };
    let link =
        format!("{}/identity/v3/projects/{project}/users/{user}/roles/{role}", cloud.public_url);
    let mut role = named(role.as_str(), |names| &names.roles);
    if let Some(members) = role.as_object_mut() {
        members.remove("domain");
    }
    json!({
        "user": named(user.as_str(), |names| &names.users), "role": role,
        "scope": { "project": named(project.as_str(), |names| &names.projects) },
        "links": { "assignment": link },
    })
}
