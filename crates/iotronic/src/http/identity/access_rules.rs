//! `/identity/v3/users/{user}/access_rules`: the rules of a user's application credentials, each shown once.
//!
//! Invariant: a rule's id follows from what it says and whose it is, so the same rule in two credentials has one id, as in
//! Keystone. Rules live in their credentials: one that none has is not there.

use super::{collection, own_or_any};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Person, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::access_rule::AccessRule;
use model::{Kind, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::identity;

/// What a list is narrowed by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    method: Option<String>,
    path: Option<String>,
    service: Option<String>,
}

/// List the rules of a user's application credentials.
pub(super) async fn list(
    who: Person,
    State(cloud): State<Cloud>,
    Path(user): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Value>> {
    let user = own_or_any(&who.grant, &user, "access_rule:get")?;
    let is =
        |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let rules = of(&cloud, &user).await?;
    let picked = rules.iter().filter(|rule| {
        let text = rule.text();
        is(&wanted.method, &text.method)
            && is(&wanted.path, &text.path)
            && is(&wanted.service, &text.service)
    });
    let items = picked.map(|rule| view(&user, rule)).collect();
    Ok(Json(collection(&cloud, "access_rules", items)))
}

/// Show a rule.
pub(super) async fn show(
    who: Person,
    State(cloud): State<Cloud>,
    Path((user, rule)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    let user = own_or_any(&who.grant, &user, "access_rule:get_one")?;
    let found = by_id(&cloud, &user, &rule).await?;
    Ok(Json(json!({ "access_rule": view(&user, &found) })))
}

/// Delete a rule: a rule that is there is used by a credential, and goes with that.
pub(super) async fn delete(
    who: Person,
    State(cloud): State<Cloud>,
    Path((user, rule)): Path<(String, String)>,
) -> Answer<Response> {
    let user = own_or_any(&who.grant, &user, "access_rule:delete")?;
    by_id(&cloud, &user, &rule).await?;
    let text =
        "an application credential uses this access rule; it goes when the credential is deleted";
    Err(Failure::new(Kind::Forbidden, text))
}

/// The rule of this id.
pub(super) async fn by_id(cloud: &Cloud, user: &UserId, wanted: &str) -> Answer<AccessRule> {
    let rules = of(cloud, user).await?;
    let found = rules.into_iter().find(|rule| rule_id(user, rule) == wanted);
    found.ok_or_else(|| Failure::new(Kind::NotFound, "no such access rule"))
}

async fn of(cloud: &Cloud, user: &UserId) -> Result<Vec<AccessRule>, store::Error> {
    let mut rules: Vec<AccessRule> = Vec::new();
    for credential in identity::list_credentials(&cloud.store, user).await? {
        for rule in credential.access.unwrap_or_default() {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    Ok(rules)
}

/// A rule as it is shown.
pub(super) fn view(user: &UserId, rule: &AccessRule) -> Value {
    let text = rule.text();
    json!({
        "id": rule_id(user, rule), "method": text.method, "path": text.path, "service": text.service,
    })
}

/// 32 hexadecimal digits, Keystone's form.
fn rule_id(user: &UserId, rule: &AccessRule) -> String {
    let text = rule.text();
    let mut hash = Sha256::new();
    for part in [user.as_str(), &text.method, &text.path, &text.service] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
