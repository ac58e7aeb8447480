//! Whose bytes leave next: channels with little to say first, bulk channels in turn behind them
//! (the rule of flow queueing, RFC 8290 section 4.1, without its drops).
//! Invariant: a channel stands in at most one list, and every bulk channel gets its turn before any
//! other gets a second one; a channel that was just served waits one turn before it is fresh again.
//! Not here: the bytes themselves.

use std::collections::VecDeque;

use crate::frame::{ChannelId, MAX_DATA};

/// What a channel may send ahead of the bulk: a request, a keystroke, a page of a terminal.
pub(crate) const LITTLE: usize = 16 * 1024;

/// Where a channel stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// In no list.
    #[default]
    Idle,
    /// In the list of those served first.
    Fresh,
    /// In the round of the others.
    Round,
}

/// The two lists.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    fresh: VecDeque<ChannelId>,
    round: VecDeque<ChannelId>,
}

/// Whose turn it is and how much it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) channel: ChannelId,
    pub(crate) quantum: usize,
}

impl Schedule {
    pub(crate) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.round.is_empty()
    }

    /// A channel has this many bytes to send; it keeps its place if it has one.
    pub(crate) fn ready(&mut self, channel: ChannelId, waiting: usize, place: &mut Place) {
        if *place != Place::Idle {
            return;
        }
        if waiting <= LITTLE {
            *place = Place::Fresh;
            self.fresh.push_back(channel);
        } else {
            self.served(channel, place);
        }
    }

    /// Takes the next channel out of the lists. Its place is stale until `served` is called.
    pub(crate) fn next(&mut self) -> Option<Turn> {
        if let Some(channel) = self.fresh.pop_front() {
            return Some(Turn { channel, quantum: LITTLE });
        }
        self.round.pop_front().map(|channel| Turn { channel, quantum: MAX_DATA })
    }

    /// The channel has sent; it goes to the end of the round, even if it has nothing left.
    pub(crate) fn served(&mut self, channel: ChannelId, place: &mut Place) {
        *place = Place::Round;
        self.round.push_back(channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_with_little_to_say_goes_before_the_bulk_but_not_twice_in_a_row() {
        let mut schedule = Schedule::default();
        let (bulk, small) = (ChannelId(1), ChannelId(3));
        let (mut bulk_place, mut small_place) = (Place::Idle, Place::Idle);
        schedule.ready(bulk, MAX_DATA, &mut bulk_place);
        assert_eq!(schedule.next().unwrap().channel, bulk);
        schedule.served(bulk, &mut bulk_place);

        schedule.ready(small, 10, &mut small_place);
        assert_eq!(schedule.next().unwrap(), Turn { channel: small, quantum: LITTLE });
        schedule.served(small, &mut small_place);
        schedule.ready(small, 10, &mut small_place);
        assert_eq!(schedule.next().unwrap(), Turn { channel: bulk, quantum: MAX_DATA });
    }
}
