//! `wamp.subscription.*`: what is subscribed, by whom, and taking it away; `on_create`, `on_subscribe`,
//! `on_unsubscribe` and `on_delete`. The history of events is in `history`.

use serde_json::{Value, json};

use super::super::subscriptions::Subscription;
use super::super::{Core, Turn};
use super::{by_kind, id_of, pair, pattern_of, text_of, unknown};
use crate::uri::error;
use crate::{Arguments, Fault, timestamps};

/// Given to a subscriber whose subscription is taken away by a call that names no reason.
const REVOKED: &str = "wamp.subscription.revocation";

impl Core {
    pub(super) fn subscription_call(
        &mut self,
        name: &str,
        arguments: &Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Value, Fault> {
        let first = arguments.list.first();
        Ok(match name {
            "list" => by_kind(self.subscriptions.iter().map(|(id, found)| (*id, found.kind))),
            "lookup" => {
                let (uri, kind) = pattern_of(arguments)?;
                self.topics.get(uri, kind).into()
            }
            "match" => {
                let ids: Vec<u64> = self.topics.all(text_of(first, "a topic is wanted")?).collect();
                if ids.is_empty() { Value::Null } else { ids.into() }
            }
            "get" => {
                let (id, found) = self.subscription(first)?;
                describe(id, found)
            }
            "list_subscribers" => self.subscription(first)?.1.subscribers.iter().copied().collect(),
            "count_subscribers" => self.subscription(first)?.1.subscribers.len().into(),
            "remove_subscriber" => self.remove_subscriber_by_call(arguments, turn)?,
            _ => return Err(unknown(&format!("wamp.subscription.{name}"))),
        })
    }

    fn subscription(&self, id: Option<&Value>) -> Result<(u64, &Subscription), Fault> {
        let id = id_of(id, "a subscription id is wanted")?;
        let none = || Fault::new(error::NO_SUCH_SUBSCRIPTION, format!("no subscription {id}"));
        Ok((id, self.subscriptions.get(&id).ok_or_else(none)?))
    }

    /// Arguments: subscription, session, and in the keywords a reason.
    fn remove_subscriber_by_call(
        &mut self,
        arguments: &Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Value, Fault> {
        let (id, _) = self.subscription(arguments.list.first())?;
        let session = id_of(arguments.list.get(1), "a session id is wanted")?;
        let reason = self.reason_in(arguments, REVOKED)?;
        if self.revoke_subscriber(session, id, reason, turn) {
            return Ok(Value::Null);
        }
        let text = format!("session {session} does not have subscription {id}");
        Err(Fault::new(error::NO_SUCH_SESSION, text))
    }

    pub(in crate::router) fn announce_subscription(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        let Some(subscription) = self.subscriptions.get(&id) else { return };
        let created = Arguments::list(vec![session.into(), describe(id, subscription)]);
        self.announce("wamp.subscription.on_create", || created, turn);
    }

    pub(in crate::router) fn announce_subscribed(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        self.announce("wamp.subscription.on_subscribe", || pair(session, id), turn);
    }

    pub(in crate::router) fn announce_unsubscribed(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        self.announce("wamp.subscription.on_unsubscribe", || pair(session, id), turn);
    }

    pub(in crate::router) fn announce_subscription_deleted(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        self.announce("wamp.subscription.on_delete", || pair(session, id), turn);
    }
}

fn describe(id: u64, subscription: &Subscription) -> Value {
    json!({
        "id": id,
        "created": timestamps::write(subscription.created),
        "uri": subscription.topic,
        "match": subscription.kind.as_str(),
    })
}
