//! Services on boards: routes 14 to 17 of upstream's table.

use super::actions::{ask, ended, order, present, text};
use super::boards;
use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{invalid, missing, translated};
use super::services;
use super::view::time;
use crate::app;
use crate::app::access::Caller;
use crate::app::exposures;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::Path;
use axum::Json;
use axum::extract::State;
use model::Kind;
use rpc::Call;
use serde_json::{Value, json};
use store::exposures::ExposureRow;

/// `GET /v1/boards/{board}/services`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Value>> {
    let board = boards::find(&cloud, &asker.0, &board).await?.id.to_string();
    exposed(&cloud, &asker.0, &board).await
}

async fn exposed(cloud: &Cloud, caller: &Caller, board: &str) -> Answer<Json<Value>> {
    let rows = exposures::list(cloud, caller, board).await.map_err(translated)?;
    let rows: Vec<Value> = rows.iter().map(view).collect();
    Ok(Json(json!({ "exposed": rows })))
}

/// `POST /v1/boards/{board}/services/{service}/action`.
pub(super) async fn act(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path((board, service)): Path<(String, String)>,
    raw: Raw,
) -> Answer<Json<Value>> {
    let body = Attributes::read(&raw, "ServiceAction", &["action", "parameters"], Use::Make)?;
    let action = body.wanted("action", "Action")?;
    boards::find(&cloud, &asker.0, &board).await?;
    let service = services::find(&cloud, &asker.0, &service).await?.id.to_string();
    let board = present(&cloud, &asker.0, &board).await?;
    let (id, order) = (board.id.to_string(), order(&asker.0)?);
    let (given, silent) = match action.as_str() {
        "ServiceEnable" => {
            let which = (id.as_str(), service.as_str());
            (
                exposures::enable(&cloud, &asker.0, which, None, order).await,
                "Cloud service exposed.",
            )
        }
        "ServiceDisable" => (
            exposures::disable(&cloud, &asker.0, &id, &service, order).await,
            "Cloud service disabled.",
        ),
        "ServiceRestore" => {
            (exposures::restore(&cloud, &asker.0, &id, &service, order).await, "service restored.")
        }
        _ => return Err(invalid(format_args!("Invalid Action {action} for the service."))),
    };
    let row = given.map_err(|error| refused(&service, error))?;
    Ok(text(ended(&board, &action, row)?, silent))
}

fn refused(service: &str, error: app::Error) -> Failure {
    match error.kind() {
        Kind::NotFound => missing("ExposedService", service),
        // Upstream says so when no port is left.
        Kind::Exhausted => Failure::new(Kind::NotFound, error.to_string()),
        _ => translated(error),
    }
}

/// `GET /v1/boards/{board}/services/restore`: tells the board of all its services again. Upstream made it a GET.
pub(super) async fn restore(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Value>> {
    let board = present(&cloud, &asker.0, &board).await?;
    let id = board.id.to_string();
    for row in exposures::list(&cloud, &asker.0, &id).await.map_err(translated)? {
        let service = row.service.to_string();
        let given = exposures::restore(&cloud, &asker.0, &id, &service, order(&asker.0)?).await;
        ended(&board, "ServiceRestore", given.map_err(|error| refused(&service, error))?)?;
    }
    exposed(&cloud, &asker.0, &id).await
}

/// `GET /v1/boards/{board}/services/status`.
pub(super) async fn status(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Value>> {
    let board = present(&cloud, &asker.0, &board).await?;
    let said = ask(&cloud, &asker.0, &board, "ServicesStatus", Call::ServicesStatus).await?;
    Ok(text(said, ""))
}

/// Upstream never changes an exposure, so `updated_at` stays empty.
fn view(row: &ExposureRow) -> Value {
    json!({
        "service": row.service,
        "public_port": row.public_port,
        "created_at": time(row.created_at),
        "updated_at": null,
    })
}
