//! `/identity/v3`: the part of Keystone's API that clients of OpenStack need, in its shapes.
//!
//! Unknown members of bodies are ignored here, as Keystone does. One domain, `default`; the four roles that are built in are
//! their own ids. Every change is an event of the whole cloud, or of the project it is about.

mod access_rules;
mod assignments;
mod catalog;
pub(crate) mod credentials;
pub(crate) mod discovery;
mod domains;
pub(crate) mod elsewhere;
pub(crate) mod projects;
mod roles;
pub(crate) mod routes;
pub(crate) mod tokens;
pub(crate) mod users;

use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::identity::grants::Grant;
use futures_util::future::BoxFuture;
use model::access::{Action, Decision, decide};
use model::{Kind, ProjectId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::events::NewEvent;

/// Id of the one domain.
const DOMAIN: &str = "default";

/// What lists are narrowed by; more that Keystone knows is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    name: Option<String>,
    enabled: Option<String>,
    domain_id: Option<String>,
}

impl Filter {
    fn picks(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name)
            && self.domain_id.as_deref().is_none_or(|wanted| wanted == DOMAIN)
    }

    fn picks_one(&self, name: &str, enabled: bool) -> bool {
        self.picks(name) && self.enabled.as_deref().is_none_or(|word| is_yes(word) == enabled)
    }
}

/// A yes of a query, as Keystone reads it: also one without a value.
fn is_yes(word: &str) -> bool {
    !matches!(word.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off")
}

/// A list in Keystone's shape.
fn collection(cloud: &Cloud, noun: &str, items: Vec<Value>) -> Value {
    let own = format!("{}/identity/v3/{noun}", cloud.public_url);
    json!({ noun: items, "links": { "self": own, "previous": null, "next": null } })
}

/// The one domain as it stands beside names.
fn domain() -> Value {
    json!(api::identity::Domain::default())
}

/// Refuses a domain that is not there.
fn only_domain(id: Option<&str>) -> Result<(), Failure> {
    if id.is_none_or(|id| id == DOMAIN) {
        return Ok(());
    }
    Err(Failure::new(Kind::NotFound, "there is one domain, and its id is default; leave it out"))
}

/// Changes users, projects or roles; everybody's roles are looked up anew afterwards.
async fn write<T, F>(cloud: &Cloud, job: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut store::Tx) -> BoxFuture<'t, Result<T, store::Error>> + Send + 'static,
{
    let done = cloud.store.write(job).await;
    cloud.sign_in.forget_grants();
    Ok(done?)
}

/// What was changed, and by whom. Of a project, where it is about one; else of the whole cloud.
fn changed(
    by: &Grant,
    noun: &'static str,
    verb: &str,
    project: Option<&ProjectId>,
    id: impl std::fmt::Display,
    mut more: Value,
) -> NewEvent {
    if let Some(members) = more.as_object_mut() {
        members.insert("by".to_owned(), by.principal.user.as_str().into());
    }
    NewEvent {
        project: project.cloned(),
        kind: format!("{noun}.{verb}"),
        subject_type: noun,
        subject_id: id.to_string(),
        body: more,
    }
}

/// Whether somebody operates the cloud, and so may do this for others too.
fn operates(who: &Grant, action: &'static str) -> bool {
    let principal = &who.principal;
    decide(principal, Action::operate(action), &principal.project) == Decision::Allow
}

/// The user of a path, if it is the caller itself or the caller operates the cloud.
fn own_or_any(who: &Grant, user: &str, action: &'static str) -> Result<UserId, Failure> {
    let user: UserId = id(user, "user")?;
    if user == who.principal.user || operates(who, action) {
        return Ok(user);
    }
    let text = format!("{action} for another user needs the role admin");
    Err(Failure::new(Kind::Forbidden, text))
}

/// The caller's own id, if that is what the path says.
fn own<'a>(who: &'a Grant, user: &str) -> Result<&'a UserId, Failure> {
    let own = &who.principal.user;
    if own.as_str() == user {
        return Ok(own);
    }
    Err(Failure::new(Kind::Forbidden, "only the user itself may do this"))
}

/// A path segment as an id; one that cannot be an id names nothing.
fn id<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::new(Kind::NotFound, format!("no such {what}")))
}
