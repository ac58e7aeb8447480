//! Boards and where they are.
//!
//! Invariant: a board that has been seen by upstream's cloud is legacy and its code is spent, one that has not keeps its
//! code; either connects without being touched. Decommissioned or renamed here in the meantime, it is left so.

use super::{in_batches, names, present, remark, settle};
use crate::import::found::{Board, Found};
use crate::import::report::{Noun, Report};
use model::board::{Event, Position};
use model::facts::Facts;
use model::label::Labels;
use std::collections::HashSet;
use store::boards::{self, BoardRow, NewBoard};
use store::upstream::{self, MAX_CODE, UpstreamBoard};
use store::{Error, Store, Tx, fleets};

pub(super) async fn bring(store: &Store, found: &Found, report: &mut Report) -> Result<(), Error> {
    let known: HashSet<i64> = found.boards.iter().map(|board| board.serial).collect();
    for board in found.positions.keys().filter(|board| !known.contains(board)) {
        report.skip(Noun::Location, board, "no board that is brought has this board_id");
    }
    let placed = |board: &Board| (board.clone(), found.positions.get(&board.serial).copied());
    let mut rows: Vec<_> = found.boards.iter().map(placed).collect();
    rows.sort_by_key(|(board, _)| board.serial);
    in_batches(store, rows, report, |tx, row, said| Box::pin(board(tx, row, said))).await
}

async fn board(
    tx: &mut Tx,
    (mut row, position): (Board, Option<Position>),
    report: &mut Report,
) -> Result<(), Error> {
    if present(boards::by_id(&mut *tx, None, row.id).await)?.is_some() {
        report.present(Noun::Board);
        position.iter().for_each(|_| report.present(Noun::Location));
        return Ok(());
    }
    check_fleet(tx, &mut row).await?;
    check_code(tx, &mut row).await?;
    let made = create(tx, &row, position).await;
    let Some(made) = settle(made, report, Noun::Board, row.id)? else {
        position.iter().for_each(|_| report.skip(Noun::Location, row.id, "its board is skipped"));
        return Ok(());
    };
    position.iter().for_each(|_| report.created(Noun::Location));
    let renamed = names::remark(&row.name, &made.name);
    remark(report, Noun::Board, row.id, row.remarks.drain(..).chain(renamed).collect());
    upstream::create(tx, &known(row)).await?;
    Ok(())
}

async fn create(tx: &mut Tx, row: &Board, position: Option<Position>) -> Result<BoardRow, Error> {
    let mut made = Err(Error::Duplicate { what: "board", field: "name" });
    for name in names::candidates(&row.name, "board", row.id) {
        let new = NewBoard {
            id: row.id,
            name,
            project: row.project.clone(),
            owner: row.owner.clone(),
            fleet: row.fleet,
            public_key: None,
            labels: Labels::default(),
            position,
            facts: Facts::default(),
        };
        made = boards::create(tx, new).await;
        if !matches!(made, Err(Error::Duplicate { field: "name", .. })) {
            break;
        }
    }
    if made.is_ok() && row.was_seen {
        boards::set_status(tx, row.id, Event::Enrolled).await?;
    }
    made
}

/// A fleet of another project, or none that is there, is no fleet of the board.
async fn check_fleet(tx: &mut Tx, row: &mut Board) -> Result<(), Error> {
    let Some(fleet) = row.fleet else { return Ok(()) };
    if present(fleets::by_id(&mut *tx, Some(&row.project), fleet).await)?.is_none() {
        row.remarks.push(format!("its fleet {fleet} is not in its project; it is in none now"));
        row.fleet = None;
    }
    Ok(())
}

async fn check_code(tx: &mut Tx, row: &mut Board) -> Result<(), Error> {
    let Some(code) = &row.code else { return Ok(()) };
    let is_valid = code.chars().count() <= MAX_CODE && !code.chars().any(char::is_control);
    let why = if !is_valid {
        "is not one of 1 to 36 printable characters"
    } else if upstream::by_code(&mut *tx, code).await?.is_some() {
        "is another board's here"
    } else {
        return Ok(());
    };
    row.remarks.push(format!("its code {why}; it has none now"));
    row.code = None;
    Ok(())
}

fn known(row: Board) -> UpstreamBoard {
    UpstreamBoard {
        kind: row.kind,
        mobile: row.mobile,
        config: row.config,
        extra: row.extra,
        connectivity: row.connectivity,
        legacy: row.was_seen,
        connected_once: row.was_seen,
        agent: row.agent,
        ..UpstreamBoard::new(row.id, row.code)
    }
}
