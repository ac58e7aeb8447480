//! `/identity/v3/users/{user}/application_credentials`: how programs sign in, in one project, with at most their user's roles.

use super::users::own;
use super::{Filter, collection, id, write};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Query, SignedIn, wrong};
use crate::identity::sign_in::made_here;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base::secret::{self, Secret};
use model::access::Role;
use model::{CredentialId, Kind, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use store::identity::{self, CredentialRow};

/// Most application credentials of one user.
const MAX_CREDENTIALS: usize = 1000;

/// `{"application_credential": {…}}`.
#[derive(Deserialize)]
pub(crate) struct Wrapped {
    application_credential: NewCredential,
}

#[derive(Deserialize)]
struct NewCredential {
    name: String,
    secret: Option<Secret>,
    expires_at: Option<String>,
    #[serde(default)]
    roles: Vec<RoleName>,
}

#[derive(Deserialize)]
struct RoleName {
    id: Option<String>,
    name: Option<String>,
}

/// Make an application credential for the project one is signed in to. Its secret is in this answer and nowhere else.
pub(crate) async fn create(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Body(Wrapped { application_credential: new }): Body<Wrapped>,
) -> Answer {
    let user = own(&caller, &user)?.clone();
    // Keystone's rule: otherwise one that leaks could live on in its children.
    if said.credential.is_some() {
        let text = "an application credential makes no others; sign in by password";
        return Err(Failure::new(Kind::Forbidden, text));
    }
    if identity::list_credentials(&cloud.store, &user).await?.len() >= MAX_CREDENTIALS {
        let text =
            format!("a user has at most {MAX_CREDENTIALS} application credentials; delete some");
        return Err(Failure::new(Kind::Exhausted, text));
    }
    let (secret, secret_hash) = secret_of(&cloud, new.secret).await?;
    let row = CredentialRow {
        id: CredentialId::new(),
        name: new.name,
        user,
        project: caller.project().clone(),
        secret_hash,
        roles: roles(&caller, &new.roles)?,
        expires_at: new.expires_at.as_deref().map(moment).transpose()?,
        created_at: cloud.now(),
    };
    let mut shown = view(&cloud, &row);
    if let Some(members) = shown.as_object_mut() {
        members.insert("secret".into(), secret.expose().into());
    }
    write(&cloud, move |tx| Box::pin(async move { identity::create_credential(tx, &row).await }))
        .await?;
    Ok((StatusCode::CREATED, Json(json!({ "application_credential": shown }))).into_response())
}

/// A chosen secret may be weak and is hashed slowly; one of ours is not.
async fn secret_of(cloud: &Cloud, chosen: Option<Secret>) -> Result<(Secret, String), Failure> {
    let Some(chosen) = chosen else {
        let secret: Secret = secret::random_text::<32>().into();
        let hash = made_here(&secret);
        return Ok((secret, hash));
    };
    let hash = cloud.sign_in.passwords().hash(chosen.clone()).await;
    let hash = hash.map_err(|busy| Failure::new(Kind::Exhausted, busy.to_string()))?;
    Ok((chosen, hash))
}

fn roles(caller: &Caller, wanted: &[RoleName]) -> Result<Vec<Role>, Failure> {
    let own = &caller.principal().roles;
    if wanted.is_empty() {
        return Ok(own.clone());
    }
    let one = |role: &RoleName| {
        let word = role.id.as_ref().or(role.name.as_ref());
        let role = word.and_then(|word| word.parse::<Role>().ok());
        role.filter(|role| own.contains(role))
            .ok_or_else(|| wrong("roles names a role that you do not have here"))
    };
    wanted.iter().map(one).collect()
}

/// Keystone's clients leave the zone out.
fn moment(text: &str) -> Result<Timestamp, Failure> {
    let zoned = format!("{text}Z");
    text.parse().or_else(|error| zoned.parse().map_err(|_| error)).map_err(Failure::from)
}

/// List one's application credentials.
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let rows = identity::list_credentials(&cloud.store, own(&caller, &user)?).await?;
    let picked = rows.iter().filter(|row| filter.picks(&row.name));
    let items = picked.map(|row| view(&cloud, row)).collect();
    Ok(Json(collection(&cloud, "application_credentials", items)))
}

/// Show one of them.
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((user, credential)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    const WHAT: &str = "application credential";
    let row = identity::get_credential(&cloud.store, id(&credential, WHAT)?).await?;
    if row.user != *own(&caller, &user)? {
        return Err(store::Error::NotFound { what: WHAT }.into());
    }
    Ok(Json(json!({ "application_credential": view(&cloud, &row) })))
}

/// Delete one; its tokens end at once.
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((user, credential)): Path<(String, String)>,
) -> Answer {
    let user = own(&caller, &user)?.clone();
    let credential = id(&credential, "application credential")?;
    write(&cloud, move |tx| {
        Box::pin(async move { identity::delete_credential(tx, &user, credential).await })
    })
    .await?;
    Ok(nothing())
}

fn view(cloud: &Cloud, row: &CredentialRow) -> Value {
    let roles: Vec<_> = row
        .roles
        .iter()
        .map(|role| json!({ "id": role, "name": role, "domain_id": null }))
        .collect();
    let own = format!(
        "{}/identity/v3/users/{}/application_credentials/{}",
        cloud.public_url, row.user, row.id
    );
    json!({
        "id": row.id, "name": row.name, "description": "", "user_id": row.user, "project_id": row.project,
        "roles": roles, "expires_at": row.expires_at, "unrestricted": false, "system": null, "links": { "self": own },
    })
}
