//! `ServiceEnable`, `ServiceDisable`, `ServiceRestore`, `ServicesStatus`.
//!
//! Invariant: a service is in the table, durably, before the answer leaves.

use super::answer;
use crate::forward::{LinkState, MAX_SERVICES, Services};
use model::Kind;
use rpc::Fault;
use rpc::service::{Enable, Service};
use serde_json::Value;
use std::time::Duration;

/// How long an answer waits for the link, so that the service can be reached when it arrives.
const LINK_PATIENCE: Duration = Duration::from_secs(3);

/// Enters the service and sees to the link.
pub(super) async fn enable(services: &Services, enable: Enable) -> Result<Value, Fault> {
    let (name, port) = (enable.service.name.clone(), enable.service.port);
    if !services.enter(enable).await? {
        let text = format!("the board has {MAX_SERVICES} services already; disable one first");
        return Err(Fault::new(Kind::Exhausted, text));
    }
    tracing::info!(%name, %port, "service enabled");
    Ok(Value::String(match services.link_up(LINK_PATIENCE).await {
        LinkState::Up => format!("service {name} enabled"),
        LinkState::Down => format!("service {name} enabled; its link is being established"),
    }))
}

/// Takes the service out; one that is not there is as good as taken out.
pub(super) async fn disable(services: &Services, service: Service) -> Result<Value, Fault> {
    services.remove(service.uuid).await?;
    tracing::info!(name = %service.name, "service disabled");
    Ok(Value::String(format!("service {} disabled", service.name)))
}

/// The table.
pub(super) fn status(services: &Services) -> Result<Value, Fault> {
    answer(services.status())
}

impl From<crate::home::Error> for Fault {
    fn from(error: crate::home::Error) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}
