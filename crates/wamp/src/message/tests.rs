//! Messages in the three serialisers: known bytes, round trips, hostile bytes, carrying over.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::codec::{MAX_DEPTH, read_value, write_value};
use crate::{Arguments, Dict};

/// What a message looks like in JSON; that is how the tests compare messages.
fn json_of(message: &Message) -> String {
    let mut out = Vec::new();
    encode(Serialiser::Json, &mut out, message);
    String::from_utf8(out).unwrap()
}

fn bytes_of(serialiser: Serialiser, message: &Message) -> Bytes {
    let mut out = Vec::new();
    encode(serialiser, &mut out, message);
    out.into()
}

fn from_json(text: &str) -> Result<Message, CodecError> {
    decode(Serialiser::Json, &Bytes::copy_from_slice(text.as_bytes()))
}

fn from_hex(serialiser: Serialiser, hex: &str) -> Result<Message, CodecError> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    decode(serialiser, &bytes.into())
}

/// One of each kind, as JSON.
const SAMPLES: [&str; 24] = [
    r#"[1,"s4t",{"roles":{"caller":{}}}]"#,
    r#"[2,9129137332,{"roles":{"broker":{}}}]"#,
    r#"[3,{"message":"no"},"wamp.error.no_such_realm"]"#,
    r#"[4,"cryptosign",{"challenge":"00ff"}]"#,
    r#"[5,"abcdef",{}]"#,
    r#"[6,{},"wamp.close.normal"]"#,
    r#"[8,48,7,{},"board.error.busy",["text"],{"a":1}]"#,
    r#"[16,3,{"acknowledge":true},"load.cpu",[0.5]]"#,
    r#"[17,3,4429313566]"#,
    r#"[32,4,{"match":"prefix"},"load."]"#,
    r#"[33,4,5512315355]"#,
    r#"[34,5,5512315355]"#,
    r#"[35,5]"#,
    r#"[36,5512315355,4429313566,{"topic":"load.cpu"},[0.5],{"unit":"%"}]"#,
    r#"[48,6,{"timeout":1000},"iotronic.1.2.DeviceEcho",[{"say":"hi"}]]"#,
    r#"[49,6,{"mode":"killnowait"}]"#,
    r#"[50,6,{},[],{"x":null}]"#,
    r#"[64,8,{},"iotronic.1.2.DevicePing"]"#,
    r#"[65,8,2103333224]"#,
    r#"[66,9,2103333224]"#,
    r#"[67,9]"#,
    r#"[68,1,2103333224,{"caller":77}]"#,
    r#"[69,1,{}]"#,
    r#"[70,1,{},["done"]]"#,
];

#[test]
fn every_kind_of_message_survives_every_serialiser() {
    for sample in SAMPLES {
        let message = from_json(sample).unwrap();
        assert_eq!(json_of(&message), sample);
        for from in Serialiser::ALL {
            for to in Serialiser::ALL {
                let first = carry(
                    decode(from, &bytes_of(from, &carry(message.clone(), from))).unwrap(),
                    to,
                );
                let second = decode(to, &bytes_of(to, &first)).unwrap();
                assert_eq!(json_of(&carry(second, Serialiser::Json)), sample, "{from:?} {to:?}");
            }
        }
    }
}

/// What the router does before a message goes to a peer of another serialiser.
fn carry(message: Message, to: Serialiser) -> Message {
    message.carry_over(to).unwrap()
}

#[test]
fn known_bytes_are_read_and_written() {
    let call = r#"[48,7,{},"a.b",[1,"x",null,true,-1,2.5]]"#;
    let msgpack = "95 30 07 80 a3 61 2e 62 96 01 a1 78 c0 c3 ff cb 4004000000000000";
    let cbor = "85 18 30 07 a0 63 61 2e 62 86 01 61 78 f6 f5 20 fb 4004000000000000";
    for (serialiser, hex) in [(Serialiser::MessagePack, msgpack), (Serialiser::Cbor, cbor)] {
        let message = from_hex(serialiser, hex).unwrap();
        assert_eq!(json_of(&carry(message.clone(), Serialiser::Json)), call);
        let again: String =
            bytes_of(serialiser, &message).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(again, hex.replace(' ', ""));
    }
}

#[test]
fn other_spellings_of_the_same_values_are_read() {
    // MessagePack: 32-bit list and map heads, wide integers, 8-bit text, a float where an id is wanted.
    let msgpack = "dc0005 cc30 cb401c000000000000 de0000 d903612e62 dd00000001 d2ffffffff";
    // CBOR: wide integers, a half float, indefinite list, text in pieces, a tag.
    let cbor = "85 1900 30 f94700 bf ff 7f 61 61 62 2e 62 ff 9f c1 3a 00000000 ff";
    for (serialiser, hex) in [(Serialiser::MessagePack, msgpack), (Serialiser::Cbor, cbor)] {
        let message = from_hex(serialiser, hex).unwrap();
        assert_eq!(json_of(&carry(message, Serialiser::Json)), r#"[48,7,{},"a.b",[-1]]"#);
    }
    let spaced = " [ 48 , 7.0 , { } , \"\\u0061.b\" , [ -1 ] ] ";
    assert_eq!(json_of(&from_json(spaced).unwrap()), r#"[48,7,{},"a.b",[ -1 ]]"#);
}

#[test]
fn binary_values_follow_the_json_convention() {
    for serialiser in [Serialiser::MessagePack, Serialiser::Cbor] {
        let mut out = Vec::new();
        write_value(serialiser, &mut out, &json!(["\0AAH/", "\0not base64", "\0"]));
        assert!(out.windows(3).any(|window| window == [0, 1, 255]), "{serialiser:?} sends bytes");
        let back = read_value(serialiser, &out).unwrap();
        assert_eq!(back, json!(["\0AAH/", "\0not base64", "\0"]));
    }
}

#[test]
fn messages_of_a_wrong_shape_are_refused() {
    for (text, expected) in [
        ("", CodecError::Truncated),
        ("[48,1,{}", CodecError::Truncated),
        ("{}", CodecError::Malformed("not JSON")),
        ("[]", CodecError::Expected("another element")),
        ("[49]", CodecError::Length(49, 1)),
        (r#"[48,1,{},"a",[],{},1]"#, CodecError::Length(48, 7)),
        ("[7,1]", CodecError::UnknownType(7)),
        ("[99999999999999999999,1]", CodecError::Expected("an id")),
        (r#"["48",1,{},"a"]"#, CodecError::Expected("an id")),
        (r#"[48,-1,{},"a"]"#, CodecError::Expected("an id")),
        (r#"[48,1,[],"a"]"#, CodecError::Expected("a dictionary")),
        (r#"[48,1,{},5]"#, CodecError::Expected("a text")),
        (r#"[48,1,{},"a",{}]"#, CodecError::Expected("a list of arguments")),
        (r#"[48,1,{},"a",[],[]]"#, CodecError::Expected("a dictionary of arguments")),
        (r#"[48,1,{},"a"] x"#, CodecError::Malformed("not JSON")),
    ] {
        assert_eq!(from_json(text).unwrap_err(), expected, "{text}");
    }
    let trailing = "82 18 23 05 00";
    assert_eq!(from_hex(Serialiser::Cbor, trailing).unwrap_err(), CodecError::Trailing);
    assert_eq!(from_hex(Serialiser::MessagePack, "92 23 05 00").unwrap_err(), CodecError::Trailing);
}

#[test]
fn deep_nesting_is_refused_alike_and_without_a_deep_stack() {
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    for (depth, is_refused) in [(MAX_DEPTH - 1, false), (MAX_DEPTH, true), (100_000, true)] {
        let text = format!(r#"[50,1,{{}},{}]"#, nested("[", "]", depth));
        let refused = from_json(&text).err();
        assert_eq!(refused, is_refused.then_some(CodecError::TooDeep), "JSON {depth}");
        let open = |list: u8, head: &[u8]| {
            let mut bytes = head.to_vec();
            bytes.extend(std::iter::repeat_n(list, depth - 1));
            bytes.push(list - 1);
            Bytes::from(bytes)
        };
        let msgpack = decode(Serialiser::MessagePack, &open(0x91, &[0x94, 50, 1, 0x80])).err();
        assert_eq!(msgpack, is_refused.then_some(CodecError::TooDeep), "MessagePack {depth}");
        let cbor = decode(Serialiser::Cbor, &open(0x81, &[0x84, 0x18, 50, 1, 0xa0])).err();
        assert_eq!(cbor, is_refused.then_some(CodecError::TooDeep), "CBOR {depth}");
    }
}

#[test]
fn lengths_that_promise_more_than_there_is_cost_nothing() {
    for (serialiser, hex) in [
        (Serialiser::MessagePack, "94 32 01 80 dd ffffffff"),
        (Serialiser::MessagePack, "94 32 01 80 91 c6 ffffffff 00"),
        (Serialiser::Cbor, "84 18 32 01 a0 9b ffffffffffffffff"),
        (Serialiser::Cbor, "84 18 32 01 a0 81 7b ffffffffffffffff 61"),
        (Serialiser::Cbor, "9b ffffffffffffffff 01"),
    ] {
        assert!(from_hex(serialiser, hex).is_err(), "{hex}");
    }
}

#[test]
fn a_payload_that_one_serialiser_takes_and_another_does_not_fails_only_when_carried_over() {
    let message = from_json(r#"[50,1,{},["\ud800"]]"#).unwrap();
    let Message::Result { payload, .. } = message else { unreachable!() };
    assert!(payload.carry_over(Some(Serialiser::Json)).is_ok());
    assert!(payload.carry_over(Some(Serialiser::Cbor)).is_err());
    assert!(payload.read().is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-200i64..200).prop_map(Value::from),
        // The JSON parser may miss the last bit of floats of more than 15 digits; these have 14.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 64.0)),
        ".{0,40}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| crate::codec::binary_text(&bytes).into()),
        "\0[A-Za-z0-9+/=]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,40}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn serialiser() -> impl Strategy<Value = Serialiser> {
    prop::sample::select(Serialiser::ALL.to_vec())
}

proptest! {
    #[test]
    fn values_go_round_through_all_serialisers_unchanged(value in value()) {
        let mut current = value.clone();
        for serialiser in [Serialiser::Json, Serialiser::MessagePack, Serialiser::Cbor, Serialiser::Json] {
            let mut out = Vec::new();
            write_value(serialiser, &mut out, &current);
            current = read_value(serialiser, &out).unwrap();
        }
        prop_assert_eq!(current, value);
    }

    #[test]
    fn calls_are_carried_over_any_chain_of_serialisers(
        list in prop::collection::vec(value(), 0..4),
        keywords in prop::collection::btree_map(".{0,10}", value(), 0..4),
        chain in prop::collection::vec(serialiser(), 1..5),
        request in 1u64..1 << 53,
    ) {
        let arguments = Arguments { list, keywords: keywords.into_iter().collect() };
        let mut message = Message::Call {
            request,
            options: Dict::new(),
            procedure: "a.b".into(),
            payload: arguments.clone().into(),
        };
        for serialiser in chain {
            message = decode(serialiser, &bytes_of(serialiser, &carry(message, serialiser))).unwrap();
        }
        let Message::Call { request: got, payload, .. } = message else { unreachable!() };
        prop_assert_eq!(got, request);
        prop_assert_eq!(payload.read().unwrap(), arguments);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        serialiser in serialiser(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        crate::check_message(serialiser, &bytes);
        drop(read_value(serialiser, &bytes));
    }

    #[test]
    fn damaged_messages_never_panic(
        serialiser in serialiser(),
        sample in prop::sample::select(SAMPLES.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes_of(serialiser, &carry(from_json(sample).unwrap(), serialiser)).to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        crate::check_message(serialiser, &bytes);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(!crate::check_message(serialiser, &bytes) || !bytes.is_empty());
    }
}

#[test]
fn what_javascript_writes_for_undefined_is_null() {
    // SUBSCRIBE with `match: undefined`, as msgpackr and cbor-x write it.
    let msgpack = "94 20 01 81 a5 6d617463 68 d4 00 00 a1 74";
    let cbor = "84 18 20 01 a1 65 6d61746368 f7 61 74";
    for (serialiser, hex) in [(Serialiser::MessagePack, msgpack), (Serialiser::Cbor, cbor)] {
        let message = from_hex(serialiser, hex).unwrap();
        assert_eq!(json_of(&message), r#"[32,1,{"match":null},"t"]"#);
    }
    assert!(from_hex(Serialiser::MessagePack, "94 20 01 81 a1 6d d4 01 00 a1 74").is_err());
}
