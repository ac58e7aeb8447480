//! Upstream itself, measured in the same run on the same machine: its server, its board agent and its tunnel, unmodified.
//!
//! What of it runs: IoTronic 0.4.17, API and conductor in one process on SQLite with a scripted agent behind it (no router, no
//! WAMP agent, no message broker: less than a real one needs); lightning-rod 0.5.0 on a board of its own, at a router of ours
//! that is not counted; both ends of its tunnel. Invariant: everything is bounded in count and time; where namespaces may not
//! be made, the lines of the agent stay quoted. Deliberately not here: our own figures.

use crate::calls::timed;
use crate::figure::{Peer, short};
use crate::memory::mib;
use crate::statistics::{median, ms, processor_time, quantile};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use testkit::upstream::cloud::{CODE, ScriptedCloud};
use testkit::upstream::lightning_rod::{Board, CONF, first_settings};
use testkit::upstream::play::{Cloud as _, Who};
use testkit::upstream::server::{Identity, Server};
use testkit::upstream::wstun::Wstun;
use testkit::{Need, PATIENCE, RawHttp, lacks, until};

/// Boards of the list, if they are made within [`FILLING`].
const BOARDS: usize = 1000;
/// Longest time to make them, one request each.
const FILLING: Duration = Duration::from_secs(120);
/// Rounds of each reading; the quietest counts.
const ROUNDS: usize = 3;
/// Reads of one board in a round, and questions.
const READS: usize = 50;
/// Reads of the list in a round.
const LISTS: usize = 1;
/// Longest start of the agent.
const START: Duration = Duration::from_secs(120);
/// Procedures of a board when it is online.
const PROCEDURES: usize = 38;
/// Bytes of a download.
const BYTES: usize = 64 << 20;

/// Measures all of them.
pub(crate) fn figures() -> Vec<Peer> {
    let mut peers = server();
    if !lacks(Need::Networks) {
        peers.extend(agent());
    }
    peers.extend(tunnel());
    peers
}

/// One reading: processor time of each in the quietest round, and all times, in milliseconds.
fn reading(pid: u32, count: usize, mut read: impl FnMut()) -> (f64, Vec<f64>) {
    let (mut costs, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = processor_time(pid);
        times.extend((0..count).map(|_| timed(&mut read)));
        costs.push(ms(processor_time(pid) - before) / count as f64);
    }
    (quantile(&costs, 0.0), times)
}

fn server() -> Vec<Peer> {
    let mut server = Server::start(Identity::Roles);
    let raw = RawHttp {
        at: server.url().trim_start_matches("http://").trim_end_matches('/').to_owned(),
        token: server.token(Who::Operator),
    };
    let get = |path: &str| {
        let answer = raw.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    };
    let _ = get("/v1/boards");
    let fresh = server.memory_kib();
    let first = make(&raw, 0);
    let one = format!("/v1/boards/{first}");
    let (cost, times) = reading(server.pid(), READS, || drop(get(&one)));
    let mut peers = vec![
        Peer::new("memory (RSS) of the cloud, fresh", format!("{} MiB", short(mib(fresh)))).beside(
            "API and conductor in one process alone; with its other services 921 MiB, quoted",
        ),
        Peer::new("GET one board, CPU", format!("{} ms", short(cost)))
            .beside(format!("p50 {} ms", short(median(&times)))),
    ];
    server.board_online(&first);
    let echo = json!({ "action": "DeviceEcho", "parameters": { "say": "are you there?" } });
    let path = format!("{one}/action");
    let (cost, times) = reading(server.pid(), READS, || {
        let answer = raw.ask("POST", &path, &[], Some(&echo.to_string()));
        assert_eq!(answer.status, 200, "{answer:?}");
    });
    peers.push(
        Peer::new(
            "query to a board (DeviceEcho), CPU, one at a time",
            format!("> {} ms", short(cost)),
        )
        .beside(format!(
            "API and conductor alone, p50 {} ms; through router and agent to a board 39 ms, quoted",
            short(median(&times))
        )),
    );
    let began = Instant::now();
    let mut count = 1;
    while count < BOARDS && began.elapsed() < FILLING {
        let _ = make(&raw, count);
        count += 1;
    }
    let list = format!("/v1/boards?limit={BOARDS}");
    let listed = get(&list).json()["boards"].as_array().map(Vec::len);
    assert_eq!(listed, Some(count), "the list is whole");
    let (cost, times) = reading(server.pid(), LISTS, || drop(get(&list)));
    peers.push(
        Peer::new("GET a list of 1,000 boards, CPU", format!("{} ms", short(cost)))
            .beside(format!("of {count} boards; p50 {} ms", short(median(&times)))),
    );
    peers
}

/// Makes a board as its clients do; its id.
fn make(raw: &RawHttp, number: usize) -> String {
    let place = json!([{ "latitude": "38.2", "longitude": "15.5", "altitude": "3" }]);
    let name = format!("bench-{number}");
    let new = json!({ "name": name, "code": name, "type": "generic", "location": place });
    let answer = raw.ask("POST", "/v1/boards", &[], Some(&new.to_string()));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["uuid"].as_str().unwrap().to_owned()
}

fn agent() -> Vec<Peer> {
    let mut board = Board::new();
    let cloud = ScriptedCloud::start(board.cloud_address());
    board.configure(&first_settings(CODE, cloud.url()), CONF);
    let (first, _) = start(&cloud, &mut board, 1);
    board.stop();
    let (again, session) = start(&cloud, &mut board, 2);
    let pid = board.agent().expect("the board is on");
    let memory = testkit::memory_kib(pid).0;
    let say = [json!({ "say": "are you there?" })];
    let (cost, times) = reading(pid, READS, || {
        let said = cloud.call(session, "DeviceEcho", &say).unwrap();
        assert_eq!(said["result"], "SUCCESS", "{said}");
    });
    vec![
        Peer::new("memory (RSS) of the agent, online", format!("{} MiB", short(mib(memory)))),
        Peer::new("`lightning-rod` start to online, enrolled before", format!("{} s", short(again)))
            .beside("to its last procedure"),
        Peer::new("the same, new", format!("{} s", short(first))),
        Peer::new("query, p50, one at a time", format!("> {} ms", short(median(&times))))
            .beside(format!(
                "its agent alone, at a router of ours; CPU of that agent {} ms; through its own cloud p50 57-106 ms, quoted",
                short(cost)
            )),
    ]
}

/// Seconds from power on to the last procedure, and the session.
fn start(cloud: &ScriptedCloud, board: &mut Board, connections: usize) -> (f64, u64) {
    let began = Instant::now();
    board.start();
    let session = until("upstream's agent is online", START, || {
        let seen: Vec<Value> = cloud.connections();
        let newest = seen.get(connections - 1).ok_or("no connection yet")?;
        let session = newest["session"].as_u64().ok_or("no session in it")?;
        let methods = cloud.methods(session).len();
        if methods == PROCEDURES { Ok(session) } else { Err(format!("{methods} procedures")) }
    });
    (began.elapsed().as_secs_f64(), session)
}

fn tunnel() -> Vec<Peer> {
    let local = source();
    let wstun = Wstun::to(local);
    let public = wstun.public_port();
    until("upstream's tunnel", PATIENCE, || download(public, 1).map_err(|error| error.to_string()));
    let ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let direct = download(local, BYTES).unwrap();
            direct.as_secs_f64() / download(public, BYTES).unwrap().as_secs_f64()
        })
        .collect();
    let board = wstun.board.memory_kib().0;
    vec![
        Peer::new("forwarded download against direct TCP", format!("{} ×", short(median(&ratios))))
            .beside(format!("{} MiB each, {ROUNDS} rounds", BYTES >> 20)),
        Peer::new("memory of each further forwarded service", format!("{} MiB", short(mib(board))))
            .beside("its process on the board, after these downloads"),
    ]
}

/// Takes so many bytes; how long that took.
fn download(port: u16, bytes: usize) -> std::io::Result<Duration> {
    let began = Instant::now();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut piece, mut left) = (vec![0; 256 << 10], bytes);
    while left > 0 {
        let most = left.min(piece.len());
        match stream.read(&mut piece[..most])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => left -= read,
        }
    }
    Ok(began.elapsed())
}

/// A service that speaks first and without end: between two ends of upstream's, visitors that speak first are left hanging.
fn source() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let piece = vec![7; 256 << 10];
                let mut left = BYTES;
                while left > 0 && stream.write_all(&piece).is_ok() {
                    left = left.saturating_sub(piece.len());
                }
                // Theirs hangs up by itself when its visitor has gone.
                let _ = stream.read(&mut [0]);
            });
        }
    });
    port
}
