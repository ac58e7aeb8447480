//! Users, projects, roles and who has them, as an administrator's OpenStack client works with them.

use crate::identity::{admin, by_password, sign_in};
use crate::identity_tokens::{bearer, user};
use crate::world::World;
use axum::http::Method;
use model::access::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn a_user_is_made_changed_found_by_name_and_deleted_with_all_that_hangs_on_it() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let body = json!({ "user": {
        "name": "ada", "password": "correct horse", "email": "ada@example", "description": "counts",
        "default_project_id": admin.project, "domain_id": "default", "options": {},
    } });
    let made = world.post(&admin, "/identity/v3/users", body.clone()).await.expect(201);
    let id = made["user"]["id"].as_str().unwrap().to_owned();
    for member in ["email", "description", "default_project_id"] {
        assert_eq!(made["user"][member], body["user"][member], "{made}");
    }
    world.post(&admin, "/identity/v3/users", body).await.expect(409);
    let path = format!("/identity/v3/users/{id}");
    let change = json!({ "user": { "description": "programs", "name": "ada-l" } });
    let changed = world.patch(&admin, &path, change).await.expect(200);
    assert_eq!(changed["user"]["email"], "ada@example");
    for (query, count) in [
        ("name=ada-l", 1),
        ("name=ada", 0),
        ("name=ada-l&domain_id=default", 1),
        ("domain_id=other", 0),
        ("enabled=False", 0),
        ("name=ada-l&enabled=True", 1),
    ] {
        let listed = world.get(&admin, &format!("/identity/v3/users?{query}")).await.expect(200);
        assert_eq!(listed["users"].as_array().unwrap().len(), count, "{query}: {listed}");
    }
    let elsewhere = json!({ "user": { "name": "x", "domain_id": "other" } });
    world.post(&admin, "/identity/v3/users", elsewhere).await.expect(404);
    world.delete(&admin, &path).await.expect(204);
    world.get(&admin, &path).await.expect(404);
    sign_in(&world, by_password("ada-l", "correct horse", json!(null))).await.expect(401);
    world.delete(&admin, &format!("/identity/v3/users/{}", admin.user)).await.expect(409);
}

#[tokio::test]
async fn a_user_without_a_password_does_not_sign_in() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let body = json!({ "user": { "name": "robot" } });
    world.post(&admin, "/identity/v3/users", body).await.expect(201);
    for password in ["", "!"] {
        sign_in(&world, by_password("robot", password, json!(null))).await.expect(401);
    }
}

#[tokio::test]
async fn a_project_is_described_listed_for_its_people_and_deleted_when_empty() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let body =
        json!({ "project": { "name": "city", "description": "lamps", "domain_id": "default" } });
    let made = world.post(&admin, "/identity/v3/projects", body).await.expect(201);
    assert_eq!(made["project"]["description"], "lamps");
    let id: model::ProjectId = made["project"]["id"].as_str().unwrap().parse().unwrap();
    let ada = world.somebody(&id, Role::AdminIotProject).await;
    let path = format!("/identity/v3/projects/{id}");
    world.get(&ada, &path).await.expect(200);
    world.get(&ada, &format!("/identity/v3/projects/{}", admin.project)).await.expect(404);
    let mine = world.get(&ada, &format!("/identity/v3/users/{}/projects", ada.user)).await;
    assert_eq!(mine.expect(200)["projects"][0]["name"], "city");
    world.get(&ada, &format!("/identity/v3/users/{}/projects", admin.user)).await.expect(403);

    let fleet = world.post(&ada, "/v2/fleets", json!({ "name": "f" })).await.expect(201);
    let refused = world.delete(&admin, &path).await.expect(409);
    assert!(refused["error"]["message"].as_str().unwrap().contains("fleets"), "{refused}");
    let fleet = format!("/v2/fleets/{}", fleet["id"].as_str().unwrap());
    world.delete(&ada, &fleet).await.expect(204);
    world.delete(&admin, &path).await.expect(204);
    world.get(&ada, "/v2/boards").await.expect(401);
    world.delete(&admin, &format!("/identity/v3/projects/{}", admin.project)).await.expect(409);
}

#[tokio::test]
async fn a_made_role_is_worth_what_the_settings_say_and_a_strange_one_nothing() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let made = async |name: &str| {
        let body = json!({ "role": { "name": name, "description": "made" } });
        let made = world.post(&admin, "/identity/v3/roles", body).await.expect(201);
        made["role"]["id"].as_str().unwrap().to_owned()
    };
    let (member, strange) = (made("member").await, made("strange").await);
    for name in ["member", "admin"] {
        let body = json!({ "role": { "name": name } });
        world.post(&admin, "/identity/v3/roles", body).await.expect(409);
    }
    let id = user(&world, &admin, "ada").await;
    let given =
        |role: &str| format!("/identity/v3/projects/{}/users/{id}/roles/{role}", admin.project);
    let put = async |role: &str| world.ask(&admin, Method::PUT, &given(role), None, &[]).await;
    put("no-such-role").await.expect(404);
    put(&strange).await.expect(204);
    let ada = || by_password("ada", "correct horse", json!(null));
    let answer = sign_in(&world, ada()).await;
    assert_eq!(answer.body["token"]["roles"][0]["name"], "strange");
    let person = bearer(answer, &admin);
    world.get(&person, "/v2/boards").await.expect(403);

    put(&member).await.expect(204);
    world.ask(&admin, Method::HEAD, &given(&member), None, &[]).await.expect(204);
    world.get(&admin, &given("user_iot")).await.expect(404);
    world.get(&person, "/v2/boards").await.expect(200);
    world.post(&person, "/v2/fleets", json!({ "name": "f" })).await.expect(201);
    world.post(&person, "/v2/claims", json!({ "name": "c" })).await.expect(403);

    let role = format!("/identity/v3/roles/{member}");
    let change = json!({ "role": { "description": "works here" } });
    let changed = world.patch(&admin, &role, change).await.expect(200);
    assert_eq!(changed["role"]["description"], "works here");
    world.delete(&admin, &role).await.expect(204);
    world.get(&person, "/v2/boards").await.expect(403);
    world.delete(&admin, "/identity/v3/roles/admin").await.expect(403);
}

#[tokio::test]
async fn assignments_are_listed_by_user_project_and_role_with_names_when_asked() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let id = user(&world, &admin, "ada").await;
    let role = format!("/identity/v3/projects/{}/users/{id}/roles/user_iot", admin.project);
    world.ask(&admin, Method::PUT, &role, None, &[]).await.expect(204);
    let list = async |query: &str| {
        let path = format!("/identity/v3/role_assignments?{query}");
        let listed = world.get(&admin, &path).await.expect(200);
        listed["role_assignments"].as_array().unwrap().clone()
    };
    let project = &admin.project;
    assert_eq!(list("").await.len(), 2);
    assert_eq!(list(&format!("scope.project.id={project}&role.id=admin")).await.len(), 1);
    assert_eq!(list("scope.system=all").await.len(), 0);
    assert_eq!(list("group.id=g").await.len(), 0);
    let one = list(&format!("user.id={id}&include_names=True&effective=True")).await;
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["user"]["name"], "ada");
    assert_eq!(one[0]["role"], json!({ "id": "user_iot", "name": "user_iot" }));
    assert_eq!(one[0]["scope"]["project"]["domain"]["id"], "default");

    let ada =
        bearer(sign_in(&world, by_password("ada", "correct horse", json!(null))).await, &admin);
    let others = format!("/identity/v3/role_assignments?user.id={}", admin.user);
    world.get(&ada, &others).await.expect(403);
    let own = world.get(&ada, "/identity/v3/role_assignments").await.expect(200);
    assert_eq!(own["role_assignments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_change_is_an_event_with_who_did_it() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let id = user(&world, &admin, "ada").await;
    let role = format!("/identity/v3/projects/{}/users/{id}/roles/user_iot", admin.project);
    world.ask(&admin, Method::PUT, &role, None, &[]).await.expect(204);
    world.delete(&admin, &role).await.expect(204);
    world.delete(&admin, &format!("/identity/v3/users/{id}")).await.expect(204);
    let events = world.get(&admin, "/v2/events").await.expect(200);
    let kinds: Vec<&Value> =
        events["items"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["user.created", "role.assigned", "role.unassigned", "user.deleted"]);
    assert!(events["items"].as_array().unwrap().iter().all(|event| {
        event["body"]["by"] == json!(admin.user) && !event.to_string().contains("correct horse")
    }));
    // Who made users is nobody's business in a project.
    let owner = world.owner().await;
    assert_eq!(world.get(&owner, "/v2/events").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn there_is_one_domain_and_one_region() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let listed = world.get(&admin, "/identity/v3/domains?name=Default").await.expect(200);
    assert_eq!(listed["domains"][0]["id"], "default");
    world.get(&admin, "/identity/v3/domains/default").await.expect(200);
    world.get(&admin, "/identity/v3/domains/other").await.expect(404);
    for (noun, count) in [("services", 3), ("endpoints", 9), ("regions", 1)] {
        let listed = world.get(&admin, &format!("/identity/v3/{noun}")).await.expect(200);
        assert_eq!(listed[noun].as_array().unwrap().len(), count, "{listed}");
    }
}
