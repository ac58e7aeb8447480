//! What goes wrong on a channel, with asking for one, and with a peer that breaks the rules.
//! Invariant: the first two concern one channel; a [`Violation`] ends the link.
//! Not here: the link's own end (`link.rs`).

use crate::frame::FrameError;
use crate::reason::{Refusal, ResetReason};

/// Why a channel carries no bytes any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// It was cut.
    #[error("channel reset: {0}")]
    Reset(ResetReason),
    /// The peer never opened it.
    #[error("channel refused: {0}")]
    Refused(Refusal),
    /// More was sent than the peer allows.
    #[error("more bytes than the channel has room for; ask for room first")]
    NoRoom,
    /// This side has finished and may not write any more.
    #[error("channel is finished; nothing can be written after that")]
    Finished,
}

/// Why a channel could not even be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The link holds as many channels as it may.
    #[error("too many channels on this link; close some and try again")]
    Exhausted,
    /// The link is ending.
    #[error("the link is going away; wait for the next one")]
    GoingAway,
}

/// How a peer broke the protocol; the link ends with this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A message that is no frame.
    #[error("malformed frame: {0}")]
    Frame(#[from] FrameError),
    /// A text message on the link.
    #[error("text message; frames are binary")]
    Text,
    /// Data beyond the credit.
    #[error("data beyond the credit of the channel")]
    CreditOverrun,
    /// Credit that adds up to more than any window.
    #[error("credit adds up to more than 1 GiB")]
    CreditExcess,
    /// Data or a second Finish behind a Finish.
    #[error("data or finish after finish")]
    AfterFinish,
    /// Data or Finish on a channel that its opener holds unanswered.
    #[error("data or finish before the answer")]
    BeforeAnswer,
    /// An answer to a channel that did not wait for one.
    #[error("an answer to no question")]
    UnexpectedAnswer,
    /// An Open whose number is in use or belongs to this side.
    #[error("channel opened with a number that is not free")]
    NumberTaken,
    /// A frame for a channel that never was.
    #[error("frame for a channel that was never opened")]
    UnknownChannel,
    /// More questions than answers are read.
    #[error("frames that need answers come faster than answers are read")]
    Flood,
}
