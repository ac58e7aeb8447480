//! kill -9 of the cloud at any moment, again and again, while a person gives commands: whatever was accepted is done, and
//! done once.

use crate::machine::{Behaviour, Machine, come_online, enrol};
use crate::people::Person;
use crate::process::Program;
use crate::world::{eventually, free_port};
use base::key::KeyPair;
use futures_util::FutureExt as _;
use model::claim::Claim;
use model::{BoardId, OperationId};
use rpc::{Envelope, Method};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Kills in this test; `cargo xtask soak` does more of them with the real agent.
const KILLS: u32 = 6;

/// What a board remembers: every command it was ever given, and those that one session gave twice.
#[derive(Clone, Default)]
struct Journal {
    done: Arc<Mutex<HashSet<OperationId>>>,
    twice: Arc<Mutex<Vec<OperationId>>>,
}

/// The behaviour of one session.
fn journalled(journal: Journal) -> Behaviour {
    let given = Mutex::new(HashSet::new());
    Arc::new(move |request, method, _| {
        if method == Method::DeviceRestartLR {
            journal.done.lock().unwrap().insert(request.uuid);
            if !given.lock().unwrap().insert(request.uuid) {
                journal.twice.lock().unwrap().push(request.uuid);
            }
        }
        std::future::ready(Envelope::success(json!("done")).to_text().into()).boxed()
    })
}

/// Comes online again whenever the cloud is there.
fn keep_online(
    address: std::net::SocketAddr,
    id: BoardId,
    key: KeyPair,
    journal: Journal,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let attempt = tokio::spawn({
                let (key, journal) = (key.clone(), journal.clone());
                async move { come_online(address, id, &key, journalled(journal)).await }
            });
            // It panics when the cloud is away in the middle of it; that is this test's weather.
            match attempt.await {
                Ok(Machine { session, .. }) => drop(session.closed().await),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
}

/// Gives commands one after the other; gives back those that were accepted.
async fn give(person: Person, board: BoardId, count: usize) -> Vec<OperationId> {
    let mut accepted = Vec::new();
    for _ in 0..count {
        let request = format!("POST /v2/boards/{board}/restart-agent");
        let Ok((202, answer)) = person.ask(&request, json!({ "delay": 3 })).await else { break };
        accepted.push(answer["id"].as_str().unwrap().parse().unwrap());
    }
    accepted
}

async fn first_start(dir: &Path, listen: &str) -> (Program, BoardId, KeyPair) {
    let program = Program::start(dir, &[("API__LISTEN", listen)]);
    let person = Person::sign_in(dir, program.address()).await.unwrap();
    let (status, made) = person.ask("POST /v2/claims", json!({ "name": "lamp" })).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let claim: Claim = made["claim"].as_str().unwrap().parse().unwrap();
    let key = KeyPair::generate();
    let board = enrol(program.address(), &key, &claim.secret).await.unwrap().uuid;
    (program, board, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_accepted_is_done_once_however_often_the_cloud_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let (mut program, board, key) = first_start(dir.path(), &listen).await;
    let address = program.address();
    let journal = Journal::default();
    let online = keep_online(address, board, key, journal.clone());
    let mut accepted = Vec::new();
    for round in 0..KILLS {
        let person = Person::sign_in(dir.path(), address).await.unwrap();
        let giving = tokio::spawn(give(person, board, 100));
        tokio::time::sleep(Duration::from_millis(u64::from(40 + 37 * round))).await;
        program.signal("-KILL");
        program.wait();
        accepted.extend(giving.await.unwrap());
        program = Program::start(dir.path(), &[("API__LISTEN", &listen)]);
    }
    assert!(!accepted.is_empty());
    let person = Person::sign_in(dir.path(), address).await.unwrap();
    for id in &accepted {
        eventually("a command that was accepted is done", || async {
            let request = format!("GET /v2/operations/{id}");
            let (status, answer) = person.ask(&request, Value::Null).await.unwrap();
            let is_done = status == 200 && answer["state"] == "succeeded";
            is_done.then_some(()).ok_or(answer)
        })
        .await;
    }
    let done = journal.done.lock().unwrap().clone();
    assert!(accepted.iter().all(|id| done.contains(id)), "said to be done, and never given");
    assert_eq!(*journal.twice.lock().unwrap(), [], "given twice in one session");
    online.abort();
    program.signal("-TERM");
    assert!(program.wait().0.success());
}
