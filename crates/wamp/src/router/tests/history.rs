//! Events that are kept.

use serde_json::json;

use super::*;

fn scene(kept: Kept) -> (Router, u64, u64) {
    let mut router = Router::new(Bounds::default());
    router.core.keep_histories(&[kept], router.wall);
    let me = router.join(NONE);
    let id = *router.core.histories.keys().next().unwrap();
    (router, me, id)
}

fn events(router: &mut Router, me: u64, id: u64, keywords: Value) -> Vec<Value> {
    let (result, _) = router.ask(me, "wamp.subscription.get_events", json!([id]), keywords);
    result.unwrap().as_array().unwrap().clone()
}

#[test]
fn the_last_events_are_kept_and_the_oldest_goes() {
    let (mut router, me, id) = scene(Kept::last("t", 3));
    let times = |events: &[Value]| -> Vec<String> {
        events
            .iter()
            .map(|event| event["timestamp"].as_str().unwrap().get(17..19).unwrap().into())
            .collect()
    };
    for _ in 0..5 {
        router.wall += Duration::from_secs(1);
        router.publish(me, "t", json!({}));
    }
    let all = events(&mut router, me, id, json!({}));
    assert_eq!(times(&all), ["43", "44", "45"]);
    assert_eq!(all[0]["args"], json!(["news"]));
    assert_eq!(all[0]["details"]["publisher"], json!(me));
    let publication = |at: usize| all[at]["publication"].clone();
    for (keywords, expected) in [
        (json!({"reverse": true, "limit": 2}), &["45", "44"][..]),
        (json!({"from_time": "2001-09-09T01:46:44Z"}), &["44", "45"]),
        (json!({"after_time": "2001-09-09T01:46:44Z"}), &["45"]),
        (json!({"before_time": "2001-09-09T01:46:44Z"}), &["43"]),
        (json!({"until_time": "2001-09-09T01:46:44Z"}), &["43", "44"]),
        (json!({"from_publication": publication(1)}), &["44", "45"]),
        (json!({"after_publication": publication(1)}), &["45"]),
        (json!({"before_publication": publication(1)}), &["43"]),
        (json!({"until_publication": publication(1)}), &["43", "44"]),
        (json!({"after_publication": publication(2), "before_publication": publication(0)}), &[]),
        (json!({"topic": "other"}), &[]),
        (json!({"limit": 0}), &[]),
    ] {
        assert_eq!(times(&events(&mut router, me, id, keywords.clone())), expected, "{keywords}");
    }
}

#[test]
fn what_is_old_or_too_much_goes_and_what_was_for_some_only_is_not_kept() {
    let day = Duration::from_secs(24 * 3600);
    let (mut router, me, id) = scene(Kept { bytes: 1000, ..Kept::last("t", 100) });
    router.publish(me, "t", json!({"eligible": [me], "exclude_me": false}));
    assert!(events(&mut router, me, id, json!({})).is_empty());
    for _ in 0..20 {
        router.publish(me, "t", json!({}));
    }
    assert_eq!(events(&mut router, me, id, json!({})).len(), 4, "within a thousand bytes");
    router.wall += day + Duration::from_secs(1);
    assert!(events(&mut router, me, id, json!({})).is_empty(), "a day later");
}

#[test]
fn a_pattern_is_kept_with_its_topics_and_without_subscribers() {
    let kept = Kept { pattern: Match::Prefix, ..Kept::last("t.", 9) };
    let (mut router, me, id) = scene(kept);
    assert_eq!(router.subscribe(me, "t.", Match::Prefix), id);
    router.send(me, Message::Unsubscribe { request: 3, subscription: id });
    router.publish(me, "t.x", json!({}));
    router.publish(me, "t.y", json!({}));
    let found = events(&mut router, me, id, json!({"topic": "t.y"}));
    assert_eq!((found.len(), &found[0]["details"]["topic"]), (1, &json!("t.y")));
}

#[test]
fn wrong_questions_are_answered_by_name() {
    let (mut router, me, id) = scene(Kept::last("t", 3));
    let other = router.subscribe(me, "other", Match::Exact);
    for (list, keywords, expected) in [
        (json!([]), json!({}), error::INVALID_ARGUMENT),
        (json!([1]), json!({}), error::NO_SUCH_SUBSCRIPTION),
        (json!([other]), json!({}), error::NO_EVENT_HISTORY),
        (json!([id]), json!({"limit": "x"}), error::INVALID_ARGUMENT),
        (json!([id]), json!({"from_time": "yesterday"}), error::INVALID_ARGUMENT),
        (json!([id]), json!({"from_publication": 7}), error::NO_SUCH_PUBLICATION),
    ] {
        let (result, _) = router.ask(me, "wamp.subscription.get_events", list, keywords.clone());
        assert_eq!(result, Err(expected.to_owned()), "{keywords}");
    }
}
