//! Plugins on boards: routes 10 to 13 of upstream's table.

use super::actions::{ask, ended, order, present, text};
use super::boards;
use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{invalid, translated};
use super::plugins;
use super::view::time;
use crate::app;
use crate::app::injections::{self, Verb};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::Path;
use api::plugins::Run;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::Kind;
use model::plugin::{Mode, OnBoot};
use rpc::Call;
use serde_json::{Value, json};
use store::injections::InjectionRow;

/// `GET /v1/boards/{board}/plugins`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Value>> {
    let board = boards::find(&cloud, &asker.0, &board).await?.id.to_string();
    let rows = injections::list(&cloud, &asker.0, &board).await.map_err(translated)?;
    let rows: Vec<Value> = rows.iter().map(|(row, _)| view(row)).collect();
    Ok(Json(json!({ "injections": rows })))
}

/// `PUT /v1/boards/{board}/plugins`.
pub(super) async fn inject(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    raw: Raw,
) -> Answer<Json<Value>> {
    let body = Attributes::read(&raw, "Injection", &["plugin", "onboot", "force"], Use::Make)?;
    let plugin = body.wanted("plugin", "Plugin")?;
    let onboot = body.truth("onboot")?.unwrap_or_default();
    boards::find(&cloud, &asker.0, &board).await?;
    let plugin = plugins::find(&cloud, &asker.0, &plugin).await?;
    let board = present(&cloud, &asker.0, &board).await?;
    // Only asynchronous plugins start with the board; of others the wish means nothing, upstream's boards ignore it too.
    let starts = onboot && plugin.mode == Mode::Async;
    let on_boot = if starts { OnBoot::Start } else { OnBoot::Wait };
    let (id, plugin) = (board.id.to_string(), plugin.id.to_string());
    let row =
        injections::inject(&cloud, &asker.0, &id, &plugin, Some(on_boot), order(&asker.0)?).await;
    let said = ended(&board, "PluginInject", row.map_err(translated)?)?;
    Ok(text(said, "PluginInject result: INJECTED"))
}

/// `POST /v1/boards/{board}/plugins/{plugin}`.
pub(super) async fn act(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
    raw: Raw,
) -> Answer<Json<Value>> {
    let body = Attributes::read(&raw, "PluginAction", &["action", "parameters"], Use::Make)?;
    let action = body.wanted("action", "Action")?;
    let parameters = body.object("parameters")?.unwrap_or_default();
    let act = Act::read(&action)?;
    boards::find(&cloud, &asker.0, &board).await?;
    let plugin = plugins::find(&cloud, &asker.0, &plugin).await?;
    if matches!(act, Act::Run(_)) {
        complete(&plugin.parameters, &parameters)?;
    }
    let board = present(&cloud, &asker.0, &board).await?;
    let (id, name) = (board.id.to_string(), plugin.id.to_string());
    let which = (id.as_str(), name.as_str());
    let given = match act {
        Act::Status => {
            let found = injections::of_log(&cloud, &asker.0, &id, &name).await;
            found.map_err(refused)?;
            let said =
                ask(&cloud, &asker.0, &board, &action, Call::PluginStatus(plugin.id)).await?;
            return Ok(text(status(said), &action));
        }
        Act::Run(verb) => {
            injections::run(&cloud, &asker.0, which, verb, Run { parameters }, order(&asker.0)?)
                .await
        }
        Act::Stop => {
            let grace = delay(&parameters);
            injections::stop(&cloud, &asker.0, which, grace, order(&asker.0)?).await
        }
    };
    let row = given.map_err(refused)?;
    Ok(text(ended(&board, &action, row)?, act.silent()))
}

/// What a plugin is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Run(Verb),
    Stop,
    Status,
}

impl Act {
    fn read(action: &str) -> Result<Self, Failure> {
        match action {
            "PluginCall" => Ok(Self::Run(Verb::Call)),
            "PluginStart" => Ok(Self::Run(Verb::Start)),
            "PluginReboot" => Ok(Self::Run(Verb::Restart)),
            "PluginStop" => Ok(Self::Stop),
            "PluginStatus" => Ok(Self::Status),
            _ => Err(invalid(format_args!("Invalid Action {action} for the plugin."))),
        }
    }

    /// What upstream's boards say where ours say nothing.
    fn silent(self) -> &'static str {
        match self {
            Self::Run(Verb::Call) => "",
            Self::Run(Verb::Start) => "PluginStart result: STARTED",
            Self::Run(Verb::Restart) => "REBOOTED",
            Self::Stop => "STOPPED",
            Self::Status => "PluginStatus result: DEAD",
        }
    }
}

/// Upstream wants a value for every parameter that the plugin names.
fn complete(wanted: &Value, given: &Value) -> Result<(), Failure> {
    let is_missing = |name: &String| given.get(name).is_none();
    match wanted.as_object().and_then(|wanted| wanted.keys().find(|name| is_missing(name))) {
        Some(_) => Err(invalid("Parameters are different from the valid ones")),
        None => Ok(()),
    }
}

fn delay(parameters: &Value) -> Option<u32> {
    let delay = parameters.get("delay")?;
    let number = delay.as_u64().or_else(|| delay.as_str()?.parse().ok())?;
    u32::try_from(number).ok()
}

/// A native board describes what a plugin does; upstream's boards have two words for it.
fn status(said: Value) -> Value {
    match said.get("state").and_then(Value::as_str) {
        Some("running") => Value::from("PluginStatus result: ALIVE"),
        Some(_) => Value::from("PluginStatus result: DEAD"),
        None => said,
    }
}

/// A plugin that runs the other way, or that the board does not have.
fn refused(error: app::Error) -> Failure {
    match error.kind() {
        Kind::Conflict => invalid(error),
        Kind::NotFound => Failure::new(Kind::NotFound, "InjectionPlugin could not be found."),
        _ => translated(error),
    }
}

/// `DELETE /v1/boards/{board}/plugins/{plugin}`.
pub(super) async fn remove(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
) -> Answer<Response> {
    boards::find(&cloud, &asker.0, &board).await?;
    let plugin = plugins::find(&cloud, &asker.0, &plugin).await?.id.to_string();
    let board = present(&cloud, &asker.0, &board).await?;
    let id = board.id.to_string();
    let row = injections::remove(&cloud, &asker.0, &id, &plugin, order(&asker.0)?).await;
    ended(&board, "PluginRemove", row.map_err(refused)?)?;
    Ok(nothing())
}

fn view(row: &InjectionRow) -> Value {
    let is_updated = row.times > 1;
    json!({
        "plugin": row.plugin,
        "status": if is_updated { "updated" } else { "injected" },
        "onboot": row.on_boot == OnBoot::Start,
        "created_at": time(row.created_at),
        "updated_at": if is_updated { time(row.updated_at) } else { Value::Null },
    })
}
