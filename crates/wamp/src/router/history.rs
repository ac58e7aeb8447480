//! Events that are kept for those who come later (specification, event history).
//!
//! Invariants: a topic's history is bounded in events, bytes and age; the oldest goes first. Events meant for some
//! receivers only are not kept. Whoever reads a history needs the right to subscribe to its topic.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::bounds::Kept;
use super::broker::Delivery;
use super::meta::{id_of, wrong};
use super::{Core, Turn};
use crate::codec::number_of;
use crate::payload::Payload;
use crate::policy::{Action, Identity};
use crate::uri::error;
use crate::{Arguments, Dict, Fault, Match, timestamps};

/// Events that one answer holds at most; `is_limit_reached` says that there are more.
const MOST_AT_A_TIME: usize = 1000;
/// Bytes of events that one answer holds at most, roughly.
const MOST_BYTES: usize = 512 * 1024;

/// What is kept of one subscription.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Past>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    age: Duration,
}

#[derive(Debug)]
struct Past {
    at: SystemTime,
    publication: u64,
    topic: String,
    details: Dict,
    payload: Payload,
}

impl Past {
    fn weight(&self) -> usize {
        const FIXED: usize = 200;
        FIXED + self.topic.len() + self.payload.weight()
    }
}

impl History {
    fn push(&mut self, past: Past) {
        let now = past.at;
        self.bytes += past.weight();
        self.events.push_back(past);
        while self.is_over(now)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.weight();
        }
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.events.len() > self.most
            || self.bytes > self.most_bytes
            || self.events.front().is_some_and(|oldest| !self.is_young(oldest, now))
    }

    fn is_young(&self, past: &Past, now: SystemTime) -> bool {
        now.duration_since(past.at).is_ok_and(|age| age <= self.age) || past.at > now
    }
}

impl Core {
    /// Keeps the events of a topic from now on. Its subscription stands without subscribers.
    pub(super) fn keep_history(&mut self, kept: &Kept, now: SystemTime) {
        let existing = self.topics.get(&kept.topic, kept.pattern);
        let id = existing
            .unwrap_or_else(|| self.create_subscription(kept.topic.clone(), kept.pattern, now));
        let history = History {
            events: VecDeque::new(),
            bytes: 0,
            most: kept.events,
            most_bytes: kept.bytes,
            age: kept.age,
        };
        self.histories.insert(id, history);
    }

    pub(super) fn keep(&mut self, delivery: &Delivery<'_>, at: SystemTime) {
        if self.histories.is_empty() {
            return;
        }
        let ids: Vec<u64> = self.topics.all(delivery.topic).collect();
        for id in ids {
            let Some(history) = self.histories.get_mut(&id) else { continue };
            history.push(Past {
                at,
                publication: delivery.publication,
                topic: delivery.topic.to_owned(),
                details: delivery.details.clone(),
                payload: delivery.payload.clone(),
            });
        }
    }

    /// `wamp.subscription.get_events`.
    pub(super) fn get_events(
        &self,
        caller: &Identity,
        arguments: &Arguments,
        turn: &Turn<'_>,
    ) -> Result<Arguments, Fault> {
        let id = id_of(arguments.list.first(), "a subscription id is wanted")?;
        let none = || Fault::new(error::NO_SUCH_SUBSCRIPTION, format!("no subscription {id}"));
        let subscription = self.subscriptions.get(&id).ok_or_else(none)?;
        turn.allow(caller, Action::Subscribe(subscription.kind), &subscription.topic)?;
        let history = self.histories.get(&id).ok_or_else(|| {
            let text = format!("events of {} are not kept", subscription.topic);
            Fault::new(error::NO_EVENT_HISTORY, text)
        })?;
        let wish = Wish::read(&arguments.keywords, &history.events)?;
        let (events, is_limit_reached) = wish.pick(history, id, subscription.kind, turn.wall);
        let mut keywords = Dict::new();
        keywords.insert("is_limit_reached".into(), is_limit_reached.into());
        Ok(Arguments { list: vec![Value::Array(events)], keywords })
    }
}

/// What a reader of a history asks for.
struct Wish<'a> {
    from: Option<SystemTime>,
    after: Option<SystemTime>,
    before: Option<SystemTime>,
    until: Option<SystemTime>,
    /// Places in the history, from and to exclusively.
    places: std::ops::Range<usize>,
    topic: Option<&'a str>,
    limit: usize,
    is_reversed: bool,
}

impl<'a> Wish<'a> {
    fn read(keywords: &'a Dict, events: &VecDeque<Past>) -> Result<Self, Fault> {
        let limit = match keywords.get("limit") {
            None | Some(Value::Null) => MOST_AT_A_TIME,
            Some(limit) => {
                let limit = number_of(limit).ok_or_else(|| wrong("limit must be a number"))?;
                usize::try_from(limit).unwrap_or(MOST_AT_A_TIME).min(MOST_AT_A_TIME)
            }
        };
        Ok(Self {
            from: time(keywords, "from_time")?,
            after: time(keywords, "after_time")?,
            before: time(keywords, "before_time")?,
            until: time(keywords, "until_time")?,
            places: places(keywords, events)?,
            topic: keywords.get("topic").and_then(Value::as_str),
            limit,
            is_reversed: keywords.get("reverse").and_then(Value::as_bool) == Some(true),
        })
    }

    fn wants(&self, past: &Past) -> bool {
        self.from.is_none_or(|from| past.at >= from)
            && self.after.is_none_or(|after| past.at > after)
            && self.before.is_none_or(|before| past.at < before)
            && self.until.is_none_or(|until| past.at <= until)
            && self.topic.is_none_or(|topic| past.topic == topic)
    }

    /// The events, and whether more are left than one answer holds.
    fn pick(&self, history: &History, id: u64, kind: Match, now: SystemTime) -> (Vec<Value>, bool) {
        let range = history.events.range(self.places.clone());
        let forward: Box<dyn Iterator<Item = &Past>> =
            if self.is_reversed { Box::new(range.rev()) } else { Box::new(range) };
        let wanted = forward.filter(|past| history.is_young(past, now) && self.wants(past));
        let (mut events, mut bytes) = (Vec::new(), 0);
        for past in wanted {
            bytes += past.weight();
            if events.len() == self.limit || (bytes > MOST_BYTES && !events.is_empty()) {
                return (events, true);
            }
            events.extend(described(past, id, kind));
        }
        (events, false)
    }
}

/// A past event as a value; `None` if its payload cannot be read.
fn described(past: &Past, subscription: u64, kind: Match) -> Option<Value> {
    let arguments = past.payload.clone().read().ok()?;
    let mut details = past.details.clone();
    if kind != Match::Exact {
        details.insert("topic".into(), past.topic.as_str().into());
    }
    Some(json!({
        "timestamp": timestamps::write(past.at),
        "subscription": subscription,
        "publication": past.publication,
        "details": details,
        "args": arguments.list,
        "kwargs": arguments.keywords,
    }))
}

fn time(keywords: &Dict, name: &str) -> Result<Option<SystemTime>, Fault> {
    match keywords.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().and_then(timestamps::read) {
            Some(time) => Ok(Some(time)),
            None => Err(wrong(&format!("{name} must be a time such as 2026-01-31T12:00:00Z"))),
        },
    }
}

/// Which part of the history lies between the publications that were named.
fn places(keywords: &Dict, events: &VecDeque<Past>) -> Result<std::ops::Range<usize>, Fault> {
    let place = |name: &str| match keywords.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(id) => {
            let id = number_of(id).ok_or_else(|| wrong("a publication is an id"))?;
            let found = events.iter().position(|past| past.publication == id);
            let none = || Fault::new(error::NO_SUCH_PUBLICATION, format!("no publication {id}"));
            found.map(Some).ok_or_else(none)
        }
    };
    let from = place("from_publication")?;
    let after = place("after_publication")?.map(|at| at + 1);
    let before = place("before_publication")?;
    let until = place("until_publication")?.map(|at| at + 1);
    let end = before.into_iter().chain(until).min().unwrap_or(events.len());
    let start = from.into_iter().chain(after).max().unwrap_or(0).min(end);
    Ok(start..end)
}
