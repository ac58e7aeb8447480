//! Calls whose arguments come in pieces, and answers that come in pieces.

use serde_json::json;

use super::*;

const MORE: &str = "progress";

fn more() -> Value {
    json!({ MORE: true })
}

fn scene() -> (Router, u64, u64) {
    pair(Abilities::PROGRESSIVE_CALLS)
}

#[test]
fn all_pieces_of_a_call_are_one_invocation_at_one_callee() {
    let mut router = Router::new(Bounds::default());
    let (a, b) = (router.join(Abilities::PROGRESSIVE_CALLS), router.join(NONE));
    for callee in [a, b] {
        router.register_as(callee, "x.y", json!({"invoke": "roundrobin"}));
    }
    let caller = router.join(NONE);
    for options in [more(), more(), json!({})] {
        let is_more = options == more();
        let out = router.call(caller, 1, options);
        assert_eq!((out.len(), out[0].0), (1, a), "not the next in turn");
        let message = parsed(&out[0].1);
        assert_eq!((message[0].as_u64(), message[1].as_u64()), (Some(68), Some(1)));
        assert_eq!(message[3].get(MORE), is_more.then_some(&json!(true)));
    }
    let (result, _) = router.act(|core, turn| core.handle(caller, call(1, more()), turn));
    assert!(result.is_err(), "after the last piece the id is in use");
    assert_eq!(kinds(&router.send(a, answer(1, json!({})))), [(caller, 50, String::new())]);
}

#[test]
fn a_callee_that_cannot_take_pieces_is_spared_them() {
    let (mut router, _, caller) = pair(NONE);
    let out = router.call(caller, 1, more());
    assert_eq!(kinds(&out), [(caller, code::ERROR, error::FEATURE_NOT_SUPPORTED.to_owned())]);
}

#[test]
fn pieces_that_come_after_the_answer_are_dropped_until_the_last() {
    let (mut router, callee, caller) = scene();
    router.call(caller, 1, more());
    router.send(callee, answer(1, json!({})));
    assert!(router.call(caller, 1, more()).is_empty());
    assert!(router.call(caller, 1, json!({})).is_empty(), "the last piece");
    assert_eq!(router.call(caller, 1, json!({})).len(), 1, "a new call");
}

#[test]
fn late_pieces_are_known_for_a_bounded_number_of_calls() {
    let (mut router, callee, caller) = scene();
    for request in 1..=1000 {
        router.call(caller, request, more());
        router.send(callee, answer(request, json!({})));
    }
    assert!(router.call(caller, 1000, more()).is_empty());
    assert_eq!(router.call(caller, 1, more()).len(), 1, "long forgotten");
}

#[test]
fn pieces_both_ways_are_a_conversation() {
    let (mut router, callee, caller) = scene();
    for step in 1..=3 {
        router.call(caller, 1, json!({MORE: true, "receive_progress": true}));
        let out = router.send(callee, answer(1, more()));
        assert_eq!(kinds(&out), [(caller, code::RESULT, String::new())], "{step}");
    }
    router.send(callee, answer(1, json!({})));
    assert!(router.send(callee, answer(1, more())).is_empty(), "nothing after the last");
}

#[test]
fn a_piece_that_cannot_be_carried_over_ends_the_call_once() {
    let mut router = Router::new(Bounds::default());
    let callee = router.join(Abilities::INTERRUPTS);
    router.register(callee, "x.y", Match::Exact);
    let caller = router.join_speaking(Serialiser::Cbor);
    router.call(caller, 1, json!({"receive_progress": true}));
    let broken = r#"[70,1,{"progress":true},["\ud800"]]"#;
    let broken = || crate::message::decode(Serialiser::Json, &broken.into()).unwrap();
    let expected = [
        (caller, code::ERROR, error::INVALID_PAYLOAD.to_owned()),
        (callee, code::INTERRUPT, String::new()),
    ];
    assert_eq!(kinds(&router.send(callee, broken())), expected);
    assert!(router.send(callee, broken()).is_empty());
    assert!(router.send(callee, answer(1, json!({}))).is_empty());
}

#[test]
fn a_caller_that_leaves_in_the_middle_leaves_nothing() {
    let (mut router, callee, caller) = scene();
    router.call(caller, 1, json!({MORE: true, "timeout": 1000}));
    router.leave(caller);
    assert_eq!(router.core.next_deadline(), None);
    assert!(router.send(callee, answer(1, json!({}))).is_empty());
}
