//! A copied home folder: two machines with one key are found, and neither is the board until somebody decides.

use model::Kind;
use model::operation::State;
use serde_json::json;
use std::path::Path;
use testkit::{Board, BoardOptions, PATIENCE, World, until};

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Another machine with the files of a board.
fn copy_of(world: &World, board: &Board) -> Board {
    let copy_board = world.machine(&board.name(), BoardOptions::default());
    copy(board.home(), copy_board.home());
    copy_board
}

fn wait_parked(board: &Board) -> model::board::Parked {
    until("the alarm", PATIENCE, || {
        let parked = board.record().summary.parked;
        parked.ok_or_else(|| "it is not parked".to_owned())
    })
}

#[test]
fn a_copied_home_folder_raises_an_alarm_and_parks_both_until_somebody_decides() {
    let world = World::new();
    let board = world.board("twin");
    world.plugin("p", "python", "sync", "def main(params):\n    return 1\n");
    board.inject("p");
    let before = board.record().key;
    let twin = copy_of(&world, &board);
    twin.start();
    let parked = wait_parked(&board);
    assert!(parked.holder.is_some() && parked.newcomer.is_some(), "{parked:?}");
    let error = board.ask("/ping", &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    let admin = world.admin();
    let waiting: api::operations::Operation =
        admin.post(&board.path("/plugins/p/call"), &json!({})).unwrap();
    assert_eq!(waiting.state, State::Pending);
    for machine in [&board, &twin] {
        until("the machine to hear of it", PATIENCE, || {
            let said = machine.said();
            if said.contains("another machine has this board's key") { Ok(()) } else { Err(said) }
        });
    }
    let shown = world.s4t(&["board", "show", "twin"]).ok();
    assert!(shown.contains("parked"), "{shown}");

    twin.stop();
    let _ = world.s4t(&["board", "unpark", "twin"]).ok();
    until("the machine that is left to be the board", PATIENCE, || {
        board.ask("/ping", &json!({})).map_err(|error| error.to_string())
    });
    let end = world.operation(waiting.id, 30).operation;
    assert_eq!(end.state, State::Succeeded, "{end:?}");
    let again = world.s4t(&["board", "unpark", "twin"]);
    assert_ne!(again.code, 0, "there is nothing to decide any more: {again:?}");

    // The machine that went on has a new key by now, or in a moment; the copy's is refused for good.
    until("another key", PATIENCE, || {
        let now = board.record().key;
        if now == before { Err("it is the old one".to_owned()) } else { Ok(()) }
    });
    twin.start();
    until("the copy to be refused", PATIENCE, || {
        let said = twin.said();
        if said.contains("does not know this board's key") { Ok(()) } else { Err(said) }
    });
    board.answers();
    assert_eq!(board.record().summary.parked, None);
}

#[test]
fn a_board_that_restarts_however_roughly_is_never_taken_for_its_copy() {
    let world = World::new();
    let board = world.board("rough");
    for _ in 0..5 {
        board.restart();
    }
    board.stop();
    board.start();
    board.wait_online();
    assert_eq!(board.record().summary.parked, None);
}
