//! Messages to and from the list they are on the wire, once for all serialisers.
//!
//! Invariant: what `encode` writes, `decode` reads back as the same message.

use std::sync::Arc;

use bytes::Bytes;

use super::{Event, Message, code};
use crate::codec::{self, CodecError, Emit, Fields, Raw, Read, Serialiser, Write};
use crate::payload::Payload;

/// Reads one received message.
pub(crate) fn decode(serialiser: Serialiser, message: &Bytes) -> Result<Message, CodecError> {
    codec::open(serialiser, message, Decode { serialiser })
}

/// Appends a message to `out`. Raw payloads must have been carried over to `serialiser`.
pub(crate) fn encode(serialiser: Serialiser, out: &mut Vec<u8>, message: &Message) {
    if let Message::Event(event) = message
        && let Some(bytes) = event.encoded(serialiser, message)
    {
        return out.extend_from_slice(bytes);
    }
    write(serialiser, out, message);
}

pub(super) fn write(serialiser: Serialiser, out: &mut Vec<u8>, message: &Message) {
    codec::seal(serialiser, out, message);
}

struct Decode {
    serialiser: Serialiser,
}

impl Read<Message> for Decode {
    fn read<F: Fields>(self, fields: &mut F) -> Result<Message, CodecError> {
        let count = fields.left();
        let kind = fields.id()?;
        let (least, most) = lengths(kind).ok_or(CodecError::UnknownType(kind))?;
        if !(least..=most).contains(&count) {
            return Err(CodecError::Length(kind, count));
        }
        match kind {
            code::HELLO..=code::GOODBYE => session(kind, fields),
            code::PUBLISHED
            | code::SUBSCRIBED
            | code::UNSUBSCRIBE
            | code::UNSUBSCRIBED
            | code::REGISTERED
            | code::UNREGISTER
            | code::UNREGISTERED
            | code::EVENT_RECEIVED => acknowledgement(kind, fields),
            _ => self.request(kind, fields),
        }
    }
}

/// Fewest and most elements of a message, its type included.
fn lengths(kind: u64) -> Option<(usize, usize)> {
    Some(match kind {
        code::HELLO
        | code::WELCOME
        | code::ABORT
        | code::CHALLENGE
        | code::AUTHENTICATE
        | code::GOODBYE => (3, 3),
        code::ERROR => (5, 7),
        code::PUBLISH | code::EVENT | code::CALL | code::INVOCATION => (4, 6),
        code::PUBLISHED | code::SUBSCRIBED | code::UNSUBSCRIBE => (3, 3),
        code::REGISTERED | code::UNREGISTER | code::CANCEL | code::INTERRUPT => (3, 3),
        code::UNSUBSCRIBED | code::UNREGISTERED => (2, 3),
        code::EVENT_RECEIVED => (2, 2),
        code::SUBSCRIBE | code::REGISTER => (4, 4),
        code::RESULT | code::YIELD => (3, 5),
        _ => return None,
    })
}

fn session<F: Fields>(kind: u64, fields: &mut F) -> Result<Message, CodecError> {
    Ok(match kind {
        code::HELLO => Message::Hello { realm: fields.text()?, details: fields.dict()? },
        code::WELCOME => Message::Welcome { session: fields.id()?, details: fields.dict()? },
        code::ABORT => Message::Abort { details: fields.dict()?, reason: fields.text()? },
        code::CHALLENGE => Message::Challenge { method: fields.text()?, extra: fields.dict()? },
        code::AUTHENTICATE => {
            Message::Authenticate { signature: fields.text()?, extra: fields.dict()? }
        }
        _ => Message::Goodbye { details: fields.dict()?, reason: fields.text()? },
    })
}

fn acknowledgement<F: Fields>(kind: u64, fields: &mut F) -> Result<Message, CodecError> {
    let request = fields.id()?;
    Ok(match kind {
        code::PUBLISHED => Message::Published { request, publication: fields.id()? },
        code::SUBSCRIBED => Message::Subscribed { request, subscription: fields.id()? },
        code::UNSUBSCRIBE => Message::Unsubscribe { request, subscription: fields.id()? },
        code::UNSUBSCRIBED => Message::Unsubscribed { request, revoked: revoked(fields)? },
        code::EVENT_RECEIVED => Message::EventReceived { publication: request },
        code::REGISTERED => Message::Registered { request, registration: fields.id()? },
        code::UNREGISTER => Message::Unregister { request, registration: fields.id()? },
        _ => Message::Unregistered { request, revoked: revoked(fields)? },
    })
}

fn revoked<F: Fields>(fields: &mut F) -> Result<Option<crate::Dict>, CodecError> {
    if fields.left() == 0 { Ok(None) } else { fields.dict().map(Some) }
}

impl Decode {
    fn request<F: Fields>(&self, kind: u64, fields: &mut F) -> Result<Message, CodecError> {
        // ERROR names the type of its request first; all others begin with an id.
        let first = fields.id()?;
        Ok(match kind {
            code::ERROR => Message::Error {
                of: first,
                request: fields.id()?,
                details: fields.dict()?,
                error: fields.text()?,
                payload: self.payload(fields)?,
            },
            code::PUBLISH => Message::Publish {
                request: first,
                options: fields.dict()?,
                topic: fields.text()?,
                payload: self.payload(fields)?,
            },
            code::SUBSCRIBE => Message::Subscribe {
                request: first,
                options: fields.dict()?,
                topic: fields.text()?,
            },
            code::EVENT => {
                let (publication, details) = (fields.id()?, fields.dict()?);
                let payload = self.payload(fields)?;
                Message::Event(Arc::new(Event::new(first, publication, details, payload)))
            }
            code::CALL => Message::Call {
                request: first,
                options: fields.dict()?,
                procedure: fields.text()?,
                payload: self.payload(fields)?,
            },
            code::CANCEL => Message::Cancel { request: first, options: fields.dict()? },
            code::RESULT => Message::Result {
                request: first,
                details: fields.dict()?,
                payload: self.payload(fields)?,
            },
            code::REGISTER => Message::Register {
                request: first,
                options: fields.dict()?,
                procedure: fields.text()?,
            },
            code::INVOCATION => Message::Invocation {
                request: first,
                registration: fields.id()?,
                details: fields.dict()?,
                payload: self.payload(fields)?,
            },
            code::INTERRUPT => Message::Interrupt { request: first, options: fields.dict()? },
            code::YIELD => Message::Yield {
                request: first,
                options: fields.dict()?,
                payload: self.payload(fields)?,
            },
            other => return Err(CodecError::UnknownType(other)),
        })
    }

    fn payload<F: Fields>(&self, fields: &mut F) -> Result<Payload, CodecError> {
        if fields.left() == 0 {
            return Ok(Payload::Empty);
        }
        let serialiser = self.serialiser;
        let list = match fields.raw_payload()? {
            Raw::List(list) => list,
            Raw::Opaque(raw) if fields.left() == 0 => {
                return Ok(Payload::Opaque { serialiser, raw });
            }
            Raw::Opaque(_) => return Err(CodecError::Expected("nothing after an opaque payload")),
        };
        let keywords = if fields.left() > 0 { fields.raw_dict()? } else { Bytes::new() };
        Ok(Payload::Raw { serialiser, list, keywords })
    }
}

impl Write for Message {
    fn count(&self) -> usize {
        match self {
            Self::EventReceived { .. }
            | Self::Unsubscribed { revoked: None, .. }
            | Self::Unregistered { revoked: None, .. } => 2,
            Self::Subscribe { .. } | Self::Register { .. } => 4,
            Self::Result { payload, .. } | Self::Yield { payload, .. } => 3 + payload.count(),
            Self::Publish { payload, .. }
            | Self::Call { payload, .. }
            | Self::Invocation { payload, .. } => 4 + payload.count(),
            Self::Event(event) => 4 + event.payload.count(),
            Self::Error { payload, .. } => 5 + payload.count(),
            _ => 3,
        }
    }

    fn write<E: Emit>(&self, emit: &mut E) {
        match self {
            Self::Hello { realm, details } => two(emit, code::HELLO, |e| {
                e.text(realm);
                e.dict(details);
            }),
            Self::Welcome { session, details } => two(emit, code::WELCOME, |e| {
                e.id(*session);
                e.dict(details);
            }),
            Self::Abort { details, reason } => two(emit, code::ABORT, |e| {
                e.dict(details);
                e.text(reason);
            }),
            Self::Challenge { method, extra } => two(emit, code::CHALLENGE, |e| {
                e.text(method);
                e.dict(extra);
            }),
            Self::Authenticate { signature, extra } => two(emit, code::AUTHENTICATE, |e| {
                e.text(signature);
                e.dict(extra);
            }),
            Self::Goodbye { details, reason } => two(emit, code::GOODBYE, |e| {
                e.dict(details);
                e.text(reason);
            }),
            Self::Error { of, request, details, error, payload } => {
                ids(emit, &[code::ERROR, *of, *request]);
                emit.dict(details);
                emit.text(error);
                payload.write(emit);
            }
            Self::Publish { request, options, topic, payload } => {
                addressed(emit, [code::PUBLISH, *request], options, topic);
                payload.write(emit);
            }
            Self::Call { request, options, procedure, payload } => {
                addressed(emit, [code::CALL, *request], options, procedure);
                payload.write(emit);
            }
            Self::Subscribe { request, options, topic } => {
                addressed(emit, [code::SUBSCRIBE, *request], options, topic);
            }
            Self::Register { request, options, procedure } => {
                addressed(emit, [code::REGISTER, *request], options, procedure);
            }
            Self::Event(event) => {
                ids(emit, &[code::EVENT, event.subscription, event.publication]);
                emit.dict(&event.details);
                event.payload.write(emit);
            }
            Self::Invocation { request, registration, details, payload } => {
                ids(emit, &[code::INVOCATION, *request, *registration]);
                emit.dict(details);
                payload.write(emit);
            }
            Self::Result { request, details, payload } => {
                ids(emit, &[code::RESULT, *request]);
                emit.dict(details);
                payload.write(emit);
            }
            Self::Yield { request, options, payload } => {
                ids(emit, &[code::YIELD, *request]);
                emit.dict(options);
                payload.write(emit);
            }
            Self::Cancel { request, options } => {
                ids(emit, &[code::CANCEL, *request]);
                emit.dict(options);
            }
            Self::Interrupt { request, options } => {
                ids(emit, &[code::INTERRUPT, *request]);
                emit.dict(options);
            }
            Self::Published { request, publication } => {
                ids(emit, &[code::PUBLISHED, *request, *publication]);
            }
            Self::Subscribed { request, subscription } => {
                ids(emit, &[code::SUBSCRIBED, *request, *subscription]);
            }
            Self::Unsubscribe { request, subscription } => {
                ids(emit, &[code::UNSUBSCRIBE, *request, *subscription]);
            }
            Self::Registered { request, registration } => {
                ids(emit, &[code::REGISTERED, *request, *registration]);
            }
            Self::Unregister { request, registration } => {
                ids(emit, &[code::UNREGISTER, *request, *registration]);
            }
            Self::EventReceived { publication } => ids(emit, &[code::EVENT_RECEIVED, *publication]),
            Self::Unsubscribed { request, revoked } => {
                ids(emit, &[code::UNSUBSCRIBED, *request]);
                revoked.iter().for_each(|details| emit.dict(details));
            }
            Self::Unregistered { request, revoked } => {
                ids(emit, &[code::UNREGISTERED, *request]);
                revoked.iter().for_each(|details| emit.dict(details));
            }
        }
    }
}

fn two<E: Emit>(emit: &mut E, kind: u64, rest: impl FnOnce(&mut E)) {
    emit.id(kind);
    rest(emit);
}

fn ids<E: Emit>(emit: &mut E, ids: &[u64]) {
    ids.iter().for_each(|id| emit.id(*id));
}

fn addressed<E: Emit>(emit: &mut E, numbers: [u64; 2], options: &crate::Dict, uri: &str) {
    ids(emit, &numbers);
    emit.dict(options);
    emit.text(uri);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
