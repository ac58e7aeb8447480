//! Guests of others: whatever each may use for itself, together they stay within what is given to them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use runtime::{Failure, Language, Limits, Order, Presence, Share, Status, Whose};
use serde_json::Value;
use std::time::{Duration, Instant};
use support::{Source, World, eventually};

const BUSY: Source = Source { python: "def main(p):\n    while True: pass\n", node: "" };
const LARGE: Source = Source {
    python: "import time\ndef main(p):\n    held = bytearray(60 << 20)\n    for at in range(0, len(held), 4096): held[at] = 1\n    print('held')\n    time.sleep(600)\n",
    node: "",
};

/// Percent of one core.
const GIVEN: u32 = 40;
/// Processor time that is waited for.
const WORK: Duration = Duration::from_millis(1200);
/// Hundredths of a second, in which the kernel counts.
const TICK: Duration = Duration::from_millis(10);

fn is_enforced(world: &World) -> bool {
    let layers = world.runtime.layers();
    let layer = layers.iter().find(|layer| layer.name == "guests_of_others_together").unwrap();
    layer.presence == Presence::Enforced
}

async fn start(world: &World, id: &str, source: Source, whose: Whose) -> i32 {
    world.install(id, source).await;
    let limits = Limits { whose, ..Limits::for_service(Language::Python) };
    let order = Order { params: Value::Null, context: Value::Null, limits: Some(limits) };
    match world.runtime.start(id, order).await.unwrap() {
        Status::Running { pid, .. } => pid,
        other => panic!("not running: {other:?}"),
    }
}

/// Processor time that a process has had.
fn used(pid: i32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u32>().unwrap();
    TICK * (ticks(11) + ticks(12))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_guests_of_others_have_their_share_of_the_processor_together_and_no_more() {
    let world = World::new(Language::Python);
    let share = Share { cpu_percent: Some(GIVEN), ..Share::default() };
    world.runtime.share(share).unwrap();
    if !is_enforced(&world) {
        // Such a board says so, and there is nothing to be seen.
        return;
    }
    let one = start(&world, "one", BUSY, Whose::Lent).await;
    let two = start(&world, "two", BUSY, Whose::Lent).await;
    let own = start(&world, "own", BUSY, Whose::Own).await;
    let group = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(group(one).contains("/lent/") && group(two).contains("/lent/"), "{}", group(one));
    assert!(!group(own).contains("/lent/"), "the board's own are not bound: {}", group(own));
    let (began, before) = (Instant::now(), used(one) + used(two));
    eventually("the busy guests to have worked", || {
        (used(one) + used(two) - before >= WORK).then_some(())
    })
    .await;
    // A machine that is busy otherwise only makes it longer. Without the share two cores give it within 0.6 s.
    let least = WORK * 100 / GIVEN;
    let took = began.elapsed();
    assert!(took >= least * 7 / 10, "{WORK:?} of {GIVEN} % of a core took {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_of_others_that_need_too_much_memory_together_are_ended_for_it() {
    let world = World::new(Language::Python);
    world.runtime.share(Share { memory_bytes: Some(110 << 20), ..Share::default() }).unwrap();
    if !is_enforced(&world) {
        return;
    }
    let own = start(&world, "own", LARGE, Whose::Own).await;
    start(&world, "one", LARGE, Whose::Lent).await;
    let _ = world.line_with("one", "held").await;
    start(&world, "two", LARGE, Whose::Lent).await;
    let is_over = |id: &str| {
        let status = world.runtime.status(id).unwrap();
        let failed = match status {
            Status::Failed { reason, .. } | Status::Restarting { reason, .. } => reason,
            _ => return false,
        };
        matches!(failed, Failure::Memory { .. })
    };
    eventually("one of the two to be ended", || (is_over("one") || is_over("two")).then_some(()))
        .await;
    assert!(support::alive(own.into()), "the board's own are not bound");
    // A larger share lets both be.
    world.runtime.share(Share::default()).unwrap();
}
