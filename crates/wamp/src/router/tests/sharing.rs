//! Shared registrations, and registrations that are taken away.

use serde_json::json;

use super::*;

fn sharing(rule: &str) -> (Router, [u64; 3], u64) {
    let mut router = Router::new(Bounds::default());
    let callees = [NONE; 3].map(|abilities| router.join(abilities));
    for callee in callees {
        let out = router.register_as(callee, "x.y", json!({ "invoke": rule }));
        assert_eq!(kinds(&out)[0].1, code::REGISTERED);
    }
    let caller = router.join(NONE);
    (router, callees, caller)
}

/// Who gets each of six calls.
fn receivers(router: &mut Router, caller: u64) -> Vec<u64> {
    (1..=6).map(|request| router.call(caller, request, json!({}))[0].0).collect()
}

#[test]
fn each_rule_chooses_its_callee() {
    let (mut router, [first, _, last], caller) = sharing("first");
    assert_eq!(receivers(&mut router, caller), [first; 6]);
    router.leave(first);
    assert_ne!(router.call(caller, 9, json!({}))[0].0, last, "the next oldest");
    let (mut router, [_, _, last], caller) = sharing("last");
    assert_eq!(receivers(&mut router, caller), [last; 6]);
    let (mut router, [a, b, c], caller) = sharing("roundrobin");
    assert_eq!(receivers(&mut router, caller), [a, b, c, a, b, c]);
    router.leave(a);
    assert_eq!(router.call(caller, 9, json!({}))[0].0, b);
    let (mut router, [a, b, c], caller) = sharing("load");
    let mut thirds = receivers(&mut router, caller);
    thirds.sort_unstable();
    let mut expected = vec![a, a, b, b, c, c];
    expected.sort_unstable();
    assert_eq!(thirds, expected, "nobody answers, so each gets two");
    router.send(b, answer(1, json!({})));
    assert_eq!(router.call(caller, 9, json!({}))[0].0, b, "the least loaded");
    let (mut router, callees, caller) = sharing("random");
    for request in 1..=100 {
        router.call(caller, request, json!({}));
    }
    for callee in callees {
        let load = router.core.peers[&callee].waiting();
        assert!((10..=60).contains(&load), "{load} of 100 calls");
    }
}

#[test]
fn all_callees_of_a_procedure_agree_on_the_rule() {
    let (mut router, callees, other) = sharing("roundrobin");
    let refused = |uri: &str| [(other, code::ERROR, uri.to_owned())];
    let differs = refused(error::PROCEDURE_SHARED_OTHERWISE);
    assert_eq!(kinds(&router.register_as(other, "x.y", json!({"invoke": "last"}))), differs);
    assert_eq!(kinds(&router.register_as(other, "x.y", json!({}))), differs);
    let unknown = kinds(&router.register_as(other, "x.y", json!({"invoke": "best"})));
    assert_eq!(unknown, refused(error::OPTION_NOT_ALLOWED));
    let again = router.register_as(callees[0], "x.y", json!({"invoke": "roundrobin"}));
    assert_eq!(kinds(&again)[0].2, error::PROCEDURE_EXISTS, "one session, one place");
}

#[test]
fn the_callees_of_one_registration_are_bounded() {
    let mut router = Router::new(Bounds { callees: 1, ..Bounds::default() });
    let (a, b) = (router.join(NONE), router.join(NONE));
    router.register_as(a, "x.y", json!({"invoke": "first"}));
    let out = router.register_as(b, "x.y", json!({"invoke": "first"}));
    assert_eq!(kinds(&out), [(b, code::ERROR, error::UNAVAILABLE.to_owned())]);
}

#[test]
fn a_shared_registration_goes_with_its_last_callee() {
    let (mut router, callees, caller) = sharing("first");
    let watcher = router.join(NONE);
    router.subscribe(watcher, "wamp.registration.", Match::Prefix);
    let told = |out: &[(u64, String)], name: &str| {
        let event = format!("wamp.registration.{name}");
        out.iter().filter(|(to, text)| *to == watcher && text.contains(&event)).count()
    };
    for callee in &callees[..2] {
        let out = router.leave(*callee);
        assert_eq!((told(&out, "on_unregister"), told(&out, "on_delete")), (1, 0));
    }
    let out = router.leave(callees[2]);
    assert_eq!((told(&out, "on_unregister"), told(&out, "on_delete")), (1, 1));
    let out = router.call(caller, 1, json!({}));
    assert_eq!(kinds(&out), [(caller, code::ERROR, error::NO_SUCH_PROCEDURE.to_owned())]);
}

#[test]
fn a_registration_that_is_taken_over_is_revoked_where_that_is_understood() {
    for (abilities, is_told) in [(Abilities::REGISTRATION_REVOCATION, true), (NONE, false)] {
        let mut router = Router::new(Bounds::default());
        let (old, new) = (router.join(abilities), router.join(NONE));
        router.register(old, "x.y", Match::Exact);
        let out = router.register_as(new, "x.y", json!({"force_reregister": true}));
        let revoked = out.iter().find(|(to, _)| *to == old).map(|(_, text)| parsed(text));
        assert_eq!(revoked.is_some(), is_told);
        if let Some(message) = revoked {
            assert_eq!((message[0].as_u64(), message[1].as_u64()), (Some(67), Some(0)));
            assert!(message[2]["registration"].is_u64(), "{message:?}");
        }
        assert_eq!(router.call(old, 1, json!({}))[0].0, new);
        assert!(router.core.peers[&old].registrations.is_empty());
    }
}
