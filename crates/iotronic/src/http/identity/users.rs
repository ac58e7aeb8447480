//! `/identity/v3/users`.

use super::{DOMAIN, Filter, changed, collection, id, only_domain, own, own_or_any, write};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Person, Query, wrong};
use crate::identity::passwords::{Busy, MAX_LENGTH};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base::secret::Secret;
use model::{Kind, ProjectId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::events::NewEvent;
use store::identity::{self, Profile, UserRow};

/// Shortest password that is taken.
const MIN_PASSWORD: usize = 8;
/// No password has this hash.
const NO_PASSWORD: &str = "!";

/// `{"user": {…}}`.
#[derive(Deserialize)]
pub(crate) struct Wrapped<T> {
    user: T,
}

/// A user to make.
#[derive(Deserialize)]
pub(crate) struct NewUser {
    name: String,
    password: Option<Secret>,
    #[serde(default = "yes")]
    enabled: bool,
    description: Option<String>,
    email: Option<String>,
    default_project_id: Option<ProjectId>,
    domain_id: Option<String>,
}

fn yes() -> bool {
    true
}

/// What an administrator changes.
#[derive(Deserialize)]
pub(crate) struct UserChange {
    name: Option<String>,
    password: Option<Secret>,
    enabled: Option<bool>,
    description: Option<String>,
    email: Option<String>,
    default_project_id: Option<ProjectId>,
    domain_id: Option<String>,
}

/// What a user changes.
#[derive(Deserialize)]
pub(crate) struct PasswordChange {
    original_password: Secret,
    password: Secret,
}

/// Make a user. One without a password signs in when an administrator gives it one.
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(Wrapped { user }): Body<Wrapped<NewUser>>,
) -> Answer {
    only_domain(user.domain_id.as_deref())?;
    let password_hash = match user.password {
        Some(password) => hash(&cloud, password).await?,
        None => NO_PASSWORD.to_owned(),
    };
    let mut row = UserRow::new(UserId::new(), user.name, password_hash);
    row.enabled = user.enabled;
    row.profile = Profile {
        description: user.description.unwrap_or_default(),
        email: user.email,
        default_project: user.default_project_id,
    };
    let shown = json!({ "user": view(&cloud, &row) });
    let event =
        changed(caller.grant(), "user", "created", None, &row.id, json!({ "name": row.name }));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::create_user(tx, &row).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

async fn hash(cloud: &Cloud, password: Secret) -> Result<String, Failure> {
    if !(MIN_PASSWORD..=MAX_LENGTH).contains(&password.expose().len()) {
        return Err(wrong(format_args!("a password has {MIN_PASSWORD} to {MAX_LENGTH} bytes")));
    }
    cloud.sign_in.passwords().hash(password).await.map_err(busy)
}

fn busy(busy: Busy) -> Failure {
    Failure { retry_after: Some(2), ..Failure::new(Kind::Exhausted, busy.to_string()) }
}

/// List users.
pub(crate) async fn list(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let rows = identity::list_users(&cloud.store).await?;
    let picked = rows.iter().filter(|row| filter.picks_one(&row.name, row.enabled));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "users", items)))
}

/// Show a user: oneself, or for those who operate the cloud, anybody.
pub(crate) async fn show(
    who: Person,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
) -> Answer<Json<Value>> {
    let user = own_or_any(&who.grant, &user, "user:get_one")?;
    let row = identity::get_user(&cloud.store, &user).await?;
    Ok(Json(json!({ "user": view(&cloud, &row) })))
}

/// Change a user. A new password, and being disabled, end its tokens.
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Body(Wrapped { user: change }): Body<Wrapped<UserChange>>,
) -> Answer<Json<Value>> {
    only_domain(change.domain_id.as_deref())?;
    let mut row = identity::get_user(&cloud.store, &id(&user, "user")?).await?;
    if change.password.is_some() || change.enabled == Some(false) {
        row.tokens_since = cloud.now();
    }
    if let Some(password) = change.password {
        row.password_hash = hash(&cloud, password).await?;
    }
    row.name = change.name.unwrap_or(row.name);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    let profile = &mut row.profile;
    profile.description = change.description.unwrap_or(std::mem::take(&mut profile.description));
    profile.email = change.email.or(profile.email.take());
    profile.default_project = change.default_project_id.or(profile.default_project.take());
    let shown = json!({ "user": view(&cloud, &row) });
    let more = json!({ "name": row.name, "enabled": row.enabled });
    let event = changed(caller.grant(), "user", "updated", None, &row.id, more);
    store(&cloud, row, event).await?;
    Ok(Json(shown))
}

async fn store(cloud: &Cloud, row: UserRow, event: NewEvent) -> Result<(), Failure> {
    write(cloud, move |tx| {
        Box::pin(async move {
            identity::update_user(tx, &row).await?;
            tx.event(event).await
        })
    })
    .await
    .map(|_| ())
}

/// Delete a user with its roles and application credentials. What it made stays with its projects.
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
) -> Answer {
    let user: UserId = id(&user, "user")?;
    if user == caller.principal().user {
        let text =
            "nobody deletes the user as whom they are signed in; let another administrator do it";
        return Err(Failure::new(Kind::Conflict, text));
    }
    let event = changed(caller.grant(), "user", "deleted", None, &user, json!({}));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::delete_user(tx, &user).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(nothing())
}

/// Change one's own password, which ends one's tokens.
pub(crate) async fn password(
    who: Person,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Body(Wrapped { user: change }): Body<Wrapped<PasswordChange>>,
) -> Answer {
    let mut row = identity::get_user(&cloud.store, own(&who.grant, &user)?).await?;
    let known = Some(row.password_hash.clone());
    let right = cloud.sign_in.passwords().verify(change.original_password, known).await;
    if !right.map_err(busy)? {
        return Err(Failure::new(Kind::Unauthenticated, "original_password is wrong"));
    }
    row.password_hash = hash(&cloud, change.password).await?;
    row.tokens_since = cloud.now();
    let event = changed(&who.grant, "user", "password_changed", None, &row.id, json!({}));
    store(&cloud, row, event).await?;
    Ok(nothing())
}

fn view(cloud: &Cloud, row: &UserRow) -> Value {
    let mut shown = json!({
        "id": row.id, "name": row.name, "enabled": row.enabled, "domain_id": DOMAIN,
        "password_expires_at": null, "options": {}, "description": row.profile.description,
        "links": { "self": format!("{}/identity/v3/users/{}", cloud.public_url, row.id) },
    });
    let more = [
        ("email", row.profile.email.clone()),
        ("default_project_id", row.profile.default_project.clone().map(String::from)),
    ];
    if let Some(members) = shown.as_object_mut() {
        for (name, value) in more {
            members.extend(value.map(|value| (name.to_owned(), value.into())));
        }
    }
    shown
}
