//! The runtime itself: places, interpreters, what survives and what dies with the agent.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use runtime::{
    Cancel, Failure, Guest, Language, Limits, Order, Presence, Runtime, Settings, Status,
};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use support::{Source, World, alive, gone};
use tokio::io::{AsyncBufReadExt, BufReader};

const SLEEP: Source =
    Source { python: "import time\nprint('up')\ndef main(p): time.sleep(600)\n", node: "" };

#[tokio::test]
async fn a_missing_interpreter_is_named_with_its_setting() {
    for language in [Language::Python, Language::Node] {
        let world = World::with(language, |settings| {
            settings.python = "python-of-nowhere".to_owned();
            settings.node = "/nowhere/node".to_owned();
        });
        let failure = world.call(Source { python: "", node: "" }, Value::Null).await.unwrap_err();
        let text = failure.to_string();
        let (program, setting) = match language {
            Language::Python => ("python-of-nowhere", "runtime.python"),
            Language::Node => ("/nowhere/node", "runtime.node"),
        };
        assert!(
            text.starts_with(&format!("{program} was not found: install it or set {setting}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_missing_launcher_is_a_clear_error() {
    let world = World::with(Language::Python, |settings| settings.launcher = "/nowhere".into());
    let failure = world.call(SLEEP, Value::Null).await.unwrap_err();
    assert!(failure.to_string().contains("launcher"), "{failure}");
}

#[tokio::test]
async fn what_is_not_installed_cannot_be_used() {
    let world = World::new(Language::Python);
    let missing = Failure::NotInstalled { id: "x".to_owned() };
    let runtime = &world.runtime;
    assert_eq!(runtime.call("x", Order::default(), &Cancel::new()).await, Err(missing.clone()));
    assert_eq!(runtime.start("x", Order::default()).await, Err(missing.clone()));
    assert_eq!(runtime.status("x"), Err(missing.clone()));
    assert_eq!(runtime.remove("x").await, Err(missing.clone()));
    assert_eq!(runtime.logs("x", 0, 1).await, Err(missing));
    let escape = runtime.call("../../etc", Order::default(), &Cancel::new()).await;
    assert_eq!(escape.unwrap_err().label(), "bad_guest");
}

#[tokio::test]
async fn guests_survive_a_restart_of_the_agent() {
    let world = World::new(Language::Python);
    world.install("one", SLEEP).await;
    let settings = Settings::new(world.dir.path(), env!("CARGO_BIN_EXE_guest-host"));
    let again = Runtime::new(settings).unwrap();
    let installed = again.installed();
    assert_eq!(installed.len(), 1);
    assert_eq!((installed[0].id.as_str(), installed[0].language), ("one", Language::Python));
    assert_eq!(again.guest("one").await.unwrap().source, SLEEP.python);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_the_places_wait_and_beyond_the_queue_are_refused() {
    let world = World::with(Language::Python, |settings| {
        settings.max_concurrent_calls = 1;
        settings.max_waiting_calls = 1;
    });
    world.install("one", SLEEP).await;
    world.install("two", Source { python: "def main(p): return p\n", node: "" }).await;
    let first_cancel = Cancel::new();
    let first = tokio::spawn({
        let (runtime, cancel) = (world.runtime.clone(), first_cancel.clone());
        async move { runtime.call("one", Order::default(), &cancel).await }
    });
    world.line_with("one", "up").await;
    let limits = Limits { wall: Some(Duration::from_millis(50)), ..world.limits() };
    let order = Order { limits: Some(limits), ..Order::default() };
    let starved = world.runtime.call("two", order, &Cancel::new()).await;
    assert_eq!(starved, Err(Failure::Timeout { after: Duration::from_millis(50) }));

    let never = Cancel::new();
    let call = || {
        let order = Order { params: json!(8), ..Order::default() };
        Box::pin(world.runtime.call("two", order, &never))
    };
    // Which of the two reaches the queue first is open; the other one finds it full.
    let (mut one, mut other) = (call(), call());
    let (refused, waiting) = tokio::select! {
        result = &mut one => (result, other),
        result = &mut other => (result, one),
    };
    assert_eq!(refused, Err(Failure::Busy { waiting: 1 }));
    first_cancel.cancel();
    assert_eq!(first.await.unwrap(), Err(Failure::Cancelled));
    assert_eq!(waiting.await, Ok(json!(8)));
}

#[tokio::test]
async fn parameters_beyond_the_request_limit_are_refused() {
    let world = World::new(Language::Python);
    let failure = world.call(SLEEP, json!("x".repeat(5 << 20))).await.unwrap_err();
    assert_eq!(failure.label(), "parameters");
}

#[tokio::test]
async fn a_service_dies_with_an_agent_that_is_killed() {
    let world = World::new(Language::Python);
    world.install("held", SLEEP).await;
    let mut host = tokio::process::Command::new(env!("CARGO_BIN_EXE_guest-host"))
        .arg("hold")
        .arg(world.dir.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let pid = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    assert!(alive(pid));
    host.kill().await.unwrap();
    gone(pid).await;
}

#[tokio::test]
async fn what_a_killed_agent_left_behind_is_killed_by_the_next() {
    let world = World::new(Language::Python);
    let source = "import subprocess, time\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\nopen('child', 'w').write(str(child.pid))\ndef main(p): time.sleep(600)\n";
    world.install("held", Source { python: source, node: "" }).await;
    let mut host = tokio::process::Command::new(env!("CARGO_BIN_EXE_guest-host"))
        .arg("hold")
        .arg(world.dir.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let pid = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    let child = std::fs::read_to_string(world.dir.path().join("held/work/child")).unwrap();
    let child = child.parse().unwrap();
    // Not looked at after the kill: any runtime made meanwhile, in another test, tidies up too.
    assert!(alive(child));
    host.kill().await.unwrap();
    gone(pid).await;
    let next = World::new(Language::Python);
    gone(child).await;
    drop(next);
}

#[tokio::test]
async fn dropping_the_runtime_ends_its_services() {
    let world = World::new(Language::Python);
    world.install("one", SLEEP).await;
    let pid = world.started("one").await;
    drop(world);
    gone(pid.into()).await;
}

#[tokio::test]
async fn services_beyond_the_limit_are_refused() {
    let world = World::with(Language::Python, |settings| settings.max_services = 1);
    world.install("one", SLEEP).await;
    world.install("two", SLEEP).await;
    world.started("one").await;
    let refused = world.runtime.start("two", Order::default()).await;
    assert_eq!(refused, Err(Failure::Full { limit: 1 }));
}

#[tokio::test]
async fn a_service_that_floods_the_channel_still_meets_its_limits() {
    let world = World::with(Language::Python, |settings| settings.restarts.max = 0);
    let flood = "import os, threading
def flood():
    while True: os.write(3, b'\\0\\0\\0\\x08{\"ok\":1}')
def main(p):
    threading.Thread(target=flood).start()
    kept = []
    while True: kept.append(bytearray(1 << 20))
";
    let source = flood.to_owned();
    let guest =
        Guest { id: "one".to_owned(), name: "lamp".to_owned(), language: Language::Python, source };
    world.runtime.install(guest).await.unwrap();
    world.runtime.start("one", Order::default()).await.unwrap();
    let status = world.status_where("one", |s| matches!(s, Status::Failed { .. })).await;
    assert!(matches!(&status, Status::Failed { reason: Failure::Memory { .. }, .. }), "{status:?}");
}

#[tokio::test]
async fn a_failed_service_can_be_started_again() {
    let world = World::with(Language::Python, |settings| settings.restarts.max = 0);
    world.install("one", Source { python: "def main(p): raise KeyError(p)", node: "" }).await;
    for _ in 0..2 {
        world.runtime.start("one", Order::default()).await.unwrap();
        world.status_where("one", |s| matches!(s, Status::Failed { .. })).await;
    }
}

#[tokio::test]
async fn a_service_can_be_stopped_while_it_waits_for_its_restart() {
    let world = World::with(Language::Python, |settings| {
        settings.restarts.first_delay = Duration::from_secs(3600);
        settings.restarts.longest_delay = Duration::from_secs(3600);
    });
    world.install("one", Source { python: "def main(p): raise KeyError(p)", node: "" }).await;
    world.runtime.start("one", Order::default()).await.unwrap();
    world.status_where("one", |s| matches!(s, Status::Restarting { restarts: 1, .. })).await;
    let stopped = world.runtime.stop("one", support::PATIENCE).await;
    assert_eq!(stopped, Ok(runtime::Stopped::InOrder));
    assert_eq!(world.runtime.status("one"), Ok(Status::Stopped));
}

#[tokio::test]
async fn a_new_source_is_used_from_the_next_run_on() {
    let world = World::new(Language::Python);
    for number in 0..3 {
        let guest = Guest {
            id: "one".to_owned(),
            name: "lamp".to_owned(),
            language: Language::Python,
            source: format!("def main(p): return {number}"),
        };
        world.runtime.install(guest).await.unwrap();
        let result = world.runtime.call("one", Order::default(), &Cancel::new()).await;
        assert_eq!(result, Ok(json!(number)));
    }
}

#[tokio::test]
async fn the_layers_say_what_this_machine_gives() {
    let world = World::with(Language::Python, support::small_confinement);
    let layers = world.runtime.layers();
    let memory = layers.iter().find(|layer| layer.name == "memory").unwrap();
    assert_eq!(memory.presence, Presence::Sampled);
    assert!(layers.iter().any(|layer| layer.name == "seccomp"));
}

#[tokio::test]
async fn no_control_group_is_left_behind() {
    let world = World::new(Language::Python);
    let group_of_guest =
        Source { python: "def main(p): return open('/proc/self/cgroup').read()", node: "" };
    let text = world.call(group_of_guest, Value::Null).await.unwrap();
    let own = format!("s4t-guests-{}-", std::process::id());
    let here = text.as_str().unwrap();
    let enforced = world
        .runtime
        .layers()
        .iter()
        .any(|layer| layer.name == "memory" && layer.presence == Presence::Enforced);
    assert_eq!(here.contains(&own), enforced, "{here}");
    for line in here.lines().filter(|line| line.contains(&own)) {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controller, path) = (fields.next().unwrap(), fields.next().unwrap());
        let mount = if controller.is_empty() { String::new() } else { format!("/{controller}") };
        assert!(!std::path::Path::new(&format!("/sys/fs/cgroup{mount}{path}")).exists(), "{line}");
    }
}

#[tokio::test]
async fn a_log_file_that_stalls_stops_neither_calls_nor_the_reading_of_logs() {
    let world = World::new(Language::Python);
    let hello = Source { python: "def main(p):\n    print('hello')\n    return 7\n", node: "" };
    world.install("one", hello).await;
    // Read before the disk gets slow; whoever opens a FIFO waits for its other end.
    assert!(world.texts("one").await.is_empty());
    let fifo = world.dir.path().join("one/log");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for _ in 0..3 {
        let cancel = Cancel::new();
        let call = world.runtime.call("one", Order::default(), &cancel);
        let result = tokio::time::timeout(support::PATIENCE, call).await.unwrap();
        assert_eq!(result.unwrap(), json!(7));
    }
    let texts = world.texts("one").await;
    assert_eq!(texts.iter().filter(|text| *text == "hello").count(), 3, "{texts:?}");
}
