//! Who wants what: subscriptions.
//!
//! Invariants: sessions that want the same topic or pattern share one subscription; it goes with its last subscriber,
//! unless its events are kept.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::abilities::Abilities;
use super::dealer::full;
use super::peer::Peer;
use super::registrations::{revocation, unknown_match};
use super::{Core, Turn};
use crate::message::{Message, code};
use crate::policy::Action;
use crate::uri::error;
use crate::{Dict, Fault, Match};

/// A topic or pattern and who wants it.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: String,
    pub(super) kind: Match,
    pub(super) subscribers: BTreeSet<u64>,
    pub(super) created: SystemTime,
}

/// What a SUBSCRIBE made.
enum Made {
    Nothing,
    Subscriber,
    Subscription,
}

impl Core {
    pub(super) fn subscribe(
        &mut self,
        from: u64,
        request: u64,
        options: &Dict,
        topic: String,
        turn: &mut Turn<'_>,
    ) {
        let (subscription, made) = match self.try_subscribe(from, options, topic, turn) {
            Ok(done) => done,
            Err(fault) => return turn.send(from, Message::error(code::SUBSCRIBE, request, fault)),
        };
        turn.send(from, Message::Subscribed { request, subscription });
        if matches!(made, Made::Subscription) {
            self.announce_subscription(from, subscription, turn);
        }
        if !matches!(made, Made::Nothing) {
            self.announce_subscribed(from, subscription, turn);
        }
    }

    fn try_subscribe(
        &mut self,
        from: u64,
        options: &Dict,
        topic: String,
        turn: &mut Turn<'_>,
    ) -> Result<(u64, Made), Fault> {
        let kind = Match::from_options(options).ok_or_else(unknown_match)?;
        self.check_uri(&topic, kind)?;
        let gone = || Fault::new(error::NO_SUCH_SESSION, "the session has ended");
        let most = self.bounds.subscriptions;
        let subscriber = self.peers.get_mut(&from).ok_or_else(gone)?;
        turn.allow(&subscriber.identity, Action::Subscribe(kind), &topic)?;
        let existing = self.topics.get(&topic, kind);
        if existing.is_some_and(|id| subscriber.subscriptions.contains(&id)) {
            return Ok((existing.unwrap_or_default(), Made::Nothing));
        }
        if subscriber.subscriptions.len() >= most {
            return Err(full("the session has too many subscriptions"));
        }
        let made = if existing.is_some() { Made::Subscriber } else { Made::Subscription };
        let id = existing.unwrap_or_else(|| self.create_subscription(topic, kind, turn.wall));
        if let Some(subscriber) = self.peers.get_mut(&from) {
            subscriber.subscriptions.insert(id);
        }
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            subscription.subscribers.insert(from);
        }
        Ok((id, made))
    }

    pub(super) fn create_subscription(
        &mut self,
        topic: String,
        kind: Match,
        created: SystemTime,
    ) -> u64 {
        let subscriptions = &self.subscriptions;
        let id = self.ids.next(|id| subscriptions.contains_key(&id));
        self.topics.insert(topic.clone(), kind, id);
        let subscribers = BTreeSet::new();
        self.subscriptions.insert(id, Subscription { topic, kind, subscribers, created });
        id
    }

    pub(super) fn unsubscribe(
        &mut self,
        from: u64,
        request: u64,
        subscription: u64,
        turn: &mut Turn<'_>,
    ) {
        let subscriber = self.peers.get_mut(&from);
        if !subscriber.is_some_and(|peer| peer.subscriptions.remove(&subscription)) {
            let text = "this session has no such subscription";
            let fault = Fault::new(error::NO_SUCH_SUBSCRIPTION, text);
            return turn.send(from, Message::error(code::UNSUBSCRIBE, request, fault));
        }
        turn.send(from, Message::Unsubscribed { request, revoked: None });
        self.remove_subscriber(from, subscription, turn);
    }

    fn remove_subscriber(&mut self, session: u64, id: u64, turn: &mut Turn<'_>) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.subscribers.remove(&session);
        let is_over = subscription.subscribers.is_empty() && !self.histories.contains_key(&id);
        if is_over && let Some(gone) = self.subscriptions.remove(&id) {
            self.topics.remove(&gone.topic, gone.kind);
        }
        self.announce_unsubscribed(session, id, turn);
        if is_over {
            self.announce_subscription_deleted(session, id, turn);
        }
    }

    /// Takes a subscription away from one session, and tells it if it understands.
    pub(super) fn revoke_subscriber(
        &mut self,
        session: u64,
        id: u64,
        reason: &str,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&session) else { return false };
        if !peer.subscriptions.remove(&id) {
            return false;
        }
        if peer.abilities.has(Abilities::SUBSCRIPTION_REVOCATION) {
            let revoked = Some(revocation("subscription", id, reason));
            turn.send(session, Message::Unsubscribed { request: 0, revoked });
        }
        self.remove_subscriber(session, id, turn);
        true
    }

    pub(super) fn drop_subscriptions(&mut self, gone: &Peer, turn: &mut Turn<'_>) {
        for id in &gone.subscriptions {
            self.remove_subscriber(gone.id(), *id, turn);
        }
    }
}
