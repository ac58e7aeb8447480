//! The machine's side towards the peer: what arriving frames do, and which frame leaves next.
//! Invariant: a peer that keeps to the protocol is never punished, whatever crossed on the way: frames
//! for a channel that has ended here are dropped; everything else that does not fit ends the link.
//! Not here: what owners of channels call (`mod.rs`).

use bytes::Bytes;

use crate::frame::{self, ChannelId, Frame, ServiceKey};
use crate::machine::channel::{Channel, Ending, Halves, Life, Step};
use crate::machine::credit::{EAGER_CREDIT, MAX_CREDIT, Receiving};
use crate::machine::{Course, Event, Machine, Side, Violation, room_of};
use crate::reason::{Refusal, RefusalCode, ResetReason};

/// Control frames that may wait to leave beyond those that channels need: a peer that asks
/// without reading answers is cut off here.
const CONTROL_SLACK: usize = 1024;
/// Control frames that an honest channel can have waiting: an answer, credit, finish or reset.
const CONTROL_PER_CHANNEL: usize = 4;

impl Machine {
    /// Takes one message of the peer.
    pub fn handle_message(&mut self, message: Bytes) -> Result<(), Violation> {
        self.handle(frame::decode(message)?)
    }

    /// Takes one frame of the peer.
    pub fn handle(&mut self, frame: Frame) -> Result<(), Violation> {
        match frame {
            Frame::Open { channel, key, credit } => self.on_open(channel, key, credit)?,
            Frame::Opened { channel, credit } => self.on_opened(channel, credit)?,
            Frame::Refused { channel, refusal } => self.on_refused(channel, refusal)?,
            Frame::Data { channel, payload } => self.on_data(channel, payload)?,
            Frame::Credit { channel, bytes } => self.on_credit(channel, bytes)?,
            Frame::Finish { channel } => self.on_finish(channel)?,
            Frame::Reset { channel, reason } => self.on_reset(channel, reason)?,
            Frame::GoAway(away) => {
                self.course = Course::GoingAway;
                self.events.push_back(Event::GoAway(away));
            }
        }
        if self.control.len() > CONTROL_SLACK + CONTROL_PER_CHANNEL * self.limits.channels {
            return Err(Violation::Flood);
        }
        Ok(())
    }

    /// The next frame to send: control first, then bytes in fair turn.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        while let Some(turn) = self.schedule.next() {
            let id = turn.channel;
            let Some(channel) = self.channels.get_mut(&id) else { continue };
            channel.place = Default::default();
            let Some(payload) = channel.pop_outgoing(turn.quantum) else { continue };
            self.schedule.served(id, &mut channel.place);
            self.queued -= payload.len();
            self.stats.bytes_sent += payload.len() as u64;
            self.after_sending(id);
            return Some(Frame::Data { channel: id, payload });
        }
        None
    }

    /// Whether `poll_frame` may have something.
    pub fn has_frames(&self) -> bool {
        !self.control.is_empty() || !self.schedule.is_empty()
    }

    fn after_sending(&mut self, id: ChannelId) {
        self.wake_writer(id);
        self.finish_if_drained(id);
    }

    fn wake_writer(&mut self, id: ChannelId) {
        let queue_limit = self.queue_limit();
        if let Some(channel) = self.channels.get_mut(&id)
            && channel.awaited.room
            && room_of(channel, queue_limit) > 0
        {
            channel.awaited.room = false;
            self.events.push_back(Event::Writable(id));
        }
    }

    fn on_open(&mut self, id: ChannelId, key: ServiceKey, credit: u32) -> Result<(), Violation> {
        if self.is_ours(id) || self.channels.contains_key(&id) {
            return Err(Violation::NumberTaken);
        }
        if credit > MAX_CREDIT {
            return Err(Violation::CreditExcess);
        }
        self.peer_newest = self.peer_newest.max(Some(id.0));
        self.stats.opened += 1;
        let refusal = match self.course {
            Course::GoingAway => Some(RefusalCode::GoingAway),
            Course::Standing if self.channels.len() >= self.limits.channels => {
                Some(RefusalCode::Exhausted)
            }
            Course::Standing => None,
        };
        if let Some(code) = refusal {
            self.stats.refused += 1;
            let refusal = Refusal::new(code, "");
            self.control.push_back(Frame::Refused { channel: id, refusal });
            return Ok(());
        }
        let receiving = Receiving::open(&mut self.account, EAGER_CREDIT);
        let life = Life::Offered(Halves::Both);
        self.channels.insert(id, Channel::new(life, credit, receiving));
        self.events.push_back(Event::Offered { channel: id, key });
        Ok(())
    }

    fn on_opened(&mut self, id: ChannelId, credit: u32) -> Result<(), Violation> {
        let Some(channel) = self.living(id)? else { return Ok(()) };
        channel.step(Step::Opened)?;
        add_credit(channel, credit)?;
        self.events.push_back(Event::Answered(id));
        self.wake_writer(id);
        Ok(())
    }

    fn on_refused(&mut self, id: ChannelId, refusal: Refusal) -> Result<(), Violation> {
        let Some(channel) = self.living(id)? else { return Ok(()) };
        match channel.life {
            Life::Opening(_) => {
                self.stats.refused += 1;
                self.end(id, Ending::Refused(refusal));
                Ok(())
            }
            Life::Offered(_) | Life::Open(_) | Life::Ended(_) => Err(Violation::UnexpectedAnswer),
        }
    }

    fn on_data(&mut self, id: ChannelId, payload: Bytes) -> Result<(), Violation> {
        let Some(channel) = self.living(id)? else { return Ok(()) };
        match channel.life {
            Life::Opening(_) => return Err(Violation::BeforeAnswer),
            Life::Offered(Halves::Sending) | Life::Open(Halves::Sending) => {
                return Err(Violation::AfterFinish);
            }
            Life::Offered(_) | Life::Open(_) | Life::Ended(_) => {}
        }
        let bytes = u32::try_from(payload.len()).map_err(|_| Violation::CreditOverrun)?;
        channel.receiving.arrived(bytes).map_err(|_| Violation::CreditOverrun)?;
        channel.incoming.push(payload);
        self.stats.bytes_received += u64::from(bytes);
        self.wake_reader(id);
        Ok(())
    }

    fn on_credit(&mut self, id: ChannelId, bytes: u32) -> Result<(), Violation> {
        let Some(channel) = self.living(id)? else { return Ok(()) };
        if matches!(channel.life, Life::Opening(_)) {
            return Err(Violation::BeforeAnswer);
        }
        add_credit(channel, bytes)?;
        self.wake_writer(id);
        Ok(())
    }

    fn on_finish(&mut self, id: ChannelId) -> Result<(), Violation> {
        let Some(channel) = self.living(id)? else { return Ok(()) };
        channel.step(Step::GotFinish)?;
        self.wake_reader(id);
        self.remove_if_over(id);
        Ok(())
    }

    fn on_reset(&mut self, id: ChannelId, reason: ResetReason) -> Result<(), Violation> {
        if self.living(id)?.is_some() {
            self.end(id, Ending::Reset(reason));
        }
        Ok(())
    }

    fn wake_reader(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id)
            && channel.awaited.bytes
        {
            channel.awaited.bytes = false;
            self.events.push_back(Event::Readable(id));
        }
    }

    /// The channel of a frame; `None` if it has ended here and the frame crossed that end.
    fn living(&mut self, id: ChannelId) -> Result<Option<&mut Channel>, Violation> {
        let ever_opened = self.was_ever_opened(id);
        match self.channels.get_mut(&id) {
            Some(channel) if channel.life.has_ended() => Ok(None),
            Some(channel) => Ok(Some(channel)),
            None if ever_opened => Ok(None),
            None => Err(Violation::UnknownChannel),
        }
    }

    fn is_ours(&self, id: ChannelId) -> bool {
        let odd = id.0 % 2 == 1;
        match self.side {
            Side::Dialled => odd,
            Side::Listened => !odd,
        }
    }

    /// Once numbers have gone around, all of them have been in use.
    fn was_ever_opened(&self, id: ChannelId) -> bool {
        if self.is_ours(id) {
            self.numbers_wrapped || id.0 < self.next_id
        } else {
            self.peer_newest.is_some_and(|newest| id.0 <= newest)
        }
    }
}

fn add_credit(channel: &mut Channel, bytes: u32) -> Result<(), Violation> {
    let credit = channel.credit.checked_add(bytes).filter(|credit| *credit <= MAX_CREDIT);
    channel.credit = credit.ok_or(Violation::CreditExcess)?;
    Ok(())
}
