//! One channel: its life as one enum, and the bytes that wait in either direction.
//! Invariant: a life only moves by `Life::next`; a channel that has ended keeps no bytes to send, and
//! after a reset or refusal none to read.
//! Not here: the link's other channels, and what is told to the peer (`mod.rs`, `wire.rs`).

use bytes::Bytes;

use crate::machine::credit::Receiving;
use crate::machine::queue::ByteQueue;
use crate::machine::schedule::Place;
use crate::machine::{ChannelError, Violation};
use crate::reason::{Refusal, ResetReason};

/// Which directions still carry bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halves {
    /// Both.
    Both,
    /// We have finished, the peer has not.
    Receiving,
    /// The peer has finished, we have not.
    Sending,
}

/// How a channel ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides finished.
    Finished,
    /// One side cut it.
    Reset(ResetReason),
    /// It never came to be.
    Refused(Refusal),
}

/// The life of a channel as this side knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// We asked; no answer yet. Bytes may already leave, within the eager credit.
    Opening(Halves),
    /// The peer asked; we have not answered yet. Bytes may already arrive.
    Offered(Halves),
    /// Both agree.
    Open(Halves),
    /// Nothing more is sent or expected.
    Ended(Ending),
}

/// What moves a life on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The peer agreed to our asking.
    Opened,
    /// We agreed to the peer's asking.
    Accepted,
    /// Our last byte and our Finish have left.
    SentFinish,
    /// The peer's Finish has arrived.
    GotFinish,
    /// The channel is cut or refused, from either side.
    Ended(Ending),
}

impl Life {
    /// The life after a step; a step that the peer may not take now is its violation.
    pub(crate) fn next(self, step: Step) -> Result<Self, Violation> {
        match (self, step) {
            (Self::Ended(ending), _) => Ok(Self::Ended(ending)),
            (_, Step::Ended(ending)) => Ok(Self::Ended(ending)),
            (Self::Opening(halves), Step::Opened) => Ok(Self::Open(halves)),
            (Self::Offered(halves), Step::Accepted) => Ok(Self::Open(halves)),
            (Self::Opening(Halves::Both), Step::SentFinish) => Ok(Self::Opening(Halves::Receiving)),
            (Self::Offered(Halves::Both), Step::GotFinish) => Ok(Self::Offered(Halves::Sending)),
            (Self::Open(Halves::Both), Step::SentFinish) => Ok(Self::Open(Halves::Receiving)),
            (Self::Open(Halves::Both), Step::GotFinish) => Ok(Self::Open(Halves::Sending)),
            (Self::Open(Halves::Sending), Step::SentFinish)
            | (Self::Open(Halves::Receiving), Step::GotFinish) => Ok(Self::Ended(Ending::Finished)),
            (Self::Opening(_), Step::GotFinish) | (Self::Offered(_), Step::SentFinish) => {
                Err(Violation::BeforeAnswer)
            }
            (Self::Offered(_) | Self::Open(_), Step::Opened)
            | (Self::Opening(_) | Self::Open(_), Step::Accepted) => {
                Err(Violation::UnexpectedAnswer)
            }
            (Self::Offered(_) | Self::Open(_), Step::GotFinish)
            | (Self::Opening(_) | Self::Open(_), Step::SentFinish) => Err(Violation::AfterFinish),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// Whether credit still means something to the peer: it has our answer and has not finished.
    pub(crate) fn takes_credit(&self) -> bool {
        matches!(self, Self::Open(Halves::Both | Halves::Receiving))
    }

    /// Whether the peer's Finish has arrived.
    pub(crate) fn peer_finished(&self) -> bool {
        matches!(
            self,
            Self::Offered(Halves::Sending)
                | Self::Open(Halves::Sending)
                | Self::Ended(Ending::Finished)
        )
    }
}

/// Our direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// More may come.
    On,
    /// The owner has written its last byte; Finish leaves behind it.
    Finishing,
}

/// Who still holds the channel on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Its owner.
    ByOwner,
    /// Nobody; only what is queued still has to leave.
    ByQueue,
}

/// A channel on this side of the link.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) life: Life,
    pub(crate) held: Held,
    /// Bytes to send.
    pub(crate) outgoing: ByteQueue,
    /// Bytes that the peer allows us to send, those in `outgoing` included.
    pub(crate) credit: u32,
    pub(crate) writing: Writing,
    pub(crate) place: Place,
    /// Bytes that have arrived and were not taken.
    pub(crate) incoming: ByteQueue,
    pub(crate) receiving: Receiving,
    /// The owner found nothing to read, or no room to write, and wants to hear when that changes.
    pub(crate) awaited: Awaited,
    /// Consumed bytes have not been told to the peer yet.
    pub(crate) owed: bool,
}

/// What the owner waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Awaited {
    pub(crate) bytes: bool,
    pub(crate) room: bool,
}

impl Channel {
    pub(crate) fn new(life: Life, credit: u32, receiving: Receiving) -> Self {
        Self {
            life,
            held: Held::ByOwner,
            outgoing: ByteQueue::default(),
            credit,
            writing: Writing::On,
            place: Place::Idle,
            incoming: ByteQueue::default(),
            receiving,
            awaited: Awaited::default(),
            owed: false,
        }
    }

    /// Moves the life on; on a violation the life is left as it was.
    pub(crate) fn step(&mut self, step: Step) -> Result<(), Violation> {
        self.life = self.life.clone().next(step)?;
        Ok(())
    }

    /// Why nothing can be read or written any more, if so.
    pub(crate) fn error(&self) -> Option<ChannelError> {
        match &self.life {
            Life::Ended(Ending::Reset(reason)) => Some(ChannelError::Reset(*reason)),
            Life::Ended(Ending::Refused(refusal)) => Some(ChannelError::Refused(refusal.clone())),
            Life::Ended(Ending::Finished) | Life::Opening(_) | Life::Offered(_) | Life::Open(_) => {
                None
            }
        }
    }

    /// Whether the channel may be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        self.held == Held::ByQueue && self.life.has_ended()
    }

    /// The next bytes to send, at most `limit`.
    pub(crate) fn pop_outgoing(&mut self, limit: usize) -> Option<Bytes> {
        let allowed = limit.min(usize::try_from(self.credit).unwrap_or(usize::MAX));
        let piece = if allowed == 0 { None } else { self.outgoing.pop(allowed) }?;
        self.credit -= u32::try_from(piece.len()).expect("a piece is within the credit");
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_finish_in_either_order() {
        for steps in [[Step::SentFinish, Step::GotFinish], [Step::GotFinish, Step::SentFinish]] {
            let mut life = Life::Opening(Halves::Both).next(Step::Opened).unwrap();
            for step in steps {
                life = life.next(step).unwrap();
            }
            assert_eq!(life, Life::Ended(Ending::Finished));
        }
    }

    #[test]
    fn a_second_finish_of_the_peer_is_a_violation() {
        let life = Life::Open(Halves::Sending);
        assert_eq!(life.next(Step::GotFinish), Err(Violation::AfterFinish));
    }

    #[test]
    fn an_answer_to_nothing_is_a_violation() {
        assert_eq!(Life::Open(Halves::Both).next(Step::Opened), Err(Violation::UnexpectedAnswer));
        assert_eq!(
            Life::Offered(Halves::Both).next(Step::Opened),
            Err(Violation::UnexpectedAnswer)
        );
        assert_eq!(Life::Opening(Halves::Both).next(Step::GotFinish), Err(Violation::BeforeAnswer));
    }

    #[test]
    fn a_reset_ends_every_life() {
        for halves in [Halves::Both, Halves::Sending, Halves::Receiving] {
            for life in [Life::Opening(halves), Life::Offered(halves), Life::Open(halves)] {
                let ending = Ending::Reset(ResetReason::Failed);
                let ended = life.next(Step::Ended(ending.clone())).unwrap();
                assert_eq!(ended, Life::Ended(ending));
            }
        }
    }
}
