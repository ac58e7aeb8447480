//! Kill -9 at any moment: no acknowledged command is lost, none is done twice, and what cannot be known is said so.
//!
//! `S4T_SOAK_KILLS` raises the number of kills.

use api::client::{Client, Method};
use api::operations::Operation;
use model::OperationId;
use model::operation::State;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::{Board, PATIENCE, World, until};

/// Kills when nothing else is said.
const KILLS: u32 = 12;
/// Most commands that wait at one time, so that a long run does not outgrow the history.
const OUTSTANDING: usize = 40;
/// Appends its parameter to a file in one write, after a moment in which it can be killed.
pub(crate) const APPEND: &str = "
import os, time
def main(params):
    time.sleep(0.02)
    out = os.open(params['file'], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, (params['mark'] + '\\n').encode())
    os.close(out)
    return params['mark']
";

fn kills() -> u32 {
    std::env::var("S4T_SOAK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

/// A pseudo-random number below `bound`; the same ones in every run.
fn below(state: &mut u32, bound: u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state % bound
}

/// One user who gives commands all the time and remembers which were acknowledged.
pub(crate) struct Giver<'a> {
    pub(crate) client: Client,
    pub(crate) board: &'a Board,
    pub(crate) file: &'a Path,
}

impl Giver<'_> {
    /// A command with its own mark, under its own key, until the cloud says yes.
    fn give(&self, mark: &str, give_up: &AtomicBool) -> Option<OperationId> {
        let body = json!({ "parameters": { "file": self.file, "mark": mark } });
        let headers = [("idempotency-key", mark)];
        let path = self.board.path("/plugins/append/call");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let asked =
                self.client.request::<Operation>(&Method::POST, &path, Some(&body), &headers);
            match asked {
                Ok(operation) => return Some(operation.id),
                Err(_) if give_up.load(Ordering::Relaxed) => return None,
                Err(error) => {
                    assert!(Instant::now() < deadline, "{mark} is not taken: {error}");
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
        }
    }

    fn waiting(&self) -> usize {
        let path = "/v2/operations?state=pending&limit=1000";
        self.client.get::<api::Page<Value>>(path).map_or(0, |page| page.items.len())
    }

    /// Goes on until it is stopped; gives what was acknowledged.
    pub(crate) fn go_on(&self, stop: &AtomicBool) -> BTreeMap<String, OperationId> {
        let mut acknowledged = BTreeMap::new();
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let mark = format!("mark-{number}");
            if let Some(id) = self.give(&mark, stop) {
                acknowledged.insert(mark, id);
            }
            while number % 10 == 9 && self.waiting() > OUTSTANDING && !stop.load(Ordering::Relaxed)
            {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        acknowledged
    }
}

/// What is killed.
#[derive(Clone, Copy)]
enum Victim {
    Cloud,
    Agent,
    Both,
}

fn kill(world: &World, board: &Board, victim: Victim) {
    match victim {
        Victim::Cloud => world.cloud_restart(),
        Victim::Agent => {
            board.kill();
            board.start();
        }
        Victim::Both => {
            world.cloud_kill();
            board.kill();
            board.start();
            world.cloud_restart();
        }
    }
}

fn run(seed: u32, victims: &[Victim], kills: u32) {
    let world = World::new();
    let board = world.board("victim");
    world.plugin("append", "python", "sync", APPEND);
    board.inject("append");
    let file = world.folder().join("marks");
    let stop = AtomicBool::new(false);
    let giver = Giver { client: world.admin(), board: &board, file: &file };
    let mut state = seed;
    let acknowledged = std::thread::scope(|scope| {
        let giving = scope.spawn(|| giver.go_on(&stop));
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(200 + u64::from(below(&mut state, 900))));
            let victim = victims[below(&mut state, victims.len() as u32) as usize];
            kill(&world, &board, victim);
            assert!(!giving.is_finished(), "the giver goes on");
        }
        stop.store(true, Ordering::Relaxed);
        giving.join().unwrap()
    });
    board.wait_online();
    check(&world, &file, &acknowledged);
    board.answers();
}

fn check(world: &World, file: &Path, acknowledged: &BTreeMap<String, OperationId>) {
    assert!(acknowledged.len() > 10, "only {} commands flowed", acknowledged.len());
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (mark, id) in acknowledged {
        let detail = until(&format!("the end of {mark}"), PATIENCE * 2, || {
            let path = format!("/v2/operations/{id}?wait=20");
            let found = world.admin().get::<api::operations::Detail>(&path);
            let detail = found.map_err(|error| error.to_string())?;
            if detail.operation.state.has_ended() { Ok(detail) } else { Err(format!("{detail:?}")) }
        });
        let ended = detail.history.iter().filter(|step| step.state.has_ended()).count();
        assert_eq!(ended, 1, "it ended exactly once: {detail:?}");
        *ends.entry(detail.operation.state.word()).or_default() += 1;
        match detail.operation.state {
            State::Succeeded => assert_eq!(detail.operation.result, Some(json!(mark))),
            State::Unknown => unknown.push(mark),
            State::Failed => {
                let fault = detail.operation.fault.clone().unwrap();
                panic!("{mark} failed for another reason than a kill: {fault:?}")
            }
            other => panic!("{mark} ended {other}"),
        }
    }
    let written = std::fs::read_to_string(file).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for mark in written.lines() {
        *counts.entry(mark).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    let lost: Vec<_> = acknowledged
        .keys()
        .filter(|mark| !counts.contains_key(mark.as_str()) && !unknown.contains(mark))
        .collect();
    assert!(lost.is_empty(), "said to be done and not done: {lost:?}");
    println!("{} commands: {ends:?}, {} marks", acknowledged.len(), counts.len());
}

#[test]
fn killing_the_cloud_loses_and_doubles_nothing() {
    run(11, &[Victim::Cloud], kills().div_ceil(3));
}

#[test]
fn killing_the_agent_loses_and_doubles_nothing() {
    run(23, &[Victim::Agent], kills().div_ceil(3));
}

#[test]
fn killing_either_or_both_loses_and_doubles_nothing() {
    run(37, &[Victim::Cloud, Victim::Agent, Victim::Both], kills().div_ceil(3));
}

#[test]
fn an_agent_killed_in_the_middle_of_a_call_says_unknown_and_does_not_run_it_again() {
    let world = World::new();
    let board = world.board("victim");
    let source = "
import time
def main(params):
    open(params['file'], 'a').write('begun\\n')
    time.sleep(20)
";
    world.plugin("slow", "python", "sync", source);
    board.inject("slow");
    let file = world.folder().join("begun");
    let body = json!({ "parameters": { "file": file } });
    let operation: Operation =
        world.admin().post(&board.path("/plugins/slow/call"), &body).unwrap();
    until("the call to begin", PATIENCE, || match std::fs::read_to_string(&file) {
        Ok(text) if text == "begun\n" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    board.kill();
    board.start();
    let detail = world.operation(operation.id, 30);
    assert_eq!(detail.operation.state, State::Unknown, "{detail:?}");
    board.wait_online();
    board.answers();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "begun\n");
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let world = World::new();
    let admin = world.admin();
    for number in 0..5 {
        let name = format!("fleet-{number}");
        admin.post::<Value>("/v2/fleets", &json!({ "name": name })).unwrap();
        world.cloud_restart();
        let fleet: Value = admin.get(&format!("/v2/fleets/{name}")).unwrap();
        assert_eq!(fleet["name"], name);
    }
}
