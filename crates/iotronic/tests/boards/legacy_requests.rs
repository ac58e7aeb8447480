//! Upstream's board actions on their way to upstream boards, and requests to many boards of every kind at once.

use crate::machine::{board as native_board, obedient};
use crate::people::Person;
use crate::rod::{self, Habit, Rod, habit, open_world, willing};
use crate::world::{World, eventually};
use model::operation::State;
use model::{BoardId, FleetId, Kind};
use rpc::Call;
use rpc::device::{Mount, MountCommand, PackageOperation, RestSubmission, Upgrade};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use store::boards::BoardChange;
use store::events;
use store::fleets::NewFleet;
use wamp::Serialiser;

/// Upstream's agent: what belongs to a larger request, and what takes long, is answered RUNNING.
fn upstream() -> Habit {
    habit(|method, list| {
        let request = list.first().cloned().unwrap_or_default();
        let is_long = matches!(method.as_str(), "DeviceUpgradeLR" | "DevicePkgOperation");
        let in_group = request["main_request_uuid"].is_string();
        let result = if is_long || in_group { "RUNNING" } else { "SUCCESS" };
        json!({ "message": format!("{method} it is"), "result": result, "req_id": request["uuid"] })
    })
}

async fn notify(rod: &Rod, request: &Value, result: &str) {
    let message = json!({ "message": "at last", "result": result, "req_id": request["uuid"] });
    let said = json!({ "board_uuid": rod.id, "wampmessage": message.to_string() });
    let answer = rod::ask(&rod.session, "iotronic.stack4things.notify_result", said).await;
    assert_eq!(answer["message"], "notification_received", "{answer}");
}

/// What may be written in a shell to run something else.
const EVIL: &str = "$(reboot); `reboot` | reboot && reboot > /x 'a' \"b\" \\ \n é";

#[tokio::test]
async fn upstreams_actions_go_out_with_upstreams_words() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let rest = json!({ "url": EVIL, "method": EVIL, "headers": { EVIL: EVIL }, "json": [EVIL] });
    let package = PackageOperation {
        manager: "apt".into(),
        command: "install".into(),
        package: "vim".into(),
        options: "-y".into(),
        version: "2:9.0".into(),
    };
    for (call, sent) in [
        (
            Call::DeviceUpgradeLR(Upgrade { version: "0.5.0".into(), update_conf: true }),
            json!({ "version": "0.5.0", "update_conf": true }),
        ),
        (
            Call::DevicePkgOperation(package),
            json!({
                "manager": "apt", "command": "install", "package": "vim", "options": "-y",
                "version": "2:9.0",
            }),
        ),
        (
            Call::DeviceMountFs(Mount { mnt_cmd: MountCommand::ReadOnly }),
            json!({ "mnt_cmd": "mount_ro" }),
        ),
        (Call::DeviceRestSubmit(Box::new(RestSubmission(rest.as_object().unwrap().clone()))), rest),
        (Call::DeviceFactoryReset, json!({})),
    ] {
        let method = call.method().word();
        let id = world.command(rod.id, call).await;
        let row = world.until_state(id, State::Succeeded).await;
        assert_eq!(row.result, Some(json!(method)));
        let call = rod.calls(method).pop().unwrap();
        assert_eq!((&call[0]["uuid"], &call[0]["action"]), (&json!(id), &json!(method)));
        assert_eq!(call[1..], [sent]);
    }
}

#[tokio::test]
async fn words_for_the_shell_of_an_upstream_agent_never_reach_it() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let rod = Rod::online(&world, "lamp", willing()).await;
    let fleet = fleet_of(&world, &[rod.id]).await;
    let good = json!({
        "manager": "apt", "command": "install", "package": "vim", "options": "-y", "version": "1",
    });
    for field in ["manager", "command", "package", "options", "version"] {
        for word in [EVIL, "x;reboot", "$(reboot)", "-oDPkg::Pre-Invoke::=reboot"] {
            let mut parameters = good.clone();
            parameters[field] = json!(word);
            let body = json!({ "action": "DevicePkgOperation", "parameters": parameters });
            for path in [
                format!("POST /v1/boards/{}/action", rod.id),
                format!("POST /v2/boards/{}/actions", rod.id),
                format!("POST {fleet}/actions"),
            ] {
                let (status, said) = person.ask(&path, body.clone()).await.unwrap();
                assert_eq!(status, 400, "{path} {field} {word:?}: {said}");
            }
        }
    }
    let call = Call::DeviceUpgradeLR(Upgrade { version: "1; reboot".into(), update_conf: false });
    let id = world.command(rod.id, call).await;
    let row = world.until_state(id, State::Failed).await;
    assert_eq!(row.fault.unwrap().kind, Kind::Invalid);
    assert!(rod.calls("DevicePkgOperation").is_empty() && rod.calls("DeviceUpgradeLR").is_empty());
}

#[tokio::test]
async fn what_goes_on_is_answered_at_once_and_its_result_comes_with_the_request() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let rod = Rod::online(&world, "lamp", upstream()).await;
    let parameters = json!({ "manager": "apt", "command": "install", "package": "vim" });
    let body = json!({ "action": "DevicePkgOperation", "parameters": parameters });
    let path = format!("POST /v1/boards/{}/action", rod.id);
    let (status, said) = person.ask(&path, body).await.unwrap();
    assert_eq!((status, &said), (200, &json!("DevicePkgOperation it is")));
    let request = rod.calls("DevicePkgOperation").pop().unwrap()[0].clone();
    let path = format!("GET /v1/requests/{}", request["uuid"].as_str().unwrap());
    let (_, shown) = person.ask(&path, json!({})).await.unwrap();
    assert_eq!(shown["status"], "PENDING", "{shown}");
    notify(&rod, &request, "ERROR").await;
    let result = format!("{path}/results");
    eventually("the result is there", || async {
        let (_, shown) = person.ask(&result, json!({})).await.unwrap();
        let result = &shown["results"][0];
        let is_it = result["result"] == "ERROR" && result["message"] == "at last";
        if is_it { Ok(()) } else { Err(shown) }
    })
    .await;
    let (_, shown) = person.ask(&path, json!({})).await.unwrap();
    assert_eq!(shown["status"], "COMPLETED", "{shown}");
}

/// A fleet of these boards; its path.
async fn fleet_of(world: &World, boards: &[BoardId]) -> String {
    let new = NewFleet {
        id: FleetId::new(),
        name: "all".parse().unwrap(),
        project: world.project.clone(),
        description: String::new(),
        rule: None,
        extra: json!({}),
    };
    let (id, boards) = (new.id, boards.to_vec());
    let job = world.store().write(move |tx| {
        Box::pin(async move {
            store::fleets::create(tx, new).await?;
            for board in boards {
                let change = BoardChange { fleet: Some(Some(id)), ..BoardChange::default() };
                store::boards::update(tx, None, board, change, None).await?;
            }
            Ok(())
        })
    });
    job.await.unwrap();
    format!("/v2/fleets/{id}")
}

#[tokio::test]
async fn a_request_to_many_boards_counts_down_to_nothing_whatever_kind_they_are() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let new = Rod::online(&world, "new", upstream()).await;
    let old = Rod::online_as(&world, "old", (Serialiser::Json, "0.4.8"), willing()).await;
    let native = native_board(&world, "native", obedient()).await;
    let away = world.claimed("away").await;
    let fleet = fleet_of(&world, &[new.id, old.id, native.id, away]).await;
    let asked = json!({ "action": "DeviceEcho", "parameters": { "say": EVIL } });
    let (status, asked) = person.ask(&format!("POST {fleet}/actions"), asked).await.unwrap();
    assert_eq!((status, asked["parts"].as_array().unwrap().len()), (202, 4), "{asked}");
    let main = asked["main"].as_str().unwrap();

    // The old one gets no request, so it cannot know that it belongs to a larger one.
    assert_eq!(old.until_called("DeviceEcho").await, [json!({ "say": EVIL })]);
    let sent = new.until_called("DeviceEcho").await;
    assert_eq!(sent[0]["main_request_uuid"], main);
    let path = format!("GET /v1/requests/{main}");
    let pending = |wanted: u64| {
        let (person, path) = (person.clone(), path.clone());
        async move {
            eventually(&format!("{wanted} are pending"), || async {
                let (_, shown) = person.ask(&path, json!({})).await.unwrap();
                if shown["pending_requests"] == wanted { Ok(shown) } else { Err(shown) }
            })
            .await
        }
    };
    // Upstream's new one has yet to say how it ended, and one is away.
    let shown = pending(2).await;
    assert_eq!((&shown["status"], &shown["type"]), (&json!("PENDING"), &json!(1)), "{shown}");
    assert_eq!(format!("/v2/fleets/{}", shown["destination_uuid"].as_str().unwrap()), fleet);
    assert!(native.calls().iter().any(|(request, _)| {
        request.main_request_uuid.is_some_and(|id| id.to_string() == main)
    }));
    notify(&new, &sent[0], "SUCCESS").await;
    assert_eq!(pending(1).await["status"], "PENDING");
    let parts = asked["parts"].as_array().unwrap();
    let part = parts.iter().find(|part| part["board"] == json!(away)).unwrap();
    let part = part["operation"].as_str().unwrap();
    let (status, _) =
        person.ask(&format!("POST /v2/operations/{part}/cancel"), json!({})).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(pending(0).await["status"], "COMPLETED");

    let (_, results) = person.ask(&format!("{path}/results"), json!({})).await.unwrap();
    let of = |board: BoardId| {
        let results = results["results"].as_array().unwrap();
        let row = results.iter().find(|row| row["board_uuid"] == json!(board)).unwrap().clone();
        (row["result"].as_str().unwrap().to_owned(), row["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(of(new.id), ("SUCCESS".into(), "at last".into()));
    assert_eq!(of(old.id), ("SUCCESS".into(), "DeviceEcho".into()));
    assert_eq!(of(native.id).0, "SUCCESS");
    assert_eq!(of(away).0, "ERROR");
    let (_, child) = person.ask(&format!("GET /v1/requests/{part}"), json!({})).await.unwrap();
    assert_eq!((&child["main_request_uuid"], &child["type"]), (&json!(main), &json!(0)));
    let (_, listed) =
        person.ask(&format!("GET /v2/operations?main={main}"), json!({})).await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 4, "{listed}");
}

#[tokio::test]
async fn a_request_to_many_that_is_wrong_or_to_nobody_tells_nobody() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let rod = Rod::online(&world, "lamp", willing()).await;
    let fleet = fleet_of(&world, &[rod.id]).await;
    for (body, wanted) in [
        (json!({ "action": "DeviceExplode" }), 400),
        (json!({ "action": "DeviceReboot", "parameters": { "delay": EVIL } }), 400),
        (json!({ "action": "DeviceMountFs", "parameters": { "mnt_cmd": EVIL } }), 400),
        (json!({ "action": "DevicePing", "parameters": [] }), 400),
        (json!({ "action": EVIL }), 400),
        (json!({ "parameters": {} }), 400),
    ] {
        let (status, said) =
            person.ask(&format!("POST {fleet}/actions"), body.clone()).await.unwrap();
        assert_eq!(status, wanted, "{body}: {said}");
    }
    let (status, _) = person.ask("POST /v2/fleets", json!({ "name": "nobody" })).await.unwrap();
    assert_eq!(status, 201);
    let ping = json!({ "action": "DevicePing" });
    let (status, said) = person.ask("POST /v2/fleets/nobody/actions", ping).await.unwrap();
    assert_eq!(status, 409, "{said}");
    let (_, listed) = person.ask("GET /v2/operations", json!({})).await.unwrap();
    assert_eq!(listed["items"], json!([]));
    let (_, listed) = person.ask("GET /v1/requests", json!({})).await.unwrap();
    assert_eq!(listed["requests"], json!([]));
}

#[tokio::test]
async fn a_plugin_that_is_put_on_a_board_again_says_updated() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let rod = Rod::online(&world, "lamp", willing()).await;
    let plugin = json!({ "name": "p", "code": "x", "callable": true, "public": true });
    let (status, plugin) = person.ask("POST /v1/plugins", plugin).await.unwrap();
    assert_eq!(status, 201, "{plugin}");
    // Changed before anybody has it: the first time is the first time.
    let request = format!("PATCH /v1/plugins/{}", plugin["uuid"].as_str().unwrap());
    assert_eq!(person.ask(&request, json!({ "code": "y" })).await.unwrap().0, 200);
    let path = format!("/v1/boards/{}/plugins", rod.id);
    for wanted in ["injected", "updated", "updated"] {
        let body = json!({ "plugin": plugin["uuid"] });
        let (status, said) = person.ask(&format!("PUT {path}"), body).await.unwrap();
        assert_eq!(status, 200, "{said}");
        let (_, shown) = person.ask(&format!("GET {path}"), json!({})).await.unwrap();
        let shown = &shown["injections"][0];
        assert_eq!(shown["status"], wanted, "{shown}");
        assert_eq!(shown["updated_at"].is_null(), wanted == "injected", "{shown}");
    }
    let all = events::after(world.store(), None, 0, events::MAX_EVENTS).await.unwrap();
    let mut of_plugin = all.iter().filter(|event| event.kind.starts_with("injection."));
    assert!(of_plugin.all(|event| event.body["legacy"] == true));
}

#[tokio::test]
async fn the_network_of_an_upstream_board_is_read_out_of_its_words() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let rod = Rod::online(&world, "lamp", willing()).await;
    let said = Arc::new(Mutex::new("N/A".to_owned()));
    let words = Arc::clone(&said);
    let answer =
        habit(move |_, _| json!({ "message": words.lock().unwrap().clone(), "result": "SUCCESS" }));
    rod::offer(&rod.session, rod.id, "DeviceNetConfig", &rod.seen, &answer).await.unwrap();
    let path = format!("GET /v2/boards/{}/network", rod.id);
    let (status, refused) = person.ask(&path, json!({})).await.unwrap();
    assert_eq!(status, 409, "{refused}");
    let text = "eth0: flags=4163<UP,RUNNING>  mtu 1500\n        inet 10.0.0.2  netmask 255.255.255.0\n        \
                ether b8:27:eb:00:00:01  txqueuelen 1000";
    *said.lock().unwrap() = text.to_owned();
    let (_, shown) = person.ask(&path, json!({})).await.unwrap();
    let eth0 = json!({
        "name": "eth0", "mac": "b8:27:eb:00:00:01", "state": "up", "mtu": 1500,
        "addresses": ["10.0.0.2/24"],
    });
    assert_eq!(shown["result"], json!([eth0]));
    // Upstream's own API says it in the board's words.
    let path = format!("POST /v1/boards/{}/action", rod.id);
    let body = json!({ "action": "DeviceNetConfig" });
    assert_eq!(person.ask(&path, body).await.unwrap(), (200, json!(text)));
}
