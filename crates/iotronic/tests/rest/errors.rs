//! Bad input: each gets its documented problem, and nothing changes.

use crate::world::{World, request};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

fn raw(token: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method("POST").uri("/v2/fleets").header("x-auth-token", token);
    request.header("content-type", content_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn every_error_is_a_problem_with_the_requests_id() {
    let world = World::start().await;
    let owner = world.owner().await;
    for (method, path, status, kind) in [
        (Method::GET, "/v2/nothing", 404, "not_found"),
        (Method::GET, "/nothing", 404, "not_found"),
        (Method::PUT, "/v2/boards", 405, "invalid"),
        (Method::GET, "/v2/boards/none", 404, "not_found"),
        (Method::GET, "/v2/boards/01890a5d-ac96-774b-bcce-b302099a8057", 404, "not_found"),
        (Method::GET, "/v2/operations/none", 404, "not_found"),
        (Method::GET, "/v2/boards/%FF", 404, "not_found"),
        (Method::GET, "/v2/boards?limit=0", 400, "invalid"),
        (Method::GET, "/v2/boards?limit=1001", 400, "invalid"),
        (Method::GET, "/v2/boards?limit=x", 400, "invalid"),
        (Method::GET, "/v2/boards?marker=x", 400, "invalid"),
        (Method::GET, "/v2/boards?unknown=1", 400, "invalid"),
        (Method::GET, "/v2/boards?selector=a%20b", 400, "invalid"),
        (Method::GET, "/v2/boards?status=asleep", 400, "invalid"),
        (Method::GET, "/v2/operations?method=Dance", 400, "invalid"),
    ] {
        let answer = world.ask(&owner, method.clone(), path, None, &[]).await;
        let what = format!("{method} {path}: {}", answer.text);
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(answer.body["kind"], kind, "{what}");
        assert_eq!(answer.body["status"], status, "{what}");
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"), "{what}");
        assert!(answer.body["detail"].as_str().unwrap().len() > 10, "{what}");
    }
    let answer = world.ask(&owner, Method::PUT, "/v2/boards", None, &[]).await;
    assert!(answer.header("allow").contains("GET"));
}

#[tokio::test]
async fn bad_bodies_are_refused_with_the_path_of_what_is_wrong() {
    let world = World::start().await;
    let owner = world.owner().await;
    for (path, body, word) in [
        ("/v2/fleets", json!({ "name": "a b" }), "name: a name consists of"),
        ("/v2/fleets", json!({ "name": "f", "colour": 1 }), "unknown field `colour`"),
        ("/v2/fleets", json!({}), "missing field `name`"),
        ("/v2/fleets", json!([]), "expected struct"),
        ("/v2/fleets", json!({ "name": "n".repeat(256) }), "255"),
        ("/v2/fleets", json!({ "name": "f", "description": "d".repeat(301) }), "300"),
        ("/v2/services", json!({ "name": "s", "port": 0 }), "port: 0 is not a port"),
        ("/v2/services", json!({ "name": "s", "port": "22" }), "port: invalid type"),
        ("/v2/claims", json!({ "name": "c", "uses": 0 }), "uses"),
        ("/v2/claims", json!({ "name": "c", "expires_in_s": 0 }), "expires_in_s"),
        ("/v2/claims", json!({ "name": "c", "labels": { "a": "" } }), "labels: label text"),
        ("/v2/claims", json!({ "name": "c", "fleet": "none" }), "no such fleet"),
        (
            "/v2/plugins",
            json!({ "name": "p", "language": "cobol", "mode": "sync", "source": "x" }),
            "language: unknown variant",
        ),
        (
            "/v2/plugins",
            json!({ "name": "p", "language": "node", "mode": "sync", "source": "x", "limits": { "wall_s": "1" } }),
            "limits.wall_s",
        ),
        (
            "/v2/plugins",
            json!({ "name": "p", "language": "node", "mode": "sync", "source": "x".repeat(262_145) }),
            "262144",
        ),
        (
            "/v2/plugins",
            json!({ "name": "p", "language": "node", "mode": "sync", "source": "x", "parameters": 5 }),
            "JSON object",
        ),
        ("/v2/injections", json!({ "plugin": "p", "selector": "" }), "selector is empty"),
    ] {
        let answer = world.post(&owner, path, body).await;
        let status = if word == "no such fleet" { 404 } else { 400 };
        let text = answer.expect(status)["detail"].as_str().unwrap().to_owned();
        assert!(text.contains(word), "{path}: {text}");
    }
    for path in ["/v2/fleets", "/v2/services", "/v2/claims", "/v2/plugins"] {
        assert_eq!(world.get(&owner, path).await.expect(200), json!({ "items": [] }), "{path}");
    }
}

#[tokio::test]
async fn what_is_no_json_or_too_large_has_its_own_status() {
    let world = World::start().await;
    let owner = world.owner().await;
    let json_type = "application/json";
    let deep = "[".repeat(100_000);
    for (content_type, body, status) in [
        (json_type, "{\"name\":".to_owned(), 400),
        (json_type, "{\"name\":\"f\"} trailing".to_owned(), 400),
        (json_type, "\u{0}".to_owned(), 400),
        (json_type, deep, 400),
        ("text/plain", "{\"name\":\"f\"}".to_owned(), 415),
        (json_type, format!("{{\"name\":\"{}\"}}", "n".repeat(1024 * 1024)), 413),
    ] {
        let answer = world.send(raw(&owner.token, content_type, body)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.body["kind"], "invalid");
    }
    // Without an end that is announced, the limit holds all the same.
    let endless =
        futures_util::stream::repeat(Ok::<_, std::convert::Infallible>("x".repeat(65536)));
    let answer = world.send(raw(&owner.token, json_type, Body::from_stream(endless))).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn whoever_asks_first_finds_the_way() {
    let world = World::start().await;
    let get = async |path: &str, accept: &str| {
        world.send(request(None, Method::GET, path, None, &[("accept", accept)])).await
    };
    let root = get("/", "application/json").await.expect(200);
    assert_eq!(root["default_version"]["id"], "v1");
    let led = get("/", "text/html,*/*").await;
    assert_eq!((led.status.as_u16(), led.header("location")), (303, "/ui/"));
    assert_eq!(get("/v2", "*/*").await.expect(200)["status"], "CURRENT");
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(path, "*/*").await.text, "ok\n");
    }
    let metrics = get("/metrics", "*/*").await;
    assert!(metrics.text.contains("iotronic_requests_total{kind=\"ok\"}"), "{}", metrics.text);
    assert!(metrics.text.contains("iotronic_boards_online 0"), "{}", metrics.text);
}

#[tokio::test]
async fn the_pages_of_the_api_load_nothing_from_elsewhere() {
    let world = World::start().await;
    for (path, kind) in [
        ("/v2/docs", "text/html"),
        ("/v2/docs/docs.js", "text/javascript"),
        ("/v2/docs/docs.css", "text/css"),
        ("/v2/openapi.json", "application/json"),
    ] {
        let answer = world.send(request(None, Method::GET, path, None, &[])).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with(kind), "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        if path != "/v2/openapi.json" {
            assert!(!answer.text.contains("http"), "{path} names another origin");
        }
        let known = [("if-none-match", answer.header("etag"))];
        let again = world.send(request(None, Method::GET, path, None, &known)).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    }
}
