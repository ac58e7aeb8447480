//! Contributions: what is given of a board to others; and offers, which is how those who may book see them.

use model::board::Position;
use model::contribution::{Caps, Hours, RawHours};
use model::delegation::Rights;
use model::{BoardId, Name, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What is to be given of a board.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = NewContribution)]
pub struct New {
    /// When; without them always.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RawHours>)]
    pub hours: Option<Hours>,
    /// What the code that a borrower brings may use.
    pub caps: Caps,
    /// To whom without asking; without it to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offering>,
}

/// Who may book the board, and for what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Offering {
    /// What may be done: names of actions, `read`, `write`, `NOUN:all`, `all:VERB`.
    pub rights: Vec<String>,
    /// People of these projects, by id; empty: whoever signs in to any.
    #[serde(default)]
    pub projects: Vec<ProjectId>,
    /// Hours of one booking at most.
    pub max_hours: u32,
}

/// What is given of a board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contribution {
    /// The board.
    pub board: BoardId,
    /// What is given.
    #[serde(flatten)]
    pub said: model::contribution::Contribution,
    /// Who said so; none when nothing was said, and the board is bound by its delegations alone.
    pub by: Option<UserId>,
    /// When.
    pub updated_at: Option<Timestamp>,
}

/// A board that the caller may book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// The board.
    pub board: BoardId,
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub position: Option<Position>,
    /// Metres from the place that was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
    /// Its sensors.
    pub sensors: BTreeSet<String>,
    /// What may be done with it.
    pub rights: Rights,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RawHours>)]
    pub hours: Option<Hours>,
    /// Hours of one booking at most.
    pub max_hours: u32,
}
