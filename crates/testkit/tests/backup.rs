//! A cloud is lost, and comes back out of a backup that was made while it worked: its boards go on, and nothing is done twice.

use crate::crashes::Giver;
use model::operation::State;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{PATIENCE, Said, World, program_path, until};

fn cloud_program(words: &[&str], data: &Path, file: &Path) -> Said {
    let mut command = Command::new(program_path("iotronic"));
    Said::of(command.args(words).arg("--data").arg(data).arg(file))
}

#[test]
fn a_cloud_that_was_lost_comes_back_from_a_backup_and_no_command_is_done_twice() {
    let world = World::new();
    let board = world.board("victim");
    let away = world.board("away");
    away.stop();
    away.wait_offline();
    world.plugin("append", "python", "sync", crate::crashes::APPEND);
    board.inject("append");
    let (file, backup) = (world.folder().join("marks"), world.folder().join("cloud.backup"));
    let reboot = world
        .admin()
        .post::<api::operations::Operation>(&away.path("/restart-agent"), &json!({}))
        .unwrap();
    let stop = AtomicBool::new(false);
    let giver = Giver { client: world.admin(), board: &board, file: &file };
    let (acknowledged, before) = std::thread::scope(|scope| {
        let giving = scope.spawn(|| giver.go_on(&stop));
        let some = |least: usize| {
            until("some commands", PATIENCE, || {
                let done = std::fs::read_to_string(&file).unwrap_or_default().lines().count();
                if done >= least { Ok(done) } else { Err(done.to_string()) }
            })
        };
        let before = some(10);
        let _ = cloud_program(&["backup"], &world.data(), &backup).ok();
        let _ = some(before + 15);
        world.cloud_kill();
        stop.store(true, Ordering::Relaxed);
        (giving.join().unwrap(), before)
    });
    // The machine is lost; another gets what was kept.
    std::fs::rename(world.data(), world.folder().join("lost")).unwrap();
    let _ = cloud_program(&["restore"], &world.data(), &backup).ok();
    let refused = cloud_program(&["restore"], &world.data(), &backup).failed(1);
    assert!(refused.contains("not empty"), "{refused}");
    world.cloud_restart();
    // Tokens of before are void: the test signs in anew.
    let admin = testkit::administrator(world.url(), &world.trust(), &world.data());
    let online = |name: &str| {
        until(&format!("{name} to be online"), PATIENCE, || {
            let row: Value = admin.get(&format!("/v2/boards/{name}")).map_err(|e| e.to_string())?;
            if row["status"] == "online" { Ok(()) } else { Err(row["status"].to_string()) }
        });
    };
    online("victim");
    let operation = |id: model::OperationId| -> api::operations::Detail {
        admin.get(&format!("/v2/operations/{id}?wait=20")).unwrap()
    };

    let known = acknowledged.iter().filter_map(|(mark, id)| {
        let found = admin.get::<api::operations::Detail>(&format!("/v2/operations/{id}"));
        found.ok().map(|_| (mark, *id))
    });
    let known: Vec<_> = known.collect();
    assert!(known.len() >= before, "{} of {before} that were done before are there", known.len());
    assert!(known.len() < acknowledged.len(), "the backup is older than the end");
    for (mark, id) in &known {
        let detail = until(&format!("the end of {mark}"), PATIENCE, || {
            let detail = operation(*id);
            if detail.operation.state.has_ended() { Ok(detail) } else { Err(format!("{detail:?}")) }
        });
        assert_eq!(detail.operation.state, State::Succeeded, "{detail:?}");
        assert_eq!(detail.operation.result, Some(json!(mark)));
    }
    // What waited for a board that was away is done once it is there.
    away.start();
    online("away");
    let done = operation(reboot.id);
    assert_eq!(done.operation.state, State::Succeeded, "{done:?}");

    let written = std::fs::read_to_string(&file).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    written.lines().for_each(|mark| *counts.entry(mark).or_default() += 1);
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    let unknown = acknowledged.keys().find(|mark| !counts.contains_key(mark.as_str()));
    println!(
        "{} acknowledged, {} known after the restore, not done: {unknown:?}",
        acknowledged.len(),
        known.len()
    );
    let events: Value = admin.get("/v2/events?limit=1000").unwrap();
    assert!(events.to_string().contains("cloud.restored"));
    let verified = world.s4t(&["audit", "verify"]).ok();
    assert!(verified.contains("rows"), "{verified}");
}
