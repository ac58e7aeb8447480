//! What it costs to tell who bears a token: for the bench, which runs this and reads its one line.
//!
//! Says microseconds of one check of a token of our own, and of one of a Keystone that was asked before; the quietest of
//! several rounds each. The Keystone is a stand-in that knows every token and is asked once.

#![allow(clippy::unwrap_used, reason = "a measurement that fails is a panic")]

use api::client::Trust;
use iotronic::identity::tokens::{Method, Statement};
use iotronic::identity::{Keystone, SignIn, Tokens};
use iotronic::settings::Roles;
use model::access::Role;
use model::{ProjectId, Timestamp, UserId};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use store::identity::{ProjectRow, UserRow};
use store::{Options, Store};

const CHECKS: u32 = 20_000;
const ROUNDS: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = std::env::temp_dir().join(format!("s4t-token-check-{}", std::process::id()));
    let store = Store::open(&dir, Options::default()).await.unwrap();
    let tokens = Tokens::with_key(b"a key of this measurement");
    let own = own(&store, &tokens).await;
    let sign_in = SignIn::default();
    let of_own = quietest(&store, &sign_in, &tokens, &own).await;
    let keystone = Keystone::new(&stand_in(), &Trust::Public, Roles::default()).unwrap();
    let elsewhere = SignIn::elsewhere(keystone);
    let token = "g".repeat(183);
    let of_keystone = quietest(&store, &elsewhere, &tokens, &token).await;
    store.close().await;
    let _ = std::fs::remove_dir_all(&dir);
    println!("{{\"own_us\": {of_own:.3}, \"keystone_us\": {of_keystone:.3}}}");
}

/// A token of a user with a role.
async fn own(store: &Store, tokens: &Tokens) -> String {
    let (user, project) = (UserId::new(), ProjectId::new());
    let (u, p) = (user.clone(), project.clone());
    let job = store.write(move |tx| {
        Box::pin(async move {
            store::identity::create_user(tx, &UserRow::new(u.clone(), "ada", "!")).await?;
            store::identity::create_project(tx, &ProjectRow::new(p.clone(), "city")).await?;
            store::identity::assign(tx, &u, &p, Role::UserIot).await
        })
    });
    job.await.unwrap();
    let now = store.now();
    tokens.make(&Statement {
        user,
        project,
        credential: None,
        method: Method::Password,
        issued_at: now,
        expires_at: now.after(Duration::from_secs(3600)),
        audit: [1; 16],
    })
}

async fn quietest(store: &Store, sign_in: &SignIn, tokens: &Tokens, token: &str) -> f64 {
    let now: Timestamp = store.now();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..CHECKS {
            let said = sign_in.read(store, tokens, token, now).await.unwrap();
            let grant = sign_in.grant(store, &said, now).await.unwrap();
            assert!(grant.is_some(), "it is a good token");
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e6 / f64::from(CHECKS));
    }
    best
}

/// Answers every question as if the token were good; its address.
fn stand_in() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = r#"{"token": {"user": {"id": "f4f92535f1ef4d54809e56d76119fdb2", "name": "bob"},
        "project": {"id": "4aee79860a404026ba1fdb6b6aa7634e", "name": "town"}, "roles": [{"id": "r", "name": "member"}],
        "issued_at": "2026-01-01T00:00:00Z", "expires_at": "2999-01-01T00:00:00Z"}}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}
