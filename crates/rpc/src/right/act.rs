//! What a right lets do, and with what.
//!
//! Invariant: a bit that this version does not know allows nothing.

use model::{Invalid, PluginId};
use std::fmt;
use std::str::FromStr;

/// One thing that a board does for whoever is near it, each with the cloud's action that it is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// See which plugins there are and what they do.
    Status,
    /// Read what a plugin printed.
    Logs,
    /// Call a synchronous plugin.
    Call,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Status, Self::Logs, Self::Call];

    fn bit(self) -> u16 {
        match self {
            Self::Status => 1,
            Self::Logs => 2,
            Self::Call => 4,
        }
    }

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Logs => "logs",
            Self::Call => "call",
        }
    }

    /// The cloud's action: who may do it there may have it as a right.
    #[must_use]
    pub fn action(self) -> model::access::Action {
        use model::access::Action;
        match self {
            Self::Status => Action::read("plugin_on_board:get_one"),
            Self::Logs => Action::read("plugin_action:logs"),
            Self::Call => Action::write("plugin_action:call"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Act {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|act| act.word() == text).ok_or_else(|| {
            Invalid::new(format!("{text:?} cannot be had as a right: status, logs or call"))
        })
    }
}

/// A set of [`Act`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Acts(u16);

impl Acts {
    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    /// Whether it is among them.
    #[must_use]
    pub fn contains(self, act: Act) -> bool {
        self.0 & act.bit() != 0
    }

    /// Those in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that this version knows, in order.
    pub fn iter(self) -> impl Iterator<Item = Act> {
        Act::ALL.into_iter().filter(move |act| self.contains(*act))
    }
}

impl FromIterator<Act> for Acts {
    fn from_iter<I: IntoIterator<Item = Act>>(acts: I) -> Self {
        Self(acts.into_iter().fold(0, |bits, act| bits | act.bit()))
    }
}

/// With what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// Everything on the board.
    Board,
    /// One plugin.
    Plugin(PluginId),
}

impl Thing {
    /// What is left when both must hold; none when nothing is.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Board, thing) | (thing, Self::Board) => Some(thing),
            (Self::Plugin(a), Self::Plugin(b)) => (a == b).then_some(self),
        }
    }

    /// Whether the plugin is within.
    #[must_use]
    pub fn covers(self, plugin: PluginId) -> bool {
        self == Self::Board || self == Self::Plugin(plugin)
    }
}
