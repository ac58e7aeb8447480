//! Shared registrations: which of several callees gets a call (specification, shared registration).
//!
//! Deliberately not here: the callees' loads, which the dealer knows.

use serde_json::Value;

use crate::Dict;

/// How calls are spread over the callees of one registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// One callee, no sharing.
    Single,
    /// The one that registered first.
    First,
    /// The one that registered last.
    Last,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// The one with the fewest open invocations.
    Load,
}

impl Sharing {
    const ALL: [Self; 6] =
        [Self::Single, Self::First, Self::Last, Self::RoundRobin, Self::Random, Self::Load];

    /// What the options of a REGISTER ask for; `None` for a word nobody defined.
    pub(super) fn from_options(options: &Dict) -> Option<Self> {
        match options.get("invoke") {
            None | Some(Value::Null) => Some(Self::Single),
            Some(word) => Self::ALL.into_iter().find(|rule| word == rule.as_str()),
        }
    }

    /// The word of the protocol.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::First => "first",
            Self::Last => "last",
            Self::RoundRobin => "roundrobin",
            Self::Random => "random",
            Self::Load => "load",
        }
    }
}

/// One of the sessions that answer a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Callee {
    pub(super) session: u64,
    /// It asked to be told who calls.
    pub(super) wants_caller: bool,
}

/// The callees of one registration, in the order in which they came. Never empty while the registration stands.
#[derive(Debug)]
pub(super) struct Callees {
    list: Vec<Callee>,
    turn: usize,
}

impl Callees {
    pub(super) fn one(first: Callee) -> Self {
        Self { list: vec![first], turn: 0 }
    }

    pub(super) fn push(&mut self, callee: Callee) {
        self.list.push(callee);
    }

    pub(super) fn has(&self, session: u64) -> bool {
        self.list.iter().any(|callee| callee.session == session)
    }

    /// Takes a session out, keeping whose turn it is; gives back whether it was in.
    pub(super) fn remove(&mut self, session: u64) -> bool {
        let Some(at) = self.list.iter().position(|callee| callee.session == session) else {
            return false;
        };
        self.list.remove(at);
        if at < self.turn {
            self.turn -= 1;
        }
        true
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = u64> {
        self.list.iter().map(|callee| callee.session)
    }

    /// The one whose call it is; `random` and `load` are asked only where the rule needs them.
    pub(super) fn choose(
        &mut self,
        rule: Sharing,
        random: impl FnOnce() -> u64,
        load: impl Fn(u64) -> usize,
    ) -> Option<Callee> {
        match rule {
            Sharing::Single | Sharing::First => self.list.first(),
            Sharing::Last => self.list.last(),
            Sharing::RoundRobin => {
                let at = if self.turn < self.list.len() { self.turn } else { 0 };
                self.turn = at + 1;
                self.list.get(at)
            }
            Sharing::Random => {
                let count = self.list.len().max(1) as u64;
                self.list.get((random() % count) as usize)
            }
            Sharing::Load => self.list.iter().min_by_key(|callee| load(callee.session)),
        }
        .copied()
    }
}
