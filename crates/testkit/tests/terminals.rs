//! Terminals: a shell on a real board through a real cloud, from the first key to the last process.

use api::client::{Client, Method};
use api::terminals::FromCloud;
use model::Kind;
use model::access::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Board, BoardOptions, PATIENCE, Terminal, TerminalSaid, World, WorldOptions, until};

/// Seconds of a token, in which a busy machine opens two terminals.
const TOKEN_S: u64 = 30;

fn board(world: &World, name: &str) -> Board {
    world.board_with(name, BoardOptions::default().terminals())
}

/// Processes of this machine whose command line holds `mark`.
fn running(mark: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(mark) && line.starts_with("sleep")).collect()
}

fn none_runs(mark: &str, within: Duration) {
    until("all processes of the terminal to be gone", within, || {
        let left = running(mark);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

/// A number of seconds to sleep that no other test sleeps.
fn mark(board: &Board) -> String {
    format!(
        "7{}",
        board.id().to_string().bytes().map(|byte| char::from(b'0' + byte % 10)).collect::<String>()
    )
    .chars()
    .take(12)
    .collect()
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let page: Value = world.admin().get("/v2/events?limit=1000").unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items.filter(|event| event["kind"] == kind).cloned().collect()
}

#[track_caller]
fn ends_with(terminal: &mut Terminal, kind: Kind) -> String {
    match terminal.rest(PATIENCE) {
        (_, FromCloud::Error { kind: is, message }) if is == kind => message,
        other => panic!("{other:?} instead of {kind}"),
    }
}

#[test]
fn a_shell_runs_as_the_configured_user_with_a_clean_environment() {
    let world = World::new();
    let board = board(&world, "shell");
    assert!(board.record().capabilities.contains(&"terminal".to_owned()));
    let mut terminal = board.ask_terminal(&world.admin(), "").unwrap();
    let user = terminal.ready();
    terminal.send(b"echo sum $((6 * 7)) $(id -un) $USER $LOGNAME $TERM; env\n");
    let _ = terminal.wait_for(&format!("sum 42 {user} {user} {user} xterm-256color"));
    terminal.send(b"echo o''ver\n");
    let env = terminal.wait_for("over\r\n");
    assert!(env.contains("SHELL=/bin/sh"), "{env}");
    assert!(!env.contains("LIGHTNING_ROD"), "{env}");
    terminal.send(b"exit 7\n");
    assert_eq!(terminal.rest(PATIENCE).1, FromCloud::Exit { code: 7 });

    let opened = events(&world, "terminal.opened");
    let closed = events(&world, "terminal.closed");
    assert_eq!((opened.len(), closed.len()), (1, 1));
    let id = json!(board.id());
    let (opened, closed) = (&opened[0], &closed[0]);
    assert_eq!((&opened["body"]["board"], &opened["body"]["as"]), (&id, &json!(user)));
    assert_eq!(opened["body"]["from"], "127.0.0.1");
    assert!(opened["body"]["user"].is_string(), "{opened}");
    assert_eq!(closed["subject_id"], opened["subject_id"]);
    assert!(closed["body"]["reason"].to_string().contains("exit code 7"), "{closed}");
    let operations: Value = world.admin().get("/v2/operations?method=TerminalOpen").unwrap();
    assert!(!operations.to_string().contains("terminal:"), "keys are nobody's: {operations}");
}

#[test]
fn a_screen_has_the_size_that_it_was_given_last() {
    let world = World::new();
    let board = board(&world, "size");
    let mut terminal = board.terminal("?cols=100&rows=30");
    terminal.send(b"stty size\n");
    let _ = terminal.wait_for("30 100");
    terminal.resize(132, 50);
    terminal.send(b"stty size\n");
    let _ = terminal.wait_for("50 132");
}

#[test]
fn a_command_passes_bytes_unchanged_and_its_exit_code() {
    let world = World::new();
    let board = board(&world, "pipe");
    let mut terminal = board.terminal("?mode=pipe&command=cat%3B%20exit%209");
    let sent: Vec<u8> = (0..=255).cycle().take(30_000).collect();
    terminal.send(&sent);
    terminal.end_input();
    assert_eq!(terminal.rest(PATIENCE), (sent, FromCloud::Exit { code: 9 }));
    let mut terminal = board.terminal("?command=exit%203");
    assert_eq!(terminal.rest(PATIENCE).1, FromCloud::Exit { code: 3 });
    let mut terminal = board.terminal("?mode=pipe&command=kill%20-9%20%24%24");
    assert_eq!(terminal.rest(PATIENCE).1, FromCloud::Exit { code: 128 + 9 });
}

#[test]
fn much_output_waits_for_its_reader_and_arrives_exactly() {
    let world = World::new();
    let board = board(&world, "flood");
    let mut terminal = board.terminal("?mode=pipe&command=seq%201%204000000");
    let memory = || {
        let agent = board.agent(|agent| agent.memory_kib().0);
        agent + world.cloud(|cloud| cloud.memory_kib().0)
    };
    // The flood stands when nobody reads: the sender sleeps in its write, and memory does not grow.
    let (before, deadline) = (memory(), Instant::now() + Duration::from_secs(2));
    let mut most = before;
    while Instant::now() < deadline {
        most = most.max(memory());
        board.answers();
    }
    assert!(most < before + 16 * 1024, "{before} KiB grew to {most} KiB");
    let (data, last) = terminal.rest(Duration::from_secs(60));
    let wanted: String = (1..=4_000_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(last, FromCloud::Exit { code: 0 });
    assert!(data == wanted.as_bytes(), "{} of {} bytes", data.len(), wanted.len());
}

#[test]
fn a_flood_of_input_stands_too_and_the_terminal_can_be_left() {
    let world = World::new();
    let board = board(&world, "deaf");
    let mark = mark(&board);
    let mut terminal = board.terminal(&format!("?mode=pipe&command=sleep%20{mark}"));
    until("the command to run", PATIENCE, || {
        if running(&mark).is_empty() { Err("it does not".to_owned()) } else { Ok(()) }
    });
    let bytes = vec![b'x'; 200_000];
    let mut sent = 0;
    while terminal.try_send(&bytes, Duration::from_secs(1)) {
        sent += bytes.len();
        assert!(sent < 64 << 20, "somebody keeps {sent} bytes");
    }
    board.answers();
    terminal.leave();
    none_runs(&mark, PATIENCE);
}

#[test]
fn eight_are_open_at_once_and_the_ninth_is_refused() {
    let world = World::new();
    let board = board(&world, "eight");
    let mut terminals: Vec<Terminal> = (0..8).map(|_| board.terminal("")).collect();
    for (number, terminal) in terminals.iter_mut().enumerate() {
        terminal.send(format!("echo number$(({number} + 1))\n").as_bytes());
        let _ = terminal.wait_for(&format!("number{}\r\n", number + 1));
    }
    let mut ninth = board.ask_terminal(&world.admin(), "").unwrap();
    let said = ends_with(&mut ninth, Kind::Exhausted);
    assert!(said.contains("close one"), "{said}");
    terminals.pop().unwrap().leave();
    until("a place to be free", PATIENCE, || {
        let mut terminal = board.ask_terminal(&world.admin(), "").unwrap();
        match terminal.next(PATIENCE) {
            Some(TerminalSaid::Text(FromCloud::Ready { .. })) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

#[test]
fn whoever_loses_the_right_loses_the_terminal() {
    let world = World::start(WorldOptions::default().set("identity.token_s", &TOKEN_S.to_string()));
    let board = board(&world, "rights");
    let mark = mark(&board);
    let admin = world.admin();
    let manager = world.colleague("manager", Role::ManagerIotProject);
    let expiring = world.colleague("expiring", Role::ManagerIotProject);
    let mut first = board.ask_terminal(&manager, "").unwrap();
    let mut second = board.ask_terminal(&expiring, "").unwrap();
    for terminal in [&mut first, &mut second] {
        let _ = terminal.ready();
        terminal.send(
            format!("sleep {mark} & (trap '' HUP; sleep {mark}) & sleep {mark}\n").as_bytes(),
        );
    }
    until("six sleepers", PATIENCE, || match running(&mark).len() {
        6 => Ok(()),
        other => Err(format!("{other}")),
    });
    let project = board.record().summary.project;
    let users: Value = admin.get("/identity/v3/users").unwrap();
    let mut users = users["users"].as_array().unwrap().iter();
    let user = users.find(|user| user["name"] == "manager").unwrap()["id"].as_str().unwrap();
    let role = format!("/identity/v3/projects/{project}/users/{user}/roles/manager_iot_project");
    admin.request::<Value>(&Method::DELETE, &role, None::<&()>, &[]).unwrap();
    let said = match first.rest(PATIENCE) {
        (_, FromCloud::Error { kind: Kind::Unauthenticated | Kind::Forbidden, message }) => message,
        other => panic!("{other:?}"),
    };
    assert!(!said.contains("expired"), "the role ended it, not the time: {said}");
    let (_, last) = second.rest(Duration::from_secs(TOKEN_S) + PATIENCE);
    assert!(matches!(last, FromCloud::Error { kind: Kind::Unauthenticated, .. }), "{last:?}");
    none_runs(&mark, PATIENCE);
}

#[test]
fn a_board_that_is_given_up_or_dies_takes_its_terminals_along() {
    let world = World::new();
    let board = board(&world, "gone");
    let mark = mark(&board);
    let busy = format!("sleep {mark} & sleep {mark}\n");
    let mut terminal = board.terminal("");
    terminal.send(busy.as_bytes());
    until("two sleepers", PATIENCE, || match running(&mark).len() {
        2 => Ok(()),
        other => Err(format!("{other}")),
    });
    board.kill();
    let said = ends_with(&mut terminal, Kind::Unreachable);
    assert!(said.contains("link"), "{said}");
    board.start();
    board.wait_online();
    none_runs(&mark, PATIENCE);

    let mut terminal = board.terminal("");
    terminal.send(busy.as_bytes());
    let path = board.path("");
    world.admin().request::<Value>(&Method::DELETE, &path, None::<&()>, &[]).unwrap();
    let said = ends_with(&mut terminal, Kind::NotFound);
    assert!(said.contains("given up"), "{said}");
    none_runs(&mark, PATIENCE);
}

#[test]
fn a_stop_of_either_end_is_told_and_leaves_nothing_behind() {
    let world = World::new();
    let board = board(&world, "stop");
    let mark = mark(&board);
    let busy = format!("sleep {mark} & sleep {mark}\n");
    let mut terminal = board.terminal("");
    terminal.send(busy.as_bytes());
    board.stop();
    let said = ends_with(&mut terminal, Kind::Unreachable);
    assert!(said.contains("agent is stopping"), "{said}");
    none_runs(&mark, PATIENCE);
    board.start();
    board.wait_online();

    let mut terminal = board.terminal("");
    terminal.send(busy.as_bytes());
    world.cloud_stop();
    let said = ends_with(&mut terminal, Kind::Unreachable);
    assert!(said.contains("cloud is stopping"), "{said}");
    none_runs(&mark, PATIENCE);
    world.cloud_restart();
    board.wait_online();

    let mut terminal = board.terminal("");
    terminal.send(busy.as_bytes());
    until("two sleepers", PATIENCE, || match running(&mark).len() {
        2 => Ok(()),
        other => Err(format!("{other}")),
    });
    world.cloud_kill();
    assert!(matches!(last(&mut terminal), TerminalSaid::Gone));
    none_runs(&mark, PATIENCE);
}

fn last(terminal: &mut Terminal) -> TerminalSaid {
    loop {
        match terminal.next(PATIENCE) {
            Some(TerminalSaid::Screen(_)) => {}
            other => return other.unwrap(),
        }
    }
}

#[test]
fn silence_is_ended_by_the_board() {
    let world = World::new();
    let options = BoardOptions::default().terminals().set("terminal.idle_s", "1");
    let board = world.board_with("silent", options);
    let mut terminal = board.terminal("?command=cat");
    let _ = ends_with(&mut terminal, Kind::Timeout);
}

#[test]
fn who_may_not_and_what_is_wrong_is_refused() {
    let world = World::new();
    let closed = world.board("closed");
    let mut terminal = closed.ask_terminal(&world.admin(), "").unwrap();
    let said = ends_with(&mut terminal, Kind::Forbidden);
    assert!(said.contains("terminal.user"), "it says how to mend it: {said}");
    assert!(!closed.record().capabilities.contains(&"terminal".to_owned()));

    let root = BoardOptions::default().set("terminal.user", "root");
    let rooted = world.board_with("root", root);
    let mut terminal = rooted.ask_terminal(&world.admin(), "").unwrap();
    let said = ends_with(&mut terminal, Kind::Forbidden);
    assert!(said.contains("allow_root"), "{said}");

    let refused = |client: &Client, query: &str| closed.ask_terminal(client, query).unwrap_err().0;
    assert_eq!(refused(&world.colleague("looker", Role::UserIot), ""), 403);
    assert_eq!(refused(&world.tenant("other", Role::AdminIotProject), ""), 404);
    let admin = world.admin();
    assert_eq!(refused(&admin.clone().with_token("nonsense".into()), ""), 401);
    for query in ["?cols=0", "?rows=1001", "?cols=-1", "?mode=window", "?colour=1"] {
        assert_eq!(refused(&admin, query), 400, "{query}");
    }
    let plain = world.raw().get(&closed.path("/terminal"));
    assert_eq!(plain.status, 426, "{plain:?}");

    let off = world.machine("off", BoardOptions::default());
    let _ = off.enrol(&world.claim("off")).ok();
    let mut terminal = off.ask_terminal(&admin, "").unwrap();
    let said = ends_with(&mut terminal, Kind::Unreachable);
    assert!(said.contains("off"), "{said}");
}

#[test]
fn hostile_messages_end_the_terminal_and_nothing_else() {
    let world = World::new();
    let board = board(&world, "hostile");
    for text in [
        "",
        "{",
        "[]",
        "{\"resize\":{\"cols\":0,\"rows\":1}}",
        "{\"resize\":{\"cols\":-1}}",
        "{\"exit\":{\"code\":0}}",
    ] {
        let mut terminal = board.terminal("");
        terminal.send_text(text);
        let _ = ends_with(&mut terminal, Kind::Invalid);
    }
    let mut terminal = board.terminal("");
    terminal.send(&vec![b'x'; 300_000]);
    let _ = ends_with(&mut terminal, Kind::Invalid);
    let mut terminal =
        board.terminal("?command=stty%20raw%20-echo%3B%20echo%20up%3B%20exec%20cat%20-v");
    let _ = terminal.wait_for("up");
    terminal.send(&(0..=255).collect::<Vec<u8>>());
    terminal.send(b"still here");
    let shown = terminal.wait_for("still here");
    assert!(shown.contains("^@^A^B^C") && shown.ends_with("M-^?"), "{shown}");
    board.answers();
}

#[test]
fn a_recorded_terminal_says_so_first_and_what_it_showed_is_hashed_into_the_audit() {
    let world = World::new();
    let board = board(&world, "recorded");
    let _ = world.s4t(&["recording", "set", "on", "--board", "recorded"]).ok();
    let mut terminal = board.ask_terminal(&world.admin(), "").unwrap();
    match terminal.next(PATIENCE) {
        Some(TerminalSaid::Text(FromCloud::Ready { recorded: true, .. })) => {}
        other => panic!("it is not told at the opening: {other:?}"),
    }
    let before = terminal.wait_for("what this terminal shows is recorded\r\n");
    assert_eq!(before, "", "nothing is shown before it is told");
    // What is typed unseen is in no recording.
    terminal.send(b"stty -echo; echo rea''dy\n");
    let _ = terminal.wait_for("ready\r\n");
    terminal.send(b"read secret\n");
    terminal.send(b"correct-horse\n");
    terminal.send(b"echo sum $((6 * 7)) ${#secret}\n");
    let _ = terminal.wait_for("sum 42 13");
    terminal.resize(132, 50);
    terminal.send(b"exit\n");
    let _ = terminal.rest(PATIENCE);
    let recording = until("the recording to end", PATIENCE, || {
        let all = world.s4t(&["recording", "list", "--board", "recorded", "-f", "json"]).json();
        let one = all[0].clone();
        if one["ended_at"].is_string() { Ok(one) } else { Err(all.to_string()) }
    });
    let id = recording["id"].as_str().unwrap();
    let cast = world.s4t(&["recording", "cast", id]).ok();
    assert!(cast.starts_with("{") && cast.contains("sum 42 13"), "{cast}");
    assert!(cast.contains("132x50"), "{cast}");
    assert!(!cast.contains("correct-horse"), "{cast}");
    for line in cast.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(recording["bytes"], cast.len());
    let hash = recording["sha256"].as_str().unwrap();
    let told = world.s4t(&["audit", "list", "--verb", "terminal:close", "-f", "json"]).json();
    assert!(told.to_string().contains(hash), "{told}");
    let _ = world.s4t(&["recording", "erase", id]).ok();
    let _ = world.s4t(&["recording", "cast", id]).failed(6);
    let said = world.s4t(&["ssh", "recorded", "--", "echo", "hi"]);
    assert!(said.err.contains("is recorded"), "{}", said.err);
    assert_eq!(said.ok(), "hi\n");
}
