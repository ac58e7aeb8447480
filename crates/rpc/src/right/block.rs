//! The blocks of a right, and their bytes.
//!
//! First block: board (16), seconds since 2020 (4), life in seconds (2), epoch (4), depth (1), acts (2), thing (1 or 17), and the
//! holder's name to the end. Further blocks: a byte that says which of acts (2), beginning (2), end (2), depth (1) and
//! thing (1 or 17) follow; times are seconds after the first block's. Numbers are big-endian.
//! Invariant: what is read is written back as the same bytes, so that no two texts are one right.

use super::act::{Acts, Thing};
use super::{MAX_HOLDER, MAX_HOPS, MAX_LIFE, Refusal};
use model::{BoardId, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// 2020-01-01T00:00:00Z in seconds.
const ERA: i64 = 1_577_836_800;
const MICROS: i64 = 1_000_000;

/// What the cloud gives out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The one board that honours it.
    pub board: BoardId,
    /// Who was given it, for the board's log; at most [`MAX_HOLDER`] bytes.
    pub holder: String,
    /// When; whole seconds.
    pub issued_at: Timestamp,
    /// How long it is good; whole seconds, [`MAX_LIFE`] at most.
    pub life: Duration,
    /// The board's epoch at that time.
    pub epoch: u32,
    /// How often it may be passed on narrowed; [`MAX_HOPS`] at most.
    pub depth: u8,
    /// What may be done.
    pub acts: Acts,
    /// With what.
    pub thing: Thing,
}

/// What a block takes away; what is none stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// Only these acts.
    pub acts: Option<Acts>,
    /// Not before; seconds after it was given out.
    pub from_s: Option<u16>,
    /// Not at or after; seconds after it was given out.
    pub until_s: Option<u16>,
    /// How often it may still be passed on after this.
    pub depth: Option<u8>,
    /// Only with this.
    pub thing: Option<Thing>,
}

impl Grant {
    pub(super) fn encode(&self) -> Vec<u8> {
        let seconds = self.issued_at.micros().div_euclid(MICROS).saturating_sub(ERA);
        let issued = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        let life = u16::try_from(self.life.min(MAX_LIFE).as_secs()).unwrap_or(u16::MAX);
        let hops = u8::try_from(MAX_HOPS).unwrap_or(u8::MAX);
        let mut bytes = Vec::with_capacity(32 + self.holder.len());
        bytes.extend(self.board.uuid().as_bytes());
        bytes.extend(issued.to_be_bytes());
        bytes.extend(life.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.push(self.depth.min(hops));
        bytes.extend(self.acts.bits().to_be_bytes());
        write_thing(&mut bytes, self.thing);
        let mut holder = self.holder.as_str();
        while holder.len() > MAX_HOLDER {
            let end = holder.char_indices().next_back().map_or(0, |(at, _)| at);
            holder = holder.get(..end).unwrap_or_default();
        }
        bytes.extend(holder.as_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut rest = Reader(bytes);
        let board = BoardId::from(Uuid::from_bytes(rest.take()?));
        let seconds = i64::from(u32::from_be_bytes(rest.take()?)).saturating_add(ERA);
        let life = u16::from_be_bytes(rest.take()?);
        let epoch = u32::from_be_bytes(rest.take()?);
        let [depth] = rest.take()?;
        let acts = Acts::from_bits(u16::from_be_bytes(rest.take()?));
        let thing = rest.thing()?;
        if rest.0.len() > MAX_HOLDER || usize::from(depth) > MAX_HOPS {
            return Err(Refusal::Malformed("it is out of bounds"));
        }
        let holder = std::str::from_utf8(rest.0).map_err(|_| CUT)?.to_owned();
        Ok(Self {
            board,
            holder,
            issued_at: Timestamp::from_micros(seconds.saturating_mul(MICROS)),
            life: Duration::from_secs(life.into()).min(MAX_LIFE),
            epoch,
            depth,
            acts,
            thing,
        })
    }
}

const ACTS: u8 = 1;
const FROM: u8 = 2;
const UNTIL: u8 = 4;
const DEPTH: u8 = 8;
const THING: u8 = 16;
const CUT: Refusal = Refusal::Malformed("it is cut or altered");

impl Narrowing {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        let mut says = 0;
        if let Some(acts) = self.acts {
            says |= ACTS;
            bytes.extend(acts.bits().to_be_bytes());
        }
        for (flag, value) in [(FROM, self.from_s), (UNTIL, self.until_s)] {
            if let Some(seconds) = value {
                says |= flag;
                bytes.extend(seconds.to_be_bytes());
            }
        }
        if let Some(depth) = self.depth {
            says |= DEPTH;
            bytes.push(depth);
        }
        if let Some(thing) = self.thing {
            says |= THING;
            write_thing(&mut bytes, thing);
        }
        if let Some(first) = bytes.first_mut() {
            *first = says;
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut rest = Reader(bytes);
        let [says] = rest.take()?;
        if says & !(ACTS | FROM | UNTIL | DEPTH | THING) != 0 {
            // A limit that is not understood must not be passed over.
            return Err(Refusal::Malformed("a newer program narrowed it; update this one"));
        }
        let has = |flag: u8| says & flag != 0;
        let mut number = |flag| -> Result<Option<u16>, Refusal> {
            if has(flag) { Ok(Some(u16::from_be_bytes(rest.take()?))) } else { Ok(None) }
        };
        let (acts, from_s, until_s) = (number(ACTS)?, number(FROM)?, number(UNTIL)?);
        let depth = if has(DEPTH) { Some(rest.take::<1>()?) } else { None };
        let thing = if has(THING) { Some(rest.thing()?) } else { None };
        if !rest.0.is_empty() {
            return Err(CUT);
        }
        let depth = depth.map(|[depth]| depth);
        Ok(Self { acts: acts.map(Acts::from_bits), from_s, until_s, depth, thing })
    }
}

fn write_thing(bytes: &mut Vec<u8>, thing: Thing) {
    match thing {
        Thing::Board => bytes.push(0),
        Thing::Plugin(plugin) => {
            bytes.push(1);
            bytes.extend(plugin.uuid().as_bytes());
        }
    }
}

/// What is left to read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(CUT)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(head)
    }

    fn thing(&mut self) -> Result<Thing, Refusal> {
        match self.take()? {
            [0] => Ok(Thing::Board),
            [1] => Ok(Thing::Plugin(Uuid::from_bytes(self.take()?).into())),
            _ => Err(Refusal::Malformed("it is for something that this version does not know")),
        }
    }
}
