//! Boards that are made before anything connects, as upstream does it: with a code that an upstream agent presents once.
//!
//! Invariant: a code is no claim; what it lets in is decided where boards connect, and never here.

use crate::app::access::Caller;
use crate::app::plugins::bounded;
use crate::app::{Error, boards, fleets};
use crate::cloud::Cloud;
use api::boards::Change;
use model::board::Position;
use model::facts::Facts;
use model::label::Labels;
use model::{BoardId, Name};
use std::collections::HashMap;
use store::boards::{BoardRow, NewBoard};
use store::upstream::{self, UpstreamBoard, UpstreamChange};

/// A board to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its name.
    pub name: Name,
    /// What its agent presents the first time.
    pub code: String,
    /// Where it is.
    pub position: Option<Position>,
    /// The fleet it goes into (id or name).
    pub fleet: Option<String>,
    /// What else upstream keeps; its code is the one above.
    pub more: UpstreamChange,
}

/// A board and what upstream knows of it.
pub type Known = (BoardRow, Option<UpstreamBoard>);

/// Makes a board that nothing has connected as yet.
///
/// # Errors
/// The name or the code is taken, or there is no such fleet.
pub async fn create(cloud: &Cloud, caller: &Caller, new: New) -> Result<Known, Error> {
    let fleet = match new.fleet.as_deref() {
        None | Some("") => None,
        Some(fleet) => Some(fleets::get(cloud, caller, fleet).await?.id),
    };
    let more = checked(new.more)?;
    let board = NewBoard {
        id: BoardId::new(),
        name: new.name,
        project: caller.project().clone(),
        owner: caller.principal().user.clone(),
        fleet,
        public_key: None,
        labels: Labels::default(),
        position: new.position,
        facts: Facts::default(),
    };
    let code = new.code;
    let made = cloud.store.write(move |tx| {
        Box::pin(async move {
            if upstream::by_code(&mut *tx, &code).await?.is_some() {
                return Err(store::Error::Duplicate { what: "board", field: "code" });
            }
            let row = store::boards::create(tx, board).await?;
            upstream::create(tx, &UpstreamBoard::new(row.id, Some(code))).await?;
            let known = upstream::update(tx, row.id, more).await?;
            Ok((row, Some(known)))
        })
    });
    Ok(made.await?)
}

/// Changes what people may change of a board, upstream's part of it too.
///
/// # Errors
/// There is none, the name or the code is taken, there is no such fleet, or it is not at revision `expected`.
pub async fn update(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    (change, more): (Change, UpstreamChange),
    expected: Option<i64>,
) -> Result<Known, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    let change = boards::stored(cloud, caller, change).await?;
    let more = checked(more)?;
    let done = cloud.store.write(move |tx| {
        Box::pin(async move {
            let row = store::boards::update(tx, None, board.id, change, expected).await?;
            let known = match more == UpstreamChange::default() {
                true => upstream::get(&mut *tx, board.id).await?,
                false => Some(upstream::update(tx, board.id, more).await?),
            };
            Ok((row, known))
        })
    });
    Ok(done.await?)
}

fn checked(mut more: UpstreamChange) -> Result<UpstreamChange, Error> {
    for value in [&mut more.config, &mut more.extra, &mut more.connectivity] {
        *value = value.take().map(bounded).transpose()?;
    }
    Ok(more)
}

/// What upstream knows of these boards, by their ids.
///
/// # Errors
/// The store failed.
pub async fn known(
    cloud: &Cloud,
    rows: &[BoardRow],
) -> Result<HashMap<BoardId, UpstreamBoard>, Error> {
    let mut found = HashMap::with_capacity(rows.len());
    for chunk in rows.chunks(store::page::MAX_LIMIT as usize) {
        let ids: Vec<BoardId> = chunk.iter().map(|row| row.id).collect();
        let known = upstream::of_boards(&cloud.store, &ids).await?;
        found.extend(known.into_iter().map(|known| (known.board, known)));
    }
    Ok(found)
}
