//! Where the services are: the catalog in tokens, and the lists that it is made of in Keystone.

use super::collection;
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::Person;
use api::identity::{Endpoint, Service};
use axum::Json;
use axum::extract::State;
use model::Kind;
use serde_json::{Value, json};

/// Region of every endpoint.
const REGION: &str = "RegionOne";

/// Where the services are; all interfaces lead to the one public URL.
pub(super) fn all(cloud: &Cloud) -> Vec<Service> {
    let url = &cloud.public_url;
    let service = |kind: &str, name: &str, url: String| Service {
        id: kind.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        endpoints: ["public", "internal", "admin"]
            .map(|interface| Endpoint {
                id: format!("{kind}-{interface}"),
                interface: interface.to_owned(),
                region: REGION.to_owned(),
                region_id: REGION.to_owned(),
                url: url.clone(),
            })
            .into(),
    };
    vec![
        service("iot", "iotronic", url.clone()),
        service("network", "neutron", format!("{url}/network")),
        service("identity", "keystone", format!("{url}/identity/v3")),
    ]
}

/// The catalog of the token's project.
pub(super) async fn mine(who: Person, State(cloud): State<Cloud>) -> Answer<Json<Value>> {
    if who.said.project.is_nowhere() {
        let text = "this token is for no project and so has no catalog; sign in to a project";
        return Err(Failure::new(Kind::Forbidden, text));
    }
    let own = format!("{}/identity/v3/auth/catalog", cloud.public_url);
    Ok(Json(json!({ "catalog": all(&cloud), "links": { "self": own } })))
}

/// List services.
pub(super) async fn services(_: Caller, State(cloud): State<Cloud>) -> Json<Value> {
    let items = all(&cloud).into_iter().map(|service| {
        json!({ "id": service.id, "type": service.kind, "name": service.name, "enabled": true, "description": "" })
    });
    Json(collection(&cloud, "services", items.collect()))
}

/// List endpoints.
pub(super) async fn endpoints(_: Caller, State(cloud): State<Cloud>) -> Json<Value> {
    let items = all(&cloud).into_iter().flat_map(|service| {
        service.endpoints.into_iter().map(move |endpoint| {
            json!({
                "id": endpoint.id, "service_id": service.id, "interface": endpoint.interface, "region": REGION,
                "region_id": REGION, "url": endpoint.url, "enabled": true,
            })
        })
    });
    Json(collection(&cloud, "endpoints", items.collect()))
}

/// List regions.
pub(super) async fn regions(_: Caller, State(cloud): State<Cloud>) -> Json<Value> {
    let region = json!({ "id": REGION, "description": "", "parent_region_id": null });
    Json(collection(&cloud, "regions", vec![region]))
}
