//! Who is told who called and who published.

use serde_json::json;

use super::*;

fn hears(out: &[(u64, String)], what: &str) -> bool {
    out.iter().any(|(_, text)| text.contains(what))
}

fn scene(disclosure: Disclosure, register: Value) -> (Router, u64, u64) {
    let mut router = Router::with(Bounds::default(), disclosure);
    let (callee, caller) = (router.join(NONE), router.join(NONE));
    router.register_as(callee, "x.y", register);
    router.subscribe(callee, "t", Match::Exact);
    (router, callee, caller)
}

#[test]
fn on_request_the_caller_or_the_callee_may_ask() {
    let (mut router, _, caller) = scene(Disclosure::OnRequest, json!({}));
    assert!(!hears(&router.call(caller, 1, json!({})), "caller"));
    let out = router.call(caller, 2, json!({"disclose_me": true}));
    assert!(hears(&out, r#""caller_authid":"me""#) && hears(&out, r#""caller_authrole":"guest""#));
    assert!(!hears(&router.publish(caller, "t", json!({})), "publisher"));
    assert!(hears(&router.publish(caller, "t", json!({"disclose_me": true})), "publisher_authid"));
    let (mut router, _, caller) = scene(Disclosure::OnRequest, json!({"disclose_caller": true}));
    assert!(hears(&router.call(caller, 1, json!({})), "caller_authid"));
}

#[test]
fn where_nobody_is_disclosed_whoever_asks_for_it_is_refused() {
    let (mut router, _, caller) = scene(Disclosure::Never, json!({"disclose_caller": true}));
    assert!(!hears(&router.call(caller, 1, json!({})), "caller"));
    let out = router.call(caller, 2, json!({"disclose_me": true}));
    let refused = (caller, code::ERROR, error::DISCLOSE_ME_NOT_ALLOWED.to_owned());
    assert_eq!(kinds(&out)[0], refused);
    let publish = json!({"disclose_me": true, "acknowledge": true});
    assert_eq!(kinds(&router.publish(caller, "t", publish)), [refused]);
}

struct Forcing(Disclosure);

impl Authorise for Forcing {
    fn verdict(&self, _: &Identity, _: Action, _: &str) -> Verdict {
        Verdict::Allow
    }

    fn disclosure(&self, _: &Identity, action: Action, _: &str) -> Option<Disclosure> {
        (action == Action::Call).then_some(self.0)
    }
}

#[test]
fn the_policy_may_force_it_and_forbid_it() {
    for (rule, policy, is_told) in [
        (Disclosure::OnRequest, Disclosure::Always, true),
        (Disclosure::Always, Disclosure::Never, false),
    ] {
        let (router, _, caller) = scene(rule, json!({}));
        let Router { mut core, now, wall, mut kills } = router;
        let mut out = Vec::new();
        let mut turn =
            Turn { now, wall, policy: &Forcing(policy), out: &mut out, kills: &mut kills };
        core.handle(caller, call(1, json!({})), &mut turn).unwrap();
        assert_eq!(json_of(&out[0].1).contains("caller_authid"), is_told, "{policy:?}");
    }
}

#[test]
fn the_scheme_of_an_end_to_end_payload_passes_both_ways() {
    let (mut router, callee, caller) = scene(Disclosure::Never, json!({}));
    let scheme = json!({"ppt_scheme": "wamp", "ppt_serializer": "cbor", "x_other": 1});
    let out = router.call(caller, 1, scheme.clone());
    assert!(hears(&out, r#""ppt_scheme":"wamp","ppt_serializer":"cbor""#));
    assert!(!hears(&out, "x_other"), "an unknown option is left out");
    assert!(hears(&router.send(callee, answer(1, scheme.clone())), "ppt_serializer"));
    assert!(hears(&router.publish(caller, "t", scheme.clone()), "ppt_serializer"));
    router.call(caller, 2, json!({}));
    let failed = Message::Error {
        of: code::INVOCATION,
        request: 2,
        details: dict(scheme),
        error: "x.error".into(),
        payload: Payload::Empty,
    };
    assert!(hears(&router.send(callee, failed), "ppt_serializer"));
}

#[test]
fn an_opaque_payload_goes_from_serialiser_to_serialiser_unread() {
    let (mut router, _, caller) = scene(Disclosure::Never, json!({}));
    let publish = r#"[16,1,{"enc_algo":"cryptobox"},"t","\u0000AAEC"]"#;
    let publish = crate::message::decode(Serialiser::Json, &publish.into()).unwrap();
    let out = router.send(caller, publish);
    assert!(hears(&out, r#"{},"\u0000AAEC"]"#), "{out:?}");
    let twice = r#"[16,1,{},"t","\u0000AAEC",{}]"#;
    assert!(crate::message::decode(Serialiser::Json, &twice.into()).is_err());
}
