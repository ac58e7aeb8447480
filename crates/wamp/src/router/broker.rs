//! Events: subscriptions and publications.
//!
//! Invariant: sessions that want the same topic or pattern share one subscription; it goes with its last subscriber.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::peer::Peer;
use super::registrations::unknown_match;
use super::{Core, Disclosure, Turn, disclose, flag, pass_through};
use crate::codec::Serialiser;
use crate::message::{Message, code};
use crate::payload::Payload;
use crate::policy::Action;
use crate::uri::error;
use crate::{Dict, Fault, Match};

/// A topic or pattern and who wants it.
#[derive(Debug)]
pub(super) struct Subscription {
    topic: String,
    kind: Match,
    subscribers: BTreeSet<u64>,
}

pub(super) struct Publish {
    pub(super) request: u64,
    pub(super) options: Dict,
    pub(super) topic: String,
    pub(super) payload: Payload,
}

/// One publication on its way to the subscribers.
struct Delivery<'a> {
    publication: u64,
    topic: &'a str,
    details: Dict,
    payload: Payload,
    audience: Audience<'a>,
    /// The payload in the serialisers that some subscriber needed; `None` where it cannot be carried over.
    carried: HashMap<Option<Serialiser>, Option<Payload>>,
}

/// Who is left out.
struct Audience<'a> {
    publisher: Option<u64>,
    exclude: Option<&'a Vec<Value>>,
    eligible: Option<&'a Vec<Value>>,
}

impl Audience<'_> {
    fn includes(&self, session: u64) -> bool {
        let holds = |list: &Vec<Value>| list.iter().any(|id| id.as_u64() == Some(session));
        self.publisher != Some(session)
            && !self.exclude.is_some_and(holds)
            && self.eligible.is_none_or(holds)
    }
}

impl Core {
    pub(super) fn publish(&mut self, from: u64, publish: Publish, turn: &mut Turn<'_>) {
        let is_acknowledged = flag(&publish.options, "acknowledge") == Some(true);
        let request = publish.request;
        match (self.try_publish(from, publish, turn), is_acknowledged) {
            (Ok(publication), true) => turn.send(from, Message::Published { request, publication }),
            (Err(fault), true) => turn.send(from, Message::error(code::PUBLISH, request, fault)),
            (_, false) => {}
        }
    }

    fn try_publish(
        &mut self,
        from: u64,
        publish: Publish,
        turn: &mut Turn<'_>,
    ) -> Result<u64, Fault> {
        let Publish { options, topic, payload, .. } = publish;
        self.check_own_uri(&topic, Match::Exact)?;
        let mut details = Dict::new();
        if let Some(publisher) = self.peers.get(&from) {
            turn.allow(&publisher.identity, Action::Publish, &topic)?;
            if self.disclosure == Disclosure::Always || flag(&options, "disclose_me") == Some(true)
            {
                disclose(&publisher.identity, "publisher", &mut details);
            }
        }
        pass_through(&options, &mut details);
        let publication = self.ids.next(|_| false);
        let excludes_me = flag(&options, "exclude_me").unwrap_or(true);
        let audience = Audience {
            publisher: excludes_me.then_some(from),
            exclude: options.get("exclude").and_then(Value::as_array),
            eligible: options.get("eligible").and_then(Value::as_array),
        };
        let carried = HashMap::new();
        let topic = &topic;
        self.deliver(Delivery { publication, topic, details, payload, audience, carried }, turn);
        Ok(publication)
    }

    fn deliver(&self, mut delivery: Delivery<'_>, turn: &mut Turn<'_>) {
        for id in self.topics.all(delivery.topic) {
            let Some(subscription) = self.subscriptions.get(&id) else { continue };
            let mut details = delivery.details.clone();
            if subscription.kind != Match::Exact {
                details.insert("topic".into(), delivery.topic.into());
            }
            for session in &subscription.subscribers {
                if !delivery.audience.includes(*session) {
                    continue;
                }
                let Some(payload) = self.carried(*session, &mut delivery) else { continue };
                let event = Message::Event {
                    subscription: id,
                    publication: delivery.publication,
                    details: details.clone(),
                    payload,
                };
                turn.send(*session, event);
            }
        }
    }

    fn carried(&self, session: u64, delivery: &mut Delivery<'_>) -> Option<Payload> {
        let serialiser = self.peers.get(&session)?.serialiser;
        let payload = &delivery.payload;
        let carry = || payload.carry_over(serialiser).ok();
        delivery.carried.entry(serialiser).or_insert_with(carry).clone()
    }

    /// Publishes in the router's own name, if anybody listens.
    pub(super) fn announce(
        &mut self,
        topic: &str,
        arguments: impl FnOnce() -> crate::Arguments,
        turn: &mut Turn<'_>,
    ) {
        if self.topics.all(topic).next().is_none() {
            return;
        }
        let publication = self.ids.next(|_| false);
        let audience = Audience { publisher: None, exclude: None, eligible: None };
        let (details, payload, carried) = (Dict::new(), arguments().into(), HashMap::new());
        self.deliver(Delivery { publication, topic, details, payload, audience, carried }, turn);
    }

    pub(super) fn subscribe(
        &mut self,
        from: u64,
        request: u64,
        options: &Dict,
        topic: String,
        turn: &mut Turn<'_>,
    ) {
        let message = match self.try_subscribe(from, options, topic, turn) {
            Ok(subscription) => Message::Subscribed { request, subscription },
            Err(fault) => Message::error(code::SUBSCRIBE, request, fault),
        };
        turn.send(from, message);
    }

    fn try_subscribe(
        &mut self,
        from: u64,
        options: &Dict,
        topic: String,
        turn: &mut Turn<'_>,
    ) -> Result<u64, Fault> {
        let kind = Match::from_options(options).ok_or_else(unknown_match)?;
        self.check_uri(&topic, kind)?;
        let gone = || Fault::new(error::NO_SUCH_SESSION, "the session has ended");
        let subscriber = self.peers.get_mut(&from).ok_or_else(gone)?;
        turn.allow(&subscriber.identity, Action::Subscribe(kind), &topic)?;
        let existing = self.topics.get(&topic, kind);
        let is_new = !existing.is_some_and(|id| subscriber.subscriptions.contains(&id));
        if is_new && subscriber.subscriptions.len() >= self.bounds.subscriptions {
            return Err(Fault::new(error::UNAVAILABLE, "the session has too many subscriptions"));
        }
        let subscriptions = &self.subscriptions;
        let id = existing.unwrap_or_else(|| self.ids.next(|id| subscriptions.contains_key(&id)));
        subscriber.subscriptions.insert(id);
        if existing.is_none() {
            self.topics.insert(topic.clone(), kind, id);
        }
        let fresh = || Subscription { topic, kind, subscribers: BTreeSet::new() };
        self.subscriptions.entry(id).or_insert_with(fresh).subscribers.insert(from);
        Ok(id)
    }

    pub(super) fn unsubscribe(
        &mut self,
        from: u64,
        request: u64,
        subscription: u64,
        turn: &mut Turn<'_>,
    ) {
        let subscriber = self.peers.get_mut(&from);
        let message = if subscriber.is_some_and(|peer| peer.subscriptions.remove(&subscription)) {
            self.remove_subscriber(from, subscription);
            Message::Unsubscribed { request }
        } else {
            let text = "this session has no such subscription";
            let fault = Fault::new(error::NO_SUCH_SUBSCRIPTION, text);
            Message::error(code::UNSUBSCRIBE, request, fault)
        };
        turn.send(from, message);
    }

    fn remove_subscriber(&mut self, session: u64, id: u64) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.subscribers.remove(&session);
        if subscription.subscribers.is_empty() {
            self.topics.remove(&subscription.topic, subscription.kind);
            self.subscriptions.remove(&id);
        }
    }

    pub(super) fn drop_subscriptions(&mut self, gone: &Peer) {
        for id in &gone.subscriptions {
            self.remove_subscriber(gone.id(), *id);
        }
    }
}
