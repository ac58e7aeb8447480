//! What a session leaves behind.

use serde_json::json;

use super::*;

fn add(router: &mut Router, from: u64, topic: &str, keywords: Value) -> Result<Value, String> {
    let list = json!([topic, ["gone"], {"k": 1}]);
    router.ask(from, "wamp.session.add_testament", list, keywords).0
}

fn scene() -> (Router, u64, u64) {
    let mut router = Router::new(Bounds { testaments: 2, ..Bounds::default() });
    let (me, heir) = (router.join(NONE), router.join(NONE));
    for topic in ["now", "later"] {
        router.subscribe(heir, topic, Match::Exact);
    }
    (router, me, heir)
}

#[test]
fn testaments_are_published_when_their_session_ends_detached_ones_first() {
    let (mut router, me, heir) = scene();
    assert_eq!(add(&mut router, me, "later", json!({})), Ok(Value::Null));
    assert_eq!(add(&mut router, me, "now", json!({"scope": "detached"})), Ok(Value::Null));
    let out = router.leave(me);
    assert_eq!(out.len(), 2);
    assert!(out.iter().all(|(to, text)| *to == heir && text.contains(r#"["gone"],{"k":1}]"#)));
    let subscriptions: Vec<_> = out.iter().map(|(_, text)| parsed(text)[1].clone()).collect();
    let now = router.core.topics.best("now");
    assert_eq!(subscriptions[0], json!(now));
    assert!(router.leave(me).is_empty());
}

#[test]
fn testaments_may_be_taken_back_scope_by_scope() {
    let (mut router, me, _) = scene();
    add(&mut router, me, "later", json!({})).unwrap();
    add(&mut router, me, "now", json!({"scope": "detached"})).unwrap();
    let flush = |router: &mut Router, keywords: Value| {
        router.ask(me, "wamp.session.flush_testaments", json!([]), keywords).0
    };
    assert_eq!(flush(&mut router, json!({})), Ok(json!(1)));
    assert_eq!(flush(&mut router, json!({})), Ok(json!(0)));
    assert_eq!(flush(&mut router, json!({"scope": "x"})), Err(error::INVALID_ARGUMENT.into()));
    assert_eq!(router.leave(me).len(), 1, "the other scope stands");
}

#[test]
fn testaments_are_bounded_checked_and_heed_their_options() {
    let (mut router, me, heir) = scene();
    assert_eq!(add(&mut router, me, "wamp.x", json!({})), Err(error::INVALID_URI.into()));
    assert_eq!(
        add(&mut router, me, "now", json!({"scope": 7})),
        Err(error::INVALID_ARGUMENT.into())
    );
    let options = json!({"publish_options": {"exclude": [heir]}});
    add(&mut router, me, "now", options).unwrap();
    add(&mut router, me, "now", json!({})).unwrap();
    assert_eq!(add(&mut router, me, "now", json!({})), Err(error::UNAVAILABLE.into()));
    assert_eq!(router.leave(me).len(), 1, "one of the two excludes the only subscriber");
    let other = router.join(NONE);
    let long = json!(["now", ["x".repeat(70_000)]]);
    let (result, _) = router.ask(other, "wamp.session.add_testament", long, json!({}));
    assert_eq!(result, Err(error::UNAVAILABLE.into()));
}
