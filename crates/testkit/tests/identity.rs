//! Signing in as an outside client does it: Keystone's shapes over plain HTTP, from a Python that knows nothing of us.

use api::client::Method;
use model::Kind;
use model::access::Role;
use serde_json::{Value, json};
use std::process::Command;
use testkit::{Need, Said, World, lacks};

#[test]
fn an_outside_client_signs_in_as_with_keystone() {
    if lacks(Need::Program("python3")) {
        return;
    }
    let world = World::new();
    let _ = world.tenant("lab", Role::UserIot);
    let script = world.folder().join("keystone_client.py");
    std::fs::write(&script, include_str!("keystone_client.py")).unwrap();
    let mut python = Command::new("python3");
    python.arg("-I").arg(&script).arg(format!("{}/identity/v3", world.url()));
    let said = Said::of(python.args(["lab-user_iot", "correct horse", "lab"]));
    print!("{}{}", said.out, said.err);
    let _ = said.ok();
}

#[test]
fn projects_do_not_see_each_other_and_roles_reach_as_far_as_they_say() {
    let world = World::new();
    let board = world.board("ours");
    let ours = board.path("");
    let stranger = world.tenant("theirs", Role::AdminIotProject);
    assert_eq!(stranger.get::<Value>(&ours).unwrap_err().kind(), Kind::NotFound);
    let by_id = format!("/v2/boards/{}", board.id());
    assert_eq!(stranger.get::<Value>(&by_id).unwrap_err().kind(), Kind::NotFound);
    let empty: Value = stranger.get("/v2/boards").unwrap();
    assert_eq!(empty["items"], json!([]));
    let error = stranger.post::<Value>(&board.path("/ping"), &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    // A name is free in every project.
    stranger.post::<Value>("/v2/claims", &json!({ "name": "ours" })).unwrap();

    let reader = world.tenant("theirs", Role::UserIot);
    reader.get::<Value>("/v2/boards").unwrap();
    let fleet = json!({ "name": "f" });
    assert_eq!(reader.post::<Value>("/v2/fleets", &fleet).unwrap_err().kind(), Kind::Forbidden);
    let manager = world.tenant("theirs", Role::ManagerIotProject);
    manager.post::<Value>("/v2/fleets", &fleet).unwrap();
    let claim = json!({ "name": "c" });
    assert_eq!(manager.post::<Value>("/v2/claims", &claim).unwrap_err().kind(), Kind::Forbidden);
    let path = "/identity/v3/projects";
    let project = json!({ "project": { "name": "p" } });
    for client in [&stranger, &manager, &reader] {
        assert_eq!(client.post::<Value>(path, &project).unwrap_err().kind(), Kind::Forbidden);
    }
}

#[test]
fn a_withdrawn_credential_signs_in_no_more() {
    let world = World::new();
    let user = world.tenant("lab", Role::ManagerIotProject);
    let answer: api::identity::TokenAnswer = user
        .request(
            &Method::GET,
            api::identity::TOKENS,
            None::<&()>,
            &[(api::identity::SUBJECT_TOKEN, user.token().unwrap().as_str())],
        )
        .unwrap();
    let path = format!("/identity/v3/users/{}/application_credentials", answer.token.user.id);
    let body = json!({ "application_credential": { "name": "robot" } });
    let made: Value = user.post(&path, &body).unwrap();
    let credential = &made["application_credential"];
    let sign_in = || {
        let request = json!({ "auth": { "identity": { "methods": ["application_credential"],
            "application_credential": { "id": credential["id"], "secret": credential["secret"] } } } });
        world.raw_stranger().ask("POST", api::identity::TOKENS, &[], Some(&request.to_string()))
    };
    assert_eq!(sign_in().status, 201);
    let one = format!("{path}/{}", credential["id"].as_str().unwrap());
    user.request::<Value>(&Method::DELETE, &one, None::<&()>, &[]).unwrap();
    assert_eq!(sign_in().status, 401);
}

#[test]
fn guessing_passwords_is_slowed_down_and_tells_nothing() {
    let world = World::new();
    let attempt = |name: &str| {
        let request = json!({ "auth": { "identity": { "methods": ["password"], "password": {
            "user": { "name": name, "domain": { "id": "default" }, "password": "guess" } } } } });
        world.raw_stranger().ask("POST", api::identity::TOKENS, &[], Some(&request.to_string()))
    };
    let (known, unknown) = (attempt("admin"), attempt("nobody"));
    assert_eq!((known.status, unknown.status), (401, 401));
    assert_eq!(known.json()["error"]["message"], unknown.json()["error"]["message"]);
    let statuses: Vec<_> = (0..30).map(|_| attempt("admin").status).collect();
    assert!(statuses.contains(&429), "thirty guesses in a row: {statuses:?}");
    // Programs that sign in properly are not locked out by it.
    let _ = world.admin().get::<Value>("/v2/boards").unwrap();
}
