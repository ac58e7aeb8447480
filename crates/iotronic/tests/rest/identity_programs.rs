//! Application credentials: what their access rules open, and what one made by another can be.

use crate::identity::{admin, by_credential, sign_in};
use crate::identity_tokens::bearer;
use crate::world::{Answer, Somebody, World};
use axum::http::Method;
use serde_json::{Value, json};

struct Made {
    id: String,
    body: Value,
    program: Somebody,
}

fn path(who: &Somebody) -> String {
    format!("/identity/v3/users/{}/application_credentials", who.user)
}

async fn ask(world: &World, by: &Somebody, wanted: Value) -> Answer {
    world.post(by, &path(by), json!({ "application_credential": wanted })).await
}

async fn made(world: &World, by: &Somebody, wanted: Value) -> Made {
    let body = ask(world, by, wanted).await.expect(201)["application_credential"].clone();
    let (id, secret) = (body["id"].as_str().unwrap(), body["secret"].as_str().unwrap());
    let program = bearer(sign_in(world, by_credential(id, secret)).await, by);
    Made { id: id.to_owned(), program, body }
}

fn rule(method: &str, path: &str) -> Value {
    json!({ "method": method, "path": path, "service": "iot" })
}

#[tokio::test]
async fn access_rules_open_the_requests_they_name_on_every_surface_and_no_others() {
    let world = World::start().await;
    let admin = admin(&world).await;
    world.board("lamp").await;
    let rules = [
        rule("GET", "/v2/boards/{board}"),
        rule("GET", "/v1/plugins/**"),
        rule("POST", "/v2/fleets"),
    ];
    let program =
        made(&world, &admin, json!({ "name": "ci", "access_rules": rules })).await.program;
    for (method, path, status) in [
        (Method::GET, "/v2/boards/lamp", 200),
        (Method::GET, "/v2/boards", 403),
        (Method::GET, "/v2/boards/lamp/plugins", 403),
        (Method::PATCH, "/v2/boards/lamp", 403),
        (Method::GET, "/v1/plugins/public", 200),
        (Method::GET, "/v1/boards", 403),
        // Upstream's paths without a version are other paths.
        (Method::GET, "/plugins/public", 403),
        (Method::GET, "/v2/events", 403),
        (Method::GET, "/v2/session", 403),
        (Method::GET, "/identity/v3/users", 403),
    ] {
        let answer = world.ask(&program, method.clone(), path, None, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
    world.post(&program, "/v2/fleets", json!({ "name": "f" })).await.expect(201);
    let refused = world.get(&program, "/v2/boards").await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("GET /v2/boards"), "{refused}");

    // What its token is worth it may always see.
    let subject = [("x-subject-token", program.token.as_str())];
    let tokens = "/identity/v3/auth/tokens";
    let shown = world.ask(&program, Method::GET, tokens, None, &subject).await.expect(200);
    let credential = &shown["token"]["application_credential"];
    assert_eq!(credential["restricted"], true);
    assert_eq!(credential["access_rules"].as_array().unwrap().len(), 3);
    world.ask(&program, Method::DELETE, tokens, None, &subject).await.expect(204);
    world.get(&program, "/v2/boards/lamp").await.expect(401);
}

#[tokio::test]
async fn a_credential_without_rules_in_its_list_opens_nothing() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let program = made(&world, &admin, json!({ "name": "none", "access_rules": [] })).await.program;
    world.get(&program, "/v2/boards").await.expect(403);
}

#[tokio::test]
async fn a_restricted_credential_neither_makes_nor_deletes_others_and_an_unrestricted_one_does() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let plain = made(&world, &admin, json!({ "name": "plain" })).await;
    ask(&world, &plain.program, json!({ "name": "child" })).await.expect(403);
    let one = format!("{}/{}", path(&admin), plain.id);
    world.delete(&plain.program, &one).await.expect(403);

    let free = made(&world, &admin, json!({ "name": "free", "unrestricted": true })).await;
    assert_eq!(free.body["unrestricted"], true);
    ask(&world, &free.program, json!({ "name": "child" })).await.expect(201);
    world.delete(&free.program, &one).await.expect(204);
    world.get(&plain.program, "/v2/boards").await.expect(401);
}

#[tokio::test]
async fn what_a_credential_makes_is_never_worth_more_than_itself() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let rules = [
        json!({ "method": "POST", "path": "/identity/v3/users/*/application_credentials", "service": "identity" }),
        rule("GET", "/v2/boards"),
    ];
    let parent = json!({
        "name": "parent", "unrestricted": true, "access_rules": rules, "expires_at": "2999-01-01T00:00:00",
    });
    let parent = made(&world, &admin, parent).await.program;
    let wider = json!({ "name": "a", "access_rules": [rule("GET", "/v2/**")] });
    ask(&world, &parent, wider).await.expect(400);
    let longer = json!({ "name": "b", "expires_at": "3000-01-01T00:00:00" });
    ask(&world, &parent, longer).await.expect(400);
    let more = json!({ "name": "c", "roles": [{ "name": "user_iot" }] });
    ask(&world, &parent, more).await.expect(400);
    let child = made(&world, &parent, json!({ "name": "d" })).await;
    assert_eq!(child.body["access_rules"].as_array().unwrap().len(), 2);
    assert!(child.body["expires_at"].as_str().unwrap().starts_with("2999"), "{}", child.body);
    world.get(&child.program, "/v2/boards").await.expect(200);
    world.get(&child.program, "/v2/fleets").await.expect(403);
}

#[tokio::test]
async fn rules_are_shown_once_and_stay_while_a_credential_uses_them() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let shared = rule("GET", "/v2/boards");
    made(&world, &admin, json!({ "name": "a", "access_rules": [shared] })).await;
    let all = format!("/identity/v3/users/{}/access_rules", admin.user);
    let listed = world.get(&admin, &all).await.expect(200)["access_rules"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    // By its id in a second credential.
    let second = made(&world, &admin, json!({ "name": "b", "access_rules": [{ "id": id }] })).await;
    assert_eq!(second.body["access_rules"], listed);
    let listed = world.get(&admin, &format!("{all}?method=POST")).await.expect(200);
    assert_eq!(listed["access_rules"], json!([]));
    world.get(&admin, &format!("{all}/{id}")).await.expect(200);
    world.delete(&admin, &format!("{all}/{id}")).await.expect(403);
    let unknown = json!({ "name": "c", "access_rules": [{ "id": "0" }] });
    ask(&world, &admin, unknown).await.expect(404);
    for bad in [
        rule("TRACE", "/"),
        rule("GET", "v2"),
        json!({ "method": "GET", "path": "/", "service": "" }),
    ] {
        ask(&world, &admin, json!({ "name": "d", "access_rules": [bad] })).await.expect(400);
    }
    let many = vec![rule("GET", "/"); 101];
    ask(&world, &admin, json!({ "name": "e", "access_rules": many })).await.expect(400);
    let stranger = world.owner().await;
    world.get(&stranger, &all).await.expect(403);
}
