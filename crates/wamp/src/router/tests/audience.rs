//! Who gets an event.

use serde_json::json;

use super::*;

#[test]
fn events_go_to_the_eligible_and_not_to_the_excluded() {
    let mut router = Router::new(Bounds::default());
    let join = |(authid, role): (&str, &str)| {
        let id = router.join_as(authid, role, NONE, Waits::default());
        router.subscribe(id, "t", Match::Exact);
        id
    };
    let all: Vec<u64> = [("ann", "a"), ("bob", "b"), ("cec", "b")].map(join).to_vec();
    let mut publish = |options: Value| {
        let out = router.publish(all[0], "t", options);
        let mut receivers: Vec<u64> = out.iter().map(|(to, _)| *to).collect();
        receivers.sort_by_key(|id| all.iter().position(|other| other == id));
        receivers
    };
    assert_eq!(publish(json!({})), all[1..]);
    assert_eq!(publish(json!({"exclude_me": false})), all);
    assert_eq!(publish(json!({"exclude": [all[1]]})), [all[2]]);
    assert_eq!(publish(json!({"exclude_authid": ["bob", 7]})), [all[2]]);
    assert_eq!(publish(json!({"exclude_authrole": ["b"]})), Vec::<u64>::new());
    assert_eq!(publish(json!({"eligible": [all[1], 5, "x"]})), [all[1]]);
    assert_eq!(publish(json!({"eligible": [all[1] as f64]})), [all[1]], "as JavaScript writes it");
    assert_eq!(publish(json!({"eligible_authid": ["cec"]})), [all[2]]);
    assert_eq!(publish(json!({"eligible_authrole": ["b"]})), all[1..]);
    assert_eq!(publish(json!({"eligible": []})), Vec::<u64>::new(), "an empty list is a list");
    let both = json!({"eligible_authrole": ["b"], "eligible": [all[0], all[1]]});
    assert_eq!(publish(both), [all[1]], "every white list must hold");
    let black = json!({"eligible": [all[1]], "exclude_authid": ["bob"]});
    assert_eq!(publish(black), Vec::<u64>::new(), "black goes before white");
    assert_eq!(publish(json!({"exclude": "bob", "x_new": 1})), all[1..], "what is no list is none");
}

#[test]
fn one_event_is_shared_by_all_who_speak_one_serialiser() {
    let mut router = Router::new(Bounds::default());
    let publisher = router.join(NONE);
    for _ in 0..3 {
        let id = router.join(NONE);
        router.subscribe(id, "t", Match::Exact);
    }
    let message = Message::Publish {
        request: 1,
        options: Dict::new(),
        topic: "t".into(),
        payload: Arguments::one(1).into(),
    };
    let (mut out, mut kills) = (Vec::new(), Vec::new());
    let mut turn = Turn {
        now: router.now,
        wall: router.wall,
        policy: &Everything,
        out: &mut out,
        kills: &mut kills,
    };
    router.core.handle(publisher, message, &mut turn).unwrap();
    let events: Vec<_> = out
        .iter()
        .map(|(_, message)| match message {
            Message::Event(event) => event,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| Arc::ptr_eq(event, events[0])));
}
