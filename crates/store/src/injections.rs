//! Injections: which plugin is on which board, as wanted and as the board last said.

use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, first, one};
use crate::{Error, Tx};
use model::plugin::{InjectionState, OnBoot, RunState};
use model::{BoardId, Name, PluginId, ProjectId, Timestamp};
use serde_json::json;
use uuid::Uuid;

const WHAT: &str = "injection";
/// Most injections of one list; more are cut off.
pub const MAX_LIST: u32 = 10_000;

/// A plugin on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionRow {
    /// The board.
    pub board: BoardId,
    /// Its name.
    pub board_name: Name,
    /// Its project.
    pub project: ProjectId,
    /// The plugin.
    pub plugin: PluginId,
    /// Its name.
    pub plugin_name: Name,
    /// What happens when the board starts.
    pub on_boot: OnBoot,
    /// Where it stands.
    pub state: InjectionState,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// The plugin's revision the board has.
    pub revision_injected: Option<i64>,
    /// What an asynchronous plugin is doing.
    pub run_state: RunState,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// How often it was put on the board, counted since it is there.
    pub times: u32,
    /// Grows with every change (ETag).
    pub revision: i64,
    /// Whether the board is an upstream one.
    pub legacy: bool,
}

/// What is changed; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InjectionChange {
    /// New boot policy.
    pub on_boot: Option<OnBoot>,
    /// New state.
    pub state: Option<InjectionState>,
    /// New last error, or none any more.
    pub last_error: Option<Option<String>>,
    /// The plugin's revision the board has now.
    pub revision_injected: Option<i64>,
    /// New run state.
    pub run_state: Option<RunState>,
}

const SELECT: &str = "SELECT i.board, b.name AS board_name, b.project, i.plugin, p.name AS plugin_name, i.on_boot, i.state, \
     i.last_error, i.revision_injected, i.run_state, i.created_at, i.updated_at, i.times, i.revision, \
     EXISTS (SELECT 1 FROM upstream_boards u WHERE u.board = b.id AND u.legacy = 1) AS legacy FROM injections i \
     JOIN boards b ON b.id = i.board JOIN plugins p ON p.id = i.plugin WHERE 1 = 1";

/// Wants a plugin on a board; one that is there already is to be injected again (with the newer source).
///
/// # Errors
/// There is no such board or plugin.
pub async fn put(
    tx: &mut Tx,
    board: BoardId,
    plugin: PluginId,
    on_boot: OnBoot,
) -> Result<InjectionRow, Error> {
    let statement = Statement::new(
        "store an injection",
        "INSERT INTO injections (board, plugin, on_boot, state, run_state, created_at, updated_at, revision) \
         VALUES ($1, $2, $3, 'injecting', 'stopped', $4, $4, 1) ON CONFLICT (board, plugin) DO UPDATE SET \
         on_boot = $3, state = 'injecting', last_error = NULL, updated_at = $4, revision = injections.revision + 1",
    )
    .bind(board)
    .bind(plugin)
    .bind(on_boot.word())
    .bind(tx.now());
    let done = tx.execute(statement).await;
    done.map_err(|error| error.missing_as("board or plugin"))?;
    let row = get(&mut *tx, board, plugin).await?;
    tell(tx, &row, row.state.word()).await?;
    Ok(row)
}

/// The injection of a plugin on a board.
///
/// # Errors
/// The board does not have it.
pub async fn get<'e>(
    from: impl Reader<'e>,
    board: BoardId,
    plugin: PluginId,
) -> Result<InjectionRow, Error> {
    let mut statement = Statement::new("read an injection", SELECT);
    statement.and_equals("i.board", Some(board)).and_equals("i.plugin", Some(plugin));
    one(from, statement, WHAT, read).await
}

/// The injection of a plugin of this id or name on a board, one of the board's own project first.
///
/// # Errors
/// The database failed.
pub async fn find<'e>(
    from: impl Reader<'e>,
    board: BoardId,
    id_or_name: &str,
) -> Result<Option<InjectionRow>, Error> {
    let mut statement = Statement::new("find an injection", SELECT);
    statement.and_equals("i.board", Some(board));
    match Uuid::try_parse(id_or_name) {
        Ok(id) => statement.and_equals("i.plugin", Some(id)),
        Err(_) => statement.and_equals("p.name", Some(id_or_name)),
    };
    statement.push(" ORDER BY p.project <> b.project, i.plugin LIMIT 1");
    first(from, statement, read).await
}

/// What is on a board.
///
/// # Errors
/// The database failed.
pub async fn list_for_board<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Vec<InjectionRow>, Error> {
    list(from, "i.board", board.uuid()).await
}

/// The plugins that borrowers put on a board, and what each does when it starts.
///
/// # Errors
/// The database failed.
pub async fn lent_on<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Vec<(PluginId, OnBoot)>, Error> {
    let text = "SELECT plugin, on_boot FROM injections WHERE board = $1 AND delegation IS NOT NULL \
                AND state <> 'removing' ORDER BY plugin LIMIT $2";
    let statement = Statement::new("list plugins of borrowers", text).bind(board).bind(MAX_LIST);
    all(from, statement, |row| Ok((row.parse("plugin")?, row.parse("on_boot")?))).await
}

/// Where a plugin is.
///
/// # Errors
/// The database failed.
pub async fn list_for_plugin<'e>(
    from: impl Reader<'e>,
    plugin: PluginId,
) -> Result<Vec<InjectionRow>, Error> {
    list(from, "i.plugin", plugin.uuid()).await
}

async fn list<'e>(
    from: impl Reader<'e>,
    column: &str,
    id: uuid::Uuid,
) -> Result<Vec<InjectionRow>, Error> {
    let mut statement = Statement::new("list injections", SELECT);
    statement.and_equals(column, Some(id));
    statement.push(" ORDER BY i.board, i.plugin LIMIT ").push_bind(MAX_LIST);
    all(from, statement, read).await
}

/// Changes an injection; writes `injection.<state>` when the state changed, else `injection.<run state>` when that did,
/// else `injection.updated`.
///
/// # Errors
/// The board does not have it.
pub async fn update(
    tx: &mut Tx,
    board: BoardId,
    plugin: PluginId,
    change: InjectionChange,
) -> Result<InjectionRow, Error> {
    let old = get(&mut *tx, board, plugin).await?;
    let row = InjectionRow {
        on_boot: change.on_boot.unwrap_or(old.on_boot),
        state: change.state.unwrap_or(old.state),
        last_error: change.last_error.unwrap_or_else(|| old.last_error.clone()),
        revision_injected: change.revision_injected.or(old.revision_injected),
        run_state: change.run_state.unwrap_or(old.run_state),
        // Whoever says which revision the board has now has put it there.
        times: old.times.saturating_add(u32::from(change.revision_injected.is_some())),
        updated_at: tx.now(),
        revision: old.revision.saturating_add(1),
        ..old.clone()
    };
    let statement = Statement::new(
        "update an injection",
        "UPDATE injections SET on_boot = $1, state = $2, last_error = $3, revision_injected = $4, run_state = $5, \
         updated_at = $6, times = $7, revision = $8 WHERE board = $9 AND plugin = $10",
    )
    .bind(row.on_boot.word())
    .bind(row.state.word())
    .bind(row.last_error.clone())
    .bind(row.revision_injected)
    .bind(row.run_state.word())
    .bind(row.updated_at)
    .bind(row.times)
    .bind(row.revision)
    .bind(board)
    .bind(plugin);
    tx.execute(statement).await?;
    let verb = if row.state != old.state {
        row.state.word()
    } else if row.run_state != old.run_state {
        row.run_state.word()
    } else {
        "updated"
    };
    tell(tx, &row, verb).await?;
    Ok(row)
}

/// Forgets an injection.
///
/// # Errors
/// The board does not have it.
pub async fn delete(tx: &mut Tx, board: BoardId, plugin: PluginId) -> Result<(), Error> {
    let old = get(&mut *tx, board, plugin).await?;
    let text = "DELETE FROM injections WHERE board = $1 AND plugin = $2";
    tx.execute(Statement::new("delete an injection", text).bind(board).bind(plugin)).await?;
    tell(tx, &old, "removed").await
}

async fn tell(tx: &mut Tx, row: &InjectionRow, verb: &str) -> Result<(), Error> {
    let mut body = json!({
        "board": row.board, "board_name": row.board_name, "plugin": row.plugin, "plugin_name": row.plugin_name,
        "state": row.state, "run_state": row.run_state, "error": row.last_error,
    });
    if let (true, Some(members)) = (row.legacy, body.as_object_mut()) {
        members.insert("legacy".to_owned(), true.into());
    }
    let subject = format!("{}/{}", row.board, row.plugin);
    tx.event(NewEvent::about(WHAT, verb, &row.project, subject, body)).await.map(|_| ())
}

fn read(row: &Row) -> Result<InjectionRow, Error> {
    Ok(InjectionRow {
        board: row.parse("board")?,
        board_name: row.parse("board_name")?,
        project: row.parse("project")?,
        plugin: row.parse("plugin")?,
        plugin_name: row.parse("plugin_name")?,
        on_boot: row.parse("on_boot")?,
        state: row.parse("state")?,
        last_error: row.text_optional("last_error")?,
        revision_injected: row.int_optional("revision_injected")?,
        run_state: row.parse("run_state")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        times: row.number("times")?,
        revision: row.int("revision")?,
        legacy: row.yes("legacy")?,
    })
}
