//! What is acknowledged is on the disk: commits that fail or wait, a killed process, a second process on the same folder.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use base::key::PublicKey;
use model::facts::Facts;
use model::label::Labels;
use model::{BoardId, ProjectId, UserId};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::boards::{self, NewBoard};
use store::{Error, Faults, Options, Page, Store};

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tells the test binary that it is the process to be killed, and where it writes.
const VICTIM: &str = "STORE_TEST_VICTIM";

fn board(name: &str) -> NewBoard {
    NewBoard {
        id: BoardId::new(),
        name: name.parse().unwrap(),
        project: ProjectId::new(),
        owner: UserId::new(),
        fleet: None,
        public_key: Some(PublicKey::from_bytes(base::secret::random())),
        labels: Labels::default(),
        position: None,
        facts: Facts::default(),
    }
}

async fn create(store: &Store, new: NewBoard) -> Result<BoardId, Error> {
    let row = store.write(move |tx| Box::pin(async move { boards::create(tx, new).await }));
    row.await.map(|row| row.id)
}

async fn count(store: &Store) -> usize {
    let filter = boards::Filter::default();
    boards::list(store, None, &filter, Page::default()).await.unwrap().len()
}

async fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default()).await.unwrap()
}

async fn open_with(dir: &Path, faults: Arc<dyn Faults>) -> Store {
    Store::open(dir, Options { faults: Some(faults), ..Options::default() }).await.unwrap()
}

/// Holds every commit until it is let go, and writes down what happens.
struct Gate {
    reached: Mutex<Sender<()>>,
    go: Mutex<Receiver<()>>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Faults for Gate {
    fn before_commit(&self) -> Result<(), Error> {
        self.reached.lock().unwrap().send(()).unwrap();
        self.go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        self.log.lock().unwrap().push("commit");
        Ok(())
    }
    fn after_commit(&self) {
        self.log.lock().unwrap().push("synced");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_before_the_commit_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    let (reached, at_the_gate) = channel();
    let (open_gate, go) = channel();
    let log = Arc::new(Mutex::new(Vec::new()));
    let gate = Gate { reached: Mutex::new(reached), go: Mutex::new(go), log: Arc::clone(&log) };
    let store = open_with(dir.path(), Arc::new(gate)).await;
    let caller = {
        let (store, log) = (store.clone(), Arc::clone(&log));
        tokio::spawn(async move {
            create(&store, board("lamp")).await.unwrap();
            log.lock().unwrap().push("answered");
        })
    };
    let at_the_gate = tokio::task::spawn_blocking(move || {
        at_the_gate.recv_timeout(PATIENCE).unwrap();
        at_the_gate
    });
    let _at_the_gate = at_the_gate.await.unwrap();
    assert!(!caller.is_finished(), "answered before the commit");
    assert_eq!(count(&store).await, 0, "seen before the commit");
    assert_eq!(store::events::last_seq(&store), 0, "told before the commit");
    open_gate.send(()).unwrap();
    caller.await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["commit", "synced", "answered"]);
    assert_eq!(count(&store).await, 1);
}

/// Fails commits while it is told to.
#[derive(Default)]
struct Broken(AtomicBool);

impl Faults for Broken {
    fn before_commit(&self) -> Result<(), Error> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Error::Faulted("the disk is gone".into())),
            false => Ok(()),
        }
    }
    fn after_commit(&self) {}
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_everyone_in_the_group_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let store = open_with(dir.path(), Arc::clone(&broken) as Arc<dyn Faults>).await;
    create(&store, board("first")).await.unwrap();
    let seq = store::events::last_seq(&store);

    broken.0.store(true, Ordering::SeqCst);
    let names: Vec<_> = (0..20).map(|index| format!("lost-{index}")).collect();
    let lost = futures_util::future::join_all(names.iter().map(|name| create(&store, board(name))));
    for result in lost.await {
        assert!(matches!(result, Err(Error::Faulted(_))), "{result:?}");
    }
    assert_eq!((count(&store).await, store::events::last_seq(&store)), (1, seq));
    let refused = store.takes_writes().await.unwrap_err();
    assert!(refused.to_string().contains("the disk is gone"), "{refused}");

    broken.0.store(false, Ordering::SeqCst);
    store.takes_writes().await.expect("it is tried again, and nobody has to write for it");
    create(&store, board("last")).await.unwrap();
    assert_eq!(store::events::last_seq(&store), seq + 1, "numbers go on without a gap");
    store.close().await;
    let store = open(dir.path()).await;
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn writes_behind_are_lost_with_the_commit_and_dropped_at_the_bound_with_a_count() {
    let dir = tempfile::tempdir().unwrap();
    let (reached, at_the_gate) = channel();
    let (open_gate, go) = channel();
    let log = Arc::new(Mutex::new(Vec::new()));
    let gate = Gate { reached: Mutex::new(reached), go: Mutex::new(go), log };
    let store = open_with(dir.path(), Arc::new(gate)).await;
    let queue = |count: usize| {
        for _ in 0..count {
            store.write_behind(|_| Box::pin(async { Ok(()) }));
        }
    };
    queue(1);
    let held = tokio::task::spawn_blocking(move || {
        at_the_gate.recv_timeout(PATIENCE).unwrap();
        at_the_gate
    });
    let held = held.await.unwrap();
    queue(10_000);
    assert!(store.dropped() > 0 && store.dropped() < 10_000, "{}", store.dropped());
    // Lets this commit and all later ones pass.
    for _ in 0..1000 {
        open_gate.send(()).unwrap();
    }
    store.flush().await.unwrap();
    drop(held);
}

#[tokio::test]
async fn a_second_store_on_the_same_folder_is_refused_until_the_first_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).await;
    let second = Store::open(dir.path(), Options::default()).await;
    let refused = second.err().unwrap();
    assert!(matches!(refused, Error::Locked(_)));
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
    first.close().await;
    open(dir.path()).await.close().await;
}

#[tokio::test]
async fn the_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    create(&store, board("lamp")).await.unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

/// Not a test of its own: the process that `an_acknowledged_write_survives_kill_9` starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Ok(dir) = std::env::var(VICTIM) else { return };
    let store = open(Path::new(&dir)).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for index in 0.. {
                    let id = create(&store, board(&format!("w{writer}-{index}"))).await.unwrap();
                    println!("\nacknowledged {id}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn an_acknowledged_write_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let acknowledged = kill_in_the_middle(dir.path(), round * 40);
        assert!(acknowledged.len() >= round * 40);
        let store = open(dir.path()).await;
        for id in acknowledged {
            let found = boards::by_id(&store, None, id).await;
            assert!(found.is_ok(), "{id} was acknowledged and is gone after round {round}");
        }
        store.close().await;
    }
}

fn kill_in_the_middle(dir: &Path, after: usize) -> Vec<BoardId> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let id = line.strip_prefix("acknowledged ").and_then(|id| id.parse::<BoardId>().ok());
        acknowledged.extend(id);
        if acknowledged.len() == after {
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    acknowledged
}
