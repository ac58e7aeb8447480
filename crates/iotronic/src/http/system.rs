//! `/v2/system`: how the cloud itself is.

use crate::app::access::Caller;
use crate::app::system;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::metrics::Counters;
use crate::http::sse::Places;
use api::system::{Open, System};
use axum::extract::State;
use axum::{Extension, Json};
use std::sync::Arc;

/// Show how the cloud is, and which settings are in force.
#[utoipa::path(get, path = "/v2/system", tag = "system", responses((status = 200, body = System)))]
pub(crate) async fn show(
    _: Caller,
    State(cloud): State<Cloud>,
    Extension(counters): Extension<Arc<Counters>>,
    Extension(places): Extension<Places>,
) -> Answer<Json<System>> {
    let system = System {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocols: [rpc::OLDEST_PROTOCOL, rpc::PROTOCOL],
        started_at: cloud.started_at,
        uptime_s: cloud.started_at.until(cloud.now()).as_secs(),
        public_url: cloud.public_url.clone(),
        roles: system::roles(),
        listeners: system::listeners(&cloud),
        tls: system::tls(&cloud),
        legacy: system::legacy(&cloud),
        boards: system::count_boards(&cloud).await?,
        operations: system::count_operations(&cloud).await?,
        requests: counters.summary(),
        open: open(&cloud, &places),
        database: system::database(&cloud).await?,
        process: system::process(),
        settings: system::settings(&cloud),
    };
    Ok(Json(system))
}

fn open(cloud: &Cloud, places: &Places) -> Open {
    let links = cloud.boards.links();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Open {
        boards_online: number(cloud.boards.online()),
        links: number(links.count()),
        channels: links.channels(),
        public_ports: number(cloud.ingress.ports()),
        streams: number(places.taken()),
    }
}
