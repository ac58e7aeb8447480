//! Delegation: what the holder of a thing lets somebody else do with it, from when to when, and how far it may be passed on.
//!
//! Invariants: rights, time, things and depth only shrink from a delegation to those below it; a delegation is worth
//! something only while each one above it is. What a project's own people may do comes from their roles (`access`) and needs
//! none. Deliberately not here: who may make the first one of a chain, and where they are kept.

use crate::contribution::Hours;
use crate::{
    BoardId, DelegationId, FleetId, Invalid, PluginId, ProjectId, ServiceId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// How often one may pass a thing on at most.
pub const MAX_DEPTH: u8 = 8;
/// Most rights of one delegation.
pub const MAX_RIGHTS: usize = 256;

/// A thing that can be delegated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Everything in a project.
    Project(ProjectId),
    /// A fleet and the boards that are in it at the moment.
    Fleet(FleetId),
    /// One board.
    Board(BoardId),
    /// One plugin, wherever it is.
    Plugin(PluginId),
    /// One service, on whatever board of its project.
    Service(ServiceId),
    /// One plugin or service, on one board alone.
    OnBoard(Part, BoardId),
}

/// A thing that boards have and that can be delegated without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A plugin.
    Plugin(PluginId),
    /// A service.
    Service(ServiceId),
}

impl From<Part> for Resource {
    fn from(part: Part) -> Self {
        match part {
            Part::Plugin(id) => Self::Plugin(id),
            Part::Service(id) => Self::Service(id),
        }
    }
}

impl Resource {
    /// The noun.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Project(_) => "project",
            Self::Fleet(_) => "fleet",
            Self::Board(_) => "board",
            Self::Plugin(_) | Self::OnBoard(Part::Plugin(_), _) => "plugin",
            Self::Service(_) | Self::OnBoard(Part::Service(_), _) => "service",
        }
    }

    /// The id alone; `PLUGIN@BOARD` of a part of one board.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Project(id) => id.to_string(),
            Self::Fleet(id) => id.to_string(),
            Self::Board(id) => id.to_string(),
            Self::Plugin(id) => id.to_string(),
            Self::Service(id) => id.to_string(),
            Self::OnBoard(Part::Plugin(id), board) => format!("{id}@{board}"),
            Self::OnBoard(Part::Service(id), board) => format!("{id}@{board}"),
        }
    }

    /// Whether who has this has `target` too.
    #[must_use]
    pub fn covers(&self, target: &Target) -> bool {
        match self {
            Self::Project(project) => *project == target.project,
            Self::Fleet(fleet) => target.fleets.contains(fleet) || *self == target.resource,
            Self::Board(_) => *self == target.resource,
            Self::Plugin(_) | Self::Service(_) => {
                *self == target.resource || target.part.is_some_and(|part| *self == part.into())
            }
            Self::OnBoard(part, board) => {
                target.part == Some(*part) && target.resource == Self::Board(*board)
            }
        }
    }
}

/// `board:ID`, `service:ID@ID`
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.noun(), self.id())
    }
}

impl FromStr for Resource {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let unreadable = || {
            Invalid::new(format!(
                "{text:?} is no thing to delegate: expected NOUN:ID with project, fleet, board, plugin or service, or plugin:ID@BOARD"
            ))
        };
        let (noun, id) = text.split_once(':').ok_or_else(unreadable)?;
        if let Some((id, board)) = id.split_once('@') {
            let part = match noun {
                "plugin" => Part::Plugin(id.parse()?),
                "service" => Part::Service(id.parse()?),
                _ => return Err(unreadable()),
            };
            return Ok(Self::OnBoard(part, board.parse()?));
        }
        match noun {
            "project" => id.parse().map(Self::Project),
            "fleet" => id.parse().map(Self::Fleet),
            "board" => id.parse().map(Self::Board),
            "plugin" => id.parse().map(Self::Plugin),
            "service" => id.parse().map(Self::Service),
            _ => Err(unreadable()),
        }
    }
}

/// A thing and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The thing.
    pub resource: Resource,
    /// What of a board, when it is about a plugin or service of its own project on it.
    pub part: Option<Part>,
    /// The fleets that a board is in.
    pub fleets: Vec<FleetId>,
    /// The project it belongs to.
    pub project: ProjectId,
    /// The hours in which a board is lent at all.
    pub hours: Option<Hours>,
}

impl Target {
    /// A thing that is in no fleet.
    #[must_use]
    pub fn new(resource: Resource, project: ProjectId) -> Self {
        Self { resource, part: None, fleets: Vec::new(), project, hours: None }
    }

    /// A board.
    #[must_use]
    pub fn board(board: BoardId, fleets: Vec<FleetId>, project: ProjectId) -> Self {
        Self { resource: Resource::Board(board), part: None, fleets, project, hours: None }
    }

    /// A plugin or service on this board.
    #[must_use]
    pub fn part(self, part: Option<Part>) -> Self {
        Self { part, ..self }
    }

    /// The same, lent in these hours only.
    #[must_use]
    pub fn within(self, hours: Option<Hours>) -> Self {
        Self { hours, ..self }
    }
}

/// Names of actions (`board:get_one`) that may be done. Words that stand for many (`board:all`) are spelled out before they
/// come here, so that one set is within another or is not, and a later version of the cloud widens nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "BTreeSet<String>", into = "BTreeSet<String>")]
#[schema(value_type = Vec<String>)]
pub struct Rights(Arc<BTreeSet<String>>);

impl Rights {
    /// Whether the action is among them.
    #[must_use]
    pub fn allow(&self, action: &str) -> bool {
        self.0.contains(action)
    }

    /// The first of these that `other` does not have.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Option<&str> {
        self.0.iter().find(|name| !other.0.contains(*name)).map(String::as_str)
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl TryFrom<BTreeSet<String>> for Rights {
    type Error = Invalid;
    fn try_from(names: BTreeSet<String>) -> Result<Self, Invalid> {
        if names.is_empty() {
            return Err(Invalid::new("rights are empty; name at least one, such as board:get_one"));
        }
        if names.len() > MAX_RIGHTS {
            return Err(Invalid::new(format!("{} rights; at most {MAX_RIGHTS}", names.len())));
        }
        Ok(Self(Arc::new(names)))
    }
}

impl From<Rights> for BTreeSet<String> {
    fn from(rights: Rights) -> Self {
        Arc::unwrap_or_clone(rights.0)
    }
}

/// From a moment until right before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Timestamp,
    until: Timestamp,
}

impl Window {
    /// From `from` until right before `until`.
    ///
    /// # Errors
    /// It would be empty.
    pub fn new(from: Timestamp, until: Timestamp) -> Result<Self, Invalid> {
        if from >= until {
            return Err(Invalid::new("until is not after from; give a later end"));
        }
        Ok(Self { from, until })
    }

    /// Its first moment.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The moment right after its last.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether it is now.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether it begins and ends inside another.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.from <= self.from && self.until <= other.until
    }

    /// Whether there is a moment in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.until && other.from < self.until
    }
}

/// Whether others may have the thing at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Yes.
    #[default]
    Shared,
    /// No other exclusive one overlaps it in time: a booking.
    Exclusive,
}

impl Hold {
    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }
}

impl FromStr for Hold {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "shared" => Ok(Self::Shared),
            "exclusive" => Ok(Self::Exclusive),
            _ => Err(Invalid::new(format!("{text:?} is not a hold: shared exclusive"))),
        }
    }
}

/// One delegation.
#[derive(Debug, Clone, PartialEq)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// The one it is a part of; none for the first of a chain, which the project itself gives.
    pub parent: Option<DelegationId>,
    /// What of.
    pub resource: Resource,
    /// Who gives.
    pub delegator: UserId,
    /// Who gets.
    pub delegated: UserId,
    /// What may be done.
    pub rights: Rights,
    /// When.
    pub window: Window,
    /// How often it may be passed on.
    pub depth: u8,
    /// Whether others may have the thing at the same time.
    pub hold: Hold,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl Delegation {
    /// Whether it stays within its parent; `target` is its own thing.
    ///
    /// # Errors
    /// It widens the parent; the text says in what.
    pub fn is_part_of(&self, parent: &Self, target: &Target) -> Result<(), Invalid> {
        let wider = |text: String| Err(Invalid::new(text));
        if self.delegator != parent.delegated {
            return wider("only who holds a delegation may pass it on".into());
        }
        if parent.revoked {
            return wider("the delegation it would rest on was revoked; ask for another".into());
        }
        if !parent.resource.covers(target) {
            return wider(format!("{} is not within {}", self.resource, parent.resource));
        }
        if let Some(right) = self.rights.beyond(&parent.rights) {
            return wider(format!("{right} is not among the rights that can be passed on"));
        }
        if !self.window.is_within(&parent.window) {
            return wider(format!(
                "the time is not within {} to {}",
                parent.window.from, parent.window.until
            ));
        }
        if parent.depth == 0 {
            return wider("this delegation cannot be passed on".into());
        }
        if self.depth >= parent.depth {
            return wider(format!("depth {} is not below {}", self.depth, parent.depth));
        }
        Ok(())
    }
}

/// Why a chain of delegations does not allow something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is somebody else's, about something else, or no whole chain.
    #[error("no delegation is about this")]
    None,
    /// One link was revoked.
    #[error("the delegation was revoked; ask whoever gave it")]
    Revoked,
    /// The time of one link has not come.
    #[error("the delegation has not begun yet; see its `from`")]
    Early,
    /// The time of one link is over.
    #[error("the delegation has ended; ask whoever gave it for more time")]
    Late,
    /// The board is not lent at this hour.
    #[error("the board is lent in its hours only; see its contribution")]
    Closed,
    /// The action is not among the rights.
    #[error("the delegation does not give this right; ask whoever gave it")]
    Beyond,
}

/// Decides whether `user` may do `action` with `target` at `now` by this chain: a delegation to the user first, then each
/// one's parent up to the first.
///
/// # Errors
/// They may not.
pub fn decide(
    chain: &[Delegation],
    user: &UserId,
    action: &str,
    target: &Target,
    now: Timestamp,
) -> Result<(), Denied> {
    let is_whole = chain.first().is_some_and(|leaf| leaf.delegated == *user)
        && chain.last().is_some_and(|root| root.parent.is_none())
        && chain.windows(2).all(|pair| matches!(pair, [low, high] if low.parent == Some(high.id)));
    if !is_whole || !chain.iter().all(|link| link.resource.covers(target)) {
        return Err(Denied::None);
    }
    if chain.iter().any(|link| link.revoked) {
        return Err(Denied::Revoked);
    }
    if chain.iter().any(|link| now < link.window.from) {
        return Err(Denied::Early);
    }
    if chain.iter().any(|link| !link.window.contains(now)) {
        return Err(Denied::Late);
    }
    if !chain.iter().all(|link| link.rights.allow(action)) {
        return Err(Denied::Beyond);
    }
    let is_open = target.hours.as_ref().is_none_or(|hours| hours.contain(now));
    if is_open { Ok(()) } else { Err(Denied::Closed) }
}
