//! An event on its way to those who subscribe.
//!
//! Invariant: all who speak one serialiser share one event, which is encoded once for all of them, by whoever sends it
//! first.

use std::sync::OnceLock;

use bytes::Bytes;

use super::Message;
use crate::Dict;
use crate::codec::Serialiser;
use crate::payload::Payload;

/// An EVENT. Field names are the specification's.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) subscription: u64,
    pub(crate) publication: u64,
    pub(crate) details: Dict,
    pub(crate) payload: Payload,
    encoded: OnceLock<(Serialiser, Bytes)>,
}

impl Event {
    pub(crate) fn new(
        subscription: u64,
        publication: u64,
        details: Dict,
        payload: Payload,
    ) -> Self {
        Self { subscription, publication, details, payload, encoded: OnceLock::new() }
    }

    /// The bytes of `message`, which this event is in; `None` if they were made for another serialiser.
    pub(super) fn encoded(&self, serialiser: Serialiser, message: &Message) -> Option<&Bytes> {
        let (made_for, bytes) = self.encoded.get_or_init(|| {
            let mut out = Vec::new();
            super::wire::write(serialiser, &mut out, message);
            (serialiser, out.into())
        });
        (*made_for == serialiser).then_some(bytes)
    }
}
