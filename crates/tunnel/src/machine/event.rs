//! What the machine tells: events for owners, what a reader found, counters.
//! Not here: errors (`error.rs`).

use bytes::Bytes;

use crate::frame::{ChannelId, ServiceKey};
use crate::reason::GoAway;

/// Something that an owner should hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer asks for a channel: answer by `accept` or `refuse`.
    Offered {
        /// The new channel.
        channel: ChannelId,
        /// What it should lead to.
        key: ServiceKey,
    },
    /// The peer accepted or refused our channel, or it ended before that.
    Answered(ChannelId),
    /// `take` is worth calling again.
    Readable(ChannelId),
    /// `room` is worth calling again.
    Writable(ChannelId),
    /// The peer ends the link.
    GoAway(GoAway),
}

/// What `take` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Bytes, lent until `consumed` is called for them.
    Bytes(Bytes),
    /// Nothing now.
    Nothing,
    /// Nothing ever again: the peer has finished.
    Finished,
}

/// Counters of one link since its start, and what is open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Channels that exist now, those still draining included.
    pub channels: usize,
    /// Channels that were ever opened, by either side.
    pub opened: u64,
    /// Channels that either side refused.
    pub refused: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
}

/// Bytes that a link holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Arrived and not consumed.
    pub unread: u64,
    /// Allowed to the peer: `unread` and what it may still send.
    pub promised: u64,
    /// Waiting to leave.
    pub queued: usize,
}
