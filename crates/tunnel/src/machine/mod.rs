//! The link as a pure machine: channels, credit, order of sending. No socket, no clock, no task.
//! Frames go in by `handle` and come out by `poll_frame`; the owners of channels call `open`, `take`,
//! `send` and so on, and hear by `poll_event` when it is worth calling again.
//! Invariant: bytes of a channel arrive exactly and in order; what waits is bounded in both directions
//! (`credit.rs`, [`Limits::send_budget`]); one stalled channel holds up no other.
//! Not here: dead peers, encryption, who may open what.

mod channel;
mod credit;
mod error;
mod event;
mod queue;
#[cfg(test)]
mod rules;
mod schedule;
#[cfg(test)]
mod simulation;
mod wire;

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use self::channel::{Channel, Ending, Halves, Held, Life, Step, Writing};
pub use self::credit::EAGER_CREDIT;
use self::credit::{Account, Haste, Receiving};
pub use self::error::{ChannelError, OpenError, Violation};
pub use self::event::{Event, Memory, Stats, Taken};
use self::queue::ByteQueue;
use self::schedule::Schedule;
use crate::frame::{ChannelId, Frame, MAX_DATA, ServiceKey};
use crate::reason::{GoAway, Refusal, ResetReason};

/// Bytes that one channel may have waiting to leave while the link keeps up.
const SEND_QUEUE: usize = 2 * MAX_DATA;
/// Bytes that one channel may have waiting to leave once the link's send budget is used up.
const SEND_QUEUE_LEAST: usize = 8 * 1024;

/// The bounds of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Channels at once; further ones are refused as `Exhausted`.
    pub channels: usize,
    /// Unread bytes over all channels, beyond [`EAGER_CREDIT`] for each; at the bound, peers wait for readers.
    pub receive_budget: usize,
    /// Bytes waiting to leave over all channels; at the bound each channel may have only 8 KiB waiting.
    pub send_budget: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { channels: 10_000, receive_budget: 16 * 1024 * 1024, send_budget: 4 * 1024 * 1024 }
    }
}

/// Which end of the link this is; it decides whose channel numbers are odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This end connected to the other.
    Dialled,
    /// This end was connected to.
    Listened,
}

impl Side {
    fn first_id(self) -> u32 {
        match self {
            Self::Dialled => 1,
            Self::Listened => 2,
        }
    }
}

/// One end of a link.
#[derive(Debug)]
pub struct Machine {
    side: Side,
    limits: Limits,
    channels: HashMap<ChannelId, Channel>,
    next_id: u32,
    numbers_wrapped: bool,
    peer_newest: Option<u32>,
    account: Account,
    queued: usize,
    control: VecDeque<Frame>,
    schedule: Schedule,
    events: VecDeque<Event>,
    owed: Vec<ChannelId>,
    course: Course,
    stats: Stats,
}

/// Whether new channels are still welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Standing,
    GoingAway,
}

impl Machine {
    /// A fresh link right after the handshake.
    pub fn new(side: Side, limits: Limits) -> Self {
        Self::with_first_id(side, limits, side.first_id())
    }

    fn with_first_id(side: Side, limits: Limits, next_id: u32) -> Self {
        Self {
            side,
            limits,
            channels: HashMap::new(),
            next_id,
            numbers_wrapped: false,
            peer_newest: None,
            account: Account::new(limits.receive_budget as u64),
            queued: 0,
            control: VecDeque::new(),
            schedule: Schedule::default(),
            events: VecDeque::new(),
            owed: Vec::new(),
            course: Course::Standing,
            stats: Stats::default(),
        }
    }

    /// Asks the peer for a channel. It may be written to at once, within [`EAGER_CREDIT`].
    pub fn open(&mut self, key: ServiceKey) -> Result<ChannelId, OpenError> {
        if self.course == Course::GoingAway {
            return Err(OpenError::GoingAway);
        }
        if self.channels.len() >= self.limits.channels {
            return Err(OpenError::Exhausted);
        }
        let channel = self.free_id();
        let credit = Receiving::first_allowance(&self.account);
        let receiving = Receiving::open(&mut self.account, credit);
        let life = Life::Opening(Halves::Both);
        self.channels.insert(channel, Channel::new(life, EAGER_CREDIT, receiving));
        self.stats.opened += 1;
        self.control.push_back(Frame::Open { channel, key, credit });
        Ok(channel)
    }

    /// Numbers go up and around; one still in use is passed over, so that none has two meanings.
    fn free_id(&mut self) -> ChannelId {
        loop {
            let id = ChannelId(self.next_id);
            let (next, wrapped) = self.next_id.overflowing_add(2);
            self.next_id = if wrapped { self.side.first_id() } else { next };
            self.numbers_wrapped |= wrapped;
            if !self.channels.contains_key(&id) {
                return id;
            }
        }
    }

    /// Agrees to an offered channel.
    pub fn accept(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if !matches!(channel.life, Life::Offered(_)) || channel.step(Step::Accepted).is_err() {
            return;
        }
        let credit = channel.receiving.grant(&mut self.account, Haste::Now);
        self.control.push_back(Frame::Opened { channel: id, credit });
        self.finish_if_drained(id);
    }

    /// Turns an offered channel down.
    pub fn refuse(&mut self, id: ChannelId, refusal: Refusal) {
        let Some(channel) = self.channels.get(&id) else { return };
        if !matches!(channel.life, Life::Offered(_)) {
            return;
        }
        self.stats.refused += 1;
        self.control.push_back(Frame::Refused { channel: id, refusal: refusal.clone() });
        self.end(id, Ending::Refused(refusal));
    }

    /// Whether our channel was answered: `Ok(true)` for yes, `Ok(false)` for not yet.
    pub fn answered(&self, id: ChannelId) -> Result<bool, ChannelError> {
        let channel = self.channels.get(&id).ok_or(ABANDONED)?;
        match channel.error() {
            Some(error) => Err(error),
            None => Ok(!matches!(channel.life, Life::Opening(_))),
        }
    }

    /// How many bytes `send` would take now. Zero means: wait for `Writable`.
    pub fn room(&mut self, id: ChannelId) -> Result<usize, ChannelError> {
        let queue_limit = self.queue_limit();
        let channel = self.channels.get_mut(&id).ok_or(ABANDONED)?;
        if let Some(error) = channel.error() {
            return Err(error);
        }
        if channel.writing == Writing::Finishing {
            return Err(ChannelError::Finished);
        }
        let room = room_of(channel, queue_limit);
        channel.awaited.room = room == 0;
        Ok(room)
    }

    fn queue_limit(&self) -> usize {
        if self.queued < self.limits.send_budget { SEND_QUEUE } else { SEND_QUEUE_LEAST }
    }

    /// Queues bytes for the peer: no more than `room` allowed.
    pub fn send(&mut self, id: ChannelId, bytes: Bytes) -> Result<(), ChannelError> {
        self.queue(id, bytes.len(), |outgoing| outgoing.push(bytes))
    }

    /// Like [`Self::send`], for a few bytes whose buffer is needed again.
    pub fn send_copy(&mut self, id: ChannelId, bytes: &[u8]) -> Result<(), ChannelError> {
        self.queue(id, bytes.len(), |outgoing| outgoing.push_slice(bytes))
    }

    fn queue(
        &mut self,
        id: ChannelId,
        length: usize,
        push: impl FnOnce(&mut ByteQueue),
    ) -> Result<(), ChannelError> {
        let channel = self.channels.get_mut(&id).ok_or(ABANDONED)?;
        if let Some(error) = channel.error() {
            return Err(error);
        }
        if channel.writing == Writing::Finishing {
            return Err(ChannelError::Finished);
        }
        // Only the credit is checked again: the link's budget may have shrunk since `room` was asked.
        if length > room_of(channel, usize::MAX) {
            return Err(ChannelError::NoRoom);
        }
        if length > 0 {
            self.queued += length;
            push(&mut channel.outgoing);
            self.schedule.ready(id, channel.outgoing.len(), &mut channel.place);
        }
        Ok(())
    }

    /// Ends our direction behind what is queued; the other goes on.
    pub fn finish(&mut self, id: ChannelId) -> Result<(), ChannelError> {
        let channel = self.channels.get_mut(&id).ok_or(ABANDONED)?;
        if let Some(error) = channel.error() {
            return Err(error);
        }
        if channel.writing == Writing::On {
            channel.writing = Writing::Finishing;
            self.finish_if_drained(id);
        }
        Ok(())
    }

    /// The next bytes of a channel. They count as unread until `consumed` is called for them.
    pub fn take(&mut self, id: ChannelId, limit: usize) -> Result<Taken, ChannelError> {
        let channel = self.channels.get_mut(&id).ok_or(ABANDONED)?;
        if let Some(error) = channel.error() {
            return Err(error);
        }
        if let Some(bytes) = channel.incoming.pop(limit) {
            return Ok(Taken::Bytes(bytes));
        }
        if channel.life.peer_finished() {
            return Ok(Taken::Finished);
        }
        channel.awaited.bytes = true;
        Ok(Taken::Nothing)
    }

    /// Taken bytes are done with; the peer may send as many more.
    pub fn consumed(&mut self, id: ChannelId, bytes: usize) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        channel.receiving.consumed(&mut self.account, bytes);
        if !channel.life.takes_credit() {
            return;
        }
        let more = channel.receiving.grant(&mut self.account, Haste::Worthwhile);
        if more > 0 {
            self.control.push_back(Frame::Credit { channel: id, bytes: more });
        } else if !channel.owed {
            channel.owed = true;
            self.owed.push(id);
        }
    }

    /// Whether consumed bytes wait to be told to their senders.
    pub fn owes_credit(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Tells senders what was consumed, even little: on a slow link this is how a sender hears that
    /// the link is alive while its own questions queue behind its bytes. Call it twice a second.
    pub fn grant_owed(&mut self) {
        for id in std::mem::take(&mut self.owed) {
            let Some(channel) = self.channels.get_mut(&id) else { continue };
            channel.owed = false;
            if !channel.life.takes_credit() {
                continue;
            }
            let more = channel.receiving.grant(&mut self.account, Haste::Now);
            if more > 0 {
                self.control.push_back(Frame::Credit { channel: id, bytes: more });
            }
        }
    }

    /// Cuts a channel; whatever was under way is lost.
    pub fn reset(&mut self, id: ChannelId, reason: ResetReason) {
        let Some(channel) = self.channels.get(&id) else { return };
        if !channel.life.has_ended() {
            self.control.push_back(Frame::Reset { channel: id, reason });
            self.end(id, Ending::Reset(reason));
        }
    }

    /// The owner lets go. What it wrote still leaves if both sides have finished; otherwise the
    /// channel is cut. An offered channel that nobody answered is refused by the cut.
    pub fn release(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.held = Held::ByQueue;
        let only_drains = channel.writing == Writing::Finishing && channel.life.peer_finished();
        if !only_drains {
            self.reset(id, ResetReason::Abandoned);
        } else {
            channel.incoming.clear();
            channel.receiving.forget(&mut self.account);
        }
        self.remove_if_over(id);
    }

    /// Announces the end of the link: no new channels in either direction.
    pub fn go_away(&mut self, away: GoAway) {
        self.course = Course::GoingAway;
        self.control.push_back(Frame::GoAway(away));
    }

    /// The link is gone: every channel is reset, nothing is sent any more.
    pub fn abandon(&mut self) {
        self.course = Course::GoingAway;
        let ids: Vec<_> = self.channels.keys().copied().collect();
        for id in ids {
            self.end(id, Ending::Reset(ResetReason::LinkLost));
        }
        self.control.clear();
        self.schedule = Schedule::default();
    }

    /// Something that an owner should hear.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Channels that exist now, those still draining included.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Bytes held over all channels; goes through all of them.
    pub fn memory(&self) -> Memory {
        let unread = self.channels.values().map(|channel| u64::from(channel.receiving.unread()));
        Memory { unread: unread.sum(), promised: self.account.held(), queued: self.queued }
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        Stats { channels: self.channels.len(), ..self.stats }
    }

    /// Ends a channel on this side and wakes whoever waits for it.
    fn end(&mut self, id: ChannelId, ending: Ending) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if channel.life.has_ended() {
            return;
        }
        let was_opening = matches!(channel.life, Life::Opening(_));
        channel.step(Step::Ended(ending)).expect("every life can end");
        self.queued -= channel.outgoing.len();
        channel.outgoing.clear();
        channel.incoming.clear();
        channel.receiving.forget(&mut self.account);
        if was_opening {
            self.events.push_back(Event::Answered(id));
        }
        self.events.push_back(Event::Readable(id));
        self.events.push_back(Event::Writable(id));
        self.remove_if_over(id);
    }

    /// Sends Finish once the last byte has left.
    fn finish_if_drained(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if channel.writing != Writing::Finishing || !channel.outgoing.is_empty() {
            return;
        }
        if channel.step(Step::SentFinish).is_ok() {
            self.control.push_back(Frame::Finish { channel: id });
        }
        self.remove_if_over(id);
    }

    fn remove_if_over(&mut self, id: ChannelId) {
        if self.channels.get(&id).is_some_and(Channel::is_over)
            && let Some(mut channel) = self.channels.remove(&id)
        {
            channel.receiving.close(&mut self.account);
        }
    }
}

const ABANDONED: ChannelError = ChannelError::Reset(ResetReason::Abandoned);

fn room_of(channel: &Channel, queue_limit: usize) -> usize {
    let allowed = usize::try_from(channel.credit).unwrap_or(usize::MAX).min(queue_limit);
    allowed.saturating_sub(channel.outgoing.len())
}
