//! The router's side of joining: HELLO, perhaps CHALLENGE and AUTHENTICATE, then a verdict.
//!
//! Invariant: nobody gets past here without the policy's welcome, and nobody stays here longer than [`TIMEOUT`].

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Dict;
use crate::ended::Ended;
use crate::message::Message;
use crate::policy::{Abort, Authentication, Hello, Identity, Policy, Welcome};
use crate::pump::{Connection, message_of};
use crate::router::Abilities;
use crate::transport::{Deliver, Receive};
use crate::uri::error;

/// Time a client may take to join, the policy's time included.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that may join.
pub(crate) struct Admitted {
    pub(crate) realm: String,
    pub(crate) welcome: Welcome,
    pub(crate) abilities: Abilities,
}

/// Asks a fresh connection who it is; tells it if the answer is no.
pub(crate) async fn establish<R, W, P>(
    connection: &mut Connection<R, W>,
    policy: &P,
    has_realm: impl Fn(&str) -> bool,
    peer: Option<SocketAddr>,
) -> Result<Admitted, Ended>
where
    R: Receive,
    W: Deliver,
    P: Policy,
{
    let asked = tokio::time::timeout(TIMEOUT, ask(connection, policy, has_realm, peer)).await;
    let result = asked
        .unwrap_or_else(|_| Err(Ended::Refused(Abort::denied("the client did not join in time"))));
    if let Err(ended) = &result {
        refuse(connection, ended).await;
    }
    result
}

/// Tells the client that it may not join; it may be gone already.
pub(crate) async fn refuse<R, W>(connection: &mut Connection<R, W>, ended: &Ended)
where
    R: Receive,
    W: Deliver,
{
    let message = match ended {
        Ended::Refused(abort) => Message::abort(&abort.reason, &abort.message),
        Ended::Violation(what) => Message::abort(error::PROTOCOL_VIOLATION, what),
        Ended::Shutdown => Message::abort(error::SYSTEM_SHUTDOWN, "the router shuts down"),
        Ended::Killed(reason) => Message::abort(reason, "the realm is closed"),
        _ => return,
    };
    let sent = tokio::time::timeout(Duration::from_secs(1), connection.part(&message)).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::debug!(%ended, "the refused client did not take the answer");
    }
}

async fn ask<R, W, P>(
    connection: &mut Connection<R, W>,
    policy: &P,
    has_realm: impl Fn(&str) -> bool,
    peer: Option<SocketAddr>,
) -> Result<Admitted, Ended>
where
    R: Receive,
    W: Deliver,
    P: Policy,
{
    let Message::Hello { realm, details } = connection.receive().await? else {
        return Err(Ended::Violation("the first message must be HELLO".into()));
    };
    if !has_realm(&realm) {
        let abort = Abort::new(error::NO_SUCH_REALM, format!("there is no realm {realm}"));
        return Err(Ended::Refused(abort));
    }
    let abilities = abilities(&details)?;
    let hello = hello(realm.clone(), details, peer);
    let welcome = match policy.authenticate(hello).await.map_err(Ended::Refused)? {
        Authentication::Welcome(welcome) => welcome,
        Authentication::Challenge(challenge) => {
            let (method, extra) = (challenge.method, challenge.extra);
            connection.send(&Message::Challenge { method, extra }).await?;
            let (signature, extra) = answer(connection).await?;
            let verified = policy.verify(challenge.state, &signature, &extra).await;
            verified.map_err(Ended::Refused)?
        }
    };
    Ok(Admitted { realm, welcome, abilities })
}

async fn answer<R, W>(connection: &mut Connection<R, W>) -> Result<(String, Dict), Ended>
where
    R: Receive,
    W: Deliver,
{
    match connection.receive().await? {
        Message::Authenticate { signature, extra } => Ok((signature, extra)),
        Message::Abort { details, reason } => {
            Err(Ended::Goodbye { reason, message: message_of(&details) })
        }
        _ => Err(Ended::Violation("a challenge must be answered with AUTHENTICATE".into())),
    }
}

fn abilities(details: &Dict) -> Result<Abilities, Ended> {
    let roles = details.get("roles").and_then(Value::as_object);
    let Some(roles) = roles.filter(|roles| !roles.is_empty()) else {
        return Err(Ended::Violation("HELLO must announce at least one role".into()));
    };
    Ok(Abilities::from_roles(roles))
}

fn hello(realm: String, mut details: Dict, peer: Option<SocketAddr>) -> Hello {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let methods = details.get("authmethods").and_then(Value::as_array);
    let methods = methods.into_iter().flatten().filter_map(|method| text(Some(method)));
    Hello {
        realm,
        authid: text(details.get("authid")),
        methods: methods.collect(),
        agent: text(details.get("agent")),
        extra: match details.remove("authextra") {
            Some(Value::Object(extra)) => extra,
            _ => Dict::new(),
        },
        peer,
    }
}

/// The details of the WELCOME message.
pub(crate) fn welcome_details(realm: &str, identity: &Identity, extra: Dict) -> Dict {
    let mut details = Dict::new();
    details.insert("realm".into(), realm.into());
    details.insert("authid".into(), identity.authid.as_str().into());
    details.insert("authrole".into(), identity.role.as_str().into());
    details.insert("authmethod".into(), identity.method.as_str().into());
    details.insert("authextra".into(), extra.into());
    details.insert("roles".into(), router_roles());
    details
}

fn router_roles() -> Value {
    json!({
        "broker": {"features": {
            "event_history": true,
            "pattern_based_subscription": true,
            "payload_passthru_mode": true,
            "publisher_exclusion": true,
            "publisher_identification": true,
            "session_meta_api": true,
            "subscriber_blackwhite_listing": true,
            "subscription_meta_api": true,
            "subscription_revocation": true,
        }},
        "dealer": {"features": {
            "call_canceling": true,
            "call_timeout": true,
            "caller_identification": true,
            "pattern_based_registration": true,
            "payload_passthru_mode": true,
            "progressive_call_invocations": true,
            "progressive_call_results": true,
            "registration_meta_api": true,
            "registration_revocation": true,
            "session_meta_api": true,
            "shared_registration": true,
            "testament_meta_api": true,
        }},
    })
}
