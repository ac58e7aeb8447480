//! Archives there and back, upstream's own, and hostile ones.

use super::*;
use crate::home::Home;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

fn home(dir: &Path) -> Home {
    Home::open(dir).unwrap()
}

/// A board of ours.
fn board(dir: &Path) -> Home {
    let home = home(dir);
    home.key().unwrap();
    fs::write(home.path("board.json"), "{}").unwrap();
    fs::write(home.path("plugins.json"), "{\"p\":1}").unwrap();
    fs::write(home.path("claim"), "s4t1.secret").unwrap();
    fs::create_dir_all(home.path("plugins/p/work")).unwrap();
    fs::write(home.path("plugins/p/source-1.py"), "print(1)").unwrap();
    symlink("/etc/passwd", home.path("plugins/p/work/link")).unwrap();
    home
}

fn settings(home: &Home) -> std::path::PathBuf {
    home.path("settings.json")
}

#[test]
fn a_board_is_restored_on_another_machine_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let from = board(&dir.path().join("a"));
    let file = dir.path().join("rod.tar.gz");
    let saved = backup(&from, &settings(&from), &file).unwrap();
    assert_eq!(saved.files, 4);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(backup(&from, &settings(&from), &file), Err(Error::Exists(_))));
    let to = home(&dir.path().join("b"));
    assert_eq!(restore(&to, &file).unwrap(), Restored { files: 4, skipped: 0 });
    assert_eq!(to.key().unwrap().public(), from.key().unwrap().public());
    assert_eq!(fs::read_to_string(to.path("plugins/p/source-1.py")).unwrap(), "print(1)");
    assert_eq!(fs::metadata(to.path("board.key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!to.path("claim").exists() && !to.path("plugins/p/work/link").exists());
    assert!(!to.path(".restoring").exists());
    assert!(matches!(restore(&to, &file), Err(Error::Somebody(_))));
    let nobody = home(&dir.path().join("c"));
    let refused = backup(&nobody, &settings(&nobody), &dir.path().join("none.tar.gz"));
    assert!(matches!(refused, Err(Error::Nobody(_))));
}

#[test]
fn upstreams_archive_is_read_and_ours_of_an_upstream_board_has_its_layout() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    for (path, text) in [
        ("var/lib/iotronic/plugins.json", "{\"plugins\": {}}"),
        ("var/lib/iotronic/services.json", "{\"services\": {}}"),
        ("var/lib/iotronic/plugins/u/u.py", "x"),
        ("var/lib/iotronic/authorized_keys", "not the board's"),
        ("etc/iotronic/settings.json", "{\"iotronic\": {}}"),
        ("etc/iotronic/iotronic.conf", "[DEFAULT]"),
        ("etc/letsencrypt/live/x.pem", "key"),
        ("etc/nginx/conf.d/lr_x.conf", "server {}"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let file = dir.path().join("bkp_rod_20260101000000.tar.gz");
    // As upstream's device_bkp_rest does it, from the root.
    let mut tar = Command::new("tar");
    let made = tar.arg("zcf").arg(&file).arg("-C").arg(&root).args([
        "var/lib/iotronic",
        "etc/iotronic",
        "etc/letsencrypt",
        "etc/nginx/conf.d",
    ]);
    assert!(made.status().unwrap().success());
    let to = home(&dir.path().join("home"));
    assert_eq!(restore(&to, &file).unwrap(), Restored { files: 4, skipped: 4 });
    assert_eq!(fs::read_to_string(to.path("settings.json")).unwrap(), "{\"iotronic\": {}}");
    assert_eq!(fs::read_to_string(to.path("plugins/u/u.py")).unwrap(), "x");

    let again = dir.path().join("again.tar.gz");
    backup(&to, &settings(&to), &again).unwrap();
    let listed = Command::new("tar").arg("tzf").arg(&again).output().unwrap().stdout;
    let mut names: Vec<_> = std::str::from_utf8(&listed).unwrap().lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "etc/iotronic/settings.json",
            "var/lib/iotronic/plugins.json",
            "var/lib/iotronic/plugins/u/u.py",
            "var/lib/iotronic/services.json"
        ]
    );
}

fn hostile(file: &Path, entries: &[(&str, tar::EntryType, &str)]) {
    let out = fs::File::create(file).unwrap();
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(out, Default::default()));
    for (name, kind, target) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o777);
        // Past the checks of the library, as an attacker's archive would be.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name_literal(target).unwrap();
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, std::io::empty()).unwrap();
        } else {
            header.set_size(target.len() as u64);
            header.set_cksum();
            builder.append(&header, target.as_bytes()).unwrap();
        }
    }
    builder.into_inner().unwrap().finish().unwrap();
}

#[test]
fn an_archive_writes_nothing_outside_the_folder() {
    use tar::EntryType as T;
    let dir = tempfile::tempdir().unwrap();
    let (file, outside) = (dir.path().join("evil.tar.gz"), dir.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    hostile(
        &file,
        &[
            ("lightning-rod/../outside/a", T::Regular, "x"),
            ("../outside/b", T::Regular, "x"),
            ("/etc/passwd-of-a-test", T::Regular, "x"),
            ("lightning-rod/plugins/link", T::Symlink, target),
            ("lightning-rod/plugins/link/c", T::Regular, "x"),
            ("lightning-rod/plugins/hard", T::Link, "/etc/passwd"),
            ("lightning-rod/plugins/fifo", T::Fifo, ""),
            ("lightning-rod/lock", T::Regular, "x"),
            ("lightning-rod/board.json", T::Regular, "{}"),
        ],
    );
    let to = home(&dir.path().join("home"));
    let restored = restore(&to, &file).unwrap();
    assert_eq!(restored, Restored { files: 2, skipped: 7 });
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
    let plain = fs::symlink_metadata(to.path("plugins/link")).unwrap();
    assert!(plain.is_dir(), "a folder and no link");
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, to) = (dir.path().join("x.tar.gz"), home(&dir.path().join("home")));
    let left = || fs::read_dir(to.dir()).unwrap().count();
    assert!(matches!(restore(&to, &file), Err(Error::File { .. })));
    fs::write(&file, "not an archive").unwrap();
    assert!(matches!(restore(&to, &file), Err(Error::Archive { .. })));
    hostile(&file, &[("lightning-rod/plugins.json", tar::EntryType::Regular, "{}")]);
    assert!(matches!(restore(&to, &file), Err(Error::Archive { .. })));
    let from = board(&dir.path().join("a"));
    let good = dir.path().join("good.tar.gz");
    backup(&from, &settings(&from), &good).unwrap();
    let bytes = fs::read(&good).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(restore(&to, &file).is_err());
    assert_eq!(left(), 0);
}
