//! `/identity/v3/users/{user}/application_credentials`: how programs sign in, in one project, with at most their user's roles.
//!
//! Invariant: a credential made by another one is never worth more: not in roles, not in requests, not in time.

use super::{Filter, access_rules, changed, collection, id, own, own_or_any, write};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Path, Person, Query, wrong};
use crate::identity::grants::Grant;
use crate::identity::sign_in::made_here;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base::secret::{self, Secret};
use model::access_rule::{AccessRule, MAX_RULES, Text};
use model::{CredentialId, Kind, RoleId, Timestamp, UserId};
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
    description: Option<String>,
    secret: Option<Secret>,
    expires_at: Option<String>,
    #[serde(default)]
    roles: Vec<RoleName>,
    #[serde(default)]
    unrestricted: Option<bool>,
    access_rules: Option<Vec<RuleName>>,
}

#[derive(Deserialize)]
struct RoleName {
    id: Option<String>,
    name: Option<String>,
}

/// A rule written out, or the id of one that another credential has.
#[derive(Deserialize)]
#[serde(untagged)]
enum RuleName {
    Written(Text),
    Known { id: String },
}

/// Make an application credential for the project one is signed in to. Its secret is in this answer and nowhere else.
pub(crate) async fn create(
    who: Person,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Body(Wrapped { application_credential: new }): Body<Wrapped>,
) -> Answer {
    let grant = &who.grant;
    let user = own(grant, &user)?.clone();
    if grant.principal.project.is_nowhere() {
        let text = "an application credential is for a project; sign in to one";
        return Err(Failure::new(Kind::Forbidden, text));
    }
    unrestricted(grant)?;
    if identity::list_credentials(&cloud.store, &user).await?.len() >= MAX_CREDENTIALS {
        let text =
            format!("a user has at most {MAX_CREDENTIALS} application credentials; delete some");
        return Err(Failure::new(Kind::Exhausted, text));
    }
    let (secret, secret_hash) = secret_of(&cloud, new.secret).await?;
    let access = match new.access_rules {
        Some(rules) => Some(written_out(&cloud, &user, rules).await?),
        None => None,
    };
    let row = CredentialRow {
        id: CredentialId::new(),
        name: new.name,
        user,
        project: grant.principal.project.clone(),
        secret_hash,
        roles: roles(grant, &new.roles)?,
        expires_at: no_longer(
            grant,
            new.expires_at.as_deref().map(moment).transpose()?,
            cloud.now(),
        )?,
        created_at: cloud.now(),
        description: new.description.unwrap_or_default(),
        unrestricted: new.unrestricted.unwrap_or(false),
        access: no_wider(grant, access)?,
    };
    let mut shown = view(&cloud, grant, &row);
    if let Some(members) = shown.as_object_mut() {
        members.insert("secret".into(), secret.expose().into());
    }
    let more = json!({ "name": row.name, "user": row.user });
    let event = changed(grant, "credential", "created", Some(&row.project), row.id, more);
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::create_credential(tx, &row).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok((StatusCode::CREATED, Json(json!({ "application_credential": shown }))).into_response())
}

/// Keystone's rule: otherwise one that leaks could live on in its children.
fn unrestricted(grant: &Grant) -> Result<(), Failure> {
    if grant.credential.as_ref().is_none_or(|through| through.unrestricted) {
        return Ok(());
    }
    let text =
        "a restricted application credential neither makes nor deletes others; sign in by password";
    Err(Failure::new(Kind::Forbidden, text))
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

async fn written_out(
    cloud: &Cloud,
    user: &UserId,
    rules: Vec<RuleName>,
) -> Answer<Vec<AccessRule>> {
    if rules.len() > MAX_RULES {
        return Err(wrong(format_args!("a credential has at most {MAX_RULES} access rules")));
    }
    let mut all = Vec::with_capacity(rules.len());
    for rule in rules {
        all.push(match rule {
            RuleName::Written(text) => text.try_into()?,
            RuleName::Known { id } => access_rules::by_id(cloud, user, &id).await?,
        });
    }
    Ok(all)
}

fn no_wider(
    grant: &Grant,
    wanted: Option<Vec<AccessRule>>,
) -> Result<Option<Vec<AccessRule>>, Failure> {
    let Some(own) = grant.credential.as_ref().and_then(|through| through.access.as_ref()) else {
        return Ok(wanted);
    };
    match wanted {
        Some(wanted) if wanted.iter().all(|rule| own.contains(rule)) => Ok(Some(wanted)),
        Some(_) => Err(wrong("access_rules holds a rule that the credential in use does not have")),
        None => Ok(Some(own.clone())),
    }
}

fn no_longer(
    grant: &Grant,
    wanted: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    if wanted.is_some_and(|end| end <= now) {
        return Err(wrong("expires_at has passed already"));
    }
    match (grant.expires_at, wanted) {
        (Some(own), Some(wanted)) if own < wanted => {
            Err(wrong("expires_at is later than that of the credential in use"))
        }
        (own, wanted) => Ok(wanted.or(own)),
    }
}

fn roles(grant: &Grant, wanted: &[RoleName]) -> Result<Vec<RoleId>, Failure> {
    let own = &grant.roles;
    if wanted.is_empty() {
        return Ok(own.iter().map(|row| row.id.clone()).collect());
    }
    let one = |role: &RoleName| {
        let found = own.iter().find(|row| match (&role.id, &role.name) {
            (Some(id), _) => row.id.as_str() == id,
            (None, Some(name)) => row.name == *name,
            (None, None) => false,
        });
        let found = found.map(|row| row.id.clone());
        found.ok_or_else(|| wrong("roles names a role that you do not have here"))
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
    who: Person,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let user = own_or_any(&who.grant, &user, "credential:get")?;
    let rows = identity::list_credentials(&cloud.store, &user).await?;
    let picked = rows.iter().filter(|row| filter.picks(&row.name));
    let items = picked.map(|row| view(&cloud, &who.grant, row)).collect();
    Ok(Json(collection(&cloud, "application_credentials", items)))
}

/// Show one of them.
pub(crate) async fn show(
    who: Person,
    State(cloud): State<Cloud>,
    Path((user, credential)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    const WHAT: &str = "application credential";
    let user = own_or_any(&who.grant, &user, "credential:get_one")?;
    let row = identity::get_credential(&cloud.store, id(&credential, WHAT)?).await?;
    if row.user != user {
        return Err(store::Error::NotFound { what: WHAT }.into());
    }
    Ok(Json(json!({ "application_credential": view(&cloud, &who.grant, &row) })))
}

/// Delete one; its tokens end at once.
pub(crate) async fn delete(
    who: Person,
    State(cloud): State<Cloud>,
    Path((user, credential)): Path<(String, String)>,
) -> Answer {
    let user = own_or_any(&who.grant, &user, "credential:delete")?;
    unrestricted(&who.grant)?;
    let credential: CredentialId = id(&credential, "application credential")?;
    let event =
        changed(&who.grant, "credential", "deleted", None, credential, json!({ "user": user }));
    write(&cloud, move |tx| {
        Box::pin(async move {
            identity::delete_credential(tx, &user, credential).await?;
            tx.event(event).await
        })
    })
    .await?;
    Ok(nothing())
}

/// Names of roles that the looker has not got are their ids.
fn view(cloud: &Cloud, looker: &Grant, row: &CredentialRow) -> Value {
    let name = |id: &RoleId| {
        let known = looker.roles.iter().find(|row| row.id == *id);
        known.map_or_else(|| id.to_string(), |row| row.name.clone())
    };
    let roles = row.roles.iter().map(|id| json!({ "id": id, "name": name(id), "domain_id": null }));
    let own = format!(
        "{}/identity/v3/users/{}/application_credentials/{}",
        cloud.public_url, row.user, row.id
    );
    let mut shown = json!({
        "id": row.id, "name": row.name, "description": row.description, "user_id": row.user,
        "project_id": row.project, "roles": roles.collect::<Vec<_>>(), "expires_at": row.expires_at,
        "unrestricted": row.unrestricted, "system": null, "links": { "self": own },
    });
    let rules = row.access.as_ref().map(|rules| {
        rules.iter().map(|rule| access_rules::view(&row.user, rule)).collect::<Vec<_>>()
    });
    if let (Some(members), Some(rules)) = (shown.as_object_mut(), rules) {
        members.insert("access_rules".into(), rules.into());
    }
    shown
}
