//! `/identity/v3`: the part of Keystone's API that clients of OpenStack need, in its shapes.
//!
//! Unknown members of bodies are ignored here, as Keystone does. One domain, `default`; roles are their own ids.

pub(crate) mod credentials;
pub(crate) mod discovery;
pub(crate) mod projects;
pub(crate) mod tokens;
pub(crate) mod users;

use crate::cloud::Cloud;
use crate::http::answer::Failure;
use futures_util::future::BoxFuture;
use model::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

/// Id of the one domain.
const DOMAIN: &str = "default";

/// `?name=` of lists; more that Keystone knows is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    name: Option<String>,
}

impl Filter {
    fn picks(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// A list in Keystone's shape.
fn collection(cloud: &Cloud, noun: &str, items: Vec<Value>) -> Value {
    let own = format!("{}/identity/v3/{noun}", cloud.public_url);
    json!({ noun: items, "links": { "self": own, "previous": null, "next": null } })
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

/// A path segment as an id; one that cannot be an id names nothing.
fn id<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::new(Kind::NotFound, format!("no such {what}")))
}
