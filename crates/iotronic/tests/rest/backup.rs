//! Backup and restore: what comes back, what does not, and files and folders that are refused.

use crate::world::World;
use iotronic::backup::{Error, make, restore};
use iotronic::identity::tokens::Tokens;
use iotronic::serve;
use iotronic::settings::Settings;
use model::access::Role;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use store::{Options, RESTORING, Store};
use tempfile::TempDir;

/// A backup of a cloud with some things in it, in a folder of its own.
async fn backed_up() -> (World, TempDir, PathBuf) {
    let world = World::start().await;
    world.board("lamp").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.backup");
    make(world.dir.path(), &file).unwrap();
    (world, folder, file)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_restored_cloud_is_the_one_that_was_backed_up_as_it_was_then() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = world.board("lamp").await;
    std::fs::write(world.dir.path().join("iotronic.toml"), "[log]\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.backup");
    let made = make(world.dir.path(), &file).unwrap();
    assert_eq!(made.bytes, std::fs::metadata(&file).unwrap().len());
    assert_eq!((mode(&file), names(folder.path())), (0o600, vec!["cloud.backup".to_owned()]));
    let later = world.board("later").await;

    let dir = folder.path().join("cloud");
    let restored = restore(&dir, &file).await.unwrap();
    assert_eq!(restored.cloud, world.cloud().key.public().fingerprint());
    assert_eq!(names(&dir), ["admin.json", "cloud.db", "cloud.key", "iotronic.toml"]);
    for name in names(&dir) {
        assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
    }
    let mut settings = Settings::default();
    settings.api.listen.set_port(0);
    let again = serve::start(&dir, settings, Options::default()).await.unwrap();
    assert!(again.password.is_none(), "the administrator is there");
    let store = &again.cloud.store;
    let board = store::boards::by_id(store, None, lamp).await.unwrap();
    let gone = store::boards::by_id(store, None, later).await;
    assert!(matches!(gone, Err(store::Error::NotFound { .. })));
    // A board that heard of rights in a later epoch takes those of the restored cloud.
    let before = store::boards::by_id(&world.cloud().store, None, lamp).await.unwrap();
    assert!(before.rights_epoch + 1000 < board.rights_epoch, "{}", board.rights_epoch);
    // Tokens of before are another key's.
    assert!(Tokens::open(&dir).unwrap().read(&owner.token, again.cloud.now()).is_err());
    let every = store::audit::Filter { limit: 100, ..Default::default() };
    let rows = store::audit::rows(store, None, &every).await.unwrap();
    let told = rows.iter().find(|row| row.verb == "cloud:restore").unwrap();
    assert_eq!((told.actor.as_str(), told.subject.as_str()), ("restore", restored.cloud.as_str()));
    again.finish().await;
}

#[tokio::test]
async fn recordings_that_have_ended_are_in_a_backup_and_those_that_were_erased_are_not() {
    let world = World::start().await;
    let lamp = world.board("lamp").await;
    let recordings = world.dir.path().join("recordings");
    std::fs::create_dir_all(&recordings).unwrap();
    let user = world.owner().await.user;
    let ids: Vec<uuid::Uuid> = (0..3).map(|_| uuid::Uuid::now_v7()).collect();
    let shown = b"what the board showed";
    let digest = base::key::to_hex(&<sha2::Sha256 as sha2::Digest>::digest(shown));
    for id in &ids {
        std::fs::write(recordings.join(format!("{id}.cast")), shown).unwrap();
        let (id, user, digest) = (*id, user.clone(), digest.clone());
        let job = world.cloud().store.write(move |tx| {
            Box::pin(async move {
                store::recordings::begin(tx, id, lamp, &user).await?;
                store::recordings::end(tx, id, shown.len() as u64, &digest).await
            })
        });
        job.await.unwrap();
    }
    // One is erased, and the file of another is gone.
    let erased = ids[1];
    let job = world
        .cloud()
        .store
        .write(move |tx| Box::pin(async move { store::recordings::erase(tx, None, erased).await }));
    job.await.unwrap();
    std::fs::remove_file(recordings.join(format!("{}.cast", ids[2]))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.backup");
    make(world.dir.path(), &file).unwrap();
    let dir = folder.path().join("cloud");
    restore(&dir, &file).await.unwrap();
    let back = dir.join("recordings");
    assert_eq!((names(&back), mode(&back)), (vec![format!("{}.cast", ids[0])], 0o700));
    let file = back.join(format!("{}.cast", ids[0]));
    assert_eq!((std::fs::read(&file).unwrap().as_slice(), mode(&file)), (&shown[..], 0o600));
}

#[tokio::test]
async fn that_a_backup_was_made_is_told_in_the_audit_also_of_a_cloud_that_did_not_run() {
    let (world, folder, _) = backed_up().await;
    let told = async |store: &Store| {
        let every = store::audit::Filter { limit: 1000, ..Default::default() };
        let rows = store::audit::rows(store, None, &every).await.unwrap();
        rows.iter().filter(|row| row.verb == "cloud:backup").count()
    };
    crate::world::eventually("the backup to be told", async || {
        let found = told(&world.cloud().store).await;
        let left = names(&world.dir.path().join("backups-made"));
        if found == 1 && left.is_empty() { Ok(()) } else { Err((found, left)) }
    })
    .await;
    let dir = folder.path().join("cloud");
    restore(&dir, &folder.path().join("cloud.backup")).await.unwrap();
    make(&dir, &folder.path().join("again.backup")).unwrap();
    std::fs::write(dir.join("backups-made/garbage.json"), "x").unwrap();
    let mut settings = Settings::default();
    settings.api.listen.set_port(0);
    let again = serve::start(&dir, settings, Options::default()).await.unwrap();
    crate::world::eventually("both notes to be told", async || {
        let found = told(&again.cloud.store).await;
        if found == 2 { Ok(()) } else { Err(found) }
    })
    .await;
    again.finish().await;
}

#[tokio::test]
async fn a_backup_that_is_cut_off_or_has_one_other_byte_is_refused_and_leaves_nothing() {
    let (world, folder, file) = backed_up().await;
    let good = std::fs::read(&file).unwrap();
    let bad = folder.path().join("bad");
    let dir = folder.path().join("cloud");
    let refused = async |bytes: &[u8], what: &str| {
        std::fs::write(&bad, bytes).unwrap();
        let error = restore(&dir, &bad).await.unwrap_err();
        let is_seen = matches!(error, Error::Damaged { .. } | Error::NotABackup(_));
        assert!(is_seen, "{what}: {error}");
        assert!(!dir.exists(), "{what}");
    };
    for length in [0, 1, 13, 14, 511, 512, 2047, 2048, 5000, good.len() / 2, good.len() - 1] {
        refused(&good[..length], &format!("the first {length} bytes")).await;
    }
    let spread = (0..good.len()).step_by(good.len() / 40);
    for place in spread.chain((good.len() - 2100..good.len()).step_by(100)) {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        refused(&bytes, &format!("byte {place} of {}", good.len())).await;
    }
    let mut longer = good.clone();
    longer.push(0);
    refused(&longer, "one byte more").await;
    refused(b"not a backup, but a file of some length", "another file").await;
    refused(&std::fs::read(world.dir.path().join("cloud.db")).unwrap(), "a database").await;
    restore(&dir, &file).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_newer_schema_is_refused_by_name() {
    let (world, folder, _) = backed_up().await;
    let (data, file) = (folder.path().join("data"), folder.path().join("newer"));
    std::fs::create_dir(&data).unwrap();
    let copy = folder.path().join("copy");
    make(world.dir.path(), &copy).unwrap();
    restore(&folder.path().join("x"), &copy).await.unwrap();
    for name in ["cloud.db", "cloud.key"] {
        std::fs::copy(folder.path().join("x").join(name), data.join(name)).unwrap();
    }
    let database = rusqlite::Connection::open(data.join("cloud.db")).unwrap();
    database.execute("INSERT INTO schema_versions (version) VALUES (999)", []).unwrap();
    drop(database);
    assert_eq!(make(&data, &file).unwrap().schema, 999);
    let error = restore(&folder.path().join("y"), &file).await.unwrap_err();
    assert!(matches!(error, Error::Newer { .. }), "{error}");
    assert!(!folder.path().join("y").exists());
}

#[tokio::test]
async fn folders_and_files_that_are_in_use_are_left_alone() {
    let (world, folder, file) = backed_up().await;
    let running = restore(world.dir.path(), &file).await.unwrap_err();
    assert!(matches!(running, Error::NotEmpty(_)), "{running}");
    let again = make(world.dir.path(), &file).unwrap_err();
    assert!(matches!(again, Error::Exists(_)), "{again}");
    let nothing = make(folder.path(), &folder.path().join("b")).unwrap_err();
    assert!(matches!(nothing, Error::NoCloud(_)), "{nothing}");
    let nowhere = make(world.dir.path(), &folder.path().join("no/such/folder")).unwrap_err();
    assert!(matches!(nowhere, Error::File { .. }), "{nowhere}");
    let (empty, held) = (folder.path().join("empty"), folder.path().join("held"));
    std::fs::create_dir(&empty).unwrap();
    restore(&empty, &file).await.unwrap();
    // One that died in the middle is seen by whoever starts a cloud there.
    std::fs::create_dir_all(held.join(RESTORING)).unwrap();
    let error = Store::open(&held, Options::default()).await.err().unwrap();
    assert!(matches!(error, store::Error::HalfRestored(_)), "{error}");
    assert!(matches!(restore(&held, &file).await.unwrap_err(), Error::NotEmpty(_)));
}

#[tokio::test]
async fn what_is_written_while_a_backup_is_made_is_in_it_whole_or_not_at_all() {
    let world = World::start().await;
    let owner = world.somebody(&world.project, Role::ManagerIotProject).await;
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (world.dir.path().to_owned(), folder.path().join("cloud.backup"));
    let mut acknowledged = 0;
    let mut backup = None;
    for number in 0..60 {
        let body = json!({ "name": format!("s-{number}"), "port": 22 });
        world.post(&owner, "/v2/services", body).await.expect(201);
        if number == 20 {
            acknowledged = number;
            let (data, file) = (data.clone(), file.clone());
            backup = Some(tokio::task::spawn_blocking(move || make(&data, &file)));
        }
    }
    backup.unwrap().await.unwrap().unwrap();
    let dir = folder.path().join("cloud");
    restore(&dir, &file).await.unwrap();
    let store = Store::open(&dir, Options::default()).await.unwrap();
    let rows = store::services::list(
        &store,
        None,
        &store::services::Filter::default(),
        store::Page::default(),
    )
    .await
    .unwrap();
    assert!(rows.len() > acknowledged, "{} of {acknowledged}", rows.len());
    // Each has its event and its row in the audit, or is not there.
    let events = store::events::after(&store, None, 0, 1000).await.unwrap();
    let created = events.iter().filter(|event| event.kind == "service.created").count();
    let every = store::audit::Filter { limit: 1000, ..Default::default() };
    let told = store::audit::rows(&store, None, &every).await.unwrap();
    let told = told.iter().filter(|row| row.verb == "service:create").count();
    assert_eq!((created, told), (rows.len(), rows.len()));
    store.close().await;
}
