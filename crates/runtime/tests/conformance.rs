//! What every language must do the same: results, errors, limits, services, logs, tidiness.
//!
//! One suite, run for each language with real interpreters; the tests of one language only are in
//! `python.rs` and `node.rs`, those of the runtime itself in `host.rs`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use runtime::{Cancel, Exit, Failure, Language, Limits, Order, Status, Stopped, Stream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Source, World, alive, gone, small_confinement};

macro_rules! for_each_language {
    ($($name:ident),* $(,)?) => {
        mod python {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Language::Python).await; })*
        }
        mod node {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Language::Node).await; })*
        }
    };
}

for_each_language![
    a_call_returns_what_the_plugin_returns,
    any_json_passes_both_ways_unharmed,
    what_a_plugin_prints_is_log_and_not_result,
    an_exception_comes_back_with_kind_message_and_traceback,
    a_source_that_does_not_load_is_an_error,
    a_plugin_that_hangs_is_stopped_at_its_wall_limit,
    a_memory_hog_is_stopped,
    a_memory_hog_is_stopped_without_control_groups,
    a_cpu_hog_is_stopped,
    a_result_that_is_too_large_is_refused,
    a_log_flood_is_capped_and_the_result_still_arrives,
    a_fork_bomb_is_stopped,
    a_fork_bomb_is_stopped_without_control_groups,
    a_bad_exit_says_code_and_last_words,
    a_plugin_killed_by_a_signal_says_which,
    a_grandchild_does_not_outlive_the_call,
    a_grandchild_in_its_own_session_does_not_outlive_the_call,
    a_value_that_is_not_json_is_a_clear_error,
    a_call_can_be_cancelled,
    a_caller_that_goes_away_leaves_no_process,
    the_environment_is_clean,
    no_file_of_the_agent_is_inherited,
    forbidden_system_calls_are_refused,
    the_board_facts_reach_the_plugin,
    a_service_starts_runs_and_stops,
    a_service_that_ends_by_itself_is_stopped,
    a_service_that_ignores_the_request_is_killed,
    a_service_restarts_with_the_same_order,
    a_crashing_service_is_restarted_then_given_up,
    a_killed_service_is_restarted,
    a_service_whose_source_does_not_load_does_not_start,
    a_service_over_its_memory_limit_is_named_so,
    logs_are_read_in_pieces_and_followed,
    shutdown_ends_everything,
];

const ECHO: Source = Source {
    python: "def main(params):\n    return {'got': params}\n",
    node: "exports.main = (params) => ({ got: params });",
};

const LOOP: Source = Source {
    python: "import time\nprint('up')\ndef main(params):\n    while True: time.sleep(0.01)\n",
    node: "console.log('up'); exports.main = (params) => new Promise(() => setInterval(() => {}, 10));",
};

async fn a_call_returns_what_the_plugin_returns(language: Language) {
    let world = World::new(language);
    let result = world.call(ECHO, json!({"pin": 13})).await;
    assert_eq!(result, Ok(json!({"got": {"pin": 13}})));
    assert_eq!(world.call(ECHO, Value::Null).await, Ok(json!({"got": null})));
}

async fn any_json_passes_both_ways_unharmed(language: Language) {
    let world = World::new(language);
    let hard = json!({
        "text": "quotes ' \" ` and \\ back\\slash\nnew line\r\t\u{0} $HOME %s {} \u{2028}",
        "unicode": "ünïcödé 漢字 🦀 \u{10ffff}",
        "": [[], {}, [null, true, false, 0, -1, 1.5, 9_007_199_254_740_991_i64]],
    });
    assert_eq!(world.call(ECHO, hard.clone()).await, Ok(json!({ "got": hard })));
}

async fn what_a_plugin_prints_is_log_and_not_result(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import sys\nprint('{\"ok\": 1}')\ndef main(p):\n    print('ä')\n    print('bad', file=sys.stderr)\n    return 7\n",
        node: "console.log('{\"ok\": 1}'); exports.main = (p) => { console.log('ä'); console.error('bad'); return 7; };",
    };
    assert_eq!(world.call(source, Value::Null).await, Ok(json!(7)));
    let lines = world.runtime.logs("one", 0, 100).await.unwrap().lines;
    let has = |stream, text: &str| lines.iter().any(|l| l.stream == stream && l.text == text);
    assert!(has(Stream::Stdout, "{\"ok\": 1}") && has(Stream::Stdout, "ä"), "{lines:?}");
    assert!(has(Stream::Stderr, "bad"), "{lines:?}");
}

async fn an_exception_comes_back_with_kind_message_and_traceback(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "def main(p):\n    return inner()\ndef inner():\n    raise TypeError('no lamp 💡')\n",
        node: "function inner() { throw new TypeError('no lamp 💡'); }\nexports.main = (p) => inner();",
    };
    match world.call(source, Value::Null).await {
        Err(Failure::Raised { kind, message, traceback }) => {
            assert_eq!((kind.as_str(), message.as_str()), ("TypeError", "no lamp 💡"));
            let trace = traceback.join("\n");
            assert!(trace.contains("inner") && trace.contains("lamp."), "{trace}");
            assert!(!trace.contains("s4t_runner"), "{trace}");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_source_that_does_not_load_is_an_error(language: Language) {
    let world = World::new(language);
    let source = Source { python: "def main(:\n", node: "exports.main = (" };
    let failure = world.call(source, Value::Null).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Raised { kind, .. } if kind == "SyntaxError"),
        "{failure:?}"
    );
    let empty = Source { python: "", node: "" };
    let failure = world.call(empty, Value::Null).await.unwrap_err();
    assert!(failure.to_string().contains("main"), "{failure}");
}

async fn a_plugin_that_hangs_is_stopped_at_its_wall_limit(language: Language) {
    let world = World::new(language);
    let wall = Duration::from_millis(700);
    let limits = Limits { wall: Some(wall), ..world.limits() };
    let began = Instant::now();
    let result = world.call_within(LOOP, Value::Null, limits).await;
    assert_eq!(result, Err(Failure::Timeout { after: wall }));
    assert!(began.elapsed() < support::PATIENCE, "{:?}", began.elapsed());
}

const MEMORY_HOG: Source = Source {
    python: "import time\ndef main(p):\n    kept = []\n    while True:\n        kept.append(bytearray(4 << 20))\n        time.sleep(0.002)\n",
    node: "exports.main = (p) => new Promise(() => { const kept = []; setInterval(() => kept.push(Buffer.alloc(4 << 20, 1)), 4); });",
};

async fn memory_hog(world: &World) {
    let limits = world.limits();
    let limit = limits.memory_bytes;
    let result = world.call_within(MEMORY_HOG, Value::Null, limits).await;
    assert_eq!(result, Err(Failure::Memory { limit }));
}

async fn a_memory_hog_is_stopped(language: Language) {
    memory_hog(&World::new(language)).await;
}

async fn a_memory_hog_is_stopped_without_control_groups(language: Language) {
    memory_hog(&World::with(language, small_confinement)).await;
}

async fn a_cpu_hog_is_stopped(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "def main(p):\n    while True: pass\n",
        node: "exports.main = (p) => { for (;;); };",
    };
    let limits = Limits { cpu_seconds: Some(1), ..world.limits() };
    let result = world.call_within(source, Value::Null, limits).await;
    assert_eq!(result, Err(Failure::Cpu { limit: 1 }));
}

async fn a_result_that_is_too_large_is_refused(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "def main(p):\n    return 'x' * p\n",
        node: "exports.main = (p) => 'x'.repeat(p);",
    };
    let limits = Limits { output_bytes: 1000, ..world.limits() };
    for size in [2000, 300_000] {
        let result = world.call_within(source, json!(size), limits.clone()).await;
        assert_eq!(result, Err(Failure::Output { limit: 1000 }), "{size}");
    }
    let large = world.call(source, json!(900_000)).await.unwrap();
    assert_eq!(large.as_str().map(str::len), Some(900_000));
}

async fn a_log_flood_is_capped_and_the_result_still_arrives(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "def main(p):\n    for n in range(20000): print('flood', n)\n    return 'done'\n",
        node: "exports.main = (p) => { for (let n = 0; n < 20000; n++) console.log('flood', n); return 'done'; };",
    };
    assert_eq!(world.call(source, Value::Null).await, Ok(json!("done")));
    let texts = world.texts("one").await;
    assert!(texts.len() < 5000, "{}", texts.len());
    assert!(texts.iter().any(|text| text.contains("lines dropped")), "{:?}", texts.last());
}

const FORK_BOMB: Source = Source {
    python: "import os, time\ndef main(p):\n    for n in range(60):\n        try:\n            if os.fork() == 0: time.sleep(60)\n        except OSError: pass\n    time.sleep(60)\n",
    node: "const { spawn } = require('child_process'); exports.main = (p) => new Promise(() => { for (let n = 0; n < 60; n++) spawn('sleep', ['60']).on('error', () => {}); });",
};

async fn fork_bomb(world: &World) {
    let result = world.call(FORK_BOMB, Value::Null).await;
    assert_eq!(result, Err(Failure::Processes { limit: 16 }));
}

async fn a_fork_bomb_is_stopped(language: Language) {
    fork_bomb(&World::new(language)).await;
}

async fn a_fork_bomb_is_stopped_without_control_groups(language: Language) {
    fork_bomb(&World::with(language, small_confinement)).await;
}

async fn a_bad_exit_says_code_and_last_words(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import os, sys\ndef main(p):\n    print('last words', file=sys.stderr)\n    os._exit(42)\n",
        node: "exports.main = (p) => { console.error('last words'); process.reallyExit(42); };",
    };
    match world.call(source, Value::Null).await {
        Err(Failure::Crashed { exit, tail }) => {
            assert_eq!(exit, Exit::Code(42));
            assert!(tail.contains(&"last words".to_owned()), "{tail:?}");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_plugin_killed_by_a_signal_says_which(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import os\ndef main(p):\n    os.kill(os.getpid(), 9)\n",
        node: "exports.main = (p) => { process.kill(process.pid, 'SIGKILL'); for (;;); };",
    };
    let failure = world.call(source, Value::Null).await.unwrap_err();
    let signal = matches!(&failure, Failure::Crashed { exit: Exit::Signal(9), .. });
    assert!(signal, "{failure:?}");
}

async fn a_grandchild_does_not_outlive_the_call(language: Language) {
    let source = Source {
        python: "import subprocess\ndef main(p):\n    return subprocess.Popen(['sleep', '600']).pid\n",
        node: "const { spawn } = require('child_process'); exports.main = (p) => spawn('sleep', ['600']).pid;",
    };
    for world in [World::new(language), World::with(language, small_confinement)] {
        let pid = world.call(source, Value::Null).await.unwrap();
        gone(pid.as_i64().unwrap()).await;
    }
}

async fn a_grandchild_in_its_own_session_does_not_outlive_the_call(language: Language) {
    let source = Source {
        python: "import subprocess\ndef main(p):\n    return subprocess.Popen(['sleep', '600'], start_new_session=True).pid\n",
        node: "const { spawn } = require('child_process'); exports.main = (p) => spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).pid;",
    };
    for world in [World::new(language), World::with(language, small_confinement)] {
        let pid = world.call(source, Value::Null).await.unwrap();
        gone(pid.as_i64().unwrap()).await;
    }
}

async fn a_value_that_is_not_json_is_a_clear_error(language: Language) {
    let world = World::new(language);
    let sources = [
        Source {
            python: "def main(p):\n    return {1, 2}\n",
            node: "exports.main = (p) => new Set([1]);",
        },
        Source {
            python: "def main(p):\n    return float('nan')\n",
            node: "exports.main = (p) => NaN;",
        },
        Source {
            python: "def main(p):\n    a = []\n    a.append(a)\n    return a\n",
            node: "exports.main = (p) => { const a = []; a.push(a); return a; };",
        },
    ];
    for source in sources {
        let failure = world.call(source, Value::Null).await.unwrap_err();
        assert_eq!(failure.label(), "not_json", "{failure:?}");
    }
}

async fn a_call_can_be_cancelled(language: Language) {
    let world = World::new(language);
    world.install("one", LOOP).await;
    let cancel = Cancel::new();
    let call = world.runtime.call("one", Order::default(), &cancel);
    let (result, _) = tokio::join!(call, async {
        world.line_with("one", "up").await;
        cancel.cancel();
    });
    assert_eq!(result, Err(Failure::Cancelled));
}

async fn a_caller_that_goes_away_leaves_no_process(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import os, time\ndef main(p):\n    print('pid', os.getpid())\n    time.sleep(600)\n",
        node: "exports.main = (p) => { console.log('pid', process.pid); return new Promise(() => setInterval(() => {}, 1000)); };",
    };
    world.install("one", source).await;
    let cancel = Cancel::new();
    let line = tokio::select! {
        result = world.runtime.call("one", Order::default(), &cancel) => panic!("{result:?}"),
        line = world.line_with("one", "pid ") => line,
    };
    gone(line.trim_start_matches("pid ").parse().unwrap()).await;
}

async fn the_environment_is_clean(language: Language) {
    let world = World::with(language, |settings| {
        settings.environment.insert("S4T_BOARD".to_owned(), "b1".to_owned());
        settings.environment.insert("LD_PRELOAD".to_owned(), "x".to_owned());
    });
    let source = Source {
        python: "import os\ndef main(p):\n    return [dict(os.environ), os.getcwd()]\n",
        node: "exports.main = (p) => [{ ...process.env }, process.cwd()];",
    };
    let result = world.call(source, Value::Null).await.unwrap();
    let mut names: Vec<&String> = result[0].as_object().unwrap().keys().collect();
    names.retain(|name| *name != "TZ");
    assert_eq!(names, ["HOME", "LANG", "PATH", "S4T_BOARD", "S4T_RUN"]);
    assert_eq!(result[0]["HOME"], result[1]);
    assert!(result[1].as_str().unwrap().ends_with("/one/work"), "{result}");
}

async fn no_file_of_the_agent_is_inherited(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import subprocess\ndef main(p):\n    return subprocess.run(['ls', '-1', '/proc/self/fd'], close_fds=False, capture_output=True, text=True).stdout.split()\n",
        node: "const { execFileSync } = require('child_process'); exports.main = (p) => execFileSync('ls', ['-1', '/proc/self/fd']).toString().trim().split('\\n');",
    };
    // The last one is the directory that `ls` reads.
    assert_eq!(world.call(source, Value::Null).await, Ok(json!(["0", "1", "2", "3"])));
}

async fn forbidden_system_calls_are_refused(language: Language) {
    let world = World::new(language);
    if world
        .runtime
        .layers()
        .iter()
        .any(|layer| layer.name == "seccomp" && layer.presence == runtime::Presence::Missing)
    {
        return;
    }
    let source = Source {
        python: "import subprocess\ndef main(p):\n    run = subprocess.run(['unshare', '-U', 'true'], capture_output=True, text=True)\n    return [run.returncode != 0, run.stderr]\n",
        node: "const { spawnSync } = require('child_process'); exports.main = (p) => { const run = spawnSync('unshare', ['-U', 'true']); return [run.status !== 0, run.stderr.toString()]; };",
    };
    let result = world.call(source, Value::Null).await.unwrap();
    assert_eq!(result[0], true);
    assert!(result[1].as_str().unwrap().contains("not permitted"), "{result}");
}

async fn the_board_facts_reach_the_plugin(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "def main(name, params, api):\n    return [name, params, api.getBoardID(), api.getLocation()]\n",
        node: "exports.main = (name, params, api) => [name, params, api.getBoardID(), api.getLocation()];",
    };
    world.install("one", source).await;
    let context = json!({"uuid": "b-1", "location": {"latitude": 38.2}});
    let order = Order { params: json!(1), context, limits: None };
    let result = world.runtime.call("one", order, &Cancel::new()).await;
    assert_eq!(result, Ok(json!(["lamp", 1, "b-1", {"latitude": 38.2}])));
}

async fn a_service_starts_runs_and_stops(language: Language) {
    let world = World::new(language);
    world.install("one", LOOP).await;
    assert_eq!(world.runtime.status("one"), Ok(Status::Stopped));
    let pid = world.started("one").await;
    assert!(alive(pid.into()));
    let again = world.runtime.start("one", Order::default()).await;
    assert_eq!(again, Err(Failure::AlreadyRunning { id: "one".to_owned() }));
    let removed = world.runtime.remove("one").await;
    assert_eq!(removed, Err(Failure::AlreadyRunning { id: "one".to_owned() }));
    let stopped = world.runtime.stop("one", support::PATIENCE).await;
    assert_eq!(stopped, Ok(Stopped::InOrder));
    assert!(!alive(pid.into()));
    assert_eq!(world.runtime.status("one"), Ok(Status::Stopped));
    let again = world.runtime.stop("one", support::PATIENCE).await;
    assert_eq!(again, Err(Failure::NotRunning { id: "one".to_owned() }));
    world.runtime.remove("one").await.unwrap();
    assert_eq!(world.runtime.status("one").unwrap_err().label(), "not_installed");
}

async fn a_service_that_ends_by_itself_is_stopped(language: Language) {
    let world = World::new(language);
    world.install("one", ECHO).await;
    world.runtime.start("one", Order::default()).await.unwrap();
    world.status_where("one", |status| *status == Status::Stopped).await;
}

async fn a_service_that_ignores_the_request_is_killed(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import signal, time\ndef main(p):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    print('deaf')\n    while True: time.sleep(1)\n",
        node: "exports.main = (p) => { process.removeAllListeners('SIGTERM'); process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000); };",
    };
    world.install("one", source).await;
    let pid = world.started("one").await;
    world.line_with("one", "deaf").await;
    let stopped = world.runtime.stop("one", Duration::from_millis(200)).await;
    assert_eq!(stopped, Ok(Stopped::Killed));
    assert!(!alive(pid.into()));
}

async fn a_service_restarts_with_the_same_order(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import time\ndef main(p):\n    print('serving', p)\n    while True: time.sleep(0.01)\n",
        node: "exports.main = (p) => { console.log('serving', p); setInterval(() => {}, 10); };",
    };
    world.install("one", source).await;
    let order = Order { params: json!(5), ..Order::default() };
    let first = world.runtime.start("one", order).await.unwrap();
    world.line_with("one", "serving 5").await;
    let second = world.runtime.restart("one", support::PATIENCE).await.unwrap();
    assert_ne!(first, second);
    let again = async {
        while world.texts("one").await.iter().filter(|text| *text == "serving 5").count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, again).await.expect("it serves again");
}

async fn a_crashing_service_is_restarted_then_given_up(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "def main(p):\n    raise ValueError('broken lamp')\n",
        node: "exports.main = (p) => { throw new RangeError('broken lamp'); };",
    };
    world.install("one", source).await;
    world.runtime.start("one", Order::default()).await.unwrap();
    let status = world.status_where("one", |s| matches!(s, Status::Failed { .. })).await;
    let Status::Failed { reason, .. } = status else { panic!("{status:?}") };
    assert!(reason.to_string().contains("broken lamp"), "{reason}");
    let crashes =
        world.texts("one").await.iter().filter(|text| text.starts_with("crashed")).count();
    assert_eq!(crashes, 3, "{:?}", world.texts("one").await);
}

async fn a_killed_service_is_restarted(language: Language) {
    let world = World::new(language);
    world.install("one", LOOP).await;
    let pid = world.started("one").await;
    let process = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let again =
        world.status_where("one", |s| matches!(s, Status::Running { restarts: 1, .. })).await;
    assert!(matches!(again, Status::Running { pid: new, .. } if new != pid));
    world.runtime.stop("one", support::PATIENCE).await.unwrap();
}

async fn a_service_whose_source_does_not_load_does_not_start(language: Language) {
    let world = World::new(language);
    world.install("one", Source { python: "x = 1 / 0", node: "null.x" }).await;
    let failure = world.runtime.start("one", Order::default()).await.unwrap_err();
    assert_eq!(failure.label(), "raised");
    let status = world.runtime.status("one").unwrap();
    assert!(matches!(status, Status::Failed { .. }), "{status:?}");
}

async fn a_service_over_its_memory_limit_is_named_so(language: Language) {
    let world = World::with(language, |settings| settings.restarts.max = 0);
    world.install("one", MEMORY_HOG).await;
    world.runtime.start("one", Order::default()).await.unwrap();
    let status = world.status_where("one", |s| matches!(s, Status::Failed { .. })).await;
    assert!(matches!(&status, Status::Failed { reason: Failure::Memory { .. }, .. }), "{status:?}");
}

async fn logs_are_read_in_pieces_and_followed(language: Language) {
    let world = World::new(language);
    let source = Source {
        python: "import time\ndef main(p):\n    for n in range(5): print('line', n)\n    while True: time.sleep(0.01)\n",
        node: "exports.main = (p) => { for (let n = 0; n < 5; n++) console.log('line', n); setInterval(() => {}, 10); };",
    };
    world.install("one", source).await;
    world.started("one").await;
    world.line_with("one", "line 4").await;
    let first = world.runtime.logs("one", 0, 3).await.unwrap();
    let second = world.runtime.logs("one", first.next, 100).await.unwrap();
    assert_eq!((first.lines.len(), first.next, second.lines[0].seq), (3, 3, 4));
    assert!(world.texts("one").await.contains(&"started".to_owned()));
    world.runtime.stop("one", support::PATIENCE).await.unwrap();
}

async fn shutdown_ends_everything(language: Language) {
    let world = World::new(language);
    world.install("one", LOOP).await;
    let pid = world.started("one").await;
    world.install("two", LOOP).await;
    let runtime = world.runtime.clone();
    let cancel = Cancel::new();
    let call = tokio::spawn(async move { runtime.call("two", Order::default(), &cancel).await });
    world.line_with("two", "up").await;
    world.runtime.shutdown(support::PATIENCE).await;
    assert_eq!(call.await.unwrap(), Err(Failure::ShuttingDown));
    assert!(!alive(pid.into()));
    let refused = world.runtime.start("one", Order::default()).await;
    assert_eq!(refused, Err(Failure::ShuttingDown));
}
