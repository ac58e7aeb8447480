//! An upstream board in a few lines, for the replay of the script: it registers with its code, connects, and answers as the
//! board behind the upstream server of `upstream/server.py` does.

use serde_json::{Value, json};
use std::time::Duration;
use testkit::upstream::cloud::REALM;
use tokio::net::TcpStream;
use wamp::{
    Anonymous, Arguments, BoxFuture, CallOptions, ClientSettings, Fault, Invocation, Match, Roles,
    Serialiser, Session,
};

/// Longest wait for the cloud.
const ANSWER: Duration = Duration::from_secs(60);
/// Largest message either way.
const MAX_MESSAGE: usize = 16 << 20;
/// What it can do; the last is what tells the cloud that it is ready.
const METHODS: [&str; 19] = [
    "DeviceEcho",
    "DeviceNetConfig",
    "DeviceReboot",
    "DeviceRestartLR",
    "DeviceUpgradeLR",
    "DevicePkgOperation",
    "DeviceFactoryReset",
    "PluginInject",
    "PluginCall",
    "PluginStart",
    "PluginStop",
    "PluginStatus",
    "PluginReboot",
    "PluginRemove",
    "ServiceEnable",
    "ServiceDisable",
    "ServiceRestore",
    "ServicesStatus",
    "DevicePing",
];

/// One that is connected; it is gone with the value.
pub(crate) struct Rod {
    session: Session,
    runtime: tokio::runtime::Runtime,
}

impl Rod {
    /// Registers with the code and connects.
    pub(crate) fn connect(at: &str, board: &str, code: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let session = runtime.block_on(async {
            let session = join(at).await;
            let said = json!({ "code": code, "session": session.id() });
            let answer = ask(&session, "stack4things.register", said).await;
            assert_eq!(answer["result"], "SUCCESS", "{answer}");
            let agent = answer["message"]["iotronic"]["board"]["agent"].as_str().unwrap();
            let info = json!({ "lr_version": "0.5.0", "connectivity": {} });
            let said = json!({ "uuid": board, "session": session.id(), "info": info });
            let answer = ask(&session, &format!("{agent}.stack4things.connection"), said).await;
            assert_eq!(answer["result"], "SUCCESS", "{answer}");
            for method in METHODS {
                let procedure = format!("iotronic.{}.{board}.{method}", session.id());
                let handler = std::sync::Arc::new(
                    move |invocation: Invocation| -> BoxFuture<Result<Arguments, Fault>> {
                        let said = answer_of(method, &invocation.arguments.list).to_string();
                        Box::pin(async move { Ok(Arguments::one(said)) })
                    },
                );
                session.register(&procedure, Match::Exact, handler).await.unwrap();
            }
            session
        });
        Self { session, runtime }
    }

    /// Goes away.
    pub(crate) fn leave(self) {
        self.session.close();
        self.runtime.block_on(self.session.closed());
    }
}

async fn join(at: &str) -> Session {
    let tcp = TcpStream::connect(at).await.unwrap();
    let serialiser = Serialiser::Json;
    let limits = websocket::Limits { max_message: MAX_MESSAGE };
    let protocols = [serialiser.subprotocol()];
    let (socket, _) =
        websocket::handshake::client(tcp, at, "/", &protocols, &[], limits).await.unwrap();
    let settings = ClientSettings { queue_bytes: MAX_MESSAGE, ..ClientSettings::default() };
    wamp::connect(socket, serialiser, REALM, Roles::default(), Anonymous, settings).await.unwrap()
}

async fn ask(session: &Session, procedure: &str, keywords: Value) -> Value {
    let Value::Object(keywords) = keywords else { panic!("keyword arguments are an object") };
    let call = session.call(procedure, Arguments::keywords(keywords), CallOptions::within(ANSWER));
    let answer = call.await.unwrap();
    serde_json::from_str(answer.list[0].as_str().unwrap()).unwrap()
}

/// The WampMessage, in the words of upstream's boards.
fn answer_of(method: &str, list: &[Value]) -> Value {
    let now = "2026-01-01T00:00:00.000000";
    let first = list.get(1).cloned().unwrap_or_default();
    let (message, result) = match (method, first["say"].as_str()) {
        ("DevicePing", _) => (json!(format!("board @ {now}")), "SUCCESS"),
        ("DeviceEcho", Some("fail")) => (json!("the board says no"), "ERROR"),
        ("DeviceEcho", Some("warn")) => (json!("the board warns"), "WARNING"),
        ("DeviceEcho", say) => (json!(format!("{} @ {now}", say.unwrap_or_default())), "SUCCESS"),
        ("DeviceNetConfig", _) => (json!({ "lo": { "address": "127.0.0.1" } }), "SUCCESS"),
        ("DeviceReboot" | "DeviceRestartLR", _) => {
            (json!(format!("{method} in few seconds")), "SUCCESS")
        }
        ("DeviceUpgradeLR" | "DevicePkgOperation", _) => (json!(method), "RUNNING"),
        ("PluginInject", _) => (json!("PluginInject result: INJECTED"), "SUCCESS"),
        ("PluginCall", _) => {
            let parameters = python(list.get(2).unwrap_or(&Value::Null));
            (json!(format!("PluginCall result: {parameters}")), "SUCCESS")
        }
        ("PluginStart", _) => (json!("PluginStart result: STARTED"), "SUCCESS"),
        ("PluginStop", _) => (json!("STOPPED"), "SUCCESS"),
        ("PluginStatus", _) => (json!("PluginStatus result: ALIVE"), "SUCCESS"),
        ("PluginReboot", _) => (json!("REBOOTED"), "SUCCESS"),
        ("PluginRemove", _) => (json!("PluginRemove result: removed!"), "SUCCESS"),
        ("ServiceEnable", _) => (json!("Cloud service exposed."), "SUCCESS"),
        ("ServiceDisable", _) => (json!("Cloud service disabled."), "SUCCESS"),
        ("ServiceRestore", _) => (json!("service restored."), "SUCCESS"),
        _ => (json!(format!("{method} done")), "SUCCESS"),
    };
    json!({ "message": message, "result": result, "req_id": list.first().map(|req| &req["uuid"]) })
}

/// JSON with blanks, as Python writes it.
fn python(value: &Value) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(list) => format!("[{}]", join(list.iter().map(python).collect())),
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| format!("{}: {}", json!(name), python(value));
            format!("{{{}}}", join(fields.iter().map(field).collect()))
        }
        other => other.to_string(),
    }
}
