//! Bad input of every sort at the live port: each gets a clear answer, and afterwards the cloud is as well as before.

use model::access::Role;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use testkit::{Answer, PATIENCE, RawHttp, World};

/// Resident memory of the cloud (debug build) after all of it.
const MEMORY_KIB: u64 = 150 * 1024;

/// Runs something against a cloud with one board, which is as well afterwards as before.
fn survives(abuse: impl FnOnce(&World)) {
    let world = World::new();
    let board = world.board("bystander");
    let before = world.cloud(|cloud| cloud.memory_kib().0);
    abuse(&world);
    assert!(world.cloud(|cloud| cloud.is_alive()), "the cloud lives");
    board.answers();
    assert!(!world.cloud(|cloud| cloud.said()).contains("panicked"), "nothing panicked");
    let (now, most) = world.cloud(|cloud| cloud.memory_kib());
    println!("memory in KiB: {before} before, {now} after, {most} at most");
    assert!(now < MEMORY_KIB, "{now} KiB");
}

fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!((answer.status, answer.kind().as_str()), (status, kind), "{answer:?}");
    let problem = answer.json();
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(problem["status"], status);
    assert_eq!(answer.header("x-request-id"), problem["request_id"].as_str(), "{answer:?}");
}

#[test]
fn requests_that_are_wrong_are_told_what_is_wrong() {
    survives(|world| {
        let raw = world.raw();
        let post = |path: &str, body: &str| raw.ask("POST", path, &[], Some(body));
        refused(&post("/v2/fleets", "{\"name\":"), 400, "invalid");
        refused(&post("/v2/fleets", "[]"), 400, "invalid");
        refused(&post("/v2/fleets", ""), 400, "invalid");
        let unknown = post("/v2/fleets", r#"{"name":"a","colour":"red"}"#);
        refused(&unknown, 400, "invalid");
        assert!(unknown.body.contains("colour"), "{unknown:?}");
        let missing = post("/v2/fleets", "{}");
        refused(&missing, 400, "invalid");
        assert!(missing.body.contains("name"), "{missing:?}");
        let wrong_type = post("/v2/claims", r#"{"name":"a","uses":"many"}"#);
        refused(&wrong_type, 400, "invalid");
        assert!(wrong_type.body.contains("uses"), "{wrong_type:?}");
        for name in ["", "x y", &"n".repeat(300), "../etc", "a/b", "\u{202e}"] {
            let body = json!({ "name": name }).to_string();
            refused(&post("/v2/fleets", &body), 400, "invalid");
        }
        for body in [
            json!({ "name": "p", "language": "cobol", "mode": "sync", "source": "" }),
            json!({ "name": "p", "language": "python", "mode": "sync", "source": "x".repeat(300_000) }),
            json!({ "name": "p", "language": "python", "mode": "sync", "source": "x", "parameters": [1] }),
            json!({ "name": "p", "language": "python", "mode": "sync", "source": "x", "limits": { "wall_s": -1 } }),
        ] {
            refused(&post("/v2/plugins", &body.to_string()), 400, "invalid");
        }
        refused(&post("/v2/services", r#"{"name":"s","port":70000}"#), 400, "invalid");
        let nested = "[".repeat(100_000);
        refused(&post("/v2/fleets", &nested), 400, "invalid");
        refused(&raw.get("/v2/nothing"), 404, "not_found");
        refused(&raw.get("/v2/boards/%00"), 404, "not_found");
        refused(&raw.get("/v2/operations/not-an-id"), 404, "not_found");
        let method = raw.ask("DELETE", "/v2/boards", &[], None);
        assert_eq!(method.status, 405, "{method:?}");
        let text = raw.ask("POST", "/v2/fleets", &[("content-type", "text/plain")], Some("x"));
        assert_eq!(text.status, 415, "{text:?}");
        let list: Value = world.admin().get("/v2/fleets").unwrap();
        assert_eq!(list["items"], json!([]), "nothing was changed");
    });
}

#[test]
fn bodies_and_heads_that_are_too_large_are_refused_unread() {
    survives(|world| {
        let raw = world.raw();
        let large = format!("{{\"name\":\"{}\"}}", "x".repeat(3 << 20));
        let answer = raw.ask("POST", "/v2/fleets", &[], Some(&large));
        assert_eq!(answer.status, 413, "{:?}", answer.status);
        let claimed = format!(
            "POST /v2/fleets HTTP/1.1\r\nhost: x\r\nx-auth-token: {}\r\ncontent-type: application/json\r\n\
             content-length: 999999999999\r\n\r\n{{",
            raw.token.clone().unwrap()
        );
        let answer = raw.send(claimed.as_bytes());
        assert!(matches!(answer.status, 413 | 400 | 408), "{answer:?}");
        let header = "h".repeat(300_000);
        let answer = raw.ask("GET", "/v2/boards", &[("x-long", &header)], None);
        assert!(matches!(answer.status, 431 | 400 | 0), "{answer:?}");
        let many: String = (0..2000).map(|n| format!("x-{n}: y\r\n")).collect();
        let answer = raw.send(format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes());
        assert!(matches!(answer.status, 431 | 400 | 0), "{answer:?}");
        let answer = raw.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n");
        assert!(matches!(answer.status, 400 | 0), "{answer:?}");
    });
}

#[test]
fn strangers_and_wrong_tokens_are_kept_out_everywhere() {
    survives(|world| {
        let paths =
            ["/v2/boards", "/v2/boards/bystander", "/v2/claims", "/v2/events", "/v2/operations"];
        for token in [
            None,
            Some(String::new()),
            Some("x".into()),
            Some("\u{7f}".repeat(9)),
            Some("a".repeat(5000)),
        ] {
            let raw = RawHttp { at: world.at(), token };
            for path in paths {
                let answer = raw.get(path);
                assert!(matches!(answer.status, 401 | 400), "{path}: {answer:?}");
            }
        }
        // A token with one letter changed.
        let mut token = world.admin().token().unwrap().into_bytes();
        let middle = token.len() / 2;
        token[middle] = if token[middle] == b'A' { b'B' } else { b'A' };
        let token = Some(String::from_utf8(token).unwrap());
        refused(&RawHttp { at: world.at(), token }.get("/v2/boards"), 401, "unauthenticated");
        let other = world.tenant("other", Role::AdminIotProject);
        let token = other.token();
        refused(&RawHttp { at: world.at(), token }.get("/v2/boards/bystander"), 404, "not_found");
    });
}

fn upgrade(world: &World, path: &str, protocol: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.at()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let protocol = if protocol.is_empty() {
        String::new()
    } else {
        format!("sec-websocket-protocol: {protocol}\r\n")
    };
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n{protocol}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream
}

/// A masked WebSocket frame that says it is `length` long.
fn frame(opcode: u8, payload: &[u8], length: u64) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | 127];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn short(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()).unwrap() {
        small @ 0..126 => frame.push(0x80 | small as u8),
        large => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&large.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Whether the other side ends the connection in time.
fn ends(mut stream: TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn wamp_and_tunnel_links_that_talk_nonsense_are_ended() {
    survives(|world| {
        let abuses: Vec<(&str, Vec<u8>)> = vec![
            ("not a frame", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            ("no JSON", short(1, b"hello")),
            ("not UTF-8", short(1, b"\xff\xfe")),
            ("no message", short(1, b"[]")),
            ("unknown message", short(1, b"[999,1,2]")),
            ("HELLO without details", short(1, b"[1,\"s4t\"]")),
            ("HELLO to another realm", short(1, b"[1,\"other\",{\"roles\":{}}]")),
            (
                "HELLO without proof",
                short(
                    1,
                    b"[1,\"s4t\",{\"roles\":{\"caller\":{}},\"authmethods\":[\"anonymous\"]}]",
                ),
            ),
            ("a call before HELLO", short(1, b"[48,1,{},\"stack4things.enrol\"]")),
            ("deep", short(1, "[".repeat(60_000).as_bytes())),
            ("a reserved opcode", short(7, b"x")),
            ("a huge frame", frame(1, b"[1,", 1 << 40)),
            ("a frame longer than can be", frame(2, b"x", u64::MAX)),
            ("bytes where text belongs", short(2, &[0xc1; 60])),
        ];
        for (what, bytes) in &abuses {
            let mut stream = upgrade(world, "/wamp", "wamp.2.json");
            stream.write_all(bytes).unwrap();
            assert!(ends(stream), "{what} on the control channel");
            let mut stream = upgrade(world, "/tunnel", tunnel_protocol());
            stream.write_all(bytes).unwrap();
            assert!(ends(stream), "{what} on the tunnel");
        }
        for protocol in ["wamp.2.msgpack", "wamp.2.cbor"] {
            for bytes in [
                &b"\xff\xff\xff\xff"[..],
                b"\xdd\xff\xff\xff\xff",
                b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
                b"",
            ] {
                let mut stream = upgrade(world, "/wamp", protocol);
                stream.write_all(&short(2, bytes)).unwrap();
                assert!(ends(stream), "{bytes:x?} as {protocol}");
            }
        }
    });
}

/// The subprotocol of tunnel links.
fn tunnel_protocol() -> &'static str {
    ""
}

#[test]
fn connections_that_say_nothing_or_stop_halfway_cost_little_and_end() {
    survives(|world| {
        let halves: Vec<_> = (0..50)
            .map(|n| {
                let mut stream = TcpStream::connect(world.at()).unwrap();
                let text = &b"GET /v2/boards HTTP/1.1\r\nhost: x\r\n"[..n % 30];
                stream.write_all(text).unwrap();
                stream
            })
            .collect();
        let upgraded: Vec<_> = (0..20).map(|_| upgrade(world, "/wamp", "wamp.2.json")).collect();
        let _ = world.admin().get::<Value>("/v2/boards").unwrap();
        for stream in upgraded.into_iter().chain(halves) {
            stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
            assert!(ends(stream), "a silent connection is ended");
        }
    });
}

#[test]
fn a_client_that_stops_reading_does_not_hold_the_clouds_memory() {
    survives(|world| {
        let admin = world.admin();
        let source = "x".repeat(200_000);
        let new = json!({ "name": "fat", "language": "python", "mode": "sync", "source": source });
        admin.post::<Value>("/v2/plugins", &new).unwrap();
        let token = admin.token().unwrap();
        let mut deaf = Vec::new();
        for _ in 0..20 {
            let mut stream = TcpStream::connect(world.at()).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            let ask =
                format!("GET /v2/plugins/fat HTTP/1.1\r\nhost: x\r\nx-auth-token: {token}\r\n\r\n");
            // As many questions as fit, and not one answer read.
            for _ in 0..100 {
                if stream.write_all(ask.as_bytes()).is_err() {
                    break;
                }
            }
            deaf.push(stream);
        }
        let mut follower = TcpStream::connect(world.at()).unwrap();
        let ask = format!(
            "GET /v2/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nx-auth-token: {token}\r\n\r\n"
        );
        follower.write_all(ask.as_bytes()).unwrap();
        for number in 0..200 {
            let name = format!("f-{number}");
            admin
                .post::<Value>(
                    "/v2/fleets",
                    &json!({ "name": name, "description": "d".repeat(300) }),
                )
                .unwrap();
        }
        let (now, _) = world.cloud(|cloud| cloud.memory_kib());
        println!("{now} KiB with 20 clients that do not read");
        assert!(now < MEMORY_KIB, "{now} KiB");
    });
}
