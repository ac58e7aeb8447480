//! The meta API: looking, ending, taking away, and what is announced.

use serde_json::json;

use super::*;

#[test]
fn sessions_are_counted_listed_and_described() {
    let mut router = Router::new(Bounds::default());
    let ann = router.join_as("ann", "a", NONE, Waits::default());
    let bob = router.join_as("bob", "b", NONE, Waits::default());
    let mut ask = |name: &str, list: Value| {
        router.ask(ann, &format!("wamp.session.{name}"), list, json!({})).0
    };
    assert_eq!(ask("count", json!([])), Ok(json!(2)));
    assert_eq!(ask("count", json!([["a"]])), Ok(json!(1)));
    assert_eq!(ask("list", json!([["b"]])), Ok(json!([bob])));
    let details = ask("get", json!([bob])).unwrap();
    assert_eq!((&details["authid"], &details["session"]), (&json!("bob"), &json!(bob)));
    assert_eq!(ask("get", json!([1])), Err(error::NO_SUCH_SESSION.into()));
    assert_eq!(ask("get", json!(["x"])), Err(error::INVALID_ARGUMENT.into()));
    assert_eq!(ask("nonsense", json!([])), Err(error::NO_SUCH_PROCEDURE.into()));
}

#[test]
fn sessions_are_ended_one_by_one_by_authid_by_role_and_all() {
    let mut router = Router::new(Bounds::default());
    let me = router.join_as("me", "admin", NONE, Waits::default());
    let join = |authid: &str, role: &str, router: &mut Router| {
        router.join_as(authid, role, NONE, Waits::default())
    };
    let [a, b, c, d] = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "z")]
        .map(|(authid, role)| join(authid, role, &mut router));
    let watcher = router.join_as("w", "watcher", NONE, Waits::default());
    router.subscribe(watcher, "wamp.session.on_leave", Match::Exact);
    let farewell = json!({"reason": "x.y.go", "message": "out"});
    let (result, out) = router.ask(me, "wamp.session.kill", json!([a]), farewell.clone());
    assert_eq!(result, Ok(json!(null)));
    assert!(out.iter().any(|(to, text)| *to == watcher && text.contains(&a.to_string())));
    let ended = Ended::Dismissed { reason: "x.y.go".into(), message: "out".into() };
    assert_eq!(router.kills, [(a, ended)]);
    for own in [me, a] {
        let (result, _) = router.ask(me, "wamp.session.kill", json!([own]), json!({}));
        assert_eq!(result, Err(error::NO_SUCH_SESSION.into()), "not oneself, not twice");
    }
    let bad = json!({"reason": "not a uri"});
    let (result, _) = router.ask(me, "wamp.session.kill", json!([b]), bad);
    assert_eq!(result, Err(error::INVALID_URI.into()));
    let (result, _) = router.ask(me, "wamp.session.kill_by_authid", json!(["b"]), json!({}));
    assert_eq!(result, Ok(json!([b])));
    let (result, _) = router.ask(me, "wamp.session.kill_by_authrole", json!(["y"]), json!({}));
    assert_eq!(result, Ok(json!(1)));
    let (result, _) = router.ask(me, "wamp.session.kill_all", json!([]), json!({}));
    assert_eq!(result, Ok(json!(2)));
    let killed: Vec<u64> = router.kills.iter().map(|(id, _)| *id).collect();
    assert_eq!(killed[..3], [a, b, c]);
    assert!(killed[3..].contains(&d) && killed[3..].contains(&watcher));
    assert_eq!(router.core.len(), 1);
    assert!(router.publish(a, "t", json!({})).is_empty(), "what is out says nothing any more");
}

#[test]
fn registrations_are_looked_up_and_their_callees_removed() {
    let mut router = Router::new(Bounds::default());
    let callee = router.join(Abilities::REGISTRATION_REVOCATION);
    router.register(callee, "x.y", Match::Exact);
    router.register(callee, "x.", Match::Prefix);
    let mut ask = |name: &str, list: Value| {
        router.ask(callee, &format!("wamp.registration.{name}"), list, json!({}))
    };
    let exact = ask("lookup", json!(["x.y"])).0.unwrap();
    let prefix = ask("lookup", json!(["x.", {"match": "prefix"}])).0.unwrap();
    assert_eq!(ask("match", json!(["x.y"])).0, Ok(exact.clone()));
    assert_eq!(ask("match", json!(["x.z"])).0, Ok(prefix.clone()));
    assert_eq!(ask("match", json!(["q"])).0, Ok(Value::Null));
    assert_eq!(ask("list", json!([])).0.unwrap()["exact"], json!([exact]));
    let details = ask("get", json!([exact])).0.unwrap();
    assert_eq!(details["created"], "2001-09-09T01:46:40.000Z");
    assert_eq!((&details["invoke"], &details["match"]), (&json!("single"), &json!("exact")));
    assert_eq!(ask("list_callees", json!([exact])).0, Ok(json!([callee])));
    assert_eq!(ask("count_callees", json!([exact])).0, Ok(json!(1)));
    assert_eq!(ask("remove_callee", json!([exact, 5])).0, Err(error::NO_SUCH_SESSION.into()));
    let (result, out) = ask("remove_callee", json!([exact, callee]));
    assert_eq!((result, kinds(&out)), (Ok(Value::Null), vec![(callee, 67, String::new())]));
    assert_eq!(ask("get", json!([exact])).0, Err(error::NO_SUCH_REGISTRATION.into()));
}

#[test]
fn subscriptions_are_looked_up_and_their_subscribers_removed() {
    let mut router = Router::new(Bounds::default());
    let me = router.join(Abilities::SUBSCRIPTION_REVOCATION);
    let exact = router.subscribe(me, "a.b", Match::Exact);
    let wildcard = router.subscribe(me, "a.", Match::Wildcard);
    let mut ask = |name: &str, list: Value| {
        router.ask(me, &format!("wamp.subscription.{name}"), list, json!({}))
    };
    assert_eq!(ask("lookup", json!(["a.b"])).0, Ok(json!(exact)));
    assert_eq!(ask("match", json!(["a.b"])).0, Ok(json!([exact, wildcard])));
    assert_eq!(ask("match", json!(["q"])).0, Ok(Value::Null));
    assert_eq!(ask("list", json!([])).0.unwrap()["wildcard"], json!([wildcard]));
    assert_eq!(ask("get", json!([wildcard])).0.unwrap()["match"], "wildcard");
    assert_eq!(ask("list_subscribers", json!([exact])).0, Ok(json!([me])));
    assert_eq!(ask("count_subscribers", json!([exact])).0, Ok(json!(1)));
    let (result, out) = ask("remove_subscriber", json!([exact, me]));
    assert_eq!((result, kinds(&out)), (Ok(Value::Null), vec![(me, 35, String::new())]));
    assert_eq!(ask("get", json!([exact])).0, Err(error::NO_SUCH_SUBSCRIPTION.into()));
}

#[test]
fn subscriptions_are_announced_like_registrations() {
    let mut router = Router::new(Bounds::default());
    let (watcher, a, b) = (router.join(NONE), router.join(NONE), router.join(NONE));
    router.subscribe(watcher, "wamp.subscription.", Match::Prefix);
    let names = |out: &[(u64, String)]| -> Vec<String> {
        let told = out.iter().filter(|(to, _)| *to == watcher);
        told.map(|(_, text)| {
            parsed(text)[3]["topic"].as_str().unwrap().replace("wamp.subscription.", "")
        })
        .collect()
    };
    let subscribe = |from, router: &mut Router| {
        let (options, topic) = (Dict::new(), "t".to_owned());
        router.send(from, Message::Subscribe { request: 1, options, topic })
    };
    assert_eq!(names(&subscribe(a, &mut router)), ["on_create", "on_subscribe"]);
    assert_eq!(names(&subscribe(b, &mut router)), ["on_subscribe"]);
    assert!(names(&subscribe(b, &mut router)).is_empty(), "the same again");
    assert_eq!(names(&router.leave(a)), ["on_unsubscribe"]);
    assert_eq!(names(&router.leave(b)), ["on_unsubscribe", "on_delete"]);
}
