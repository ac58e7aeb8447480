//! Tokens in Keystone's ways: for no project, ended before their time, twice in one request, in a URL, cut, forged, too old.

use crate::identity::{TOKENS, admin, by_credential, by_password, sign_in};
use crate::world::{Answer, Somebody, World, request};
use axum::http::{Method, Request};
use iotronic::identity::tokens::{Method as How, Statement, Tokens};
use model::access::Role;
use model::{ProjectId, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PASSWORD: &str = "correct horse";

/// A user with a password, made by the administrator; answers its id.
pub(crate) async fn user(world: &World, admin: &Somebody, name: &str) -> String {
    let body = json!({ "user": { "name": name, "password": PASSWORD } });
    let made = world.post(admin, "/identity/v3/users", body).await.expect(201);
    made["user"]["id"].as_str().unwrap().to_owned()
}

/// Whoever signed in by this answer.
pub(crate) fn bearer(answer: Answer, of: &Somebody) -> Somebody {
    let token = answer.header("x-subject-token").to_owned();
    answer.expect(201);
    Somebody { token, ..of.clone() }
}

async fn subject(world: &World, by: &Somebody, method: Method, token: &str) -> Answer {
    world.ask(by, method, TOKENS, None, &[("x-subject-token", token)]).await
}

fn statement(world: &World, who: &Somebody, issued_ago: i64, left: i64) -> Statement {
    let now = world.cloud().now().micros();
    Statement {
        user: who.user.clone(),
        project: who.project.clone(),
        credential: None,
        method: How::Password,
        issued_at: Timestamp::from_micros(now - issued_ago * 1_000_000),
        expires_at: Timestamp::from_micros(now + left * 1_000_000),
        audit: base::secret::random(),
    }
}

#[tokio::test]
async fn who_names_no_project_gets_a_token_for_none_which_opens_the_own_things_and_a_project() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let answer = sign_in(&world, by_password("admin", &world.password, json!("unscoped"))).await;
    let person = Somebody { project: ProjectId::nowhere(), ..admin.clone() };
    let token = answer.header("x-subject-token").to_owned();
    let body = answer.expect(201);
    for missing in ["project", "roles", "catalog"] {
        assert!(body["token"].get(missing).is_none(), "{body}");
    }
    let person = Somebody { token, ..person };
    let refused = world.get(&person, "/v2/boards").await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("for no project"), "{refused}");
    world.get(&person, "/identity/v3/users").await.expect(403);
    world.get(&person, "/identity/v3/auth/catalog").await.expect(403);
    let projects = world.get(&person, "/identity/v3/auth/projects").await.expect(200);
    assert_eq!(projects["projects"][0]["name"], "admin");
    world.get(&person, &format!("/identity/v3/users/{}", admin.user)).await.expect(200);

    let scoped = json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": person.token } },
        "scope": { "project": { "name": "admin", "domain": { "id": "default" } } } } });
    let scoped = bearer(sign_in(&world, scoped).await, &admin);
    world.get(&scoped, "/v2/boards").await.expect(200);
}

#[tokio::test]
async fn a_name_in_another_domain_is_nobodys() {
    let world = World::start().await;
    let mut body = by_password("admin", &world.password, json!(null));
    body["auth"]["identity"]["password"]["user"]["domain"] = json!({ "name": "elsewhere" });
    sign_in(&world, body).await.expect(401);
    let scope = json!({ "project": { "name": "admin", "domain": { "id": "elsewhere" } } });
    sign_in(&world, by_password("admin", &world.password, scope)).await.expect(401);
    let scope = json!({ "project": { "name": "admin", "domain": { "name": "default" } } });
    sign_in(&world, by_password("admin", &world.password, scope)).await.expect(201);
}

#[tokio::test]
async fn the_catalog_names_the_services_and_a_head_request_checks_a_token() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let catalog = world.get(&admin, "/identity/v3/auth/catalog").await.expect(200);
    let kinds: Vec<_> =
        catalog["catalog"].as_array().unwrap().iter().map(|service| &service["type"]).collect();
    assert_eq!(kinds, ["iot", "network", "identity"]);
    let answer = subject(&world, &admin, Method::HEAD, &admin.token).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    assert_eq!(subject(&world, &admin, Method::HEAD, "nonsense").await.status, 404);
}

#[tokio::test]
async fn an_ended_token_is_refused_at_once_everywhere_and_after_a_restart() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let second =
        bearer(sign_in(&world, by_password("admin", &world.password, json!(null))).await, &admin);
    let owner = world.owner().await;
    subject(&world, &owner, Method::DELETE, &second.token).await.expect(403);
    subject(&world, &admin, Method::DELETE, &second.token).await.expect(204);
    let stranger = request(Some(&second.token), Method::GET, "/v2/boards", None, &[]);
    let refused = world.send(stranger).await.expect(401);
    assert!(refused["detail"].as_str().unwrap().contains("not valid any more"), "{refused}");
    subject(&world, &admin, Method::GET, &second.token).await.expect(404);
    subject(&world, &admin, Method::DELETE, &second.token).await.expect(404);
    let again = json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": second.token } } } });
    sign_in(&world, again).await.expect(401);
    world.get(&admin, "/v2/boards").await.expect(200);

    // What a new process reads.
    let fresh = iotronic::identity::SignIn::default();
    let cloud = world.cloud();
    fresh.load(&cloud.store, cloud.now()).await.unwrap();
    let said = cloud.tokens.read(&second.token, cloud.now()).unwrap();
    assert_eq!(fresh.grant(&cloud.store, &said, cloud.now()).await.unwrap(), None);
    let said = cloud.tokens.read(&admin.token, cloud.now()).unwrap();
    assert!(fresh.grant(&cloud.store, &said, cloud.now()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_new_password_and_being_disabled_end_the_tokens_that_are_out() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let id = user(&world, &admin, "ada").await;
    let role = format!("/identity/v3/projects/{}/users/{id}/roles/user_iot", admin.project);
    world.ask(&admin, Method::PUT, &role, None, &[]).await.expect(204);
    let ada = |password: &str| by_password("ada", password, json!(null));
    let old = bearer(sign_in(&world, ada(PASSWORD)).await, &admin);
    let path = format!("/identity/v3/users/{id}/password");
    let wrong = json!({ "user": { "original_password": "x", "password": "longer horse" } });
    world.post(&old, &path, wrong).await.expect(401);
    world.get(&old, "/v2/boards").await.expect(200);
    let right = json!({ "user": { "original_password": PASSWORD, "password": "longer horse" } });
    world.post(&old, &path, right).await.expect(204);
    world.get(&old, "/v2/boards").await.expect(401);
    sign_in(&world, ada(PASSWORD)).await.expect(401);

    let new = bearer(sign_in(&world, ada("longer horse")).await, &admin);
    world.get(&new, "/v2/boards").await.expect(200);
    let user = format!("/identity/v3/users/{id}");
    for enabled in [false, true] {
        let change = json!({ "user": { "enabled": enabled } });
        world.patch(&admin, &user, change).await.expect(200);
        world.get(&new, "/v2/boards").await.expect(401);
    }
    sign_in(&world, ada("longer horse")).await.expect(201);
}

/// What is logged while a test runs in its one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

type Headers = Vec<(String, String)>;

#[tokio::test]
async fn every_bad_token_is_refused_with_its_reason_logged_once_and_changes_nothing() {
    let world = World::start().await;
    let owner = world.owner().await;
    let tokens = &world.cloud().tokens;
    let good = tokens.make(&statement(&world, &owner, 0, 600));
    let expired = tokens.make(&statement(&world, &owner, 700, -1));
    let early = tokens.make(&statement(&world, &owner, -400, 800));
    let forged = Tokens::with_key(b"mine").make(&statement(&world, &owner, 0, 600));
    let ended = tokens.make(&statement(&world, &owner, 0, 600));
    subject(&world, &owner, Method::DELETE, &ended).await.expect(204);
    let mut changed = good.clone().into_bytes();
    changed[30] = if changed[30] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let elsewhere = Somebody { project: ProjectId::new(), ..owner.clone() };
    let elsewhere = tokens.make(&statement(&world, &elsewhere, 0, 600));
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let plain = |token: &str| vec![("x-auth-token".to_owned(), token.to_owned())];
    let mut twice = plain(&good);
    twice.extend(plain(&good));
    let mut both = plain(&good);
    both.push(("authorization".into(), format!("Bearer {expired}")));
    let cut: String = good.chars().take(good.len() - 5).collect();
    let in_url = format!("/v2/fleets?token={good}");
    let cases: [(&str, &str, Headers, u16, &str); 10] = [
        ("expired", "/v2/fleets", plain(&expired), 401, "has expired"),
        ("from the future", "/v2/fleets", plain(&early), 401, "in the future"),
        ("forged", "/v2/fleets", plain(&forged), 401, "not one of this cloud"),
        ("changed", "/v2/fleets", plain(&changed), 401, "not one of this cloud"),
        ("cut", "/v2/fleets", plain(&cut), 401, "not one of this cloud"),
        ("ended and replayed", "/v2/fleets", plain(&ended), 401, "not valid any more"),
        ("of another project", "/v2/fleets", plain(&elsewhere), 401, "not valid any more"),
        ("twice", "/v2/fleets", twice, 400, "more than one token"),
        ("two of them", "/v2/fleets", both, 400, "more than one token"),
        ("in the URL", &in_url, plain(&good), 400, "does not belong into a URL"),
    ];
    for (what, path, headers, status, reason) in cases {
        log.take();
        let mut asked = Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            asked = asked.header(name, value);
        }
        let body = axum::body::Body::from(json!({ "name": "made" }).to_string());
        let asked = asked.header("content-type", "application/json").body(body).unwrap();
        let answer = world.send(asked).await;
        let text = answer.text.clone();
        answer.expect(status);
        assert!(text.contains(reason), "{what}: {text}");
        let lines = log.take();
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        assert!(lines[0].contains(reason), "{what}: {lines:?}");
        assert!(!lines[0].contains(&good), "{what}: the token is in the log");
    }
    let fleets = world.get(&owner, "/v2/fleets").await.expect(200);
    assert_eq!(fleets["items"], json!([]));
}

#[tokio::test]
async fn a_token_of_a_credential_lives_no_longer_than_the_credential() {
    let (world, clock) = World::standing_still().await;
    let admin = admin(&world).await;
    let path = format!("/identity/v3/users/{}/application_credentials", admin.user);
    let life = Duration::from_secs(20);
    let end = world.cloud().now().after(life);
    let wanted = json!({ "application_credential": { "name": "short", "expires_at": end } });
    let made =
        world.post(&admin, &path, wanted).await.expect(201)["application_credential"].clone();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let answer = sign_in(&world, by_credential(id, secret)).await;
    let said: Value = answer.body.clone();
    assert_eq!(said["token"]["expires_at"], json!(end));
    let program = bearer(answer, &admin);
    world.get(&program, "/v2/boards").await.expect(200);
    clock.advance(life);
    world.get(&program, "/v2/boards").await.expect(401);
    sign_in(&world, by_credential(id, secret)).await.expect(401);
    let past = json!({ "application_credential": { "name": "late", "expires_at": "2001-01-01T00:00:00" } });
    world.post(&admin, &path, past).await.expect(400);
}

#[tokio::test]
async fn an_unscoped_token_of_somebody_without_a_role_is_good_for_nothing_but_the_own_things() {
    let world = World::start().await;
    let admin = admin(&world).await;
    let id = user(&world, &admin, "eve").await;
    let answer = sign_in(&world, by_password("eve", PASSWORD, json!(null))).await;
    let eve = Somebody { user: id.parse().unwrap(), ..bearer(answer, &admin) };
    for path in ["/v2/boards", "/v1/boards", "/v2/events", "/v2/session", "/identity/v3/projects"] {
        let status = world.get(&eve, path).await.status;
        assert_eq!(status, 403, "{path}");
    }
    let credentials = format!("/identity/v3/users/{id}/application_credentials");
    let new = json!({ "application_credential": { "name": "x" } });
    world.post(&eve, &credentials, new).await.expect(403);
    world.get(&eve, &format!("/identity/v3/users/{}", admin.user)).await.expect(403);
    let scope = json!({ "project": { "id": "none" } });
    sign_in(&world, by_password("eve", PASSWORD, scope)).await.expect(401);
    let owner = world.somebody(&world.project, Role::UserIot).await;
    subject(&world, &eve, Method::GET, &owner.token).await.expect(403);
}
