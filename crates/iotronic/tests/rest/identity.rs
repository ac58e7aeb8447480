//! Signing in, in Keystone's shapes; tenants; application credentials; what guessing meets.

use crate::world::{Somebody, World, request};
use api::client::{Client, Trust};
use api::identity::AdminFile;
use axum::http::Method;
use model::access::Role;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

pub(crate) const TOKENS: &str = "/identity/v3/auth/tokens";

pub(crate) fn by_password(user: &str, password: &str, scope: Value) -> Value {
    json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": {
            "name": user, "domain": { "id": "default" }, "password": password } } },
        "scope": scope,
    } })
}

pub(crate) fn by_credential(id: &str, secret: &str) -> Value {
    json!({ "auth": { "identity": { "methods": ["application_credential"],
        "application_credential": { "id": id, "secret": secret } } } })
}

pub(crate) async fn sign_in(world: &World, body: Value) -> crate::world::Answer {
    world.send(request(None, Method::POST, TOKENS, Some(body), &[])).await
}

pub(crate) async fn admin(world: &World) -> Somebody {
    let scope = json!({ "project": { "name": "admin", "domain": { "name": "Default" } } });
    let answer = sign_in(world, by_password("admin", &world.password, scope)).await;
    let token = answer.header("x-subject-token").to_owned();
    let body = answer.expect(201);
    let part = |pointer: &str| body.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    Somebody {
        token,
        user: part("/token/user/id").parse().unwrap(),
        project: part("/token/project/id").parse().unwrap(),
    }
}

#[tokio::test]
async fn the_first_administrator_signs_in_with_the_password_that_was_printed_once() {
    let world = World::start().await;
    let answer = sign_in(&world, by_password("admin", &world.password, json!(null))).await;
    assert!(answer.header("x-subject-token").len() > 40);
    let token = &answer.expect(201)["token"];
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["roles"][0]["name"], "admin");
    assert_eq!(token["project"]["domain"]["id"], "default");
    let services = token["catalog"].as_array().unwrap();
    let iot = services.iter().find(|service| service["type"] == "iot").unwrap();
    assert_eq!(iot["endpoints"][0]["url"], world.cloud().public_url);
}

#[tokio::test]
async fn the_administrators_file_is_private_and_opens_the_cloud_over_a_real_socket() {
    let world = World::start().await;
    let path = world.dir.path().join("admin.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let file: AdminFile = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((file.user.as_str(), file.project.as_str()), ("admin", "admin"));
    let body = by_credential(&file.application_credential_id, &file.application_credential_secret);
    let page: Value = tokio::task::spawn_blocking(move || {
        let mut client = Client::new(&file.url, &Trust::Public).unwrap();
        client.sign_in(&serde_json::from_value(body).unwrap()).unwrap();
        client.get("/v2/boards").unwrap()
    })
    .await
    .unwrap();
    assert_eq!(page, json!({ "items": [] }));
}

#[tokio::test]
async fn a_wrong_user_a_wrong_password_and_a_wrong_project_look_the_same() {
    let world = World::start().await;
    let nowhere = json!({ "project": { "name": "nowhere" } });
    let mut texts = Vec::new();
    for body in [
        by_password("admin", "wrong", json!(null)),
        by_password("nobody", &world.password, json!(null)),
        by_password("admin", &world.password, nowhere),
        by_credential("01890a5d-ac96-774b-bcce-b302099a8057", "x"),
    ] {
        let answer = sign_in(&world, body).await;
        texts.push(answer.expect(401));
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_eq!(texts[0]["error"]["code"], 401);
    assert_eq!(texts[0]["error"]["title"], "Unauthorized");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_says_for_how_long() {
    let world = World::start().await;
    for _ in 0..10 {
        sign_in(&world, by_password("admin", "guess", json!(null))).await.expect(401);
    }
    let answer = sign_in(&world, by_password("admin", &world.password, json!(null))).await;
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    answer.expect(429);
}

#[tokio::test]
async fn requests_that_are_no_sign_in_are_refused_by_what_is_wrong() {
    let world = World::start().await;
    for (body, word) in [
        (json!({}), "auth"),
        (json!({ "auth": { "identity": { "methods": [] } } }), "one method"),
        (json!({ "auth": { "identity": { "methods": ["password"] } } }), "lacks"),
        (json!({ "auth": { "identity": { "methods": ["totp"] } } }), "none of"),
        (by_password("admin", "x", json!({ "system": { "all": true } })), "no project"),
    ] {
        let text = sign_in(&world, body).await.expect(400)["error"]["message"].to_string();
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn an_administrator_makes_a_second_tenant_whose_user_sees_only_that() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let made =
        world.post(&admin, "/identity/v3/projects", json!({ "project": { "name": "city" } }));
    let project = made.await.expect(201)["project"]["id"].as_str().unwrap().to_owned();
    let user = json!({ "user": { "name": "ada", "password": "correct horse" } });
    let made = world.post(&admin, "/identity/v3/users", user).await.expect(201);
    let user = made["user"]["id"].as_str().unwrap().to_owned();
    assert!(made["user"].get("password").is_none());
    let none = sign_in(&world, by_password("ada", "correct horse", json!(null))).await.expect(201);
    assert!(none["token"].get("project").is_none(), "{none}");

    let role = format!("/identity/v3/projects/{project}/users/{user}/roles/manager_iot_project");
    world.ask(&admin, Method::PUT, &role, None, &[]).await.expect(204);
    let answer = sign_in(&world, by_password("ada", "correct horse", json!(null))).await;
    let ada = Somebody {
        token: answer.header("x-subject-token").to_owned(),
        user: user.parse().unwrap(),
        project: project.parse().unwrap(),
    };
    world.board("lamp").await;
    assert_eq!(world.get(&ada, "/v2/boards").await.expect(200), json!({ "items": [] }));
    assert_eq!(world.get(&admin, "/v2/boards").await.expect(200)["items"][0]["name"], "lamp");

    // Taking the role away works at once, tokens or not.
    world.delete(&admin, &role).await.expect(204);
    world.get(&ada, "/v2/boards").await.expect(401);
}

#[tokio::test]
async fn a_token_is_looked_at_and_exchanged() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let subject = [("x-subject-token", admin.token.as_str())];
    let shown = world.ask(&admin, Method::GET, TOKENS, None, &subject).await.expect(200);
    assert_eq!(shown["token"]["user"]["name"], "admin");
    let other = world.owner().await;
    world.ask(&other, Method::GET, TOKENS, None, &subject).await.expect(403);
    let garbage = [("x-subject-token", "garbage")];
    world.ask(&admin, Method::GET, TOKENS, None, &garbage).await.expect(404);

    let again = json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": admin.token } },
        "scope": { "project": { "id": admin.project } } } });
    let answer = sign_in(&world, again).await;
    assert_eq!(answer.expect(201)["token"]["methods"], json!(["token", "password"]));
}

#[tokio::test]
async fn an_application_credential_has_its_own_roles_makes_no_others_and_ends_with_its_tokens() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let path = format!("/identity/v3/users/{}/application_credentials", admin.user);
    let wanted =
        json!({ "application_credential": { "name": "ci", "expires_at": "2999-01-01T00:00:00" } });
    let answer = world.post(&admin, &path, wanted.clone()).await;
    let made = answer.expect(201)["application_credential"].clone();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    world.post(&admin, &path, wanted).await.expect(409);

    let answer = sign_in(&world, by_credential(id, secret)).await;
    let program = Somebody { token: answer.header("x-subject-token").to_owned(), ..admin.clone() };
    answer.expect(201);
    world.get(&program, "/v2/boards").await.expect(200);
    let child = json!({ "application_credential": { "name": "child" } });
    world.post(&program, &path, child).await.expect(403);
    let listed = world.get(&admin, &path).await;
    assert!(!listed.text.contains(secret));

    world.delete(&admin, &format!("{path}/{id}")).await.expect(204);
    world.get(&program, "/v2/boards").await.expect(401);
    sign_in(&world, by_credential(id, secret)).await.expect(401);
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let ada = world.somebody(&world.project, Role::UserIot).await;
    world.get(&ada, "/v2/boards").await.expect(200);
    let path = format!("/identity/v3/users/{}", ada.user);
    world.patch(&admin, &path, json!({ "user": { "enabled": false } })).await.expect(200);
    world.get(&ada, "/v2/boards").await.expect(401);
}

#[tokio::test]
async fn keystones_clients_find_the_version_they_want() {
    let world = World::start().await;
    for path in ["/identity", "/identity/"] {
        let answer = world.send(request(None, Method::GET, path, None, &[])).await;
        assert_eq!(answer.expect(300)["versions"]["values"][0]["id"], "v3.14");
    }
    for path in ["/identity/v3", "/identity/v3/"] {
        let answer = world.send(request(None, Method::GET, path, None, &[])).await;
        assert_eq!(answer.expect(200)["version"]["status"], "stable");
    }
}
