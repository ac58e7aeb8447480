//! From the arguments and answers of native boards to those of upstream ones, where they differ.
//!
//! Invariant: what an upstream agent cannot do is refused here in words, before anything goes out.

use model::plugin::{RunState, Visibility};
use model::{Kind, PluginId};
use rpc::envelope::Verdict;
use rpc::{Call, Envelope, Fault, Method, pickle};
use serde_json::{Value, json};
use store::Store;
use store::plugins::PluginRow;

/// The arguments after the request row. Methods that only upstream has pass as they are.
pub(super) async fn ask(
    store: &Store,
    method: &str,
    mut arguments: Vec<Value>,
) -> Result<Vec<Value>, Fault> {
    let Ok(method) = method.parse::<Method>() else { return Ok(arguments) };
    if matches!(method, Method::DeviceUpgradeLR | Method::DevicePkgOperation) {
        super::shell::check(&Call::parse(method, &arguments)?)?;
    }
    match method {
        Method::DeviceLogs
        | Method::PluginLogs
        | Method::OperationCancel
        | Method::DeviceRotateKey
        | Method::RightsEpoch => {
            return Err(lacking(method));
        }
        Method::PluginInject => {
            if let Some(plugin) = arguments.first_mut() {
                *plugin = travelling(store, plugin.take()).await;
            }
        }
        Method::PluginCall | Method::PluginStart | Method::PluginReboot => {
            parameters(store, &mut arguments).await;
        }
        Method::ServiceEnable | Method::ServiceRestore | Method::ServiceDisable => {
            if let Some(Value::Object(service)) = arguments.first_mut() {
                service.insert("protocol".into(), "TCP".into());
            }
        }
        Method::DevicePing
        | Method::DeviceEcho
        | Method::DeviceReboot
        | Method::DeviceRestartLR
        | Method::DeviceNetConfig
        | Method::DeviceUpgradeLR
        | Method::DevicePkgOperation
        | Method::DeviceMountFs
        | Method::DeviceRestSubmit
        | Method::DeviceFactoryReset
        | Method::PluginRemove
        | Method::PluginStop
        | Method::PluginStatus
        | Method::ServicesStatus
        | Method::TerminalOpen
        | Method::ForwardOpen => {}
    }
    Ok(arguments)
}

fn lacking(method: Method) -> Fault {
    Fault::new(
        Kind::Conflict,
        format!("upstream's agent has no {}; replace it by lightning-rod to get it", method.word()),
    )
}

/// A plugin as upstream's cloud sends it: its whole row, the source pickled.
async fn travelling(store: &Store, native: Value) -> Value {
    let code = native.get("code").and_then(Value::as_str).map(pickle::emit);
    let row = plugin(store, native.get("uuid")).await;
    let mut upstream = json!({
        "uuid": native.get("uuid"),
        "name": native.get("name"),
        "code": code,
        "callable": native.get("callable"),
        "parameters": native.get("parameters"),
        "public": false,
        "extra": {},
    });
    if let (Some(row), Value::Object(object)) = (row, &mut upstream) {
        object.insert("id".into(), row.serial.into());
        object.insert("owner".into(), row.owner.to_string().into());
        object.insert("public".into(), (row.visibility == Visibility::Public).into());
        object.insert("extra".into(), row.extra);
    }
    upstream
}

/// Null stands for the plugin's own parameters, which upstream's agents do not know.
async fn parameters(store: &Store, arguments: &mut [Value]) {
    let [id, given] = arguments else { return };
    if given.is_null() {
        let own = plugin(store, Some(id)).await.map(|row| row.parameters);
        *given = own.filter(Value::is_object).unwrap_or_else(|| json!({}));
    }
}

async fn plugin(store: &Store, id: Option<&Value>) -> Option<PluginRow> {
    let id: PluginId = id?.as_str()?.parse().ok()?;
    store::plugins::by_id(store, None, id).await.ok()
}

/// A board's answer in the shape of a native board, where the rest of the cloud reads one.
pub(super) fn understand(method: &str, subject: Option<&Value>, envelope: Envelope) -> Envelope {
    let is_done = matches!(envelope.result, Verdict::Success | Verdict::Warning);
    let message = match method.parse::<Method>() {
        Ok(Method::PluginStatus) if is_done => status(subject, &envelope.message),
        _ => None,
    };
    // An upstream board knows no kinds.
    let envelope = Envelope { kind: None, ..envelope };
    match message {
        Some(message) => Envelope { message, ..envelope },
        None => envelope,
    }
}

/// Upstream says ALIVE or DEAD.
fn status(plugin: Option<&Value>, said: &Value) -> Option<Value> {
    let state = match said.as_str()? {
        "ALIVE" => RunState::Running,
        "DEAD" => RunState::Stopped,
        _ => return None,
    };
    Some(json!({ "plugin": plugin?, "state": state }))
}
