//! The router as a machine: messages in, messages out, a clock of our own, no sockets.

mod audience;
mod disclosure;
mod history;
mod meta;
mod pieces;
mod sharing;
mod testaments;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::codec::Serialiser;
use crate::payload::Payload;
use crate::{Arguments, Dict, Match};

/// Understands INTERRUPT, and nothing else.
const HEEDS: Abilities = Abilities::INTERRUPTS;
const NONE: Abilities = Abilities::none();

struct Everything;

impl Authorise for Everything {
    fn verdict(&self, _: &Identity, _: Action, _: &str) -> Verdict {
        Verdict::Allow
    }

    fn disclosure(&self, _: &Identity, _: Action, _: &str) -> Option<Disclosure> {
        None
    }
}

struct Router {
    core: Core,
    now: Instant,
    wall: SystemTime,
    kills: Vec<(u64, Ended)>,
}

impl Router {
    fn new(bounds: Bounds) -> Self {
        Self::with(bounds, Disclosure::Always)
    }

    fn with(bounds: Bounds, disclosure: Disclosure) -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let core = Core::new(bounds, disclosure, 42);
        Self { core, now: Instant::now(), wall, kills: Vec::new() }
    }

    fn act<T>(
        &mut self,
        step: impl FnOnce(&mut Core, &mut Turn<'_>) -> T,
    ) -> (T, Vec<(u64, String)>) {
        let mut out = Vec::new();
        let (wall, kills) = (self.wall, &mut self.kills);
        let mut turn = Turn { now: self.now, wall, policy: &Everything, out: &mut out, kills };
        let result = step(&mut self.core, &mut turn);
        (result, out.into_iter().map(|(to, message)| (to, json_of(&message))).collect())
    }

    fn join(&mut self, abilities: Abilities) -> u64 {
        self.join_with(abilities, Waits::default())
    }

    fn join_with(&mut self, abilities: Abilities, waits: Waits) -> u64 {
        self.join_as("me", "guest", abilities, waits)
    }

    fn join_speaking(&mut self, serialiser: Serialiser) -> u64 {
        let id = self.join(NONE);
        self.core.peers.get_mut(&id).unwrap().serialiser = Some(serialiser);
        id
    }

    fn join_as(&mut self, authid: &str, role: &str, abilities: Abilities, waits: Waits) -> u64 {
        let newcomer = Newcomer {
            authid: authid.into(),
            role: role.into(),
            method: "anonymous".into(),
            key: None,
            peer: None,
            serialiser: Some(Serialiser::Json),
            abilities,
            waits,
        };
        self.act(|core, turn| core.join(newcomer, turn)).0.id
    }

    fn send(&mut self, from: u64, message: Message) -> Vec<(u64, String)> {
        let (result, out) = self.act(|core, turn| core.handle(from, message, turn));
        result.unwrap();
        out
    }

    fn leave(&mut self, id: u64) -> Vec<(u64, String)> {
        self.act(|core, turn| core.leave(id, turn)).1
    }

    fn expire(&mut self) -> Vec<(u64, String)> {
        self.act(|core, turn| core.expire(turn)).1
    }

    fn register(&mut self, from: u64, procedure: &str, kind: Match) -> Vec<(u64, String)> {
        let options = kind.into_options();
        self.send(from, Message::Register { request: 1, options, procedure: procedure.into() })
    }

    fn register_as(&mut self, from: u64, procedure: &str, options: Value) -> Vec<(u64, String)> {
        let options = dict(options);
        self.send(from, Message::Register { request: 1, options, procedure: procedure.into() })
    }

    fn subscribe(&mut self, from: u64, topic: &str, kind: Match) -> u64 {
        let (options, topic) = (kind.into_options(), topic.to_owned());
        let out = self.send(from, Message::Subscribe { request: 1, options, topic });
        let subscribed = out.iter().map(|(_, text)| parsed(text)).find(|found| found[0] == 33);
        subscribed.unwrap()[2].as_u64().unwrap()
    }

    fn publish(&mut self, from: u64, topic: &str, options: Value) -> Vec<(u64, String)> {
        let payload = Arguments::one("news").into();
        let (options, topic) = (dict(options), topic.to_owned());
        self.send(from, Message::Publish { request: 2, options, topic, payload })
    }

    /// Calls a meta procedure; its result's first argument or its error's URI, and what else was sent.
    fn ask(
        &mut self,
        from: u64,
        procedure: &str,
        list: Value,
        keywords: Value,
    ) -> (Result<Value, String>, Vec<(u64, String)>) {
        let list = list.as_array().unwrap().clone();
        let payload = Arguments { list, keywords: dict(keywords) }.into();
        let (options, procedure) = (Dict::new(), procedure.to_owned());
        let mut out = self.send(from, Message::Call { request: 99, options, procedure, payload });
        let at = out.iter().position(|(to, text)| {
            let message = parsed(text);
            *to == from && (message[1] == 99 || message[2] == 99)
        });
        let answer = parsed(&out.remove(at.unwrap()).1);
        let result = match answer[0].as_u64() {
            Some(code::RESULT) => Ok(answer.get(3).map_or(Value::Null, |list| list[0].clone())),
            _ => Err(answer[4].as_str().unwrap().to_owned()),
        };
        (result, out)
    }

    fn call(&mut self, from: u64, request: u64, options: Value) -> Vec<(u64, String)> {
        self.send(from, call(request, options))
    }
}

fn parsed(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn dict(value: Value) -> Dict {
    value.as_object().unwrap().clone()
}

fn call(request: u64, options: Value) -> Message {
    let (options, payload) = (dict(options), Payload::Empty);
    Message::Call { request, options, procedure: "x.y".into(), payload }
}

fn answer(request: u64, options: Value) -> Message {
    let payload = Arguments::one("done").into();
    Message::Yield { request, options: dict(options), payload }
}

fn cancel(request: u64, mode: &str) -> Message {
    Message::Cancel { request, options: dict(json!({ "mode": mode })) }
}

fn json_of(message: &Message) -> String {
    let mut out = Vec::new();
    crate::message::encode(Serialiser::Json, &mut out, message);
    String::from_utf8(out).unwrap()
}

/// A message's type, and the URI in it if it is an error.
fn kinds(out: &[(u64, String)]) -> Vec<(u64, u64, String)> {
    let kind = |(to, text): &(u64, String)| {
        let message: Vec<Value> = serde_json::from_str(text).unwrap();
        let number = message[0].as_u64().unwrap();
        let uri = message.get(4).filter(|_| number == code::ERROR).and_then(Value::as_str);
        (*to, number, uri.unwrap_or_default().to_owned())
    };
    out.iter().map(kind).collect()
}

/// A router with a callee of `x.y` and a caller.
fn pair(abilities: Abilities) -> (Router, u64, u64) {
    let mut router = Router::new(Bounds::default());
    let (callee, caller) = (router.join(abilities), router.join(NONE));
    router.register(callee, "x.y", Match::Exact);
    (router, callee, caller)
}

#[test]
fn a_call_goes_to_its_callee_and_the_answer_back() {
    let (mut router, callee, caller) = pair(NONE);
    let out = router.call(caller, 7, json!({}));
    assert_eq!(kinds(&out), [(callee, code::INVOCATION, String::new())]);
    assert!(out[0].1.contains(&format!("\"caller\":{caller}")));
    let out = router.send(callee, answer(1, json!({})));
    assert_eq!(out, [(caller, r#"[50,7,{},["done"]]"#.to_owned())]);
    assert!(router.send(callee, answer(1, json!({}))).is_empty(), "a second answer is dropped");
}

#[test]
fn the_router_counts_what_it_waits_for() {
    let mut router = Router::new(Bounds::default());
    let waits = Waits::default();
    let callee = router.join_with(NONE, waits.clone());
    let caller = router.join(NONE);
    router.register(callee, "x.y", Match::Exact);
    assert!(!waits.any());
    router.call(caller, 1, json!({}));
    router.call(caller, 2, json!({}));
    router.send(callee, answer(1, json!({})));
    assert!(waits.any());
    router.send(caller, cancel(2, "skip"));
    assert!(!waits.any());
}

#[test]
fn answers_to_invocations_that_never_were_are_violations() {
    let (mut router, callee, caller) = pair(NONE);
    router.call(caller, 1, json!({}));
    let (result, _) = router.act(|core, turn| core.handle(callee, answer(2, json!({})), turn));
    assert!(result.is_err());
    let (result, _) = router.act(|core, turn| core.handle(caller, call(1, json!({})), turn));
    assert!(result.is_err(), "a request id is used twice at a time");
    let welcome = Message::Welcome { session: 1, details: Dict::new() };
    assert!(router.act(|core, turn| core.handle(caller, welcome, turn)).0.is_err());
}

#[test]
fn a_deadline_answers_the_caller_and_interrupts_the_callee() {
    let (mut router, callee, caller) = pair(HEEDS);
    router.call(caller, 1, json!({"timeout": 1000}));
    router.call(caller, 2, json!({"timeout": 3000}));
    assert_eq!(router.core.next_deadline(), Some(router.now + Duration::from_secs(1)));
    router.now += Duration::from_millis(999);
    assert!(router.expire().is_empty());
    router.now += Duration::from_millis(1);
    let expected = [
        (caller, code::ERROR, error::TIMEOUT.to_owned()),
        (callee, code::INTERRUPT, String::new()),
    ];
    assert_eq!(kinds(&router.expire()), expected);
    assert_eq!(router.core.next_deadline(), Some(router.now + Duration::from_secs(2)));
    router.send(callee, answer(2, json!({})));
    assert_eq!(router.core.next_deadline(), None, "an answered call has no deadline");
    assert!(router.send(callee, answer(1, json!({}))).is_empty(), "a late answer is dropped");
}

#[test]
fn a_timeout_too_long_for_the_clock_is_cut() {
    let (mut router, _, caller) = pair(NONE);
    router.call(caller, 1, json!({"timeout": u64::MAX}));
    assert!(router.core.next_deadline().is_some());
}

#[test]
fn the_modes_of_cancellation_differ_in_what_the_callee_hears_and_when_the_caller() {
    let canceled = || (error::CANCELED.to_owned(), String::new());
    for (mode, interrupts, expects_error, expects_interrupt) in [
        ("skip", HEEDS, true, false),
        ("killnowait", HEEDS, true, true),
        ("killnowait", NONE, true, false),
        ("kill", HEEDS, false, true),
        ("kill", NONE, true, false),
    ] {
        let (mut router, callee, caller) = pair(interrupts);
        router.call(caller, 1, json!({}));
        let out = kinds(&router.send(caller, cancel(1, mode)));
        let error = expects_error.then(|| (caller, code::ERROR, canceled().0));
        let interrupt = expects_interrupt.then(|| (callee, code::INTERRUPT, canceled().1));
        let expected: Vec<_> = error.into_iter().chain(interrupt).collect();
        assert_eq!(out, expected, "{mode} {interrupts:?}");
        assert!(router.send(caller, cancel(9, mode)).is_empty(), "an unknown call is no error");
    }
}

#[test]
fn when_the_callee_leaves_its_callers_are_answered_and_the_procedure_is_free() {
    let (mut router, callee, caller) = pair(NONE);
    router.call(caller, 1, json!({"timeout": 1000}));
    let out = router.leave(callee);
    assert_eq!(kinds(&out), [(caller, code::ERROR, error::CANCELED.to_owned())]);
    assert_eq!(router.core.next_deadline(), None);
    let out = router.call(caller, 2, json!({}));
    assert_eq!(kinds(&out), [(caller, code::ERROR, error::NO_SUCH_PROCEDURE.to_owned())]);
    assert!(router.leave(callee).is_empty(), "leaving twice does nothing");
    assert_eq!(kinds(&router.register(caller, "x.y", Match::Exact))[0].1, code::REGISTERED);
}

#[test]
fn when_the_caller_leaves_the_callee_is_interrupted_and_its_answer_dropped() {
    let (mut router, callee, caller) = pair(HEEDS);
    router.call(caller, 1, json!({"timeout": 1000}));
    let out = router.leave(caller);
    assert_eq!(kinds(&out), [(callee, code::INTERRUPT, String::new())]);
    assert_eq!(router.core.next_deadline(), None);
    assert!(router.send(callee, answer(1, json!({}))).is_empty());
}

#[test]
fn a_session_that_calls_itself_and_leaves_leaves_nothing() {
    let mut router = Router::new(Bounds::default());
    let me = router.join(HEEDS);
    router.register(me, "x.y", Match::Exact);
    router.call(me, 1, json!({"timeout": 1000}));
    router.leave(me);
    assert_eq!((router.core.len(), router.core.next_deadline()), (0, None));
    assert!(router.core.registrations.is_empty());
}

#[test]
fn progress_reaches_only_those_who_asked_for_it() {
    let (mut router, callee, caller) = pair(NONE);
    router.call(caller, 1, json!({"receive_progress": true}));
    router.call(caller, 2, json!({}));
    let out = router.send(callee, answer(1, json!({"progress": true})));
    assert_eq!(out, [(caller, r#"[50,1,{"progress":true},["done"]]"#.to_owned())]);
    assert!(router.send(callee, answer(2, json!({"progress": true}))).is_empty());
    for (invocation, call) in [(1, 1), (2, 2)] {
        let out = router.send(callee, answer(invocation, json!({})));
        assert_eq!(out, [(caller, format!(r#"[50,{call},{{}},["done"]]"#))]);
    }
}

#[test]
fn a_procedure_has_one_callee_and_a_pattern_another() {
    let (mut router, _, other) = pair(NONE);
    let out = router.register(other, "x.y", Match::Exact);
    assert_eq!(kinds(&out), [(other, code::ERROR, error::PROCEDURE_EXISTS.to_owned())]);
    assert_eq!(kinds(&router.register(other, "x.", Match::Prefix))[0].1, code::REGISTERED);
    assert_eq!(kinds(&router.register(other, "x.y", Match::Wildcard))[0].1, code::REGISTERED);
    let options = dict(json!({"invoke": "roundrobin"}));
    let shared = Message::Register { request: 1, options, procedure: "z".into() };
    let out = router.send(other, shared);
    assert_eq!(kinds(&out), [(other, code::REGISTERED, String::new())]);
}

#[test]
fn only_the_owner_may_take_a_registration_back() {
    let (mut router, callee, other) = pair(NONE);
    let registration = *router.core.registrations.keys().next().unwrap();
    let unregister = || Message::Unregister { request: 1, registration };
    let out = router.send(other, unregister());
    assert_eq!(kinds(&out), [(other, code::ERROR, error::NO_SUCH_REGISTRATION.to_owned())]);
    assert_eq!(
        kinds(&router.send(callee, unregister())),
        [(callee, code::UNREGISTERED, String::new())]
    );
    let out = router.send(callee, unregister());
    assert_eq!(kinds(&out), [(callee, code::ERROR, error::NO_SUCH_REGISTRATION.to_owned())]);
}

#[test]
fn what_one_session_may_hold_is_bounded() {
    let bounds =
        Bounds { registrations: 1, subscriptions: 1, pending_invocations: 1, ..Bounds::default() };
    let mut router = Router::new(bounds);
    let me = router.join(NONE);
    let full = [(me, code::ERROR, error::UNAVAILABLE.to_owned())];
    router.register(me, "x.y", Match::Exact);
    assert_eq!(kinds(&router.register(me, "x.z", Match::Exact)), full);
    let subscribe =
        |topic: &str| Message::Subscribe { request: 1, options: Dict::new(), topic: topic.into() };
    router.send(me, subscribe("a"));
    assert_eq!(kinds(&router.send(me, subscribe("a")))[0].1, code::SUBSCRIBED, "the same again");
    assert_eq!(kinds(&router.send(me, subscribe("b"))), full);
    router.call(me, 1, json!({}));
    assert_eq!(kinds(&router.call(me, 2, json!({}))), full);
}

#[test]
fn bad_uris_and_options_are_refused() {
    let (mut router, _, me) = pair(NONE);
    for uri in ["", "a b", "a..b", &"x".repeat(300)] {
        let out = router.register(me, uri, Match::Exact);
        assert_eq!(kinds(&out), [(me, code::ERROR, error::INVALID_URI.to_owned())], "{uri}");
    }
    let options = dict(json!({"match": "regex"}));
    let out = router.send(me, Message::Subscribe { request: 1, options, topic: "a".into() });
    assert_eq!(kinds(&out), [(me, code::ERROR, error::OPTION_NOT_ALLOWED.to_owned())]);
}

#[test]
fn the_last_subscriber_takes_the_subscription_along() {
    let mut router = Router::new(Bounds::default());
    let (a, b) = (router.join(NONE), router.join(NONE));
    for session in [a, b] {
        let (options, topic) = (Match::Prefix.into_options(), "t.".to_owned());
        router.send(session, Message::Subscribe { request: 1, options, topic });
    }
    let subscription = *router.core.subscriptions.keys().next().unwrap();
    assert_eq!(router.core.subscriptions.len(), 1, "they share one");
    let out = router.send(a, Message::Unsubscribe { request: 2, subscription });
    assert_eq!(kinds(&out), [(a, code::UNSUBSCRIBED, String::new())]);
    let out = router.send(a, Message::Unsubscribe { request: 3, subscription });
    assert_eq!(kinds(&out), [(a, code::ERROR, error::NO_SUCH_SUBSCRIPTION.to_owned())]);
    router.leave(b);
    assert!(router.core.subscriptions.is_empty());
    assert_eq!(router.core.topics.best("t.x"), None);
}

#[test]
fn arguments_that_cannot_be_carried_over_fail_the_call_and_not_the_callee() {
    let mut router = Router::new(Bounds::default());
    let callee = router.join_speaking(Serialiser::Cbor);
    router.register(callee, "x.y", Match::Exact);
    let caller = router.join(NONE);
    let text = r#"[48,1,{},"x.y",["\ud800"]]"#;
    let broken = crate::message::decode(Serialiser::Json, &text.into()).unwrap();
    let out = router.send(caller, broken);
    assert_eq!(kinds(&out), [(caller, code::ERROR, error::INVALID_PAYLOAD.to_owned())]);
}
