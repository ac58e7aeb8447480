//! Two machines over a virtual network, driven by a seed, checked against what was written.
//! Invariant under test: every stream arrives exactly or its channel is reset; credit and memory hold
//! at every step; an owner that only acts on events never hangs; in the end nothing is left.
//! Not here: sockets and time (`tests/`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::reason::{GoAwayCode, RefusalCode};

const TABLE_LENGTH: usize = 1 << 17;
static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random(7);
    let once: Vec<u8> = (0..TABLE_LENGTH).map(|_| random.next() as u8).collect();
    once.repeat(2)
});

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// Where a stream starts in the table: each direction of each channel differs.
fn start(id: ChannelId, writer: usize) -> usize {
    (id.0 as usize * 7919 + writer * 104_729) % TABLE_LENGTH
}

fn expected(id: ChannelId, writer: usize, offset: usize, length: usize) -> &'static [u8] {
    let from = (start(id, writer) + offset) % TABLE_LENGTH;
    &TABLE[from..from + length]
}

/// One owner of one channel, on one side.
struct Owner {
    to_write: usize,
    written: usize,
    read: usize,
    lent: Vec<usize>,
    can_write: bool,
    can_read: bool,
    finished_writing: bool,
    finished_reading: bool,
    ended: Option<ChannelError>,
    stalled: bool,
}

impl Owner {
    fn new(random: &mut Random) -> Self {
        let to_write = match random.below(4) {
            0 => 0,
            1 => random.below(200),
            _ => random.below(60_000),
        };
        Self {
            to_write,
            written: 0,
            read: 0,
            lent: Vec::new(),
            can_write: true,
            can_read: true,
            finished_writing: false,
            finished_reading: false,
            ended: None,
            stalled: random.one_in(6),
        }
    }
}

struct World {
    random: Random,
    limits: Limits,
    machines: [Machine; 2],
    wires: [VecDeque<Bytes>; 2],
    owners: [BTreeMap<ChannelId, Owner>; 2],
    /// What each finished direction carried, to be met by the other side.
    sent: BTreeMap<(ChannelId, usize), usize>,
    resets: u64,
    refusals: u64,
    opens_left: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let limits = Limits {
            channels: 3 + random.below(12),
            receive_budget: (16 * 1024) << random.below(5),
            send_budget: (8 * 1024) << random.below(5),
        };
        let near_wrap = if random.one_in(4) { u32::MAX - 8 } else { 0 };
        let machine =
            |side: Side| Machine::with_first_id(side, limits, (near_wrap & !1) + side.first_id());
        Self {
            machines: [machine(Side::Dialled), machine(Side::Listened)],
            wires: Default::default(),
            owners: Default::default(),
            sent: BTreeMap::new(),
            resets: 0,
            refusals: 0,
            opens_left: 4 + random.below(24),
            random,
            limits,
        }
    }

    fn step(&mut self) -> bool {
        let side = self.random.below(2);
        match self.random.below(8) {
            0 => self.open(side),
            1 | 2 => self.deliver(side),
            3 => self.emit(side),
            4 | 5 => self.write(side),
            6 => self.read(side),
            _ => self.rarely(side),
        }
        self.check();
        !self.is_quiet()
    }

    fn open(&mut self, side: usize) {
        if self.opens_left == 0 {
            return;
        }
        self.opens_left -= 1;
        let key = ServiceKey::new(vec![b'k'; 1 + self.random.below(64)]).unwrap();
        match self.machines[side].open(key) {
            Ok(id) => {
                let owner = Owner::new(&mut self.random);
                assert!(self.owners[side].insert(id, owner).is_none(), "number used twice");
            }
            Err(OpenError::Exhausted) => {}
            Err(OpenError::GoingAway) => panic!("nobody goes away here"),
        }
    }

    /// Moves frames out of a machine onto its wire; the wire goes to the other side.
    fn emit(&mut self, side: usize) {
        for _ in 0..=self.random.below(6) {
            let Some(frame) = self.machines[side].poll_frame() else { break };
            self.wires[side].push_back(frame.to_message());
        }
        self.hear(side);
    }

    fn deliver(&mut self, side: usize) {
        for _ in 0..=self.random.below(6) {
            let Some(message) = self.wires[1 - side].pop_front() else { break };
            self.machines[side].handle_message(message).expect("both sides keep to the protocol");
            self.hear(side);
        }
    }

    fn hear(&mut self, side: usize) {
        while let Some(event) = self.machines[side].poll_event() {
            match event {
                Event::Offered { channel, .. } => self.answer(side, channel),
                Event::Readable(id) => {
                    if let Some(owner) = self.owners[side].get_mut(&id) {
                        owner.can_read = true;
                    }
                }
                Event::Writable(id) => {
                    if let Some(owner) = self.owners[side].get_mut(&id) {
                        owner.can_write = true;
                    }
                }
                Event::Answered(_) => {}
                Event::GoAway(_) => panic!("nobody goes away here"),
            }
        }
    }

    fn answer(&mut self, side: usize, id: ChannelId) {
        if self.random.one_in(8) {
            self.refusals += 1;
            self.machines[side].refuse(id, Refusal::new(RefusalCode::UnknownService, "none"));
            self.machines[side].release(id);
            return;
        }
        self.machines[side].accept(id);
        let owner = Owner::new(&mut self.random);
        assert!(self.owners[side].insert(id, owner).is_none(), "number used twice");
    }

    fn pick(&mut self, side: usize) -> Option<ChannelId> {
        let count = self.owners[side].len();
        let index = if count == 0 { return None } else { self.random.below(count) };
        self.owners[side].keys().nth(index).copied()
    }

    fn write(&mut self, side: usize) {
        let Some(id) = self.pick(side) else { return };
        let owner = self.owners[side].get_mut(&id).unwrap();
        if !owner.can_write || owner.finished_writing || owner.ended.is_some() {
            return;
        }
        let machine = &mut self.machines[side];
        let room = match machine.room(id) {
            Ok(room) => room,
            Err(error) => {
                owner.ended = Some(error);
                return self.let_go(side, id);
            }
        };
        let left = owner.to_write - owner.written;
        if left == 0 {
            machine.finish(id).unwrap();
            owner.finished_writing = true;
            self.sent.insert((id, side), owner.written);
            return self.let_go_if_done(side, id);
        }
        if room == 0 {
            owner.can_write = false;
            return;
        }
        let length = 1 + self.random.below(left.min(room));
        let bytes = expected(id, side, owner.written, length);
        machine.send(id, Bytes::from_static(bytes)).unwrap();
        owner.written += length;
    }

    fn read(&mut self, side: usize) {
        let Some(id) = self.pick(side) else { return };
        let limit = 1 + self.random.below(30_000);
        let owner = self.owners[side].get_mut(&id).unwrap();
        let machine = &mut self.machines[side];
        if let Some(lent) = owner.lent.pop() {
            machine.consumed(id, lent);
        }
        if owner.stalled || !owner.can_read || owner.finished_reading || owner.ended.is_some() {
            return;
        }
        match machine.take(id, limit) {
            Ok(Taken::Bytes(bytes)) => {
                let wanted = expected(id, 1 - side, owner.read, bytes.len());
                assert!(bytes == wanted, "wrong bytes on {id} at {}", owner.read);
                owner.read += bytes.len();
                owner.lent.push(bytes.len());
            }
            Ok(Taken::Nothing) => owner.can_read = false,
            Ok(Taken::Finished) => {
                owner.finished_reading = true;
                assert_eq!(Some(&owner.read), self.sent.get(&(id, 1 - side)), "bytes are missing");
                self.let_go_if_done(side, id);
            }
            Err(error) => {
                owner.ended = Some(error);
                self.let_go(side, id);
            }
        }
    }

    fn rarely(&mut self, side: usize) {
        if self.random.one_in(3) {
            self.machines[side].grant_owed();
        }
        let Some(id) = self.pick(side) else { return };
        if self.random.one_in(20) {
            self.owners[side].get_mut(&id).unwrap().stalled = false;
        }
        if self.random.one_in(200) {
            self.resets += 1;
            self.machines[side].reset(id, ResetReason::ConnectionReset);
            self.hear(side);
            self.let_go(side, id);
        } else if self.random.one_in(200) {
            self.resets += 1;
            self.let_go(side, id);
        }
    }

    fn let_go_if_done(&mut self, side: usize, id: ChannelId) {
        let owner = &self.owners[side][&id];
        if owner.finished_reading && owner.finished_writing {
            self.let_go(side, id);
        }
    }

    fn let_go(&mut self, side: usize, id: ChannelId) {
        let owner = self.owners[side].remove(&id).unwrap();
        for lent in owner.lent {
            self.machines[side].consumed(id, lent);
        }
        self.machines[side].release(id);
        self.hear(side);
    }

    fn check(&self) {
        for machine in &self.machines {
            let channels = machine.channel_count();
            assert!(channels <= self.limits.channels);
            let bound = self.limits.receive_budget + channels * EAGER_CREDIT as usize;
            let Memory { unread, promised, queued: counted } = machine.memory();
            assert!(promised <= bound as u64, "more is allowed than there is room");
            let waiting: usize = machine.channels.values().map(|one| one.incoming.len()).sum();
            assert!(unread >= waiting as u64 && unread <= promised);
            let queued: usize = machine.channels.values().map(|one| one.outgoing.len()).sum();
            assert_eq!(queued, counted);
            let bound = self.limits.send_budget + SEND_QUEUE + channels * SEND_QUEUE_LEAST;
            assert!(queued <= bound, "more waits to leave than there is room");
        }
    }

    fn is_quiet(&self) -> bool {
        self.opens_left == 0
            && self.owners.iter().all(BTreeMap::is_empty)
            && self.wires.iter().all(VecDeque::is_empty)
            && !self.machines.iter().any(Machine::has_frames)
    }
}

const SEEDS: u64 = 800;
const MOST_STEPS: usize = 400_000;

#[test]
fn two_machines_deliver_every_stream_exactly_for_every_seed() {
    let (mut resets, mut refusals, mut bytes) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let mut steps = 0;
        while world.step() {
            steps += 1;
            assert!(steps < MOST_STEPS, "seed {seed} hangs: {:?}", world.machines);
        }
        for machine in &world.machines {
            assert_eq!(machine.channel_count(), 0, "seed {seed} leaves channels");
            assert_eq!(machine.memory(), Memory::default(), "seed {seed}");
        }
        resets += world.resets;
        refusals += world.refusals;
        bytes += world.machines[0].stats().bytes_received;
    }
    assert!(resets > 100 && refusals > 100 && bytes > 10_000_000, "{resets} {refusals} {bytes}");
}

/// A peer that sends whatever it likes.
fn any_frame() -> impl Strategy<Value = Frame> {
    let channel = (0u32..12).prop_map(ChannelId);
    let length = prop_oneof![1usize..100, 1usize..=MAX_DATA];
    prop_oneof![
        (channel.clone(), any::<u32>()).prop_map(|(channel, credit)| Frame::Open {
            channel,
            key: key(),
            credit
        }),
        (channel.clone(), any::<u32>())
            .prop_map(|(channel, credit)| Frame::Opened { channel, credit }),
        (channel.clone(), any::<u16>()).prop_map(|(channel, code)| Frame::Refused {
            channel,
            refusal: Refusal::new(RefusalCode::from_code(code), "")
        }),
        (channel.clone(), length)
            .prop_map(|(channel, length)| Frame::Data { channel, payload: vec![0; length].into() }),
        (channel.clone(), 1u32..).prop_map(|(channel, bytes)| Frame::Credit { channel, bytes }),
        channel.clone().prop_map(|channel| Frame::Finish { channel }),
        (channel, any::<u16>()).prop_map(|(channel, code)| Frame::Reset {
            channel,
            reason: ResetReason::from_code(code)
        }),
        any::<u16>().prop_map(|code| Frame::GoAway(GoAway::new(GoAwayCode::from_code(code), ""))),
    ]
}

proptest! {
    #[test]
    fn whatever_a_peer_sends_is_bounded_and_never_panics(
        frames in proptest::collection::vec((any_frame(), 0u8..8), 1..200),
    ) {
        let limits = Limits { channels: 4, receive_budget: 64 * 1024, send_budget: 64 * 1024 };
        let mut machine = Machine::new(Side::Dialled, limits);
        for (frame, deed) in frames {
            // The link would end at a violation; that the machine stands it anyway is the point.
            let _ = machine.handle(frame);
            while let Some(event) = machine.poll_event() {
                if let Event::Offered { channel, .. } = event {
                    machine.accept(channel);
                    let _ = machine.send(channel, vec![1; 100].into());
                }
            }
            let ids: Vec<_> = machine.channels.keys().copied().collect();
            match (deed, ids.first()) {
                (0, _) => drop(machine.open(key())),
                (1, Some(id)) => machine.release(*id),
                (2, Some(id)) => drop(machine.finish(*id)),
                (3, Some(id)) => {
                    if let Ok(Taken::Bytes(bytes)) = machine.take(*id, 1000) {
                        machine.consumed(*id, bytes.len());
                    }
                }
                (4, _) => while machine.poll_frame().is_some() {},
                _ => {}
            }
            let bound = 64 * 1024 + u64::from(EAGER_CREDIT) * machine.channel_count() as u64;
            prop_assert!(machine.memory().promised <= bound);
            prop_assert!(machine.channel_count() <= 4);
        }
    }
}

fn pair() -> (Machine, Machine) {
    let limits = Limits::default();
    (Machine::new(Side::Dialled, limits), Machine::new(Side::Listened, limits))
}

/// Delivers everything in both directions until both are quiet.
fn settle(one: &mut Machine, other: &mut Machine) {
    loop {
        if let Some(frame) = one.poll_frame() {
            other.handle(frame).unwrap();
        } else if let Some(frame) = other.poll_frame() {
            one.handle(frame).unwrap();
        } else {
            return;
        }
    }
}

fn key() -> ServiceKey {
    ServiceKey::new(&b"ssh"[..]).unwrap()
}

fn opened(board: &mut Machine, cloud: &mut Machine) -> ChannelId {
    let id = cloud.open(key()).unwrap();
    settle(cloud, board);
    board.accept(id);
    settle(cloud, board);
    while board.poll_event().is_some() || cloud.poll_event().is_some() {}
    id
}

#[test]
fn first_words_leave_right_behind_the_open() {
    let (mut board, mut cloud) = pair();
    let id = cloud.open(key()).unwrap();
    assert_eq!(cloud.room(id), Ok(EAGER_CREDIT as usize));
    cloud.send(id, Bytes::from_static(b"hello")).unwrap();
    cloud.finish(id).unwrap();
    settle(&mut cloud, &mut board);
    assert_eq!(board.poll_event(), Some(Event::Offered { channel: id, key: key() }));
    board.accept(id);
    assert_eq!(board.take(id, 100), Ok(Taken::Bytes(Bytes::from_static(b"hello"))));
    assert_eq!(board.take(id, 100), Ok(Taken::Finished));
}

#[test]
fn an_owner_that_lets_go_after_both_finished_still_delivers_what_it_wrote() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    cloud.finish(id).unwrap();
    settle(&mut cloud, &mut board);
    assert_eq!(board.take(id, 100), Ok(Taken::Finished));
    board.send(id, Bytes::from(vec![1; 20_000])).unwrap();
    board.finish(id).unwrap();
    board.release(id);
    settle(&mut cloud, &mut board);
    assert_eq!(cloud.take(id, 20_000), Ok(Taken::Bytes(vec![1; 20_000].into())));
    assert_eq!(cloud.take(id, 100), Ok(Taken::Finished));
    assert_eq!(board.channel_count(), 0);
}

#[test]
fn data_beyond_the_credit_ends_the_link() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    let payload = Bytes::from(vec![0; MAX_DATA]);
    let overrun = board.handle(Frame::Data { channel: id, payload });
    assert_eq!(overrun, Err(Violation::CreditOverrun));
}

#[test]
fn data_after_finish_ends_the_link() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    board.handle(Frame::Finish { channel: id }).unwrap();
    let data = Frame::Data { channel: id, payload: Bytes::from_static(b"x") };
    assert_eq!(board.handle(data), Err(Violation::AfterFinish));
    assert_eq!(board.handle(Frame::Finish { channel: id }), Err(Violation::AfterFinish));
}

#[test]
fn frames_for_channels_that_never_were_end_the_link() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    let data =
        |number| Frame::Data { channel: ChannelId(number), payload: Bytes::from_static(b"x") };
    assert_eq!(board.handle(data(id.0 + 2)), Err(Violation::UnknownChannel));
    assert_eq!(board.handle(data(1)), Err(Violation::UnknownChannel));
}

#[test]
fn frames_that_crossed_a_reset_are_dropped() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    board.reset(id, ResetReason::ConnectionReset);
    for frame in [
        Frame::Data { channel: id, payload: Bytes::from_static(b"x") },
        Frame::Credit { channel: id, bytes: 1 },
        Frame::Finish { channel: id },
        Frame::Reset { channel: id, reason: ResetReason::Failed },
    ] {
        board.handle(frame.clone()).unwrap();
        board.release(id);
        board.handle(frame).unwrap();
    }
}

#[test]
fn numbers_in_use_or_of_the_wrong_side_may_not_be_opened() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    for channel in [id, ChannelId(1)] {
        let open = Frame::Open { channel, key: key(), credit: 1 };
        assert_eq!(board.handle(open), Err(Violation::NumberTaken));
    }
}

#[test]
fn more_channels_than_allowed_are_refused() {
    let limits = Limits { channels: 2, ..Limits::default() };
    let mut board = Machine::new(Side::Dialled, limits);
    let mut cloud = Machine::new(Side::Listened, Limits::default());
    let ids: Vec<_> = (0..3).map(|_| cloud.open(key()).unwrap()).collect();
    settle(&mut cloud, &mut board);
    let refusal = Refusal::new(RefusalCode::Exhausted, "");
    assert_eq!(cloud.answered(ids[2]), Err(ChannelError::Refused(refusal)));
    assert_eq!(board.channel_count(), 2);
}

#[test]
fn a_link_that_goes_away_takes_no_new_channels_but_finishes_the_old() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    board.go_away(GoAway::new(GoAwayCode::Shutdown, ""));
    let late = cloud.open(key()).unwrap();
    settle(&mut cloud, &mut board);
    let refusal = Refusal::new(RefusalCode::GoingAway, "");
    assert_eq!(cloud.answered(late), Err(ChannelError::Refused(refusal)));
    assert_eq!(cloud.open(key()), Err(OpenError::GoingAway));
    cloud.send(id, Bytes::from_static(b"still")).unwrap();
    settle(&mut cloud, &mut board);
    assert_eq!(board.take(id, 100), Ok(Taken::Bytes(Bytes::from_static(b"still"))));
}

#[test]
fn a_peer_that_asks_without_reading_answers_is_cut_off() {
    let limits = Limits { channels: 1, ..Limits::default() };
    let mut board = Machine::new(Side::Dialled, limits);
    let flood = (1..5000u32)
        .map(|number| Frame::Open { channel: ChannelId(2 * number), key: key(), credit: 0 })
        .find_map(|frame| board.handle(frame).err());
    assert_eq!(flood, Some(Violation::Flood));
}

#[test]
fn a_small_message_overtakes_the_bulk_of_another_channel() {
    let (mut board, mut cloud) = pair();
    let bulk = opened(&mut board, &mut cloud);
    let small = opened(&mut board, &mut cloud);
    let room = board.room(bulk).unwrap();
    board.send(bulk, vec![0; room].into()).unwrap();
    assert!(matches!(board.poll_frame(), Some(Frame::Data { channel, .. }) if channel == bulk));
    board.send(bulk, Bytes::from(vec![0; 0])).unwrap();
    board.send(small, Bytes::from_static(b"key")).unwrap();
    let next = board.poll_frame();
    assert_eq!(next, Some(Frame::Data { channel: small, payload: Bytes::from_static(b"key") }));
}

#[test]
fn a_lost_link_resets_every_channel() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    assert_eq!(cloud.take(id, 1), Ok(Taken::Nothing));
    cloud.abandon();
    assert_eq!(cloud.poll_event(), Some(Event::Readable(id)));
    assert_eq!(cloud.take(id, 1), Err(ChannelError::Reset(ResetReason::LinkLost)));
    assert_eq!(cloud.memory(), Memory::default());
}

#[test]
fn little_reading_is_told_when_asked_for() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    cloud.send(id, Bytes::from_static(b"x")).unwrap();
    settle(&mut cloud, &mut board);
    assert!(matches!(board.take(id, 10), Ok(Taken::Bytes(_))));
    board.consumed(id, 1);
    assert!(board.owes_credit() && !board.has_frames());
    board.grant_owed();
    assert_eq!(board.poll_frame(), Some(Frame::Credit { channel: id, bytes: 1 }));
}
