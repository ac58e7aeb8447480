//! Two machines over a virtual network, driven by a seed, checked against what was written.
//! Some networks are slow, some pass frames of different channels out of turn, some are cut in the middle.
//! Invariant under test: every stream arrives exactly or its channel is reset; credit and memory hold
//! at every step; an owner that only acts on events never hangs; in the end nothing is left.
//! Not here: sockets and time (`tests/`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use super::*;
use crate::reason::RefusalCode;

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
    ((u64::from(id.0) * 7919 + writer as u64 * 104_729) % TABLE_LENGTH as u64) as usize
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

/// What a network does to messages.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// Steps that each message is under way at least.
    delay: usize,
    order: Order,
    /// The step at which the connection is gone.
    cut_at: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Kept,
    /// Only within each channel.
    OfChannels,
}

impl Network {
    fn any(random: &mut Random) -> Self {
        let delay = [0, 0, 20, 300][random.below(4)];
        let order = if random.one_in(4) { Order::OfChannels } else { Order::Kept };
        let cut_at = random.one_in(5).then(|| random.below(6_000));
        Self { delay, order, cut_at }
    }
}

struct World {
    random: Random,
    limits: Limits,
    machines: [Machine; 2],
    /// Messages under way, with the step at which each arrives.
    wires: [VecDeque<(usize, Bytes)>; 2],
    network: Network,
    now: usize,
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
        let opens_left = 4 + random.below(24);
        Self {
            machines: [machine(Side::Dialled), machine(Side::Listened)],
            wires: Default::default(),
            network: Network::any(&mut random),
            now: 0,
            owners: Default::default(),
            sent: BTreeMap::new(),
            resets: 0,
            refusals: 0,
            opens_left,
            random,
            limits,
        }
    }

    fn step(&mut self) -> bool {
        self.now += 1;
        if self.network.cut_at == Some(self.now) {
            self.cut();
        }
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

    /// Both ends find the connection gone; what was under way is lost.
    fn cut(&mut self) {
        self.opens_left = 0;
        for side in [0, 1] {
            self.machines[side].abandon();
            self.wires[side].clear();
            self.hear(side);
        }
    }

    /// The next message for a side that has arrived.
    fn arrived(&mut self, side: usize) -> Option<Bytes> {
        let wire = &mut self.wires[1 - side];
        let here = wire.iter().take_while(|(at, _)| *at <= self.now).count();
        if here == 0 {
            return None;
        }
        let any = if self.network.order == Order::Kept { 0 } else { self.random.below(here) };
        let channel = |(_, message): &(usize, Bytes)| message.slice(1..5);
        let wanted = channel(&wire[any]);
        let first = wire.iter().position(|one| channel(one) == wanted)?;
        wire.remove(first).map(|(_, message)| message)
    }

    /// Moves frames out of a machine onto its wire; the wire goes to the other side.
    fn emit(&mut self, side: usize) {
        for _ in 0..=self.random.below(6) {
            let Some(frame) = self.machines[side].poll_frame() else { break };
            let at = self.now + self.network.delay;
            self.wires[side].push_back((at, frame.to_message()));
        }
        self.hear(side);
    }

    fn deliver(&mut self, side: usize) {
        for _ in 0..=self.random.below(6) {
            let Some(message) = self.arrived(side) else { break };
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

/// Networks of an ordinary test run; `cargo xtask soak` takes more.
const SEEDS: u64 = 800;
const MOST_STEPS: usize = 400_000;

#[test]
fn two_machines_deliver_every_stream_exactly_for_every_seed() {
    let (mut resets, mut refusals, mut bytes, mut cuts) = (0, 0, 0, 0);
    let more = std::env::var("S4T_SOAK_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..more.unwrap_or(SEEDS) {
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
        cuts += u64::from(world.network.cut_at.is_some_and(|at| at <= world.now));
        bytes += world.machines[0].stats().bytes_received;
    }
    let well_mixed = resets > 100 && refusals > 100 && bytes > 10_000_000 && cuts > 50;
    assert!(well_mixed, "{resets} {refusals} {bytes} {cuts}");
}
