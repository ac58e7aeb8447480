//! The messages of WAMP's basic profile, with the parts of the advanced profile that this crate speaks.
//!
//! Options, details and extras are dictionaries as they came; arguments are [`Payload`]s, not read on the way through.

mod event;
mod wire;

pub(crate) use event::Event;
pub(crate) use wire::{decode, encode};

use std::sync::Arc;

use crate::Dict;
use crate::codec::{CodecError, Serialiser};
use crate::payload::Payload;

/// One message. Field names are the specification's.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Hello {
        realm: String,
        details: Dict,
    },
    Welcome {
        session: u64,
        details: Dict,
    },
    Abort {
        details: Dict,
        reason: String,
    },
    Challenge {
        method: String,
        extra: Dict,
    },
    Authenticate {
        signature: String,
        extra: Dict,
    },
    Goodbye {
        details: Dict,
        reason: String,
    },
    Error {
        of: u64,
        request: u64,
        details: Dict,
        error: String,
        payload: Payload,
    },
    Publish {
        request: u64,
        options: Dict,
        topic: String,
        payload: Payload,
    },
    Published {
        request: u64,
        publication: u64,
    },
    Subscribe {
        request: u64,
        options: Dict,
        topic: String,
    },
    Subscribed {
        request: u64,
        subscription: u64,
    },
    Unsubscribe {
        request: u64,
        subscription: u64,
    },
    /// Without a request (0) it is the router that takes the subscription away.
    Unsubscribed {
        request: u64,
        revoked: Option<Dict>,
    },
    /// Its receivers share it.
    Event(Arc<Event>),
    /// A subscriber acknowledges an event.
    EventReceived {
        publication: u64,
    },
    Call {
        request: u64,
        options: Dict,
        procedure: String,
        payload: Payload,
    },
    Cancel {
        request: u64,
        options: Dict,
    },
    Result {
        request: u64,
        details: Dict,
        payload: Payload,
    },
    Register {
        request: u64,
        options: Dict,
        procedure: String,
    },
    Registered {
        request: u64,
        registration: u64,
    },
    Unregister {
        request: u64,
        registration: u64,
    },
    Unregistered {
        request: u64,
        revoked: Option<Dict>,
    },
    Invocation {
        request: u64,
        registration: u64,
        details: Dict,
        payload: Payload,
    },
    Interrupt {
        request: u64,
        options: Dict,
    },
    Yield {
        request: u64,
        options: Dict,
        payload: Payload,
    },
}

/// The type codes that an ERROR message names.
pub(crate) mod code {
    pub(crate) const HELLO: u64 = 1;
    pub(crate) const WELCOME: u64 = 2;
    pub(crate) const ABORT: u64 = 3;
    pub(crate) const CHALLENGE: u64 = 4;
    pub(crate) const AUTHENTICATE: u64 = 5;
    pub(crate) const GOODBYE: u64 = 6;
    pub(crate) const ERROR: u64 = 8;
    pub(crate) const PUBLISH: u64 = 16;
    pub(crate) const PUBLISHED: u64 = 17;
    pub(crate) const SUBSCRIBE: u64 = 32;
    pub(crate) const SUBSCRIBED: u64 = 33;
    pub(crate) const UNSUBSCRIBE: u64 = 34;
    pub(crate) const UNSUBSCRIBED: u64 = 35;
    pub(crate) const EVENT: u64 = 36;
    pub(crate) const EVENT_RECEIVED: u64 = 337;
    pub(crate) const CALL: u64 = 48;
    pub(crate) const CANCEL: u64 = 49;
    pub(crate) const RESULT: u64 = 50;
    pub(crate) const REGISTER: u64 = 64;
    pub(crate) const REGISTERED: u64 = 65;
    pub(crate) const UNREGISTER: u64 = 66;
    pub(crate) const UNREGISTERED: u64 = 67;
    pub(crate) const INVOCATION: u64 = 68;
    pub(crate) const INTERRUPT: u64 = 69;
    pub(crate) const YIELD: u64 = 70;
}

impl Message {
    /// Bytes it will take on the wire, roughly: what the bounds of queues are counted in.
    pub(crate) fn weight(&self) -> usize {
        const FIXED: usize = 64;
        FIXED
            + match self {
                Self::Error { payload, .. }
                | Self::Publish { payload, .. }
                | Self::Call { payload, .. }
                | Self::Result { payload, .. }
                | Self::Invocation { payload, .. }
                | Self::Yield { payload, .. } => payload.weight(),
                Self::Event(event) => event.payload.weight(),
                _ => 0,
            }
    }

    /// The same message for a peer of another serialiser.
    pub(crate) fn carry_over(mut self, to: Serialiser) -> Result<Self, CodecError> {
        if let Self::Event(event) = &self {
            let payload = event.payload.carry_over(Some(to))?;
            let Event { subscription, publication, details, .. } = &**event;
            let event = Event::new(*subscription, *publication, details.clone(), payload);
            return Ok(Self::Event(Arc::new(event)));
        }
        if let Self::Error { payload, .. }
        | Self::Publish { payload, .. }
        | Self::Call { payload, .. }
        | Self::Result { payload, .. }
        | Self::Invocation { payload, .. }
        | Self::Yield { payload, .. } = &mut self
        {
            *payload = payload.carry_over(Some(to))?;
        }
        Ok(self)
    }

    /// An ERROR that answers a request.
    pub(crate) fn error(of: u64, request: u64, fault: crate::Fault) -> Self {
        let payload = fault.arguments.into();
        Self::Error { of, request, details: Dict::new(), error: fault.uri, payload }
    }

    /// A GOODBYE.
    pub(crate) fn goodbye(reason: impl Into<String>, text: &str) -> Self {
        Self::Goodbye { details: with_text(text), reason: reason.into() }
    }

    /// An ABORT.
    pub(crate) fn abort(reason: impl Into<String>, text: &str) -> Self {
        Self::Abort { details: with_text(text), reason: reason.into() }
    }
}

fn with_text(text: &str) -> Dict {
    let mut details = Dict::new();
    if !text.is_empty() {
        details.insert("message".into(), text.into());
    }
    details
}
