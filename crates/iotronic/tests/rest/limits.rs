//! The bounds of requests, tried on every route of the table: how often, and how large.

use crate::world::{World, request};
use axum::body::Body;
use axum::http::{Method, Request};
use iotronic::http::MAX_BODY;
use iotronic::http::routes::{Route, table};
use model::access::Role;

fn path(route: &Route) -> String {
    let parts = route.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_answers_429_with_the_time_to_wait_when_somebody_asks_too_often() {
    let world = World::with(|settings| {
        settings.limits.requests_per_s = 1;
        settings.limits.requests_burst = 1;
    });
    let world = world.await;
    let who = world.somebody(&world.project, Role::UserIot).await;
    for route in table() {
        // A request a second gets through; of several at once not each can be that one.
        let mut limited = None;
        for _ in 0..50 {
            let asked = request(Some(&who.token), Method::GET, &path(&route), None, &[]);
            let (mut parts, body) = asked.into_parts();
            parts.method = route.method.clone();
            let answer = world.send(Request::from_parts(parts, body)).await;
            if answer.status == 429 {
                limited = Some(answer);
                break;
            }
        }
        let limited = limited.unwrap_or_else(|| panic!("{} {}", route.method, route.path));
        let wait: u64 = limited.header("retry-after").parse().unwrap();
        assert!((1..=3).contains(&wait), "{} {}: {wait}", route.method, route.path);
        assert!(limited.text.contains("too many requests"), "{}", limited.text);
    }
    // Somebody else is not made to wait for it.
    let other = world.somebody(&world.project, Role::UserIot).await;
    world.get(&other, "/v2/boards").await.expect(200);
}

#[tokio::test]
async fn boards_do_not_come_by_an_older_tls_where_people_may() {
    let world = World::start().await;
    for path in ["/wamp", "/tunnel"] {
        let mut asked = request(None, Method::GET, path, None, &[]);
        asked.extensions_mut().insert(iotronic::http::Older);
        let answer = world.send(asked).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text.contains("TLS 1.3"), "{}", answer.text);
        let asked = request(None, Method::GET, path, None, &[]);
        assert_ne!(world.send(asked).await.status, 403, "{path}");
    }
    world.finish().await;
}

#[tokio::test]
async fn every_route_refuses_a_body_that_is_too_large() {
    let world = World::start().await;
    let who = world.somebody(&world.project, Role::Admin).await;
    for route in table() {
        let body = Body::from(vec![b' '; MAX_BODY + 1]);
        let asked = Request::builder().method(route.method.clone()).uri(path(&route));
        let asked = asked.header("x-auth-token", &who.token).body(body).unwrap();
        let answer = world.send(asked).await;
        assert_eq!(answer.status, 413, "{} {}: {}", route.method, route.path, answer.text);
    }
}
