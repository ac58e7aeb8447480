//! Events that a session leaves behind: published when it ends, however it ends (specification, testament).
//!
//! Invariant: a testament is published at most once, under the right to publish that its session had when it made it.
//! A session of this router ends with its connection, so both scopes come at the same moment: `detached` first, then
//! `destroyed`.

use serde_json::Value;

use super::dealer::full;
use super::meta::wrong;
use super::peer::Peer;
use super::{Core, Turn};
use crate::payload::Payload;
use crate::policy::Identity;
use crate::uri::error;
use crate::{Arguments, Dict, Fault};

/// One event for later.
#[derive(Debug)]
pub(super) struct Testament {
    scope: Scope,
    topic: String,
    options: Dict,
    details: Dict,
    payload: Payload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Detached,
    Destroyed,
}

impl Testament {
    fn weight(&self) -> usize {
        const FIXED: usize = 200;
        FIXED + self.topic.len() + self.payload.weight()
    }
}

impl Core {
    /// `wamp.session.add_testament`.
    pub(super) fn add_testament(
        &mut self,
        from: &Identity,
        arguments: Arguments,
        turn: &Turn<'_>,
    ) -> Result<Arguments, Fault> {
        let Arguments { list, keywords } = arguments;
        let mut list = list.into_iter();
        let topic = match list.next() {
            Some(Value::String(topic)) => topic,
            _ => return Err(wrong("the first argument must be a topic")),
        };
        let event = Arguments {
            list: match list.next() {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(list)) => list,
                Some(_) => return Err(wrong("the second argument must be a list")),
            },
            keywords: match list.next() {
                None | Some(Value::Null) => Dict::new(),
                Some(Value::Object(dict)) => dict,
                Some(_) => return Err(wrong("the third argument must be a dictionary")),
            },
        };
        let scope = scope(&keywords)?;
        let options = match keywords.get("publish_options") {
            Some(Value::Object(options)) => options.clone(),
            None | Some(Value::Null) => Dict::new(),
            Some(_) => return Err(wrong("publish_options must be a dictionary")),
        };
        let details = self.event_details(from, &options, &topic, turn)?;
        let payload = event.into();
        self.leave_behind(from, Testament { scope, topic, options, details, payload })?;
        Ok(Arguments::default())
    }

    fn leave_behind(&mut self, from: &Identity, testament: Testament) -> Result<(), Fault> {
        let gone = || Fault::new(error::NO_SUCH_SESSION, "the session has ended");
        let testaments = &mut self.peers.get_mut(&from.id).ok_or_else(gone)?.testaments;
        let bytes: usize = testaments.iter().map(Testament::weight).sum();
        let has_room = testaments.len() < self.bounds.testaments
            && bytes + testament.weight() <= self.bounds.testament_bytes;
        if !has_room {
            return Err(full("the session's testaments are too many or too long"));
        }
        testaments.push(testament);
        Ok(())
    }

    /// `wamp.session.flush_testaments`; gives back how many there were.
    pub(super) fn flush_testaments(
        &mut self,
        from: &Identity,
        arguments: &Arguments,
    ) -> Result<Arguments, Fault> {
        let scope = scope(&arguments.keywords)?;
        let Some(peer) = self.peers.get_mut(&from.id) else { return Ok(Arguments::default()) };
        let before = peer.testaments.len();
        peer.testaments.retain(|testament| testament.scope != scope);
        Ok(Arguments::one(before - peer.testaments.len()))
    }

    /// Publishes what a session that has left wanted to be said.
    pub(super) fn publish_testaments(&mut self, gone: &mut Peer, turn: &mut Turn<'_>) {
        let mut testaments = std::mem::take(&mut gone.testaments);
        testaments.sort_by_key(|testament| testament.scope == Scope::Destroyed);
        for Testament { topic, options, details, payload, .. } in testaments {
            self.spread(&topic, &options, None, details, payload, turn);
        }
    }
}

fn scope(keywords: &Dict) -> Result<Scope, Fault> {
    match keywords.get("scope").map(Value::as_str) {
        None | Some(Some("destroyed")) => Ok(Scope::Destroyed),
        Some(Some("detached")) => Ok(Scope::Detached),
        Some(_) => Err(wrong("scope must be destroyed or detached")),
    }
}
