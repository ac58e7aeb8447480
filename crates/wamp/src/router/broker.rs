//! Publications on their way to the subscribers.
//!
//! Invariant: an event is made once for each subscription and serialiser, and its receivers share it. Deliberately not
//! here: who subscribes (`subscriptions`), who is left out (`audience`).

use std::sync::Arc;

use super::audience::Audience;
use super::disclosure::{Identified, Prefix, disclose, flag, is_set, pass_through};
use super::{Core, Turn};
use crate::codec::Serialiser;
use crate::message::{Event, Message, code};
use crate::payload::Payload;
use crate::policy::{Action, Identity};
use crate::{Dict, Fault, Match};

pub(super) struct Publish {
    pub(super) request: u64,
    pub(super) options: Dict,
    pub(super) topic: String,
    pub(super) payload: Payload,
}

/// One publication on its way to the subscribers.
pub(super) struct Delivery<'a> {
    pub(super) publication: u64,
    pub(super) topic: &'a str,
    pub(super) details: Dict,
    pub(super) payload: Payload,
    pub(super) audience: Audience<'a>,
}

/// Something for each way of writing: the three serialisers, and sessions of this process.
struct ForEach<T>([Option<T>; 4]);

impl<T> ForEach<T> {
    fn new() -> Self {
        Self([None, None, None, None])
    }

    fn get(&mut self, serialiser: Option<Serialiser>, make: impl FnOnce() -> T) -> &T {
        let [local, json, msgpack, cbor] = &mut self.0;
        let slot = match serialiser {
            None => local,
            Some(Serialiser::Json) => json,
            Some(Serialiser::MessagePack) => msgpack,
            Some(Serialiser::Cbor) => cbor,
        };
        slot.get_or_insert_with(make)
    }
}

impl Core {
    pub(super) fn publish(&mut self, from: u64, publish: Publish, turn: &mut Turn<'_>) {
        let is_acknowledged = is_set(&publish.options, "acknowledge");
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
        let details = match self.peers.get(&from) {
            Some(publisher) => {
                let publisher = Arc::clone(&publisher.identity);
                self.event_details(&publisher, &options, &topic, turn)?
            }
            None => Dict::new(),
        };
        let excluded = flag(&options, "exclude_me").unwrap_or(true).then_some(from);
        Ok(self.spread(&topic, &options, excluded, details, payload, turn))
    }

    /// Whether somebody may publish, and what the event says of it.
    pub(super) fn event_details(
        &self,
        publisher: &Identity,
        options: &Dict,
        topic: &str,
        turn: &Turn<'_>,
    ) -> Result<Dict, Fault> {
        self.check_own_uri(topic, Match::Exact)?;
        turn.allow(publisher, Action::Publish, topic)?;
        let wishes = [is_set(options, "disclose_me"), false];
        let mut details = Dict::new();
        if self.identified(publisher, Action::Publish, topic, wishes, turn)? == Identified::Yes {
            disclose(publisher, Prefix::Publisher, &mut details);
        }
        pass_through(options, &mut details);
        Ok(details)
    }

    /// Delivers what may be published; gives back the publication's id.
    pub(super) fn spread(
        &mut self,
        topic: &str,
        options: &Dict,
        excluded: Option<u64>,
        details: Dict,
        payload: Payload,
        turn: &mut Turn<'_>,
    ) -> u64 {
        let publication = self.ids.next(|_| false);
        let audience = Audience::new(options, excluded);
        let delivery = Delivery { publication, topic, details, payload, audience };
        if delivery.audience.is_open() {
            self.keep(&delivery, turn.wall);
        }
        self.deliver(&delivery, turn);
        publication
    }

    fn deliver(&self, delivery: &Delivery<'_>, turn: &mut Turn<'_>) {
        let mut carried = ForEach::new();
        for id in self.topics.all(delivery.topic) {
            let Some(subscription) = self.subscriptions.get(&id) else { continue };
            let mut events = ForEach::new();
            for session in &subscription.subscribers {
                let Some(peer) = self.peers.get(session) else { continue };
                if !delivery.audience.includes(&peer.identity) {
                    continue;
                }
                let serialiser = peer.serialiser;
                let event = events.get(serialiser, || {
                    let carry = || delivery.payload.carry_over(serialiser).ok();
                    let payload = carried.get(serialiser, carry).clone()?;
                    Some(Arc::new(event(delivery, id, subscription.kind, payload)))
                });
                // A payload that cannot be carried over into a serialiser reaches nobody who speaks it.
                let Some(event) = event else { continue };
                turn.send(*session, Message::Event(Arc::clone(event)));
            }
        }
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
        self.spread(topic, &Dict::new(), None, Dict::new(), arguments().into(), turn);
    }
}

fn event(delivery: &Delivery<'_>, subscription: u64, kind: Match, payload: Payload) -> Event {
    let mut details = delivery.details.clone();
    if kind != Match::Exact {
        details.insert("topic".into(), delivery.topic.into());
    }
    Event::new(subscription, delivery.publication, details, payload)
}
