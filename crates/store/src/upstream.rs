//! What upstream knows of a board and we do not: its code, its type, the config it was given, and whether it is **legacy**.
//!
//! Invariants: a board has at most one row; codes are unique; a board becomes legacy by what connects, never by being
//! created; once a legacy board has connected, its code is spent for good. Deliberately not here: who may be legacy (the
//! program's settings and [`allows_legacy`]), the boards themselves (`boards`).

use crate::audit::Entry;
use crate::boards::{self, BoardRow};
use crate::sql::{Reader, Row, Statement, all, first, json, one};
use crate::{Error, Tx};
use model::audit::ActorKind;
use model::board::Event;
use model::{BoardId, Invalid, ProjectId};
use serde_json::{Map, Value, json};

const WHAT: &str = "board";
/// Longest code, in characters.
pub const MAX_CODE: usize = 36;
/// Most boards of one call of [`of_boards`]; what one page has.
const MAX_BOARDS: u32 = 1000;

/// What upstream knows of a board.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamBoard {
    /// The board.
    pub board: BoardId,
    /// What the board presents to be let in the first time.
    pub code: Option<String>,
    /// Upstream's `type`, such as `generic`.
    pub kind: Option<String>,
    /// Whether it moves.
    pub mobile: bool,
    /// What a person stored as its config; empty when it is to be made.
    pub config: Value,
    /// What upstream's clients keep with it.
    pub extra: Value,
    /// What the board said of its network.
    pub connectivity: Value,
    /// Whether an upstream agent speaks for it.
    pub legacy: bool,
    /// Whether that agent has connected; its code is refused from then on.
    pub connected_once: bool,
    /// The name of the agent of the cloud that it was told.
    pub agent: Option<String>,
}

impl UpstreamBoard {
    /// Nothing but the board and its code yet.
    #[must_use]
    pub fn new(board: BoardId, code: Option<String>) -> Self {
        let empty = || Value::Object(Map::new());
        Self {
            board,
            code,
            kind: None,
            mobile: false,
            config: empty(),
            extra: empty(),
            connectivity: empty(),
            legacy: false,
            connected_once: false,
            agent: None,
        }
    }
}

/// What a person changes; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpstreamChange {
    /// New code.
    pub code: Option<String>,
    /// New type.
    pub kind: Option<Option<String>>,
    /// Whether it moves.
    pub mobile: Option<bool>,
    /// New config.
    pub config: Option<Value>,
    /// New keepsake of clients.
    pub extra: Option<Value>,
    /// New description of its network.
    pub connectivity: Option<Value>,
}

const SELECT: &str = "SELECT board, code, kind, mobile, config, extra, connectivity, legacy, connected_once, agent \
     FROM upstream_boards WHERE 1 = 1";

/// Stores what upstream knows of a board that was made in the same transaction.
///
/// # Errors
/// There is no such board, it has a row already, or the code is taken or not 1 to [`MAX_CODE`] printable characters.
pub async fn create(tx: &mut Tx, new: &UpstreamBoard) -> Result<(), Error> {
    new.code.as_deref().map_or(Ok(()), check_code)?;
    let statement = Statement::new(
        "create an upstream board",
        "INSERT INTO upstream_boards (board, code, kind, mobile, config, extra, connectivity, legacy, connected_once, agent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.board)
    .bind(new.code.clone())
    .bind(new.kind.clone())
    .bind(new.mobile)
    .bind(json(&new.config)?)
    .bind(json(&new.extra)?)
    .bind(json(&new.connectivity)?)
    .bind(new.legacy)
    .bind(new.connected_once)
    .bind(new.agent.clone());
    let done = tx.execute(statement).await;
    done.map_err(|error| error.missing_as(WHAT).duplicate_as(WHAT, "code"))?;
    if new.code.is_some() { tell_code(tx, new.board).await } else { Ok(()) }
}

/// Whoever has the code is the board, until it first connects.
async fn tell_code(tx: &mut Tx, board: BoardId) -> Result<(), Error> {
    let row = boards::by_id(&mut *tx, None, board).await?;
    let entry = Entry::new("board:new_code", "board", board).of(&row.project);
    tx.audit(entry.with(json!({ "legacy": true }))).await
}

fn check_code(code: &str) -> Result<(), Invalid> {
    let is_short = (1..=MAX_CODE).contains(&code.chars().count());
    if is_short && !code.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Invalid::new(format!("a code has 1 to {MAX_CODE} printable characters")))
}

/// What upstream knows of a board; nothing for one that came by a claim.
///
/// # Errors
/// The database failed.
pub async fn get<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Option<UpstreamBoard>, Error> {
    let mut statement = Statement::new("read an upstream board", SELECT);
    statement.and_equals("board", Some(board));
    first(from, statement, read).await
}

/// The same of many boards at once, at most a page of them, in no order; those without a row are left out.
///
/// # Errors
/// The database failed.
pub async fn of_boards<'e>(
    from: impl Reader<'e>,
    boards: &[BoardId],
) -> Result<Vec<UpstreamBoard>, Error> {
    let mut statement = Statement::new("read upstream boards", SELECT);
    statement.push(" AND board IN (NULL");
    for board in boards {
        statement.push(", ").push_bind(*board);
    }
    statement.push(") LIMIT ").push_bind(MAX_BOARDS);
    all(from, statement, read).await
}

/// The board of this code.
///
/// # Errors
/// The database failed.
pub async fn by_code<'e>(
    from: impl Reader<'e>,
    code: &str,
) -> Result<Option<UpstreamBoard>, Error> {
    let mut statement = Statement::new("read an upstream board", SELECT);
    statement.and_equals("code", Some(code));
    first(from, statement, read).await
}

/// Changes what a person may change, making the row if there is none yet.
///
/// # Errors
/// There is no such board, or the code is taken or not valid.
pub async fn update(
    tx: &mut Tx,
    board: BoardId,
    change: UpstreamChange,
) -> Result<UpstreamBoard, Error> {
    let old = found_or_made(tx, board).await?;
    let has_new_code = change.code.is_some() && change.code != old.code;
    let code = change.code.or(old.code);
    code.as_deref().map_or(Ok(()), check_code)?;
    let statement = Statement::new(
        "update an upstream board",
        "UPDATE upstream_boards SET code = $1, kind = $2, mobile = $3, config = $4, extra = $5, connectivity = $6 \
         WHERE board = $7",
    )
    .bind(code)
    .bind(change.kind.unwrap_or(old.kind))
    .bind(change.mobile.unwrap_or(old.mobile))
    .bind(json(&change.config.unwrap_or(old.config))?)
    .bind(json(&change.extra.unwrap_or(old.extra))?)
    .bind(json(&change.connectivity.unwrap_or(old.connectivity))?)
    .bind(board);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "code"))?;
    if has_new_code {
        tell_code(tx, board).await?;
    }
    found_or_made(tx, board).await
}

async fn found_or_made(tx: &mut Tx, board: BoardId) -> Result<UpstreamBoard, Error> {
    if let Some(row) = get(&mut *tx, board).await? {
        return Ok(row);
    }
    let row = UpstreamBoard::new(board, None);
    create(tx, &row).await?;
    Ok(row)
}

/// An upstream agent presented the board's code and is told its config: the board is legacy, and offline, from now on.
///
/// # Errors
/// There is no such board, it has a key, it has connected before, or it was given up.
pub async fn record_registration(
    tx: &mut Tx,
    board: BoardId,
    agent: &str,
) -> Result<BoardRow, Error> {
    let row = boards::by_id(&mut *tx, None, board).await?;
    if row.public_key.is_some() {
        return Err(Error::Conflict("the board has a key; no code speaks for it".into()));
    }
    let statement = Statement::new(
        "record a registration",
        "UPDATE upstream_boards SET legacy = 1, agent = $1 WHERE board = $2 AND connected_once = 0",
    )
    .bind(agent)
    .bind(board);
    if tx.execute(statement).await? == 0 {
        return Err(Error::Conflict("the board has connected before; its code is spent".into()));
    }
    boards::set_status(tx, board, Event::Enrolled).await?;
    let entry = Entry::new("board:register", "board", board).of(&row.project);
    tx.audit(entry.by(ActorKind::Board, board).with(json!({ "legacy": true }))).await?;
    boards::by_id(&mut *tx, None, board).await
}

/// A legacy board has connected: its code is spent from now on. A name of the agent that it was told before stays: it goes on
/// calling it so.
///
/// # Errors
/// There is no such board, or it is not legacy.
pub async fn record_connection(
    tx: &mut Tx,
    board: BoardId,
    agent: &str,
    connectivity: &Value,
) -> Result<(), Error> {
    let statement = Statement::new(
        "record a connection",
        "UPDATE upstream_boards SET connected_once = 1, agent = COALESCE(agent, $1), connectivity = $2 \
         WHERE board = $3 AND legacy = 1",
    )
    .bind(agent)
    .bind(json(connectivity)?)
    .bind(board);
    if tx.execute(statement).await? == 0 { Err(Error::NotFound { what: WHAT }) } else { Ok(()) }
}

/// The names of agents that boards were told, each once.
///
/// # Errors
/// The database failed.
pub async fn agents<'e>(from: impl Reader<'e>) -> Result<Vec<String>, Error> {
    let text = "SELECT DISTINCT agent FROM upstream_boards WHERE agent IS NOT NULL AND legacy = 1 ORDER BY agent";
    all(from, Statement::new("list agents", text), |row| row.text("agent")).await
}

/// Whether a project's boards may be legacy by its own mark (settings may allow it too).
///
/// # Errors
/// There is no such project.
pub async fn allows_legacy<'e>(from: impl Reader<'e>, project: &ProjectId) -> Result<bool, Error> {
    let text = "SELECT allow_legacy FROM projects WHERE id = $1";
    let statement = Statement::new("read a project", text).bind(project);
    one(from, statement, "project", |row| row.yes("allow_legacy")).await
}

/// Marks whether a project's boards may be legacy.
///
/// # Errors
/// There is no such project.
pub async fn allow_legacy(tx: &mut Tx, project: &ProjectId, allow: Legacy) -> Result<(), Error> {
    let text = "UPDATE projects SET allow_legacy = $1 WHERE id = $2";
    let statement =
        Statement::new("update a project", text).bind(allow == Legacy::Allowed).bind(project);
    if tx.execute(statement).await? == 0 {
        return Err(Error::NotFound { what: "project" });
    }
    let detail = json!({ "allow_legacy": allow == Legacy::Allowed });
    tx.audit(Entry::new("project:update", "project", project).of(project).with(detail)).await
}

/// Whether a project may have legacy boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legacy {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

fn read(row: &Row) -> Result<UpstreamBoard, Error> {
    Ok(UpstreamBoard {
        board: row.parse("board")?,
        code: row.text_optional("code")?,
        kind: row.text_optional("kind")?,
        mobile: row.yes("mobile")?,
        config: row.json("config")?,
        extra: row.json("extra")?,
        connectivity: row.json("connectivity")?,
        legacy: row.yes("legacy")?,
        connected_once: row.yes("connected_once")?,
        agent: row.text_optional("agent")?,
    })
}
