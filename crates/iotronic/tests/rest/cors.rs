//! Pages of other origins: those that are listed may ask and read, nobody else notices anything.

use crate::world::{Answer, World, request};
use axum::http::Method;
use iotronic::settings::Origins;
use serde_json::json;

const CONSOLE: &str = "https://console.example:8443";
const ELSEWHERE: &str = "https://elsewhere.example";
const ORIGIN: &str = "access-control-allow-origin";

async fn world(origins: &[&str]) -> World {
    let origins = Origins::read(origins.iter().copied()).unwrap();
    World::with(|settings| settings.api.allowed_origins = origins).await
}

async fn preflight(world: &World, path: &str, origin: &str) -> Answer {
    let headers = [("origin", origin), ("access-control-request-method", "PATCH")];
    world.send(request(None, Method::OPTIONS, path, None, &headers)).await
}

fn assert_silent(answer: &Answer) {
    let names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
    assert!(!names.iter().any(|name| name.starts_with("access-control-")), "{names:?}");
}

#[tokio::test]
async fn without_the_setting_nothing_is_said_to_any_page() {
    let world = world(&[]).await;
    let owner = world.owner().await;
    let asked = [("origin", CONSOLE)];
    let answer = world.ask(&owner, Method::GET, "/v1/boards", None, &asked).await;
    assert_eq!((answer.status.as_u16(), answer.header("vary")), (200, ""));
    assert_silent(&answer);
    let answer = preflight(&world, "/v2/boards", CONSOLE).await;
    assert_eq!(answer.status, 405);
    assert_silent(&answer);
}

#[tokio::test]
async fn a_listed_origin_asks_ahead_without_a_token_on_every_surface() {
    let world = world(&[CONSOLE]).await;
    let paths = ["/v1/boards", "/boards/x", "/v2/plugins", "/identity/v3/auth/tokens", "/v2/no"];
    for path in paths {
        let answer = preflight(&world, path, CONSOLE).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{path}");
        assert_eq!(answer.header(ORIGIN), CONSOLE);
        assert_eq!(answer.header("vary"), "origin");
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, "GET, PUT, POST, DELETE, PATCH");
        let allowed = answer.header("access-control-allow-headers");
        for name in [
            "X-Auth-Token",
            "Content-Type",
            "X-OpenStack-Iotronic-API-Version",
            "If-Match",
            "Idempotency-Key",
        ] {
            assert!(allowed.split(", ").any(|one| one == name), "{name}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn a_listed_origin_reads_answers_and_failures() {
    let world = world(&[ELSEWHERE, CONSOLE]).await;
    let owner = world.owner().await;
    let asked = [("origin", CONSOLE)];
    for (path, status) in [("/v1/boards", 200), ("/v1/boards/none", 404), ("/v2/boards/none", 404)]
    {
        let answer = world.ask(&owner, Method::GET, path, None, &asked).await;
        assert_eq!((answer.status.as_u16(), answer.header(ORIGIN)), (status, CONSOLE), "{path}");
        let exposed = answer.header("access-control-expose-headers");
        for name in [
            "X-OpenStack-Iotronic-API-Version",
            "X-OpenStack-Iotronic-API-Minimum-Version",
            "X-OpenStack-Iotronic-API-Maximum-Version",
            "X-Subject-Token",
            "ETag",
            "Location",
            "X-Request-ID",
        ] {
            assert!(exposed.split(", ").any(|one| one == name), "{name}");
        }
    }
    let sign_in = "/identity/v3/auth/tokens";
    let body = Some(json!({}));
    let answer = world.send(request(None, Method::POST, sign_in, body, &asked)).await;
    assert_eq!((answer.status.as_u16(), answer.header(ORIGIN)), (400, CONSOLE));
    // An OPTIONS that is no preflight is a method like any other.
    let answer = world.ask(&owner, Method::OPTIONS, "/v2/boards", None, &asked).await;
    assert_eq!((answer.status.as_u16(), answer.header(ORIGIN)), (405, CONSOLE));
}

#[tokio::test]
async fn an_origin_that_is_not_listed_gets_no_headers() {
    let world = world(&[CONSOLE]).await;
    let owner = world.owner().await;
    let longer = format!("{CONSOLE}0");
    for origin in [ELSEWHERE, "null", "*", "", "https://console.example", longer.as_str()] {
        let asked = [("origin", origin)];
        let answer = world.ask(&owner, Method::GET, "/v2/boards", None, &asked).await;
        assert_eq!((answer.status.as_u16(), answer.header("vary")), (200, "origin"));
        assert_silent(&answer);
        let answer = preflight(&world, "/v1/boards", origin).await;
        assert_eq!(answer.status, 405, "{origin}");
        assert_silent(&answer);
    }
    assert_silent(&world.get(&owner, "/v2/boards").await);
}

#[tokio::test]
async fn a_star_lets_every_page_in_and_still_asks_for_a_token() {
    let world = world(&["*"]).await;
    assert_eq!(preflight(&world, "/v1/boards", ELSEWHERE).await.header(ORIGIN), "*");
    let asked = [("origin", ELSEWHERE)];
    let answer = world.send(request(None, Method::GET, "/v1/boards", None, &asked)).await;
    assert_eq!((answer.status.as_u16(), answer.header(ORIGIN)), (401, "*"));
}
