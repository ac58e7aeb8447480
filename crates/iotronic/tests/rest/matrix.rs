//! Every route, called as everybody. What each may do follows from the route's row in the table alone, so a handler that
//! forgets to ask, or asks for less, is found here; so is a route that this test does not know.

use crate::world::{Somebody, World, request};
use axum::http::{Method, StatusCode};
use iotronic::http::routes::{Access, Route, delegable, table};
use model::access::{Action, Decision, Principal, Role, decide};
use serde_json::{Value, json};

/// An id that nothing has.
const NOTHING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Ids of things of the world's project.
struct Things {
    board: String,
    claim: String,
    plugin: String,
    service: String,
    fleet: String,
    operation: String,
    row: String,
    project: String,
}

impl Things {
    async fn make(world: &World, owner: &Somebody) -> Self {
        let board = world.board("lamp").await.to_string();
        let make = async |path: &str, body: Value| {
            let made = world.post(owner, path, body).await.expect(201);
            made["id"].as_str().unwrap().to_owned()
        };
        let plugin = json!({ "name": "p", "language": "python", "mode": "async", "source": "x" });
        let plugin = make("/v2/plugins", plugin).await;
        let service = make("/v2/services", json!({ "name": "s", "port": 22 })).await;
        let fleet = make("/v2/fleets", json!({ "name": "f" })).await;
        let claim = make("/v2/claims", json!({ "name": "c" })).await;
        let path = format!("/v2/boards/{board}/plugins/{plugin}");
        let operation = world.put(owner, &path, json!({})).await.expect(202);
        let path = format!("/v2/boards/{board}/services/{service}");
        world.put(owner, &path, json!({})).await.expect(202);
        let operation = operation["id"].as_str().unwrap().to_owned();
        let row = world.get(owner, "/v2/audit?limit=1").await.expect(200);
        let row = row["items"][0]["seq"].to_string();
        Self {
            board,
            claim,
            plugin,
            service,
            fleet,
            operation,
            row,
            project: owner.project.to_string(),
        }
    }

    fn path(&self, route: &Route, who: &Somebody) -> String {
        route
            .path
            .replace("{board}", &self.board)
            .replace("{claim}", &self.claim)
            .replace("{plugin}", &self.plugin)
            .replace("{service}", &self.service)
            .replace("{fleet}", &self.fleet)
            .replace("{operation}", &self.operation)
            .replace("{request}", &self.operation)
            .replace("{port}", NOTHING)
            .replace("{webservice}", NOTHING)
            .replace("{user}", who.user.as_str())
            .replace("/v2/projects/{project}", &format!("/v2/projects/{}", self.project))
            .replace("{project}", who.project.as_str())
            .replace("{credential}", NOTHING)
            .replace("{delegation}", NOTHING)
            .replace("{transfer}", NOTHING)
            .replace("{recording}", NOTHING)
            .replace("{seq}", &self.row)
            // Roles that are built in are nobody's to change.
            .replace("/v3/roles/{role}", &format!("/v3/roles/{NOTHING}"))
            .replace("{role}", "user_iot")
            .replace("{rule}", NOTHING)
            .replace("{domain}", "default")
    }
}

/// A body with which the route does its work.
fn good_body(route: &Route) -> Option<Value> {
    let body = match (route.method.as_str(), route.path) {
        ("GET" | "DELETE", _) => return None,
        ("PUT", path) if path.contains("/roles/") => return None,
        ("PATCH", path) if path.starts_with("/identity/v3/projects") => json!({ "project": {} }),
        ("PATCH", path) if path.starts_with("/identity/v3/roles") => json!({ "role": {} }),
        ("PATCH", path) if path.starts_with("/identity") => json!({ "user": {} }),
        (_, "/identity/v3/roles") => json!({ "role": { "name": "matrix" } }),
        ("PATCH", _) => json!({}),
        (_, path) if path.starts_with("/v1/") => v1_body(path),
        (_, path) if path.ends_with("/echo") => json!({ "say": "hi" }),
        (_, "/v2/session") => json!({ "project": NOTHING }),
        (_, path) if path.ends_with("/actions") => json!({ "action": "DevicePing" }),
        (_, "/v2/claims") => json!({ "name": "new-claim" }),
        (_, "/v2/plugins") => {
            json!({ "name": "new", "language": "node", "mode": "sync", "source": "x" })
        }
        (_, "/v2/services") => json!({ "name": "new", "port": 80 }),
        (_, "/v2/recording-settings") => json!({ "record": "off" }),
        (_, "/v2/fleets") => json!({ "name": "new" }),
        (_, "/v2/delegations") => json!({
            "resource": "board:lamp", "to": "nobody", "rights": ["read"], "until": "2999-01-01T00:00:00Z"
        }),
        (_, "/v2/boards/{board}/transfer") => json!({ "project": NOTHING }),
        (_, "/v2/transfers/{transfer}/accept") => json!({}),
        (_, "/v2/bookings") => json!({ "until": "2999-01-01T00:00:00Z" }),
        (_, "/v2/injections") => json!({ "plugin": "p", "selector": "kind=none" }),
        (_, "/v2/audit/erase") => json!({ "user": NOTHING }),
        (_, "/identity/v3/projects") => json!({ "project": { "name": "matrix" } }),
        (_, "/identity/v3/users") => {
            json!({ "user": { "name": "matrix", "password": "long enough" } })
        }
        (_, path) if path.ends_with("/password") => {
            json!({ "user": { "original_password": "wrong", "password": "long enough" } })
        }
        (_, path) if path.ends_with("application_credentials") => {
            json!({ "application_credential": { "name": "matrix" } })
        }
        (_, path) if path.starts_with("/v2/boards/{board}/") || path.ends_with("/cancel") => {
            json!({})
        }
        other => panic!("add a body for {other:?}"),
    };
    Some(body)
}

fn v1_body(path: &str) -> Value {
    match path {
        "/v1/boards" => {
            json!({ "name": "new", "code": "new", "location": [{ "latitude": "1", "longitude": "2" }] })
        }
        "/v1/plugins" => json!({ "name": "new-1", "code": "x" }),
        "/v1/services" => json!({ "name": "new-1", "port": "80" }),
        "/v1/fleets" => json!({ "name": "new-1" }),
        "/v1/boards/{board}/action" => json!({ "action": "DevicePing" }),
        "/v1/boards/{board}/plugins" => json!({ "plugin": "p" }),
        "/v1/boards/{board}/plugins/{plugin}" => json!({ "action": "PluginStatus" }),
        "/v1/boards/{board}/services/{service}/action" => json!({ "action": "ServiceRestore" }),
        "/v1/boards/{board}/webservices" => json!({ "name": "w" }),
        "/v1/boards/{board}/webservices/enable" => json!({ "dns": "d", "zone": "z", "email": "e" }),
        "/v1/boards/{board}/ports" => json!({ "network": "n" }),
        path => panic!("add a body for {path:?}"),
    }
}

/// A request that whoever may do this gets past every check with, and that changes nothing: wrong in the end.
fn harmless(route: &Route, path: &str) -> (String, Option<Value>) {
    let body = match route.method {
        Method::GET | Method::DELETE => None,
        _ => Some(json!({ "no_such_member": 1 })),
    };
    let is_command = route.path.starts_with("/v2/boards/{board}/") && route.method != Method::GET;
    let path = if is_command { format!("{path}?wait=999") } else { path.to_owned() };
    (path, body)
}

fn actions() -> Vec<(Route, Action)> {
    let may = table().into_iter().filter_map(|route| match route.access {
        Access::May(action) => Some((route, action)),
        Access::Public => None,
    });
    may.collect()
}

fn allows(role: Role, action: Action, who: &Somebody) -> bool {
    let principal =
        Principal { user: who.user.clone(), project: who.project.clone(), roles: vec![role] };
    decide(&principal, action, &who.project) == Decision::Allow
}

#[tokio::test]
async fn without_a_good_token_every_route_but_the_public_ones_answers_401() {
    let world = World::start().await;
    let owner = world.owner().await;
    let things = Things::make(&world, &owner).await;
    for (route, _) in actions() {
        let path = things.path(&route, &owner);
        let forged: String = owner.token.chars().rev().collect();
        for token in [None, Some("nonsense"), Some(forged.as_str())] {
            let asked = request(token, route.method.clone(), &path, good_body(&route), &[]);
            let answer = world.send(asked).await;
            assert_eq!(answer.status, 401, "{} {path} {token:?}", route.method);
            assert!(answer.headers.contains_key("www-authenticate"));
        }
    }
}

#[tokio::test]
async fn each_role_may_do_exactly_what_the_table_of_routes_says() {
    let world = World::start().await;
    let owner = world.owner().await;
    let things = Things::make(&world, &owner).await;
    for role in [Role::UserIot, Role::ManagerIotProject, Role::AdminIotProject, Role::Admin] {
        let who = world.somebody(&world.project, role).await;
        for (route, action) in actions() {
            let path = things.path(&route, &who);
            let (path, body) = harmless(&route, &path);
            let stale = [("if-match", "\"0\"")];
            let answer = world.ask(&who, route.method.clone(), &path, body, &stale).await;
            let what = format!("{role}: {} {path}: {}", route.method, answer.text);
            if allows(role, action, &who) {
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                assert!(!refused.contains(&answer.status), "{what}");
                let may_be_missing = [
                    "{credential}",
                    "{role}",
                    "{port}",
                    "{delegation}",
                    "{transfer}",
                    "{recording}",
                    "webservices",
                    "/contribution",
                    "access_rules/",
                ]
                .iter()
                .any(|part| route.path.contains(part));
                assert!(may_be_missing || answer.status != 404, "{what}");
                assert!(answer.status != 500, "{what}");
            } else {
                assert_eq!(answer.status, 403, "{what}");
                let is_v1 = route.path.starts_with("/v1");
                let words = if is_v1 { "Access was denied" } else { "needs the role" };
                assert!(answer.text.contains(words), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn to_another_projects_administrator_nothing_of_this_project_exists() {
    let world = World::start().await;
    let owner = world.owner().await;
    let things = Things::make(&world, &owner).await;
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::AdminIotProject).await;
    let before = world.get(&owner, &format!("/v2/boards/{}", things.board)).await.expect(200);
    for (route, action) in actions() {
        let path = things.path(&route, &stranger);
        let answer =
            world.ask(&stranger, route.method.clone(), &path, good_body(&route), &[]).await;
        let what = format!("{} {path}: {}", route.method, answer.text);
        if !allows(Role::AdminIotProject, action, &stranger) {
            assert_eq!(answer.status, 403, "{what}");
        } else if route.path.starts_with("/v") && route.path.contains('{') {
            assert_eq!(answer.status, 404, "{what}");
        } else {
            assert!(!answer.text.contains(world.project.as_str()), "{what}");
            assert!(!answer.text.contains(&things.board), "{what}");
        }
    }
    let after = world.get(&owner, &format!("/v2/boards/{}", things.board)).await.expect(200);
    assert_eq!(before, after);
}

#[test]
fn whatever_can_be_delegated_is_about_one_thing_or_a_list_of_what_may_be_seen() {
    for (route, action) in actions().into_iter().filter(|(_, action)| delegable().contains(action))
    {
        let is_about_one = ["{board}", "{operation}", "{plugin}", "{service}"]
            .iter()
            .any(|part| route.path.contains(part));
        let is_list = ["board:get", "plugin:get", "service:get"].contains(&action.name);
        assert!(is_about_one || is_list, "{} {}", route.method, route.path);
    }
}

/// What a plugin or service that is lent with every right opens, of the routes that are about it.
fn opens(lent: &str, action: Action) -> bool {
    let Some((noun, verb)) = action.name.split_once(':') else { return false };
    let is_whole = !lent.contains('@');
    let (itself, there, acts) = if lent.starts_with("plugin") {
        ("plugin", "plugin_on_board", "plugin_action")
    } else {
        ("service", "service_on_board", "service_action")
    };
    noun == acts
        || (noun == there && verb == "get_one")
        || (is_whole && noun == itself && verb == "get_one")
}

#[tokio::test]
async fn who_was_lent_a_plugin_or_a_service_may_use_it_where_it_is_and_nothing_else_while_it_lasts()
{
    let world = World::start().await;
    let owner = world.owner().await;
    let things = Things::make(&world, &owner).await;
    let lend = async |resource: &str, to: &Somebody, more: Value| {
        let mut wish = json!({
            "resource": resource, "to": to.user, "rights": ["all:all"], "until": "2999-01-01T00:00:00Z"
        });
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.post(&owner, "/v2/delegations", wish).await.expect(201)
    };
    for resource in ["plugin:p", "service:s", "plugin:p@lamp", "service:s@lamp"] {
        let elsewhere = model::ProjectId::new();
        world.make_project(&elsewhere).await;
        let [lent, early, gone] = [
            world.somebody(&elsewhere, Role::UserIot).await,
            world.somebody(&elsewhere, Role::UserIot).await,
            world.somebody(&elsewhere, Role::UserIot).await,
        ];
        lend(resource, &lent, json!({})).await;
        lend(resource, &early, json!({ "from": "2998-01-01T00:00:00Z" })).await;
        let revoked = lend(resource, &gone, json!({})).await;
        let path = format!("/v2/delegations/{}", revoked["id"].as_str().unwrap());
        world.delete(&owner, &path).await.expect(200);
        for (who, is_live) in [(&lent, true), (&early, false), (&gone, false)] {
            for (route, action) in actions() {
                let is_about_a_thing = ["{board}", "{plugin}", "{service}"]
                    .iter()
                    .any(|part| route.path.contains(part));
                if !is_about_a_thing || !route.path.starts_with("/v2") {
                    continue;
                }
                let may = is_live && opens(resource, action);
                let path = things.path(&route, who);
                let (path, body) =
                    if may { harmless(&route, &path) } else { (path, good_body(&route)) };
                let stale = [("if-match", "\"0\"")];
                let answer = world.ask(who, route.method.clone(), &path, body, &stale).await;
                let what =
                    format!("{resource} {is_live}: {} {path}: {}", route.method, answer.text);
                let refused =
                    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
                assert_eq!(may, !refused.contains(&answer.status), "{what}");
                assert_ne!(answer.status, 500, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn who_was_lent_a_board_may_do_with_it_what_can_be_lent_and_after_the_revocation_nothing() {
    let world = World::start().await;
    let owner = world.owner().await;
    let things = Things::make(&world, &owner).await;
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let borrower = world.somebody(&elsewhere, Role::UserIot).await;
    let lend = json!({
        "resource": "board:lamp", "to": borrower.user, "rights": ["all:all"], "until": "2999-01-01T00:00:00Z"
    });
    let lent = world.post(&owner, "/v2/delegations", lend).await.expect(201);
    for is_lent in [true, false] {
        for (route, action) in actions() {
            let is_about_it =
                ["{board}", "{operation}"].iter().any(|part| route.path.contains(part));
            // Upstream's API knows no delegations.
            if !is_about_it || !route.path.starts_with("/v2") {
                continue;
            }
            let path = things.path(&route, &borrower);
            let (path, body) =
                if is_lent { harmless(&route, &path) } else { (path, good_body(&route)) };
            let stale = [("if-match", "\"0\"")];
            let answer = world.ask(&borrower, route.method.clone(), &path, body, &stale).await;
            let what = format!("{is_lent}: {} {path}: {}", route.method, answer.text);
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
            let may = is_lent && delegable().contains(&action);
            assert_eq!(may, !refused.contains(&answer.status), "{what}");
            assert_ne!(answer.status, 500, "{what}");
        }
        let path = format!("/v2/delegations/{}", lent["id"].as_str().unwrap());
        world.delete(&owner, &path).await.expect(200);
    }
}
