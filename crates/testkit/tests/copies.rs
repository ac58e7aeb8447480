//! `s4t cp` and `s4t exec`: files to a board and from it, and programs with exactly their arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::{Board, BoardOptions, Said, World, noise};

fn scene() -> (World, Board, tempfile::TempDir) {
    let world = World::new();
    let board = world.board_with("lamp", BoardOptions::default().terminals());
    // Where the user of the board's terminals may write.
    let there = tempfile::Builder::new().prefix("s4t-there-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(there.path(), fs::Permissions::from_mode(0o777)).unwrap();
    (world, board, there)
}

fn s4t(world: &World, words: &[&str]) -> Command {
    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", world.admin_file()).args(words).stdin(Stdio::null());
    command
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_goes_there_and_back_byte_for_byte_with_its_mode() {
    let (world, _board, there) = scene();
    let here = tempfile::tempdir().unwrap();
    let from = here.path().join("a name; with $(words) 'quoted'");
    let bytes = noise(11, 3_000_000);
    fs::write(&from, &bytes).unwrap();
    fs::set_permissions(&from, fs::Permissions::from_mode(0o754)).unwrap();
    let goal = there.path().join("other name");
    let to = format!("lamp:{}", text(&goal));
    let _ = Said::of(&mut s4t(&world, &["cp", &text(&from), &to])).ok();
    assert!(fs::read(&goal).unwrap() == bytes);
    assert_eq!(fs::metadata(&goal).unwrap().permissions().mode() & 0o777, 0o754);
    let _ = Said::of(&mut s4t(&world, &["cp", &to, &text(here.path())])).ok();
    assert!(fs::read(here.path().join("other name")).unwrap() == bytes);

    let folder = format!("lamp:{}", text(there.path()));
    let _ = Said::of(&mut s4t(&world, &["cp", &text(&from), &folder])).ok();
    let name = from.file_name().unwrap();
    assert!(fs::read(there.path().join(name)).unwrap() == bytes);
    assert_eq!(names(there.path()).len(), 2, "nothing else is left: {:?}", names(there.path()));
    assert_eq!(names(here.path()).len(), 2, "nothing else is left: {:?}", names(here.path()));
}

#[test]
fn folders_go_with_all_that_is_in_them_and_only_when_asked_for() {
    let (world, _board, there) = scene();
    let here = tempfile::tempdir().unwrap();
    let site = here.path().join("site");
    fs::create_dir_all(site.join("deep/er")).unwrap();
    fs::write(site.join("index"), "one").unwrap();
    fs::write(site.join("deep/er/leaf"), noise(2, 10_000)).unwrap();
    std::os::unix::fs::symlink("index", site.join("link")).unwrap();
    let to = format!("lamp:{}", text(there.path()));
    let error = Said::of(&mut s4t(&world, &["cp", &text(&site), &to])).failed(3);
    assert!(error.contains("copy it with -r"), "{error}");
    let _ = Said::of(&mut s4t(&world, &["cp", "-r", &text(&site), &to])).ok();
    let copy = there.path().join("site");
    assert_eq!(names(&copy), ["deep", "index", "link"]);
    assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("index"));
    fs::write(site.join("index"), "two").unwrap();
    let _ = Said::of(&mut s4t(&world, &["cp", "-r", &text(&site), &to])).ok();
    assert_eq!(fs::read_to_string(copy.join("index")).unwrap(), "two");

    let back = here.path().join("back");
    let from = format!("lamp:{}", text(&copy));
    let error = Said::of(&mut s4t(&world, &["cp", &from, &text(&back)])).failed(3);
    assert!(error.contains("copy it with -r"), "{error}");
    let _ = Said::of(&mut s4t(&world, &["cp", "-r", &from, &text(&back)])).ok();
    assert!(fs::read(back.join("deep/er/leaf")).unwrap() == noise(2, 10_000));
    assert_eq!(names(here.path()), ["back", "site"]);
}

#[test]
fn what_cannot_be_copied_says_why_and_leaves_nothing() {
    let (world, _board, there) = scene();
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("file");
    fs::write(&file, "x").unwrap();
    let said = |words: &[&str]| Said::of(&mut s4t(&world, words)).failed(3);
    let nowhere = format!("lamp:{}/no/where", text(there.path()));
    let error = said(&["cp", &text(&file), &nowhere]);
    assert!(error.contains("board lamp says"), "{error}");
    let error = said(&["cp", &nowhere, &text(here.path())]);
    assert!(error.contains("board lamp says"), "{error}");
    let error = said(&["cp", "/no/such/file", "lamp:"]);
    assert!(error.contains("/no/such/file"), "{error}");
    assert!(said(&["cp", &text(&file), "other"]).contains("BOARD:PATH"));
    assert!(said(&["cp", "lamp:a", "lamp:b"]).contains("this machine first"));
    let _ = said(&["cp", "lamp:/", &text(here.path())]);
    assert_eq!(names(here.path()), ["file"]);
    assert!(names(there.path()).is_empty());
    let closed = world.board("closed");
    let error = Said::of(&mut s4t(&world, &["cp", &text(&file), "closed:"])).failed(5);
    assert!(error.contains("terminal.user"), "{error}");
    drop(closed);
}

#[test]
fn a_program_gets_exactly_its_arguments_and_its_exit_code_comes_back() {
    let (world, _board, _there) = scene();
    let words = ["exec", "lamp", "--", "printf", "%s|", "a b", "$HOME", "'; id; '", "", "*"];
    let said = Said::of(&mut s4t(&world, &words)).ok();
    assert_eq!(said, "a b|$HOME|'; id; '||*|");
    let said = Said::of(&mut s4t(&world, &["exec", "lamp", "--", "sh", "-c", "exit 9"]));
    assert_eq!(said.code, 9);
    let _ = Said::of(&mut s4t(&world, &["exec", "lamp"])).failed(2);
}
