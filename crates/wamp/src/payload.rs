//! Arguments on their way through: as values, or as the bytes they arrived in.
//!
//! Invariant: raw bytes are well formed in their serialiser, so a message with them can always be written for a peer of
//! the same serialiser; for another one they are read and written again, which may fail ([`Payload::carry_over`]).

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::{self, CodecError, Emit, Serialiser};
use crate::{Arguments, Dict};

/// The arguments of one message.
#[derive(Debug, Clone, Default)]
pub(crate) enum Payload {
    /// No arguments.
    #[default]
    Empty,
    /// As received.
    Raw { serialiser: Serialiser, list: Bytes, keywords: Bytes },
    /// One binary value that only the ends understand (payload passthru), as received.
    Opaque { serialiser: Serialiser, raw: Bytes },
    /// As the application made them.
    Values(Arc<Arguments>),
}

impl From<Arguments> for Payload {
    fn from(arguments: Arguments) -> Self {
        if arguments.is_empty() { Self::Empty } else { Self::Values(Arc::new(arguments)) }
    }
}

impl Payload {
    /// Makes sure that the payload can be written in `serialiser`; `None` is a receiver in this process.
    pub(crate) fn carry_over(&self, serialiser: Option<Serialiser>) -> Result<Self, CodecError> {
        match (self, serialiser) {
            (Self::Raw { serialiser: from, list, keywords }, Some(to)) if *from != to => {
                codec::read_arguments(*from, list, keywords).map(Self::from)
            }
            (Self::Opaque { serialiser: from, raw }, Some(to)) if *from != to => {
                let value = codec::read_value(*from, raw)?;
                let mut raw = Vec::new();
                codec::write_value(to, &mut raw, &value);
                Ok(Self::Opaque { serialiser: to, raw: raw.into() })
            }
            _ => Ok(self.clone()),
        }
    }

    /// The arguments as values.
    pub(crate) fn read(self) -> Result<Arguments, CodecError> {
        match self {
            Self::Empty => Ok(Arguments::default()),
            Self::Raw { serialiser, list, keywords } => {
                codec::read_arguments(serialiser, &list, &keywords)
            }
            Self::Opaque { serialiser, raw } => {
                codec::read_value(serialiser, &raw).map(Arguments::one)
            }
            Self::Values(arguments) => Ok(Arc::unwrap_or_clone(arguments)),
        }
    }

    /// Bytes it holds, roughly; values are taken for what they would be in JSON.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Raw { list, keywords, .. } => list.len() + keywords.len(),
            Self::Opaque { raw, .. } => raw.len(),
            Self::Values(arguments) => {
                let list: usize = arguments.list.iter().map(value_weight).sum();
                list + dict_weight(&arguments.keywords)
            }
        }
    }

    /// How many elements it adds to a message.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Opaque { .. } => 1,
            Self::Raw { keywords, .. } if keywords.is_empty() => 1,
            Self::Values(arguments) if arguments.keywords.is_empty() => 1,
            Self::Raw { .. } | Self::Values(_) => 2,
        }
    }

    pub(crate) fn write<E: Emit>(&self, emit: &mut E) {
        match self {
            Self::Empty => {}
            Self::Opaque { raw, .. } => emit.raw(raw),
            Self::Raw { list, keywords, .. } => {
                emit.raw(list);
                if !keywords.is_empty() {
                    emit.raw(keywords);
                }
            }
            Self::Values(arguments) => {
                emit.list(&arguments.list);
                if !arguments.keywords.is_empty() {
                    emit.dict(&arguments.keywords);
                }
            }
        }
    }
}

fn dict_weight(dict: &Dict) -> usize {
    dict.iter().map(|(key, value)| key.len() + 4 + value_weight(value)).sum()
}

fn value_weight(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(list) => 2 + list.iter().map(value_weight).sum::<usize>(),
        Value::Object(dict) => 2 + dict_weight(dict),
    }
}
