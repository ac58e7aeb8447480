//! The real upstream board agent at our cloud: it registers, comes online, does what it is told, survives restarts of both
//! sides, and is given up.
//!
//! The cloud runs in the test's own process, because a legacy board is made by what `/v1` calls.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use api::client::{Client, Method, Trust};
use iotronic::serve::{self, Serving};
use iotronic::settings::{Projects, Settings};
use model::access::{Principal, Role};
use model::board::Status;
use model::operation::State;
use model::plugin::{Language, OnBoot};
use model::service::{ExposureState, Port, Protocol};
use model::{BoardId, OperationId, PluginId, ProjectId, ServiceId, UserId};
use rpc::device::{Mount, MountCommand, PackageOperation, RestSubmission, Upgrade};
use rpc::plugin::{Inject, Limits, Plugin, Run, Stop};
use rpc::service::{Enable, Service};
use rpc::{Call, Nature};
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use store::operations::{NewOperation, OperationRow};
use store::upstream::UpstreamBoard;
use tempfile::TempDir;
use testkit::upstream::lightning_rod::{Board, CONF, first_settings};
use testkit::{Need, PackageManagers, Program, lacks, until};
use tokio::runtime::Runtime;

/// Interpreter, modules and a re-execution, on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Any one call.
const CALL: Duration = Duration::from_secs(60);
const CODE: &str = "CODE-é-1";
const SOURCE: &str = "from iotronic_lightningrod.modules.plugins import Plugin\n\nclass Worker(Plugin.Plugin):\n    \
    def run(self):\n        self.q_result.put(\"你 \\\"q\\\" 'n' \\\\ \\n💡 \" + str(self.params))\n";
const FOREVER: &str = "from iotronic_lightningrod.modules.plugins import Plugin\nimport time\n\nclass Worker(Plugin.Plugin):\n    \
    def run(self):\n        while self._is_running:\n            time.sleep(0.1)\n";

struct Cloud {
    runtime: Runtime,
    settings: Settings,
    folder: TempDir,
    serving: Option<Serving>,
    project: ProjectId,
    user: UserId,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Plain,
    Encrypted,
}

impl Cloud {
    fn start(at: Ipv4Addr, wire: Wire) -> Self {
        let mut settings = Settings::default();
        settings.api.listen = SocketAddr::from((at, 0));
        settings.api.allow_plain = true;
        settings.tls.internal = wire == Wire::Encrypted;
        settings.legacy.enabled = true;
        settings.legacy.projects = Projects::every();
        settings.wamp.listen = SocketAddr::from((at, 8181));
        settings.wstun.listen = SocketAddr::from((at, 8080));
        settings.services.listen = IpAddr::V4(at);
        settings.limits.grace_s = 2;
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (project, user) = (ProjectId::new(), UserId::new());
        let mut cloud = Self { runtime, settings, folder, serving: None, project, user };
        cloud.resume();
        if wire == Wire::Plain {
            // Boards of the project in which the administrator works.
            let own: Value = cloud.person().get("/identity/v3/auth/projects").unwrap();
            cloud.project = own["projects"][0]["id"].as_str().unwrap().parse().unwrap();
        }
        cloud
    }

    fn resume(&mut self) {
        let options = store::Options::default();
        let started = serve::start(self.folder.path(), self.settings.clone(), options);
        self.serving = Some(self.runtime.block_on(started).unwrap());
    }

    fn stop(&mut self) {
        self.runtime.block_on(self.serving.take().unwrap().finish());
    }

    fn url(&self) -> String {
        self.settings.wamp_url(&self.cloud().public_url, self.settings.wamp.listen)
    }

    fn cloud(&self) -> &iotronic::cloud::Cloud {
        &self.serving.as_ref().unwrap().cloud
    }

    fn make_board(&self) -> BoardId {
        let id = BoardId::new();
        let new = store::boards::NewBoard {
            id,
            name: "rod".parse().unwrap(),
            project: self.project.clone(),
            owner: self.user.clone(),
            fleet: None,
            public_key: None,
            labels: Default::default(),
            position: None,
            facts: Default::default(),
        };
        let upstream = UpstreamBoard::new(id, Some(CODE.into()));
        let job = self.cloud().store.write(move |tx| {
            Box::pin(async move {
                store::boards::create(tx, new).await?;
                store::upstream::create(tx, &upstream).await
            })
        });
        self.runtime.block_on(job).unwrap();
        id
    }

    /// Whoever is named in `admin.json`.
    fn person(&self) -> Client {
        testkit::administrator(&self.cloud().public_url, &Trust::Public, self.folder.path())
    }

    fn status(&self, id: BoardId) -> Status {
        let row = store::boards::by_id(&self.cloud().store, None, id);
        self.runtime.block_on(row).unwrap().status
    }

    fn until_status(&self, board: &mut Board, id: BoardId, wanted: Status) {
        until(&format!("the board to be {wanted}"), START, || {
            let now = self.status(id);
            if now == wanted { Ok(()) } else { Err(format!("{now}\n{}", tail(&board.logs()))) }
        });
    }

    fn query(&self, id: BoardId, call: Call) -> Result<Value, rpc::Fault> {
        let principal = Principal {
            user: self.user.clone(),
            project: self.project.clone(),
            roles: vec![Role::AdminIotProject],
        };
        let asked = async {
            let row = store::boards::by_id(&self.cloud().store, None, id).await.unwrap();
            self.cloud().boards.query(&row, &principal, call, CALL).await
        };
        self.runtime.block_on(asked)
    }

    /// A command that has to succeed; its result.
    fn command(&self, board: BoardId, call: Call) -> Value {
        let row = self.ended(board, call);
        assert_eq!(row.state, State::Succeeded, "{row:?}");
        row.result.unwrap_or_default()
    }

    /// A command at its end.
    fn ended(&self, board: BoardId, call: Call) -> OperationRow {
        let id = self.begin(board, call);
        self.end(id)
    }

    fn begin(&self, board: BoardId, call: Call) -> OperationId {
        let id = OperationId::new();
        let new = NewOperation {
            id,
            project: self.project.clone(),
            board,
            method: call.method().word().to_owned(),
            arguments: Value::Array(call.arguments()),
            idempotent: call.method().nature() == Nature::Idempotent,
            created_by: Some(self.user.clone()),
            deadline: self.cloud().now().after(CALL),
            subject: None,
            start: store::operations::Start::Pending,
            main: None,
            delegation: None,
        };
        let job = self
            .cloud()
            .store
            .write(move |tx| Box::pin(async move { store::operations::submit(tx, new).await }));
        self.runtime.block_on(job).unwrap();
        self.cloud().boards.ring(board);
        id
    }

    fn end(&self, id: OperationId) -> OperationRow {
        until("the end of a command", CALL, || {
            let row = store::operations::get(&self.cloud().store, None, id);
            let row = self.runtime.block_on(row).unwrap();
            if row.state.has_ended() { Ok(row) } else { Err(row.state.to_string()) }
        })
    }

    /// What stands in the history of a command.
    fn notes(&self, id: OperationId) -> Vec<String> {
        let steps = store::operations::history(&self.cloud().store, id);
        self.runtime.block_on(steps).unwrap().into_iter().map(|step| step.note).collect()
    }

    /// A service of the board, reserved and open here.
    fn expose(&self, board: BoardId, port: u16) -> Enable {
        let new = store::services::NewService {
            id: ServiceId::new(),
            name: "greet".parse().unwrap(),
            project: self.project.clone(),
            port: Port::try_from(u32::from(port)).unwrap(),
            protocol: Protocol::Tcp,
            extra: json!({}),
        };
        let (service, ports) = (new.id, self.settings.services.ports.range());
        let job = self.cloud().store.write(move |tx| {
            Box::pin(async move {
                store::services::create(tx, new).await?;
                store::exposures::reserve(tx, board, service, ports, None).await?;
                store::exposures::set_state(tx, board, service, ExposureState::Enabled).await
            })
        });
        let exposure = self.runtime.block_on(job).unwrap();
        self.runtime.block_on(self.cloud().ingress.open(&exposure)).unwrap();
        let service = Service {
            uuid: exposure.service,
            name: exposure.service_name.clone(),
            port: exposure.local_port,
            protocol: Protocol::Tcp,
        };
        let public_port = Port::try_from(u32::from(exposure.public_port.unwrap())).unwrap();
        Enable { service, public_port }
    }

    fn first_words(&self, port: Port) -> Result<String, String> {
        let address = SocketAddr::new(self.settings.services.listen, port.number());
        let mut client = TcpStream::connect(address).map_err(|error| error.to_string())?;
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut words = [0; 64];
        let read = client.read(&mut words).map_err(|error| error.to_string())?;
        if read == 0 {
            Err("nothing came".into())
        } else {
            Ok(String::from_utf8_lossy(&words[..read]).into())
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

fn plugin(name: &str, source: &str, callable: Callable) -> Plugin {
    Plugin {
        uuid: PluginId::new(),
        name: name.parse().unwrap(),
        code: source.into(),
        callable: callable == Callable::Yes,
        language: Language::Python,
        revision: 1,
        parameters: json!({}),
        limits: Limits::default(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Callable {
    Yes,
    No,
}

/// A service on the board that speaks first.
fn greeter(board: &Board) -> Program {
    let script = "import socket\ns = socket.create_server(('127.0.0.1', 7007))\nprint('up', flush=True)\nwhile True:\n    \
                  c, _ = s.accept()\n    c.sendall(b'hello from the board\\n')\n    c.recv(1)\n    c.close()\n";
    let mut command = board.island().command(Path::new("python3"));
    let log = board.path("greeter.log");
    let mut greeter = Program::start("a service", command.args(["-c", script]), &log);
    greeter.line(START, |line| (line == "up").then_some(()));
    greeter
}

/// A board that has registered and is online.
fn online(wire: Wire) -> (Cloud, Board, BoardId) {
    let mut board = Board::new();
    let cloud = Cloud::start(board.cloud_address(), wire);
    let id = cloud.make_board();
    board.configure(&first_settings(CODE, &cloud.url()), CONF);
    board.start();
    cloud.until_status(&mut board, id, Status::Online);
    (cloud, board, id)
}

fn echo(cloud: &Cloud, id: BoardId) {
    let say = "h\u{e9}llo \"you\" 'n'\n\\ \u{1f4a1}".to_owned();
    let said = cloud.query(id, Call::DeviceEcho(rpc::device::Echo { say: say.clone() })).unwrap();
    assert!(said.as_str().unwrap().starts_with(&say), "{said}");
}

#[test]
fn the_upstream_agent_lives_at_our_cloud() {
    if lacks(Need::Networks) {
        return;
    }
    let (mut cloud, mut board, id) = online(Wire::Plain);
    let settings = board.settings();
    assert_eq!(settings["iotronic"]["board"]["uuid"], json!(id));
    assert_eq!(settings["iotronic"]["board"]["status"], "operative");
    assert!(cloud.query(id, Call::DevicePing).is_ok());
    echo(&cloud, id);

    let once = plugin("once", SOURCE, Callable::Yes);
    let inject = |plugin: &Plugin| {
        Call::PluginInject(Box::new(Inject { plugin: plugin.clone(), on_boot: OnBoot::Wait }))
    };
    cloud.command(id, inject(&once));
    let path = format!("var/lib/iotronic/plugins/{0}/{0}.py", once.uuid);
    assert_eq!(std::fs::read_to_string(board.path(&path)).unwrap(), SOURCE);
    let run = |plugin: &Plugin| Run { plugin: plugin.uuid, parameters: json!({ "n": 1 }) };
    let said = cloud.command(id, Call::PluginCall(run(&once)));
    assert_eq!(said, "你 \"q\" 'n' \\ \n💡 {'n': 1}");
    let forever = plugin("forever", FOREVER, Callable::No);
    cloud.command(id, inject(&forever));
    cloud.command(id, Call::PluginStart(run(&forever)));
    let state = cloud.query(id, Call::PluginStatus(forever.uuid)).unwrap();
    assert_eq!(state["state"], "running");
    cloud.command(id, Call::PluginStop(Stop { plugin: forever.uuid, delay: 0 }));
    for plugin in [&once, &forever] {
        cloud.command(id, Call::PluginRemove(plugin.uuid));
    }
    assert!(!board.path(&path).exists());

    let _greeter = greeter(&board);
    let enable = cloud.expose(id, 7007);
    let port = enable.public_port;
    cloud.command(id, Call::ServiceEnable(enable.clone()));
    let said = until("bytes of the service", START, || cloud.first_words(port));
    assert_eq!(said, "hello from the board\n");

    cloud.stop();
    cloud.resume();
    cloud.until_status(&mut board, id, Status::Online);
    echo(&cloud, id);
    cloud.command(id, Call::ServiceDisable(enable.service));
    until("the port's end", START, || match cloud.first_words(port) {
        Err(_) => Ok(()),
        Ok(said) => Err(said),
    });

    board.kill9();
    cloud.until_status(&mut board, id, Status::Offline);
    board.start();
    cloud.until_status(&mut board, id, Status::Online);
    echo(&cloud, id);
}

#[test]
fn the_upstream_agent_comes_online_over_tls() {
    if lacks(Need::Networks) {
        return;
    }
    let (cloud, board, id) = online(Wire::Encrypted);
    assert!(cloud.url().starts_with("wss://"));
    echo(&cloud, id);
    let _greeter = greeter(&board);
    let enable = cloud.expose(id, 7007);
    cloud.command(id, Call::ServiceEnable(enable.clone()));
    let said = until("bytes of the service", START, || cloud.first_words(enable.public_port));
    assert_eq!(said, "hello from the board\n");
}

#[test]
fn the_upstream_agent_does_upstreams_actions_alone_and_as_parts_of_a_larger_request() {
    if lacks(Need::Networks) {
        return;
    }
    let (cloud, board, id) = online(Wire::Plain);
    let mounts = Call::DeviceMountFs(Mount { mnt_cmd: MountCommand::Status });
    let said = cloud.command(id, mounts.clone());
    assert!(said.as_str().unwrap().contains(" /proc "), "{said}");
    // Not its own page: upstream's agent answers nobody while it asks.
    let _plug = plug(&board);
    let asked = json!({ "url": "http://127.0.0.1:7009/plug", "method": "GET" });
    let asked = RestSubmission(asked.as_object().unwrap().clone());
    let rest = Call::DeviceRestSubmit(Box::new(asked));
    let said = cloud.command(id, rest.clone());
    assert_eq!(said, json!({ "on": true }));

    // What takes long is answered twice: by a program on the board's path that ends when it is told to.
    let path = board.path("opt/s4t");
    PackageManagers::put_into(&path);
    let package = Call::DevicePkgOperation(PackageOperation {
        manager: "apt".into(),
        command: "install".into(),
        package: PackageManagers::SLOW.into(),
        options: "-y".into(),
        version: String::new(),
    });
    let slow = cloud.begin(id, package);
    let goes_on =
        format!("goes on: Executing 'install' operation on package '{}'", PackageManagers::SLOW);
    until("the word that it goes on", CALL, || {
        let notes = cloud.notes(slow);
        if notes.contains(&goes_on) { Ok(()) } else { Err(format!("{notes:?}")) }
    });
    PackageManagers::go_on_in(&path);
    let row = cloud.end(slow);
    assert_eq!(row.state, State::Succeeded, "{row:?}");
    let evil =
        Call::DeviceUpgradeLR(Upgrade { version: "1;touch /etc/x".into(), ..Upgrade::default() });
    let row = cloud.ended(id, evil);
    assert_eq!(row.state, State::Failed, "{row:?}");
    assert!(!board.path("etc/x").exists());

    let apt = |package: &str| {
        let parameters =
            json!({ "manager": "apt", "command": "install", "package": package, "options": "-y" });
        json!({ "action": "DevicePkgOperation", "parameters": parameters })
    };

    // As a part of a larger request it says RUNNING to all of these, and how they ended later; that may come before the
    // RUNNING is in the history.
    let person = cloud.person();
    let fleet: Value = person.post("/v2/fleets", &json!({ "name": "f" })).unwrap();
    let change = json!({ "fleet": fleet["id"], "labels": { "kind": "rod" } });
    let path = format!("/v2/boards/{id}");
    let _: Value = person.request(&Method::PATCH, &path, Some(&change), &[]).unwrap();
    let echo = json!({ "action": "DeviceEcho", "parameters": { "say": "to all" } });
    let rest = json!({ "action": rest.method().word(), "parameters": rest.arguments()[0] });
    let mounts = json!({ "action": mounts.method().word(), "parameters": mounts.arguments()[0] });
    for (action, wanted) in [
        (json!({ "action": "DevicePing" }), "SUCCESS"),
        (echo, "SUCCESS"),
        (json!({ "action": "DeviceNetConfig" }), "SUCCESS"),
        (mounts, "SUCCESS"),
        (rest, "SUCCESS"),
        (apt("vim"), "SUCCESS"),
        (apt(PackageManagers::MISSING), "ERROR"),
    ] {
        let asked: Value = person.post("/v2/fleets/f/actions", &action).unwrap();
        let results = ended_parts(&person, asked["main"].as_str().unwrap());
        assert_eq!(results.len(), 1, "{results:?}");
        assert_eq!(results[0]["result"], wanted, "{action}: {results:?}");
    }
    let line = |package: &str| format!("apt <-y> <install> <{package}>");
    let wanted = [PackageManagers::SLOW, "vim", PackageManagers::MISSING].map(line);
    assert_eq!(PackageManagers::done_in(&board.path("opt/s4t")), wanted);
    let new = json!({ "name": "once", "code": SOURCE, "callable": true });
    let _: Value = person.post("/v1/plugins", &new).unwrap();
    let many = json!({ "plugin": "once", "selector": "kind=rod" });
    let asked: Value = person.post("/v2/injections", &many).unwrap();
    let results = ended_parts(&person, asked[0]["main"].as_str().unwrap());
    assert_eq!(results[0]["result"], "SUCCESS", "{results:?}");
    let called: Value = person
        .post(&format!("/v1/boards/{id}/plugins/once"), &json!({ "action": "PluginCall" }))
        .unwrap();
    assert!(called.as_str().unwrap().contains('\u{4f60}'), "{called}");
}

/// Waits until all parts of a request to many boards have ended; their results, as upstream's API shows them.
fn ended_parts(person: &Client, main: &str) -> Vec<Value> {
    until("the end of all parts", CALL, || {
        let request: Value = person.get(&format!("/v1/requests/{main}")).unwrap();
        assert_eq!(request["type"], 1, "{request}");
        if request["pending_requests"] == 0 { Ok(()) } else { Err(request.to_string()) }
    });
    let results: Value = person.get(&format!("/v1/requests/{main}/results")).unwrap();
    results["results"].as_array().unwrap().clone()
}

/// Something near the board that speaks HTTP.
fn plug(board: &Board) -> Program {
    let script = "import http.server\nclass Plug(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        \
                  self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'{\"on\": true}')\n\
                  server = http.server.HTTPServer(('127.0.0.1', 7009), Plug)\nprint('up', flush=True)\n\
                  server.serve_forever()\n";
    let mut command = board.island().command(Path::new("python3"));
    let log = board.path("plug.log");
    let mut plug = Program::start("a plug", command.args(["-c", script]), &log);
    plug.line(START, |line| (line == "up").then_some(()));
    plug
}

/// A plugin as upstream's agent keeps it.
fn keep_plugin(board: &Board, plugin: &str, source: &str) {
    let folder = format!("var/lib/iotronic/plugins/{plugin}");
    std::fs::create_dir_all(board.path(&folder)).unwrap();
    std::fs::write(board.path(&format!("{folder}/{plugin}.py")), source).unwrap();
    std::fs::write(board.path(&format!("{folder}/{plugin}.json")), "{}").unwrap();
    let row = json!({
        "name": "once", "onboot": false, "callable": true, "status": "injected",
        "created_at": "2021-03-01T10:00:00", "injected_at": "2021-03-01T10:00:00", "updated_at": "",
    });
    let table = json!({ "plugins": { plugin: row } });
    std::fs::write(board.path("var/lib/iotronic/plugins.json"), table.to_string()).unwrap();
}

/// What a cloud of upstream's with one board and one plugin on it has in its database.
fn dump(board: BoardId, plugin: PluginId, project: &str, owner: &str) -> String {
    let code =
        rpc::pickle::emit(SOURCE).replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    format!(
        "CREATE TABLE `boards` (`created_at` datetime, `updated_at` datetime, `id` int(11), `uuid` varchar(36), \
         `code` varchar(36), `status` varchar(15), `name` varchar(255), `type` varchar(255), `agent` varchar(255), \
         `owner` varchar(36), `project` varchar(36), `fleet` varchar(36), `lr_version` varchar(20), `connectivity` text, \
         `mobile` tinyint(1), `config` text, `extra` text);\n\
         INSERT INTO `boards` VALUES ('2021-03-01 10:00:00',NULL,1,'{board}','OLD-CODE','offline','rod','generic',\
         'wagent-1','{owner}','{project}',NULL,'0.5.0','{{}}',0,'{{}}','{{}}');\n\
         CREATE TABLE `plugins` (`created_at` datetime, `updated_at` datetime, `id` int(11), `uuid` varchar(36), \
         `name` varchar(36), `owner` varchar(36), `public` tinyint(1), `code` text, `callable` tinyint(1), \
         `parameters` text, `extra` text);\n\
         INSERT INTO `plugins` VALUES ('2021-03-01 10:00:00',NULL,1,'{plugin}','once','{owner}',0,'{code}',1,'{{}}','{{}}');\n\
         CREATE TABLE `injection_plugins` (`created_at` datetime, `updated_at` datetime, `id` int(11), \
         `board_uuid` varchar(36), `plugin_uuid` varchar(36), `onboot` tinyint(1), `status` varchar(15));\n\
         INSERT INTO `injection_plugins` VALUES ('2021-03-01 10:00:00',NULL,1,'{board}','{plugin}',0,'updated');\n"
    )
}

#[test]
fn a_board_of_an_imported_cloud_connects_with_the_settings_it_has() {
    if lacks(Need::Networks) {
        return;
    }
    let mut board = Board::new();
    let mut cloud = Cloud::start(board.cloud_address(), Wire::Plain);
    let simple = || UserId::new().to_string();
    let (project, owner) = (simple(), simple());
    let (id, plugin) = (BoardId::new(), PluginId::new());
    // The setting names no project: the import itself opens the door.
    cloud.stop();
    cloud.settings.legacy.projects = Projects::default();
    let file = cloud.folder.path().join("dump.sql");
    std::fs::write(&file, dump(id, plugin, &project, &owner)).unwrap();
    let output = std::process::Command::new(testkit::program_path("iotronic"))
        .args(["import", "--allow-legacy", "--format", "json", "--data"])
        .arg(cloud.folder.path())
        .arg("--from")
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for noun in ["board", "plugin", "injection"] {
        assert_eq!(report["counts"][noun]["created"], 1, "{report:#}");
    }
    cloud.resume();
    cloud.project = project.parse().unwrap();
    assert_eq!(cloud.status(id), Status::Offline);

    // As its cloud and its agent left it: another agent's name, its plugin, and where its cloud was is where ours is.
    let agent = json!({ "url": cloud.url(), "realm": "s4t" });
    let settings = json!({ "iotronic": {
        "extra": {},
        "board": {
            "id": 1, "uuid": id, "code": "OLD-CODE", "status": "operative", "name": "rod", "type": "generic",
            "agent": "wagent-1", "owner": owner, "project": project, "fleet": null, "lr_version": "0.5.0",
            "connectivity": {}, "mobile": false, "extra": {}, "created_at": "2021-03-01T10:00:00",
            "updated_at": "2021-03-02T10:00:00",
            "location": { "longitude": "1", "latitude": "2", "altitude": "3", "updated_at": null },
        },
        "wamp": { "registration-agent": agent, "main-agent": agent },
    }});
    board.configure(&settings, CONF);
    keep_plugin(&board, &plugin.to_string(), SOURCE);
    board.start();
    cloud.until_status(&mut board, id, Status::Online);
    echo(&cloud, id);
    let run = Run { plugin, parameters: json!({ "n": 1 }) };
    assert_eq!(cloud.command(id, Call::PluginCall(run)), "你 \"q\" 'n' \\ \n💡 {'n': 1}");
    assert_eq!(board.settings(), settings, "nothing of it was touched");
    let injection = store::injections::get(&cloud.cloud().store, id, plugin);
    assert_eq!(
        cloud.runtime.block_on(injection).unwrap().times,
        2,
        "upstream had put it there twice"
    );
}
