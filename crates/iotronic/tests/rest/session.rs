//! Sessions of pages: the cookie, the word that changes carry, changing projects, sliding, and ending.

use crate::world::{Answer, PATIENCE, Somebody, World, request};
use axum::http::Method;
use iotronic::identity::tokens::{Method as How, Statement};
use model::access::Role;
use model::{ProjectId, Timestamp, UserId};
use serde_json::{Value, json};
use std::time::Duration;
use store::identity::ProjectRow;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SESSION: &str = "/v2/session";
const LIFE: u64 = 3600;

/// A page that is signed in.
struct Page {
    cookie: String,
    csrf: String,
    body: Value,
}

impl Page {
    fn of(answer: Answer, status: u16) -> Self {
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let body = answer.expect(status);
        Self { cookie, csrf: body["csrf"].as_str().unwrap().to_owned(), body }
    }

    async fn sign_in(world: &World) -> Self {
        Self::of(sign_in(world, json!({ "user": "admin", "password": world.password })).await, 201)
    }

    /// A page whose session was begun and lives in its own time, all in seconds from now.
    fn aged(world: &World, who: &Somebody, begun: u64, left: u64) -> Self {
        let now = world.cloud().now();
        let said = Statement {
            user: who.user.clone(),
            project: who.project.clone(),
            credential: None,
            method: How::Session,
            issued_at: Timestamp::from_micros(now.micros() - micros(begun)),
            expires_at: now.after(Duration::from_secs(left)),
            audit: [3; 16],
        };
        let tokens = &world.cloud().tokens;
        let cookie = format!("{}={}", name(world), tokens.make(&said));
        Self { cookie, csrf: tokens.csrf(&said), body: Value::Null }
    }

    async fn ask(
        &self,
        world: &World,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let mut headers = vec![("cookie", self.cookie.as_str())];
        headers.extend_from_slice(more);
        let body = match (&method, path) {
            (&Method::POST, _) => Some(json!({ "name": "made" })),
            (&Method::PUT, SESSION) => Some(json!({ "project": "admin" })),
            _ => None,
        };
        world.send(request(None, method, path, body, &headers)).await
    }

    async fn get(&self, world: &World, path: &str) -> Answer {
        self.ask(world, Method::GET, path, &[]).await
    }
}

fn micros(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap() * 1_000_000
}

async fn sign_in(world: &World, body: Value) -> Answer {
    sign_in_from(world, body, &[]).await
}

async fn sign_in_from(world: &World, body: Value, headers: &[(&str, &str)]) -> Answer {
    world.send(request(None, Method::POST, SESSION, Some(body), headers)).await
}

/// Makes a project in which the administrator has a role, through the page.
async fn second_project(world: &World, page: &Page, name: &str) -> String {
    let id = ProjectId::new();
    let row = ProjectRow::new(id.clone(), name);
    let user: UserId = page.body["user"]["id"].as_str().unwrap().parse().unwrap();
    let job = world.cloud().store.write(move |tx| {
        Box::pin(async move {
            store::identity::create_project(tx, &row).await?;
            store::identity::assign(tx, &user, &row.id, Role::UserIot).await
        })
    });
    job.await.unwrap();
    id.to_string()
}

/// What the cookie of a cloud is called: browsers give cookies of one host to all its ports.
fn name(world: &World) -> String {
    let port = world.cloud().public_url.rsplit_once(':').unwrap().1;
    port.parse::<u16>().map_or("s4t_session".into(), |port| format!("s4t_session_{port}"))
}

#[tokio::test]
async fn signing_in_sets_a_cookie_that_scripts_cannot_read_and_other_sites_do_not_send() {
    let world = World::start().await;
    let answer = sign_in(&world, json!({ "user": "admin", "password": world.password })).await;
    let cookie = answer.header("set-cookie").to_owned();
    let (pair, terms) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with(&format!("{}=", name(&world))) && pair.len() > 60, "{pair}");
    assert_eq!(terms, format!("Max-Age={LIFE}; Path=/; HttpOnly; SameSite=Strict"));
    assert!(!answer.text.contains(pair.split_once('=').unwrap().1), "the body has the token");
    let page = Page::of(answer, 201);
    assert_eq!(page.body["user"]["name"], "admin");
    assert_eq!(page.body["roles"], json!(["admin"]));
    assert_eq!(page.body["projects"], json!([page.body["project"]]));
    assert_eq!(page.get(&world, SESSION).await.expect(200), page.body);
    page.get(&world, "/v2/boards").await.expect(200);
    page.get(&world, "/v1/boards").await.expect(200);
}

#[tokio::test]
async fn over_https_the_cookie_is_secure_and_belongs_to_the_host_alone() {
    let world = World::with(|settings| settings.public_url = "https://cloud.example".into()).await;
    let answer = sign_in(&world, json!({ "user": "admin", "password": world.password })).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-s4t_session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let page = Page::of(answer, 201);
    page.get(&world, "/v2/boards").await.expect(200);
    // What a plain-text page of the same host could plant is not looked at.
    let planted = page.cookie.replace("__Host-", "");
    let asked = [("cookie", planted.as_str())];
    world.send(request(None, Method::GET, "/v2/boards", None, &asked)).await.expect(401);
    let (word, origin) = (page.csrf.as_str(), "https://cloud.example");
    let fleets = "/v2/fleets";
    let headers = [("x-csrf-token", word), ("origin", origin)];
    page.ask(&world, Method::POST, fleets, &headers).await.expect(201);
    let headers = [("x-csrf-token", word), ("origin", "http://cloud.example")];
    page.ask(&world, Method::POST, fleets, &headers).await.expect(403);
}

#[tokio::test]
async fn a_wrong_password_or_user_or_project_sets_no_cookie_and_guessing_is_slowed_down() {
    let world = World::start().await;
    let mut texts = Vec::new();
    for body in [
        json!({ "user": "admin", "password": "guess" }),
        json!({ "user": "nobody", "password": world.password }),
        json!({ "user": "admin", "password": world.password, "project": "nowhere" }),
    ] {
        let answer = sign_in(&world, body).await;
        assert_eq!(answer.header("set-cookie"), "");
        texts.push(answer.expect(401)["detail"].clone());
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    sign_in(&world, json!({ "user": "admin" })).await.expect(400);
    for _ in 0..8 {
        sign_in(&world, json!({ "user": "admin", "password": "guess" })).await.expect(401);
    }
    let answer = sign_in(&world, json!({ "user": "admin", "password": world.password })).await;
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    answer.expect(429);
}

#[tokio::test]
async fn nobody_is_signed_in_by_a_foreign_page() {
    let world = World::start().await;
    let own = world.cloud().public_url.clone();
    let body = json!({ "user": "admin", "password": world.password });
    let host = own.trim_start_matches("http://").to_owned();
    for (headers, status) in [
        (vec![("origin", "https://elsewhere.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-site"), ("origin", own.as_str())], 403),
        (vec![("origin", own.as_str())], 201),
        (vec![("origin", "http://other.example:1"), ("host", "other.example:1")], 201),
        (vec![("sec-fetch-site", "same-origin"), ("origin", "http://proxied.example")], 201),
        (vec![("host", host.as_str())], 201),
    ] {
        let answer = sign_in_from(&world, body.clone(), &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_change_by_cookie_needs_the_word_of_this_very_session() {
    let world = World::start().await;
    let page = Page::sign_in(&world).await;
    let other = Page::sign_in(&world).await;
    let path = "/v2/fleets";
    for word in [None, Some(""), Some("guess"), Some(other.csrf.as_str())] {
        let headers: Vec<_> = word.map(|word| ("x-csrf-token", word)).into_iter().collect();
        for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            let path = match method {
                Method::POST => path,
                Method::PUT => SESSION,
                _ => "/v2/fleets/none",
            };
            let refused = page.ask(&world, method, path, &headers).await.expect(403);
            assert!(refused["detail"].as_str().unwrap().contains("x-csrf-token"), "{refused}");
        }
    }
    let word = [("x-csrf-token", page.csrf.as_str())];
    page.ask(&world, Method::POST, path, &word).await.expect(201);
    // A key for repetition changes nothing about it.
    let keyed = [("idempotency-key", "k")];
    page.ask(&world, Method::POST, path, &keyed).await.expect(403);
    // Two GETs of upstream's command a board.
    let board = world.board("lamp").await;
    for (path, status) in [("services/restore", 400), ("webservices/renew", 404)] {
        let path = format!("/v1/boards/{board}/{path}");
        for method in [Method::GET, Method::HEAD] {
            page.ask(&world, method.clone(), &path, &[]).await.expect(403);
            page.ask(&world, method, &path, &word).await.expect(status);
        }
    }
    // On the other surfaces of the same cloud it is the same.
    page.ask(&world, Method::POST, "/v1/fleets", &[]).await;
    assert_eq!(page.get(&world, path).await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_foreign_page_gets_nowhere_even_with_the_word() {
    let world = World::start().await;
    let page = Page::sign_in(&world).await;
    let word = ("x-csrf-token", page.csrf.as_str());
    for sign in [
        ("origin", "https://elsewhere.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        page.ask(&world, Method::POST, "/v2/fleets", &[word, sign]).await.expect(403);
        page.ask(&world, Method::GET, "/v2/fleets", &[sign]).await.expect(403);
    }
    let own = world.cloud().public_url.clone();
    page.ask(&world, Method::POST, "/v2/fleets", &[word, ("origin", &own)]).await.expect(201);
}

#[tokio::test]
async fn a_web_socket_by_cookie_must_come_from_an_own_page() {
    let world = World::start().await;
    let page = Page::sign_in(&world).await;
    let own = world.cloud().public_url.clone();
    let upgrade = ("upgrade", "websocket");
    // Any guarded route shows it; one that upgrades needs nothing of its own.
    for (headers, status) in [
        (vec![upgrade], 403),
        (vec![upgrade, ("origin", "https://elsewhere.example")], 403),
        (vec![upgrade, ("sec-fetch-site", "cross-site")], 403),
        (vec![upgrade, ("origin", own.as_str())], 200),
        (vec![upgrade, ("sec-fetch-site", "same-origin")], 200),
    ] {
        page.ask(&world, Method::GET, "/v2/boards", &headers).await.expect(status);
    }
}

#[tokio::test]
async fn a_token_in_a_header_goes_before_the_cookie_and_needs_no_word() {
    let world = World::start().await;
    let page = Page::sign_in(&world).await;
    let owner = world.owner().await;
    let cookie = [("cookie", page.cookie.as_str())];
    let body = Some(json!({ "name": "f" }));
    world.ask(&owner, Method::POST, "/v2/fleets", body, &cookie).await.expect(201);
    let shown = world.ask(&owner, Method::GET, SESSION, None, &cookie).await.expect(200);
    assert_eq!(shown["user"]["id"], owner.user.as_str());
    let headers = [cookie[0], ("authorization", "Bearer nonsense")];
    world.send(request(None, Method::GET, SESSION, None, &headers)).await.expect(401);
}

#[tokio::test]
async fn the_cookie_is_found_among_others_and_garbage_is_no_session() {
    let world = World::start().await;
    let page = Page::sign_in(&world).await;
    let get = async |cookie: &str| {
        world.send(request(None, Method::GET, SESSION, None, &[("cookie", cookie)])).await
    };
    get(&format!("theme=dark; x; =;{}; a=b", page.cookie)).await.expect(200);
    for cookie in ["", "N", "N=", "N=nonsense", "x_N=a", "=="] {
        let answer = get(&cookie.replace('N', &name(&world))).await;
        assert!(answer.headers.contains_key("www-authenticate"));
        answer.expect(401);
    }
}

#[tokio::test]
async fn two_clouds_on_one_host_keep_their_people_apart() {
    let start = async |url: &str| {
        let url = url.to_owned();
        World::with(move |settings| settings.public_url = url).await
    };
    let [one, other] = [start("http://localhost:8812").await, start("http://localhost:8813").await];
    let pages = [Page::sign_in(&one).await, Page::sign_in(&other).await];
    // A browser sends both cookies to both.
    let both = format!("{}; {}", pages[0].cookie, pages[1].cookie);
    for (world, page) in [(&one, &pages[0]), (&other, &pages[1])] {
        let headers = [("cookie", both.as_str())];
        let seen = world.send(request(None, Method::GET, SESSION, None, &headers)).await;
        assert_eq!(seen.expect(200)["csrf"], page.csrf);
    }
}

#[tokio::test]
async fn one_switches_between_own_projects_and_no_others() {
    let world = World::start().await;
    let page = Page::sign_in(&world).await;
    let city = second_project(&world, &page, "city").await;
    let names = page.get(&world, SESSION).await.expect(200)["projects"].clone();
    let names: Vec<_> = names.as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(json!(names), json!(["admin", "city"]));

    let switch = async |page: &Page, project: &str| {
        let headers = [("cookie", page.cookie.as_str()), ("x-csrf-token", page.csrf.as_str())];
        let body = Some(json!({ "project": project }));
        world.send(request(None, Method::PUT, SESSION, body, &headers)).await
    };
    let there = Page::of(switch(&page, "city").await, 200);
    assert_eq!(there.body["project"], json!({ "id": city, "name": "city" }));
    assert_eq!(there.body["roles"], json!(["user_iot"]));
    assert_ne!(there.csrf, page.csrf);
    let word = [("x-csrf-token", there.csrf.as_str())];
    there.ask(&world, Method::POST, "/v2/fleets", &word).await.expect(403);
    // By id, and back.
    let back = Page::of(switch(&there, page.body["project"]["id"].as_str().unwrap()).await, 200);
    assert_eq!(back.body["project"]["name"], "admin");
    for project in ["nowhere", world.project.as_str()] {
        let refused = switch(&back, project).await.expect(403);
        assert!(refused["detail"].as_str().unwrap().contains("no role"), "{refused}");
    }
    // The first by name when none is given.
    assert_eq!(Page::sign_in(&world).await.body["project"]["name"], "admin");
}

#[tokio::test]
async fn a_session_slides_while_it_is_used_and_ends_after_twelve_hours() {
    let world = World::start().await;
    let owner = world.owner().await;
    let young = Page::aged(&world, &owner, 60, LIFE - 60);
    assert_eq!(young.get(&world, "/v2/boards").await.header("set-cookie"), "");

    let old = Page::aged(&world, &owner, 3000, 600);
    let answer = old.get(&world, "/v2/boards").await;
    let renewed = answer.header("set-cookie").to_owned();
    assert!(renewed.contains("Max-Age=3600;"), "{renewed}");
    let renewed =
        Page { cookie: renewed.split(';').next().unwrap().to_owned(), csrf: old.csrf, ..old };
    // The word stays good, also for what is under way with the cookie of before.
    let word = [("x-csrf-token", renewed.csrf.as_str())];
    renewed.ask(&world, Method::POST, "/v2/fleets", &word).await.expect(201);

    let late = Page::aged(&world, &owner, 12 * 3600 - 100, 90);
    let answer = late.get(&world, "/v2/boards").await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("Max-Age=99;") || cookie.contains("Max-Age=100;"), "{cookie}");
    let last = Page::aged(&world, &owner, 12 * 3600 - 100, 100);
    assert_eq!(last.get(&world, "/v2/boards").await.header("set-cookie"), "");
    let over = Page::aged(&world, &owner, 3700, 0);
    let answer = over.get(&world, "/v2/boards").await;
    assert_eq!(answer.header("set-cookie"), "");
    answer.expect(401);
}

#[tokio::test]
async fn signing_out_ends_the_session_with_its_renewals_and_is_never_an_error() {
    let world = World::start().await;
    let owner = world.owner().await;
    let page = Page::aged(&world, &owner, 3000, 600);
    let answer = page.get(&world, "/v2/boards").await;
    let renewed = answer.header("set-cookie").split(';').next().unwrap().to_owned();

    page.ask(&world, Method::DELETE, SESSION, &[]).await.expect(403);
    let word = [("x-csrf-token", page.csrf.as_str())];
    let answer = page.ask(&world, Method::DELETE, SESSION, &word).await;
    let cookie = answer.header("set-cookie").to_owned();
    let cleared = "=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict";
    assert_eq!(cookie, name(&world) + cleared);
    answer.expect(204);
    for cookie in [page.cookie.as_str(), renewed.as_str()] {
        let asked = [("cookie", cookie)];
        world.send(request(None, Method::GET, SESSION, None, &asked)).await.expect(401);
    }
    world.send(request(None, Method::DELETE, SESSION, None, &[])).await.expect(204);
    page.ask(&world, Method::DELETE, SESSION, &word).await.expect(204);
    // Others of the same person go on.
    world.get(&owner, "/v2/boards").await.expect(200);
}

#[tokio::test]
async fn a_role_that_is_taken_away_ends_the_session_at_once() {
    let world = World::start().await;
    let admin = Page::sign_in(&world).await;
    let city = second_project(&world, &admin, "city").await;
    let body = json!({ "user": "admin", "password": world.password, "project": "city" });
    let page = Page::of(sign_in(&world, body).await, 201);
    page.get(&world, "/v2/boards").await.expect(200);
    let user = admin.body["user"]["id"].as_str().unwrap();
    let role = format!("/identity/v3/projects/{city}/users/{user}/roles/user_iot");
    let word = [("x-csrf-token", admin.csrf.as_str())];
    admin.ask(&world, Method::DELETE, &role, &word).await.expect(204);
    page.get(&world, "/v2/boards").await.expect(401);
    page.get(&world, SESSION).await.expect(401);
    admin.get(&world, SESSION).await.expect(200);
}

#[tokio::test]
async fn a_stream_by_cookie_ends_with_its_session() {
    let world = World::start().await;
    let (page, owner) = (Page::sign_in(&world).await, world.owner().await);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let (address, cookie) = (world.address, &page.cookie);
    let head = format!(
        "GET /v2/events HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\naccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, "200 OK").await;
    world.post(&owner, "/v2/fleets", json!({ "name": "a" })).await.expect(201);
    read_until(&mut stream, &mut seen, "fleet.created").await;
    let word = [("x-csrf-token", page.csrf.as_str())];
    page.ask(&world, Method::DELETE, SESSION, &word).await.expect(204);
    world.post(&owner, "/v2/fleets", json!({ "name": "unseen" })).await.expect(201);
    read_until(&mut stream, &mut seen, "\r\n0\r\n").await;
    assert!(!seen.contains("unseen"), "{seen}");
}

async fn read_until(stream: &mut TcpStream, seen: &mut String, wanted: &str) {
    let mut chunk = [0; 4096];
    while !seen.contains(wanted) {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut chunk)).await;
        let count = read.unwrap_or_else(|_| panic!("no {wanted:?} in {seen:?}")).unwrap();
        assert!(count > 0, "the end before {wanted:?}: {seen:?}");
        seen.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
    }
}
