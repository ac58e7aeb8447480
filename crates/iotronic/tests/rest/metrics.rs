//! What machines ask to know how the cloud is: numbers whose names are a promise, and whether it can work.
//!
//! The table of numbers in `docs/operations.md` is the list of record; `UPDATE_GOLDEN=1` writes it anew.

use crate::world::{World, request};
use axum::http::Method;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Faults, Options};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
const FROM: &str = "<!-- metrics -->\n";
const TO: &str = "<!-- /metrics -->";

/// The numbers as a table, whatever their values are.
fn table(said: &str) -> String {
    let mut helps = BTreeMap::new();
    let mut table = "| metric | type | what |\n|---|---|---|\n".to_owned();
    for line in said.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|it| it.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' '))
        {
            writeln!(table, "| `{name}` | {kind} | {} |", helps[name]).unwrap();
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let bare = name.split('{').next().unwrap();
            assert!(helps.contains_key(bare), "no help and type before {line}");
            assert!(value.parse::<f64>().is_ok(), "no number: {line}");
        }
    }
    table
}

#[tokio::test]
async fn every_number_is_in_the_operators_page_under_the_name_it_has() {
    let world = World::start().await;
    let answer = world.send(request(None, Method::GET, "/metrics", None, &[])).await;
    assert_eq!(answer.status, 200);
    let found = table(&answer.text);
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(FROM).unwrap();
    let (golden, after) = rest.split_once(TO).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PAGE, format!("{before}{FROM}{found}{TO}{after}")).unwrap();
        return;
    }
    assert_eq!(found, golden, "run with UPDATE_GOLDEN=1 if this change is meant");
}

#[tokio::test]
async fn a_cloud_without_its_database_lives_but_is_not_ready_and_says_why() {
    let world = World::start().await;
    world.cloud().store.close().await;
    let get = async |path: &str| world.send(request(None, Method::GET, path, None, &[])).await;
    assert_eq!(get("/livez").await.text, "ok\n");
    let problem = get("/readyz").await.expect(503);
    assert_eq!(problem["detail"], "the store does not answer", "{problem}");
}

/// A disk that is full while it is told to be.
#[derive(Default)]
struct Disk(AtomicBool);

impl Faults for Disk {
    fn before_commit(&self) -> Result<(), store::Error> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(store::Error::Faulted("the disk is full, says the test".into())),
            false => Ok(()),
        }
    }
    fn after_commit(&self) {}
}

#[tokio::test]
async fn a_cloud_whose_disk_is_full_is_not_ready_until_it_has_room_again() {
    let disk = Arc::<Disk>::default();
    let options = Options { faults: Some(disk.clone()), ..Options::default() };
    let world = World::on(|_| {}, options).await;
    let get = async |path: &str| world.send(request(None, Method::GET, path, None, &[])).await;
    assert_eq!(get("/readyz").await.text, "ok\n");
    disk.0.store(true, Ordering::SeqCst);
    let lost = world.cloud().store.write(|_| Box::pin(async { Ok(()) })).await;
    lost.unwrap_err();
    let problem = get("/readyz").await.expect(503);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("the disk is full"), "{problem}");
    assert_eq!(get("/livez").await.text, "ok\n");
    disk.0.store(false, Ordering::SeqCst);
    assert_eq!(get("/readyz").await.text, "ok\n");
}
