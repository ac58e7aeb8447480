//! `/identity/v3/domains`: the one there is.

use super::{DOMAIN, Filter, collection, only_domain};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Path, Person, Query};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// List domains.
pub(super) async fn list(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Json<Value> {
    let name = api::identity::Domain::default().name;
    let items = filter.picks_one(&name, true).then(|| view(&cloud)).into_iter().collect();
    Json(collection(&cloud, "domains", items))
}

/// Show a domain.
pub(super) async fn show(
    _: Person,
    State(cloud): State<Cloud>,
    Path(domain): Path<String>,
) -> Answer<Json<Value>> {
    only_domain(Some(&domain))?;
    Ok(Json(json!({ "domain": view(&cloud) })))
}

/// List the domains that one may sign in to: none, because nobody signs in to the whole of one.
pub(super) async fn mine(_: Person, State(cloud): State<Cloud>) -> Json<Value> {
    Json(collection(&cloud, "domains", Vec::new()))
}

fn view(cloud: &Cloud) -> Value {
    json!({
        "id": DOMAIN, "name": api::identity::Domain::default().name, "enabled": true, "description": "The one domain",
        "options": {}, "tags": [], "links": { "self": format!("{}/identity/v3/domains/{DOMAIN}", cloud.public_url) },
    })
}
