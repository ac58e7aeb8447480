//! Pickles of strings, against the writer itself and against Python.

use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Text that meets every branch of the escapes.
const HARD: &[&str] = &[
    "",
    "plain",
    "a\\b\\\\c \\u0041 \\\\u0041 \\",
    "line\nline\r\ncarriage\rnul\0sub\x1a",
    "'single' \"double\" `$(touch x)`; rm -rf /",
    "è à ü \u{80} \u{ff} \u{100} 漢字 \u{ffff} \u{1f600} \u{10ffff}",
    "Ã© looks like UTF-8 when it is bytes",
    "\tdef run(self):\n\t\treturn 'p0\\n.'\np0\n.",
];

/// Runs Python on `input` and gives what it wrote.
fn python(script: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("python3")
        .args(["-W", "ignore", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Some strings as one JSON list that Python reads; Python's answer is a list again.
fn ask(script: &str, input: &impl serde::Serialize) -> serde_json::Value {
    let script = format!(
        "import sys, json, pickle\nasked = json.load(sys.stdin)\njson.dump({script}, sys.stdout)"
    );
    serde_json::from_slice(&python(&script, &serde_json::to_vec(input).unwrap())).unwrap()
}

#[test]
fn a_source_is_written_as_upstreams_server_writes_it() {
    assert_eq!(emit("print('hi')\n"), "Vprint('hi')\\u000a\np0\n.");
    assert_eq!(emit("a\\b"), "Va\\u005cb\np0\n.");
    assert_eq!(emit("è"), "V\\u00e8\np0\n.");
    assert_eq!(emit_bytes("è"), b"V\xe8\np0\n.");
}

#[test]
fn python_writes_the_same_bytes_and_reads_ours() {
    let theirs = ask("[list(pickle.dumps(s, 0)) for s in asked]", &HARD);
    let ours: Vec<_> = HARD.iter().map(|text| emit_bytes(text)).collect();
    assert_eq!(theirs, serde_json::json!(ours));
    let texts: Vec<_> = HARD.iter().map(|text| emit(text)).collect();
    let read = ask("[pickle.loads(str.encode(s)) for s in asked]", &texts);
    assert_eq!(read, serde_json::json!(HARD), "as upstream's agent reads them");
}

#[test]
fn what_any_protocol_of_python_writes_is_read() {
    let long = "x漢".repeat(40_000);
    let mut texts = HARD.to_vec();
    texts.push(&long);
    let pickles = ask("[[list(pickle.dumps(s, p)) for p in range(6)] for s in asked]", &texts);
    let pickles: Vec<Vec<Vec<u8>>> = serde_json::from_value(pickles).unwrap();
    for (text, pickles) in texts.iter().zip(pickles) {
        for (protocol, pickle) in pickles.iter().enumerate() {
            assert_eq!(parse(pickle).as_deref(), Ok(*text), "protocol {protocol}");
        }
    }
}

#[test]
fn what_python_2_writes_is_read_as_python_3_reads_it() {
    let pickles: &[&[u8]] = &[
        b"S'plain'\np0\n.",
        b"S\"it's\"\np1\n.",
        b"S'\\x41\\101\\7\\n\\t\\q\\\\'\np0\n.",
        b"U\x03abcq\x00.",
        b"T\x03\x00\x00\x00abcq\x00.",
        b"S'a'\np0\nS'b'\np1\ng0\n.",
    ];
    let read = ask("[pickle.loads(bytes(p)) for p in asked]", &pickles);
    let ours: Vec<_> = pickles.iter().map(|pickle| parse(pickle).unwrap()).collect();
    assert_eq!(read, serde_json::json!(ours));
}

#[test]
fn anything_but_a_string_is_refused_and_never_done() {
    let dangerous = ask(
        "[list(p) for p in [b\"cos\\nsystem\\n(S'touch /tmp/x'\\ntR.\", b\"c__builtin__\\neval\\n(V1\\ntR.\", \
         pickle.dumps([1]), pickle.dumps({'a': 1}), pickle.dumps(1), pickle.dumps(None), pickle.dumps(b'x'), \
         pickle.dumps(len), pickle.dumps(('a',)), pickle.dumps(1.5, 0), b'(lp0\\nVa\\np1\\na.']]",
        &[0],
    );
    let dangerous: Vec<Vec<u8>> = serde_json::from_value(dangerous).unwrap();
    for pickle in dangerous {
        let refused = parse(&pickle).unwrap_err();
        assert!(matches!(refused, Refused::Opcode { .. }), "{refused}: {pickle:?}");
    }
}

#[test]
fn a_broken_pickle_is_refused_with_what_is_wrong() {
    for (pickle, why) in [
        (&b""[..], Refused::CutOff),
        (b"Vabc", Refused::CutOff),
        (b"Vabc\n", Refused::CutOff),
        (b"X\xff\xff\xff\xffabc.", Refused::CutOff),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.", Refused::CutOff),
        (b".", Refused::Nothing),
        (b"p0\n.", Refused::Nothing),
        (b"Va\ng7\n.", Refused::Nothing),
        (b"Va\np0\n.x", Refused::TrailingBytes),
        (b"V\\u12\n.", Refused::Malformed { what: "string", at: 0 }),
        (b"V\\ud83d\n.", Refused::Malformed { what: "string", at: 0 }),
        (b"V\\U00110000\n.", Refused::Malformed { what: "string", at: 0 }),
        (b"Sabc\n.", Refused::Malformed { what: "string", at: 0 }),
        (b"S'\\xe9'\n.", Refused::Malformed { what: "string", at: 0 }),
        (b"X\x01\x00\x00\x00\xff.", Refused::Malformed { what: "string", at: 0 }),
        (b"Va\np-1\n.", Refused::Malformed { what: "memo number", at: 3 }),
        (b"\x80\x06Va\n.", Refused::Malformed { what: "protocol version", at: 0 }),
    ] {
        assert_eq!(parse(pickle), Err(why), "{pickle:?}");
    }
    let huge = vec![b'V'; MAX_PICKLE + 1];
    assert_eq!(parse(&huge), Err(Refused::TooLong { size: MAX_PICKLE + 1 }));
}

proptest! {
    #[test]
    fn every_text_comes_back(text in any::<String>()) {
        prop_assert_eq!(parse(&emit_bytes(&text)), Ok(text.clone()));
        let ascii = emit(&text);
        prop_assert!(ascii.is_ascii());
        prop_assert_eq!(parse(ascii.as_bytes()), Ok(text));
    }

    #[test]
    fn any_bytes_are_a_string_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_likely_bytes_are_a_string_or_refused(
        bytes in proptest::collection::vec(proptest::sample::select(&b"VSUTXpgqhrj.\n'\"\\u0123x\x80\x8c\x8d\x94\x95\0"[..]), 0..60)
    ) {
        let _ = parse(&bytes);
    }
}
