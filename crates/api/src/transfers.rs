//! Transfers: boards on their way from one project to another.

use model::{BoardId, Name, ProjectId, Timestamp, TransferId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Path of the collection.
pub const PATH: &str = "/v2/transfers";

/// To whom a board is given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTransfer)]
pub struct New {
    /// The receiving project's id.
    pub project: ProjectId,
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transfer {
    /// Id; none when the board was given at once.
    pub id: Option<TransferId>,
    /// The board.
    pub board: BoardId,
    /// Its name.
    pub board_name: Name,
    /// The project that has, or had, it.
    pub from: ProjectId,
    /// That project's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// The project that gets it.
    pub to: ProjectId,
    /// That project's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_name: Option<String>,
    /// Who offered it.
    pub offered_by: UserId,
    /// That person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_by_name: Option<String>,
    /// When.
    pub offered_at: Timestamp,
    /// Until when it can be accepted; none when the board was given at once.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub state: State,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TransferState)]
pub enum State {
    /// An administrator of the receiving project may accept it.
    Offered,
    /// The board is in the receiving project.
    Done,
}
