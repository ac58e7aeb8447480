//! An upstream board in a few lines: anonymous, keyword arguments, one registration for each procedure, text results.

use crate::machine::dial;
use crate::world::{World, eventually, free_port};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use iotronic::settings::Projects;
use model::BoardId;
use model::board::Status;
use model::facts::Facts;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::boards::NewBoard;
use store::upstream::UpstreamBoard;
use wamp::{
    Anonymous, Arguments, CallError, CallOptions, ClientSettings, Invocation, Match, RequestError,
    Roles, Serialiser, Session,
};

/// What a board does with a call: method and positional arguments to a WampMessage.
pub(crate) type Habit = Arc<dyn Fn(String, Vec<Value>) -> BoxFuture<'static, Value> + Send + Sync>;

/// Methods and their arguments, in order.
pub(crate) type Seen = Arc<Mutex<Vec<(String, Vec<Value>)>>>;

pub(crate) const METHODS: [&str; 18] = [
    "DeviceEcho",
    "DeviceReboot",
    "DeviceUpgradeLR",
    "DevicePkgOperation",
    "DeviceMountFs",
    "DeviceRestSubmit",
    "DeviceFactoryReset",
    "PluginInject",
    "PluginCall",
    "PluginStart",
    "PluginStop",
    "PluginStatus",
    "PluginRemove",
    "ServiceEnable",
    "ServiceDisable",
    "ServiceRestore",
    "ServicesStatus",
    "DevicePing",
];

pub(crate) struct Rod {
    pub(crate) id: BoardId,
    pub(crate) session: Session,
    /// What it was called for, in order.
    pub(crate) seen: Seen,
}

/// A world that lets upstream boards in, at the same ports whenever it is started.
pub(crate) async fn open_world() -> World {
    open_world_for(Projects::every()).await
}

pub(crate) async fn open_world_for(projects: Projects) -> World {
    World::with(|settings| {
        settings.legacy.enabled = true;
        settings.legacy.projects = projects;
        settings.wamp.listen.set_port(free_port());
        settings.wstun.listen.set_port(free_port());
    })
    .await
}

/// A board as `POST /v1/boards` makes it.
pub(crate) async fn created(world: &World, name: &str, code: &str) -> BoardId {
    let id = BoardId::new();
    let new = NewBoard {
        id,
        name: name.parse().unwrap(),
        project: world.project.clone(),
        owner: world.user.clone(),
        fleet: None,
        public_key: None,
        labels: Default::default(),
        position: None,
        facts: Facts::default(),
    };
    let upstream = UpstreamBoard::new(id, Some(code.to_owned()));
    let job = world.store().write(move |tx| {
        Box::pin(async move {
            store::boards::create(tx, new).await?;
            store::upstream::create(tx, &upstream).await
        })
    });
    job.await.unwrap();
    id
}

pub(crate) async fn join(address: SocketAddr, serialiser: Serialiser) -> Session {
    let socket = dial(address, "/", &[serialiser.subprotocol()]).await;
    let settings = ClientSettings::default();
    wamp::connect(socket, serialiser, rpc::REALM, Roles::default(), Anonymous, settings)
        .await
        .unwrap()
}

/// Calls the cloud with keyword arguments.
pub(crate) async fn call(
    session: &Session,
    procedure: &str,
    keywords: Value,
) -> Result<Value, CallError> {
    let Value::Object(keywords) = keywords else { panic!("keyword arguments are an object") };
    let options = CallOptions::within(Duration::from_secs(10));
    let answer = session.call(procedure, Arguments::keywords(keywords), options).await?;
    Ok(answer.list.into_iter().next().unwrap())
}

/// The same of what answers with a WampMessage.
pub(crate) async fn ask(session: &Session, procedure: &str, keywords: Value) -> Value {
    let text = call(session, procedure, keywords).await.unwrap();
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

/// Presents a code.
pub(crate) async fn register(session: &Session, code: &str) -> Value {
    let said = json!({ "code": code, "session": session.id() });
    ask(session, "stack4things.register", said).await
}

/// Says which board it is.
pub(crate) async fn connect(session: &Session, board: BoardId, version: &str) -> Value {
    let info = json!({ "lr_version": version, "connectivity": { "iface": "eth0", "mac": "m" } });
    let said = json!({ "uuid": board, "session": session.id(), "info": info });
    ask(session, "iotronic.stack4things.connection", said).await
}

/// Offers one procedure.
pub(crate) async fn offer(
    session: &Session,
    board: BoardId,
    method: &str,
    seen: &Seen,
    habit: &Habit,
) -> Result<u64, RequestError> {
    let (seen, habit, name) = (Arc::clone(seen), Arc::clone(habit), method.to_owned());
    let answer = move |invocation: Invocation| {
        let list = invocation.arguments.list;
        seen.lock().unwrap().push((name.clone(), list.clone()));
        let answer = habit(name.clone(), list);
        async move { Ok(Arguments::one(answer.await.to_string())) }.boxed()
    };
    let procedure = format!("iotronic.{}.{board}.{method}", session.id());
    session.register(&procedure, Match::Exact, Arc::new(answer)).await
}

impl Rod {
    /// Connects an existing board and registers everything.
    pub(crate) async fn back(
        world: &World,
        id: BoardId,
        (serialiser, version): (Serialiser, &str),
        habit: Habit,
    ) -> Self {
        let session = join(world.upstream().wamp, serialiser).await;
        let answer = connect(&session, id, version).await;
        assert_eq!(answer, json!({ "message": "", "result": "SUCCESS" }));
        let seen = Seen::default();
        for method in METHODS {
            offer(&session, id, method, &seen, &habit).await.unwrap();
        }
        world.until_status(id, Status::Online).await;
        Self { id, session, seen }
    }

    /// A new board, from its code to being online.
    pub(crate) async fn online(world: &World, name: &str, habit: Habit) -> Self {
        Self::online_as(world, name, (Serialiser::Json, "0.5.0"), habit).await
    }

    pub(crate) async fn online_as(
        world: &World,
        name: &str,
        kind: (Serialiser, &str),
        habit: Habit,
    ) -> Self {
        let id = created(world, name, name).await;
        let first = join(world.upstream().wamp, kind.0).await;
        assert_eq!(register(&first, name).await["result"], "SUCCESS");
        first.close();
        first.closed().await;
        Self::back(world, id, kind, habit).await
    }

    /// What it was called for, by this method.
    pub(crate) fn calls(&self, method: &str) -> Vec<Vec<Value>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(name, _)| name == method).map(|(_, list)| list.clone()).collect()
    }

    pub(crate) async fn until_called(&self, method: &str) -> Vec<Value> {
        eventually(&format!("{method} is called"), || async {
            self.calls(method).pop().ok_or("not called")
        })
        .await
    }
}

/// Answers everything with its name.
pub(crate) fn willing() -> Habit {
    habit(|method, _| json!({ "message": method, "result": "SUCCESS" }))
}

pub(crate) fn habit(answer: impl Fn(String, Vec<Value>) -> Value + Send + Sync + 'static) -> Habit {
    Arc::new(move |method, list| {
        let answer = answer(method, list);
        async move { answer }.boxed()
    })
}
