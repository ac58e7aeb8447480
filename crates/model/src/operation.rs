//! Operations: what was asked of a board, and what became of it.
//!
//! A command is a row first and a message second. Its states:
//! `pending` (waits for the board) → `running` (sent) → `succeeded` | `failed` | `unknown`;
//! `pending` → `cancelled` | `expired`. `running` goes back to nowhere: after a lost connection the same operation id is
//! sent again and the board's journal answers.

use crate::{Invalid, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Stored; waits for the board until its deadline.
    Pending,
    /// Sent to the board at least once; its answer is awaited.
    Running,
    /// The board did it.
    Succeeded,
    /// The board refused it or could not do it.
    Failed,
    /// Withdrawn before the board got it, or stopped on the board.
    Cancelled,
    /// The deadline passed before the board could be told.
    Expired,
    /// The board died while at it: nobody can say whether it was done.
    Unknown,
}

/// What happens to an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It goes out to the board (again, after a lost connection).
    Sent,
    /// The board answered.
    Answered(Outcome),
    /// Somebody withdrew it.
    Cancelled,
    /// Its deadline passed.
    DeadlinePassed,
}

/// What a board answered in the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done, with a value.
    Done(Value),
    /// Not done; the fault says why.
    Failed(Fault),
    /// Stopped on request.
    Cancelled,
    /// The board began it and cannot say how it ended.
    Unknown,
}

/// Why a board did not do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What sort of failure.
    pub kind: Kind,
    /// What was wrong and how to mend it.
    pub message: String,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Self::new(Kind::Invalid, invalid.0)
    }
}

impl State {
    /// The next state.
    ///
    /// # Errors
    /// The move is not legal: the operation has ended, or is on the board already.
    pub fn next(self, event: &Event) -> Result<Self, Invalid> {
        use State as S;
        match (self, event) {
            (S::Pending | S::Running, Event::Sent) => Ok(S::Running),
            (S::Running, Event::Answered(outcome)) => Ok(outcome.state()),
            (S::Pending, Event::Cancelled) => Ok(S::Cancelled),
            (S::Pending, Event::DeadlinePassed) => Ok(S::Expired),
            // Past the deadline nobody asks the board any more, and what it did stays undecidable.
            (S::Running, Event::DeadlinePassed) => Ok(S::Unknown),
            (S::Running, Event::Cancelled) => Err(Invalid::new(
                "the operation is on the board already; the board was asked to stop it",
            )),
            (S::Pending, Event::Answered(_)) => Err(Invalid::new("the operation was never sent")),
            (S::Succeeded | S::Failed | S::Cancelled | S::Expired | S::Unknown, _) => {
                Err(Invalid::new(format!("the operation has ended: {}", self.word())))
            }
        }
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn has_ended(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired | Self::Unknown => {
                true
            }
        }
    }

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome {
    /// The state this outcome leads to.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Done(_) => State::Succeeded,
            Self::Failed(_) => State::Failed,
            Self::Cancelled => State::Cancelled,
            Self::Unknown => State::Unknown,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for State {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        use State as S;
        [S::Pending, S::Running, S::Succeeded, S::Failed, S::Cancelled, S::Expired, S::Unknown]
            .into_iter()
            .find(|state| state.word() == text)
            .ok_or_else(|| Invalid::new(format!("{text:?} is not an operation state")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_operation_never_moves_again() {
        let done = Event::Answered(Outcome::Done(Value::Null));
        let ended = State::Pending.next(&Event::Sent).unwrap().next(&done).unwrap();
        for event in [Event::Sent, done, Event::Cancelled, Event::DeadlinePassed] {
            assert!(ended.next(&event).is_err(), "{event:?}");
        }
    }

    #[test]
    fn a_running_operation_past_its_deadline_is_unknown_and_a_pending_one_expired() {
        assert_eq!(State::Running.next(&Event::DeadlinePassed), Ok(State::Unknown));
        assert_eq!(State::Pending.next(&Event::DeadlinePassed), Ok(State::Expired));
    }
}
