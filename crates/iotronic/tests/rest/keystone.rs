//! A Keystone in the place of our own identity service, played by a few lines: what is asked of it, how long its answers are
//! believed, and what happens while it is away, slow or hostile.

use crate::world::{Answer, Somebody, World, eventually, request};
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use model::{ProjectId, Timestamp, UserId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How the stand-in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Broken,
    Garbled,
    Endless,
    Silent,
}

#[derive(Clone)]
struct StandIn {
    asked: Arc<AtomicU32>,
    mood: Arc<Mutex<Mood>>,
    /// Roles by token, all of one user in one project.
    tokens: Arc<Mutex<HashMap<String, Vec<&'static str>>>>,
    user: UserId,
    project: ProjectId,
    url: String,
}

impl StandIn {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keystone = Self {
            asked: Arc::default(),
            mood: Arc::new(Mutex::new(Mood::Good)),
            tokens: Arc::default(),
            user: UserId::new(),
            project: ProjectId::new(),
            url: format!("http://{}", listener.local_addr().unwrap()),
        };
        let router = Router::new().fallback(any(answer)).with_state(keystone.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        keystone
    }

    fn token(&self, name: &str, roles: &[&'static str]) -> Somebody {
        self.tokens.lock().unwrap().insert(name.to_owned(), roles.to_vec());
        Somebody { token: name.into(), user: self.user.clone(), project: self.project.clone() }
    }

    fn revoke(&self, name: &str) {
        self.tokens.lock().unwrap().remove(name);
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn meaning(&self, roles: &[&'static str]) -> Value {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let roles: Vec<_> =
            roles.iter().map(|name| json!({ "id": format!("id-{name}"), "name": name })).collect();
        let domain = json!({ "id": "default", "name": "Default" });
        json!({ "token": {
            "methods": ["password"], "audit_ids": ["x"], "issued_at": now, "expires_at": "2999-01-01T00:00:00.000000Z",
            "user": { "id": self.user, "name": "ada", "domain": domain },
            "project": { "id": self.project, "name": "city", "domain": domain }, "roles": roles, "catalog": [],
        } })
    }
}

async fn answer(State(keystone): State<StandIn>, asked: Request<Body>) -> Response {
    keystone.asked.fetch_add(1, Ordering::SeqCst);
    let mood = *keystone.mood.lock().unwrap();
    match mood {
        Mood::Good => {}
        Mood::Broken => return StatusCode::BAD_GATEWAY.into_response(),
        Mood::Garbled => return (StatusCode::OK, "{\"token\": 1}").into_response(),
        Mood::Endless => {
            let endless =
                futures_util::stream::repeat(Ok::<_, std::convert::Infallible>(vec![b' '; 65536]));
            return Body::from_stream(endless).into_response();
        }
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
    let header = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (method, path) = (asked.method().clone(), asked.uri().path().to_owned());
    let subject = header(asked.headers(), "x-subject-token");
    let by = header(asked.headers(), "x-auth-token");
    let known = keystone.tokens.lock().unwrap().get(&subject).cloned();
    match (method, path.as_str()) {
        (Method::GET, "/v3/auth/tokens") if by != subject => {
            StatusCode::UNAUTHORIZED.into_response()
        }
        (Method::GET, "/v3/auth/tokens") => match known {
            Some(roles) => Json(keystone.meaning(&roles)).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (Method::DELETE, "/v3/auth/tokens") => {
            keystone.revoke(&subject);
            StatusCode::NO_CONTENT.into_response()
        }
        (Method::GET, "/v3/auth/projects") => {
            let project = json!({ "id": keystone.project, "name": "city", "enabled": true });
            Json(json!({ "projects": [project] })).into_response()
        }
        (Method::POST, "/v3/auth/tokens") => {
            let body = axum::body::to_bytes(asked.into_body(), 1 << 20).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let user = &body["auth"]["identity"]["password"]["user"];
            if user["name"] != "ada" || user["password"] != "correct horse" {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            assert_eq!(user["domain"]["id"], "default");
            keystone.token("of-password", &["member"]);
            let token = [("x-subject-token", "of-password")];
            (StatusCode::CREATED, token, Json(keystone.meaning(&["member"]))).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn world(keystone: &StandIn) -> World {
    let url = keystone.url.clone();
    World::with(|settings| settings.identity.keystone_url = url).await
}

async fn status(world: &World, who: &Somebody) -> u16 {
    world.get(who, "/v2/boards").await.status.as_u16()
}

#[tokio::test]
async fn a_keystones_token_opens_the_cloud_as_far_as_its_roles_are_worth_and_is_asked_about_once() {
    let keystone = StandIn::start().await;
    let world = world(&keystone).await;
    let member = keystone.token("m", &["member", "strange"]);
    for _ in 0..20 {
        assert_eq!(status(&world, &member).await, 200);
    }
    assert_eq!(keystone.asked(), 1);
    world.post(&member, "/v2/fleets", json!({ "name": "f" })).await.expect(201);
    world.post(&member, "/v2/claims", json!({ "name": "c" })).await.expect(403);
    let reader = keystone.token("r", &["reader"]);
    world.post(&reader, "/v2/fleets", json!({ "name": "g" })).await.expect(403);
    let stranger = keystone.token("s", &["strange"]);
    assert_eq!(status(&world, &stranger).await, 403);
    let nobody = keystone.token("n", &[]);
    assert_eq!(status(&world, &nobody).await, 401);
    let unknown = Somebody { token: "unknown".into(), ..member.clone() };
    assert_eq!(status(&world, &unknown).await, 401);
    // The project is a row of ours now.
    let row = store::identity::get_project(&world.cloud().store, &keystone.project).await.unwrap();
    assert_eq!((row.name.as_str(), row.enabled), ("city", true));
    let user = store::identity::get_user(&world.cloud().store, &keystone.user).await.unwrap();
    assert_eq!(user.name, "ada");
}

#[tokio::test]
async fn what_keystone_takes_away_is_gone_when_its_answer_is_not_believed_any_more() {
    let keystone = StandIn::start().await;
    let world = world(&keystone).await;
    let member = keystone.token("m", &["member"]);
    let long_ago = {
        let said = world.cloud().sign_in.read(
            &world.cloud().store,
            &world.cloud().tokens,
            "m",
            world.cloud().now(),
        );
        said.await.unwrap()
    };
    keystone.revoke("m");
    // Within the minute it goes on.
    assert_eq!(status(&world, &member).await, 200);
    let cloud = world.cloud();
    let later = cloud.now().after(Duration::from_secs(61));
    let grant = cloud.sign_in.grant(&cloud.store, &long_ago, later).await.unwrap();
    assert_eq!(grant, None);
    assert_eq!(status(&world, &member).await, 401);
}

#[tokio::test]
async fn while_keystone_is_away_known_tokens_go_on_and_others_are_told_to_wait() {
    let keystone = StandIn::start().await;
    let world = world(&keystone).await;
    let (known, other) = (keystone.token("m", &["member"]), keystone.token("o", &["member"]));
    assert_eq!(status(&world, &known).await, 200);
    for mood in [Mood::Broken, Mood::Garbled, Mood::Endless] {
        keystone.is(mood);
        assert_eq!(status(&world, &known).await, 200, "{mood:?}");
        let refused = world.get(&other, "/v2/boards").await;
        assert_eq!(refused.header("retry-after"), "2");
        let said = refused.expect(503);
        assert!(said["detail"].as_str().unwrap().contains("Keystone"), "{mood:?}: {said}");
    }
    keystone.is(Mood::Good);
    assert_eq!(status(&world, &other).await, 200);
}

#[tokio::test]
async fn a_keystone_that_does_not_answer_costs_five_seconds_and_blocks_nobody_else() {
    let keystone = StandIn::start().await;
    let world = Arc::new(world(&keystone).await);
    let known = keystone.token("m", &["member"]);
    assert_eq!(status(&world, &known).await, 200);
    keystone.is(Mood::Silent);
    let start = Instant::now();
    let many: Vec<_> = (0..300)
        .map(|number| {
            let (world, known) = (Arc::clone(&world), known.clone());
            tokio::spawn(async move {
                let who = Somebody { token: format!("t{number}"), ..known };
                status(&world, &who).await
            })
        })
        .collect();
    // Those who are known do not wait behind them.
    assert_eq!(status(&world, &known).await, 200);
    assert!(many.iter().any(|one| !one.is_finished()), "the known one waited for all others");
    for one in many {
        assert_eq!(one.await.unwrap(), 503);
    }
    // Those who ask wait together: in sixteens, one after the other, they would need 85 seconds.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[tokio::test]
async fn people_are_led_to_keystone_and_our_own_tokens_are_worth_nothing() {
    let keystone = StandIn::start().await;
    let world = world(&keystone).await;
    for path in ["/identity/v3", "/identity/v3/"] {
        let found = world.send(request(None, Method::GET, path, None, &[])).await.expect(200);
        assert_eq!(found["version"]["links"][0]["href"], format!("{}/v3/", keystone.url));
    }
    let led =
        world.send(request(None, Method::POST, "/identity/v3/auth/tokens?x=1", None, &[])).await;
    assert_eq!(led.header("location"), format!("{}/v3/auth/tokens?x=1", keystone.url));
    led.expect(307);
    let own = world.owner().await;
    assert_eq!(status(&world, &own).await, 401);
    assert!(!world.dir.path().join("admin.json").exists());
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_page_signs_in_with_a_keystone_password_and_out_again() {
    let keystone = StandIn::start().await;
    let world = world(&keystone).await;
    let sign_in = async |password: &str| {
        let body = json!({ "user": "ada", "password": password });
        world.send(request(None, Method::POST, "/v2/session", Some(body), &[])).await
    };
    sign_in("wrong").await.expect(401);
    let answer = sign_in("correct horse").await;
    let page = cookie(&answer);
    let session = answer.expect(201);
    assert_eq!(session["project"]["name"], "city");
    assert_eq!(session["projects"], json!([{ "id": keystone.project, "name": "city" }]));
    let csrf = session["csrf"].as_str().unwrap().to_owned();
    let ask = async |method: Method, path: &str, body: Option<Value>| {
        let headers = [("cookie", page.as_str()), ("x-csrf-token", csrf.as_str())];
        world.send(request(None, method, path, body, &headers)).await
    };
    ask(Method::GET, "/v2/session", None).await.expect(200);
    ask(Method::POST, "/v2/fleets", Some(json!({ "name": "f" }))).await.expect(201);
    ask(Method::DELETE, "/v2/session", None).await.expect(204);
    let over = eventually("the session ends", || async {
        let status = ask(Method::GET, "/v2/boards", None).await.status.as_u16();
        if status == 401 { Ok(()) } else { Err(status) }
    });
    over.await;
    assert!(!keystone.tokens.lock().unwrap().contains_key("of-password"), "it is ended there too");
    // Guessing is slowed down before Keystone is asked.
    for _ in 0..10 {
        sign_in("guess").await;
    }
    let asked = keystone.asked();
    sign_in("guess").await.expect(429);
    assert_eq!(keystone.asked(), asked);
}
