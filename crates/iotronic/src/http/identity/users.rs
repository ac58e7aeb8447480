//! `/identity/v3/users`.

use super::{DOMAIN, Filter, collection, id, write};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Query, wrong};
use crate::identity::passwords::{Busy, MAX_LENGTH};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base::secret::Secret;
use model::{Kind, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::identity::{self, UserRow};

/// Shortest password that is taken.
const MIN_PASSWORD: usize = 8;

/// `{"user": {…}}`.
#[derive(Deserialize)]
pub(crate) struct Wrapped<T> {
    user: T,
}

/// A user to make.
#[derive(Deserialize)]
pub(crate) struct NewUser {
    name: String,
    password: Secret,
    #[serde(default = "yes")]
    enabled: bool,
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
}

/// What a user changes.
#[derive(Deserialize)]
pub(crate) struct PasswordChange {
    original_password: Secret,
    password: Secret,
}

/// Make a user.
pub(crate) async fn create(
    _: Caller,
    State(cloud): State<Cloud>,
    Body(Wrapped { user }): Body<Wrapped<NewUser>>,
) -> Answer {
    let password_hash = hash(&cloud, user.password).await?;
    let row = UserRow { id: UserId::new(), name: user.name, password_hash, enabled: user.enabled };
    let shown = json!({ "user": view(&cloud, &row) });
    write(&cloud, move |tx| Box::pin(async move { identity::create_user(tx, &row).await })).await?;
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
    let picked = rows.iter().filter(|row| filter.picks(&row.name));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "users", items)))
}

/// Show a user.
pub(crate) async fn show(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
) -> Answer<Json<Value>> {
    let row = identity::get_user(&cloud.store, &id(&user, "user")?).await?;
    Ok(Json(json!({ "user": view(&cloud, &row) })))
}

/// Change a user.
pub(crate) async fn change(
    _: Caller,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Body(Wrapped { user: change }): Body<Wrapped<UserChange>>,
) -> Answer<Json<Value>> {
    let mut row = identity::get_user(&cloud.store, &id(&user, "user")?).await?;
    if let Some(password) = change.password {
        row.password_hash = hash(&cloud, password).await?;
    }
    row.name = change.name.unwrap_or(row.name);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    let shown = json!({ "user": view(&cloud, &row) });
    write(&cloud, move |tx| Box::pin(async move { identity::update_user(tx, &row).await })).await?;
    Ok(Json(shown))
}

/// Change one's own password.
pub(crate) async fn password(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Body(Wrapped { user: change }): Body<Wrapped<PasswordChange>>,
) -> Answer {
    let mut row = identity::get_user(&cloud.store, own(&caller, &user)?).await?;
    let known = Some(row.password_hash.clone());
    let right = cloud.sign_in.passwords().verify(change.original_password, known).await;
    if !right.map_err(busy)? {
        return Err(Failure::new(Kind::Unauthenticated, "original_password is wrong"));
    }
    row.password_hash = hash(&cloud, change.password).await?;
    write(&cloud, move |tx| Box::pin(async move { identity::update_user(tx, &row).await })).await?;
    Ok(nothing())
}

/// The caller's own id, if that is what the path says.
pub(super) fn own<'a>(caller: &'a Caller, user: &str) -> Result<&'a UserId, Failure> {
    let own = &caller.principal().user;
    if own.as_str() == user {
        return Ok(own);
    }
    Err(Failure::new(Kind::Forbidden, "only the user itself may do this"))
}

fn view(cloud: &Cloud, row: &UserRow) -> Value {
    json!({
        "id": row.id, "name": row.name, "enabled": row.enabled, "domain_id": DOMAIN,
        "password_expires_at": null, "options": {},
        "links": { "self": format!("{}/identity/v3/users/{}", cloud.public_url, row.id) },
    })
}
