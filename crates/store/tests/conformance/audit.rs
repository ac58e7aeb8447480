//! The audit: what writes rows, the chain, the heads, proofs, erasing, giving up old rows, and finding what was changed.

use crate::world::{World, random_key};
use base::key::{KeyPair, from_hex, to_hex};
use model::audit::{ActorKind, Checker, Head, Line, Report, Row, Start, merkle};
use model::operation::{Event, Outcome};
use model::{Timestamp, UserId};
use rusqlite::Connection;
use std::sync::LazyLock;
use std::time::Duration;
use store::audit::{self, Entry, Erase, Filter, Grown, Which};
use store::identity::{self, UserRow};
use store::page::Direction;
use store::{author, claims, operations};

/// The cloud's key.
static KEY: LazyLock<KeyPair> = LazyLock::new(KeyPair::generate);

fn is_signed(head: &Head) -> bool {
    let signature = from_hex::<64>(&head.signature);
    let is_good = signature.is_some_and(|bytes| KEY.public().verifies(&head.message(), &bytes));
    is_good && head.key == KEY.public().to_string()
}

async fn rows(world: &World, which: Which) -> Vec<Row> {
    let filter = Filter { which, limit: audit::MAX_ROWS, ..Filter::default() };
    audit::rows(&world.store, None, &filter).await.unwrap()
}

async fn all(world: &World) -> Vec<Row> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|row: &Row| row.seq);
        let filter = Filter { after, limit: audit::MAX_ROWS, ..Filter::default() };
        let page = audit::rows(&world.store, None, &filter).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn write_rows(world: &World, count: u64) {
    for from in (0..count).step_by(1000) {
        let job = world.write(move |tx| {
            Box::pin(async move {
                for number in from..count.min(from + 1000) {
                    tx.audit(Entry::new("test:write", "number", number)).await?;
                }
                Ok(())
            })
        });
        job.await.unwrap();
    }
}

/// A head of what there is now.
async fn sign(world: &World) -> Option<Head> {
    while world.write(|tx| Box::pin(audit::grow(tx))).await.unwrap() == Grown::Partly {}
    let unsigned = audit::unsigned(&world.store).await.unwrap()?;
    let mut head = Head {
        size: unsigned.size,
        at: world.now(),
        root: unsigned.root,
        chain: unsigned.chain,
        key: KEY.public().to_string(),
        signature: String::new(),
    };
    head.signature = to_hex(&KEY.sign(&head.message()));
    let stored = head.clone();
    let job = world.write(move |tx| Box::pin(async move { audit::put_head(tx, &stored).await }));
    job.await.unwrap();
    Some(head)
}

async fn check(world: &World) -> Report {
    let mut checker = Checker::new(is_signed);
    let (first, base) = audit::start(&world.store).await.unwrap();
    checker.line(Line::Start(Start { first, base, key: KEY.public().to_string() }));
    let heads = audit::heads(&world.store, Direction::OldestFirst, Some(first - 1), 1000).await;
    let base_head = audit::start(&world.store).await.unwrap().1.map(|base| base.head.size);
    for head in heads.unwrap().into_iter().filter(|head| Some(head.size) != base_head) {
        checker.line(Line::Head(head));
    }
    all(world).await.into_iter().for_each(|row| checker.line(Line::Row(row)));
    checker.finish()
}

fn database(world: &World) -> Connection {
    Connection::open(world.dir().join("cloud.db")).unwrap()
}

#[tokio::test]
async fn rights_and_commands_leave_rows_with_who_did_it_in_their_own_transaction() {
    let world = World::new().await;
    let admin = UserId::new();
    let user = UserRow {
        id: UserId::new(),
        name: "ada".into(),
        password_hash: "h".into(),
        enabled: true,
        profile: Default::default(),
        tokens_since: Timestamp::default(),
    };
    let (id, project) = (user.id.clone(), world.project.clone());
    author::scope(Some("192.0.2.7".into()), async {
        author::name(ActorKind::User, admin.as_str());
        let job = world.write(move |tx| {
            Box::pin(async move {
                identity::create_user(tx, &user).await?;
                identity::assign(tx, &user.id, &project, model::access::Role::UserIot).await?;
                identity::assign(tx, &user.id, &project, model::access::Role::UserIot).await
            })
        });
        job.await.unwrap();
    })
    .await;
    let board = world.enrolled_board("lamp").await;
    let operation = world.new_operation(board.id);
    let done = operation.id;
    let job = world.write(move |tx| {
        Box::pin(async move {
            operations::submit(tx, operation).await?;
            let now = tx.now();
            operations::advance(tx, done, &Event::Sent, now).await?;
            let answered = Event::Answered(Outcome::Done(serde_json::json!(1)));
            operations::advance(tx, done, &answered, now).await
        })
    });
    job.await.unwrap();

    let rows = rows(&world, Which::default()).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.verb.as_str(), row.actor_kind.as_str(), row.outcome.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("user:create", "user", "done"),
            ("role:assign", "user", "done"),
            ("operation:begin", "user", "accepted"),
            ("operation:end", "board", "succeeded"),
        ]
    );
    assert_eq!(rows[0].actor, admin.as_str());
    let known: Vec<_> =
        rows[0].known.iter().map(|known| (known.field.as_str(), known.value.as_str())).collect();
    assert_eq!(known, [("address", "192.0.2.7"), ("name", "ada")]);
    assert_eq!(rows[0].known[1].person.as_deref(), Some(id.as_str()));
    assert!(!rows[0].detail.contains("ada"), "{}", rows[0].detail);
    assert_eq!(rows[1].project.as_deref(), Some(world.project.as_str()));
    assert_eq!(rows[2].personal, "", "commands name their author and no address");
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_row_and_no_gap() {
    let world = World::new().await;
    write_rows(&world, 2).await;
    let failed = world.write(|tx| {
        Box::pin(async move {
            tx.audit(Entry::new("test:undone", "number", 1)).await?;
            Err::<(), _>(store::Error::Conflict("undone".into()))
        })
    });
    failed.await.unwrap_err();
    write_rows(&world, 2).await;
    let rows = all(&world).await;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(rows.iter().all(|row| row.verb == "test:write"));
    assert_eq!(check(&world).await.troubles, []);
}

#[tokio::test]
async fn a_claim_that_is_redeemed_tells_board_and_key_and_the_secret_nowhere() {
    let world = World::new().await;
    let claim = world.new_claim("lamp", 7, 1);
    let key = random_key();
    let job = world.write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            claims::create(tx, claim).await?;
            claims::redeem(tx, &[7; 32], &key, now, None).await?;
            // The answer that was lost is given again, and told once.
            claims::redeem(tx, &[7; 32], &key, now, None).await
        })
    });
    let board = job.await.unwrap().board;
    let rows = all(&world).await;
    let verbs: Vec<_> = rows.iter().map(|row| row.verb.as_str()).collect();
    assert_eq!(verbs, ["claim:create", "claim:redeem"]);
    assert_eq!(
        (rows[1].actor_kind.as_str(), rows[1].actor.clone()),
        ("board", board.id.to_string())
    );
    assert!(rows[1].detail.contains(&key.fingerprint()));
}

#[tokio::test]
async fn heads_cover_rows_and_prove_each_of_them() {
    let world = World::new().await;
    assert_eq!(sign(&world).await, None, "nothing to sign");
    let mut heads = Vec::new();
    for count in [1, 62, 1, 1, 200, 1000] {
        write_rows(&world, count).await;
        heads.push(sign(&world).await.unwrap());
    }
    assert_eq!(sign(&world).await, None, "signed already");
    let rows = all(&world).await;
    let last = heads.last().unwrap();
    for seq in [1, 2, 63, 64, 65, 66, 128, 700, last.size] {
        let path = audit::inclusion(&world.store, seq, last.size).await.unwrap();
        let hash = rows[usize::try_from(seq).unwrap() - 1].hash.parse().unwrap();
        assert!(merkle::includes(&last.root, last.size, seq - 1, &hash, &path), "{seq}");
    }
    for old in &heads {
        let path = audit::consistency(&world.store, old.size, last.size).await.unwrap();
        assert!(merkle::extends((old.size, &old.root), (last.size, &last.root), &path));
    }
    let report = check(&world).await;
    assert_eq!(report.troubles, []);
    assert_eq!((report.rows, report.heads, report.unsigned), (1265, 6, 0));
}

#[tokio::test]
async fn the_chain_goes_on_after_the_cloud_was_stopped() {
    let world = World::new().await;
    write_rows(&world, 3).await;
    let world = world.reopened().await;
    write_rows(&world, 3).await;
    let report = check(&world).await;
    assert_eq!((report.troubles.as_slice(), report.rows), ([].as_slice(), 6));
}

#[tokio::test]
async fn erasing_leaves_the_chain_valid_and_the_values_nowhere_in_the_file() {
    let world = World::new().await;
    let (ada, bob) = (UserId::new(), UserId::new());
    let (one, other) = (ada.clone(), bob.clone());
    let job = world.write(move |tx| {
        Box::pin(async move {
            let entry = |who: &UserId, name: &str| {
                Entry::new("user:create", "user", who).personal("name", Some(who), name)
            };
            tx.audit(entry(&one, "ada-lovelace-of-old")).await?;
            tx.audit(entry(&other, "bob")).await?;
            tx.audit(Entry::new("x:y", "z", 1).personal("address", None, "192.0.2.77")).await
        })
    });
    job.await.unwrap();
    sign(&world).await.unwrap();
    for (what, count) in [
        (Erase::Person(ada.clone()), 1),
        (Erase::Person(ada), 0),
        (Erase::Value("192.0.2.77".into()), 1),
    ] {
        let job = world.write(move |tx| Box::pin(async move { audit::erase(tx, &what).await }));
        assert_eq!(job.await.unwrap(), count);
    }
    let report = check(&world).await;
    assert_eq!((report.troubles.as_slice(), report.known), ([].as_slice(), 1), "bob's is left");
    let told: Vec<_> =
        rows(&world, Which { verb: Some("audit:*".into()), ..Which::default() }).await;
    assert_eq!(told.len(), 3, "erasing is told");
    let world = world.reopened().await;
    let file = std::fs::read(world.dir().join("cloud.db")).unwrap();
    let holds = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!holds("ada-lovelace-of-old") && !holds("192.0.2.77"));
}

#[tokio::test]
async fn old_rows_go_up_to_a_signed_head_that_speaks_for_them() {
    let world = World::new().await;
    write_rows(&world, 300).await;
    sign(&world).await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    let between: Timestamp = world.now();
    write_rows(&world, 300).await;
    let head = sign(&world).await.unwrap();
    let job = world.write(move |tx| Box::pin(async move { audit::prune(tx, between).await }));
    assert_eq!(job.await.unwrap(), 256, "whole blocks that the old head covers");
    let job = world.write(move |tx| Box::pin(async move { audit::prune(tx, between).await }));
    assert_eq!(job.await.unwrap(), 0);
    let report = check(&world).await;
    assert_eq!((report.troubles.as_slice(), report.rows, report.heads), ([].as_slice(), 344, 2));
    for seq in [257, 300, 301, 600] {
        let row = audit::get(&world.store, None, seq).await.unwrap();
        let path = audit::inclusion(&world.store, seq, head.size).await.unwrap();
        assert!(merkle::includes(
            &head.root,
            head.size,
            seq - 1,
            &row.hash.parse().unwrap(),
            &path
        ));
    }
    assert!(audit::get(&world.store, None, 256).await.is_err());
    // What is kept is checked as before: a change is found.
    database(&world).execute("UPDATE audit SET subject = '7' WHERE seq = 260", []).unwrap();
    assert!(!check(&world).await.troubles.is_empty());
}

#[tokio::test]
async fn nothing_goes_before_it_is_signed_and_the_last_row_never() {
    let world = World::new().await;
    write_rows(&world, 128).await;
    let later = world.now().after(Duration::from_secs(9));
    let job = world.write(move |tx| Box::pin(async move { audit::prune(tx, later).await }));
    assert_eq!(job.await.unwrap(), 0, "nobody has signed them");
    sign(&world).await.unwrap();
    let job = world.write(move |tx| Box::pin(async move { audit::prune(tx, later).await }));
    assert_eq!(job.await.unwrap(), 64, "the last row carries the chain on");
    let world = world.reopened().await;
    write_rows(&world, 1).await;
    assert_eq!(check(&world).await.troubles, []);
}

/// Every column of the tables that the audit consists of, with a change of one byte of it.
#[tokio::test]
async fn one_flipped_byte_in_any_column_is_found() {
    let world = World::new().await;
    let user = UserId::new();
    let job = world.write(move |tx| {
        Box::pin(async move {
            for number in 0..130 {
                let entry = Entry::new("board:create", "board", number).personal(
                    "name",
                    Some(&user),
                    "ada",
                );
                let entry = entry.of(&model::ProjectId::new()).by(ActorKind::User, &user);
                tx.audit(entry.with(serde_json::json!({ "number": number }))).await?;
            }
            Ok(())
        })
    });
    job.await.unwrap();
    sign(&world).await.unwrap();
    let connection = database(&world);
    for table in ["audit", "audit_personal", "audit_heads"] {
        let key = if table == "audit_heads" { "size" } else { "seq" };
        let mut columns = connection.prepare(&format!("PRAGMA table_info({table})")).unwrap();
        let columns: Vec<String> =
            columns.query_map([], |row| row.get(1)).unwrap().map(Result::unwrap).collect();
        let wanted = if table == "audit_heads" { 130 } else { 70 };
        for column in columns {
            assert_eq!(check(&world).await.troubles, [], "before {table}.{column}");
            let text = format!("SELECT {column} FROM {table} WHERE {key} = {wanted}");
            let old: rusqlite::types::Value =
                connection.query_row(&text, [], |row| row.get(0)).unwrap();
            let place = if column == key && table != "audit_heads" { 1 << 20 } else { 1 };
            for (what, new) in flips(&old, place) {
                let change = format!("UPDATE {table} SET {column} = ?1 WHERE {key} = {wanted}");
                assert_eq!(connection.execute(&change, [&new]).unwrap(), 1);
                let report = check(&world).await;
                // A personal value that belongs to no row any more is as good as erased.
                let is_lost = table == "audit_personal" && column == "seq";
                assert!(is_lost || !report.troubles.is_empty(), "{table}.{column}: {what}");
                let row = if column == key { new_key(&new) } else { wanted };
                let back = format!("UPDATE {table} SET {column} = ?1 WHERE {key} = {row}");
                assert_eq!(connection.execute(&back, [&old]).unwrap(), 1);
            }
        }
    }
}

fn new_key(value: &rusqlite::types::Value) -> i64 {
    let rusqlite::types::Value::Integer(number) = value else { panic!("{value:?}") };
    *number
}

/// The value with its first, a middle and its last byte changed, where it has that many.
fn flips(old: &rusqlite::types::Value, number: i64) -> Vec<(String, rusqlite::types::Value)> {
    use rusqlite::types::Value;
    let places = |length: usize| {
        let mut places = vec![0, length / 2, length - 1];
        places.dedup();
        places
    };
    match old {
        Value::Integer(old) => vec![("number".into(), Value::Integer(old ^ number))],
        Value::Blob(old) => {
            let flip = |place: usize| {
                let mut new = old.clone();
                new[place] ^= 1;
                (format!("byte {place}"), Value::Blob(new))
            };
            places(old.len()).into_iter().map(flip).collect()
        }
        Value::Text(old) => {
            let flip = |place: usize| {
                let mut new = old.clone().into_bytes();
                new[place] ^= 1;
                (format!("byte {place}"), Value::Text(String::from_utf8(new).unwrap()))
            };
            places(old.len()).into_iter().map(flip).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_proof_among_a_million_rows_fits_in_a_kilobyte() {
    // Among 20,000 real ones; its length among a million is `model`'s to say.
    let world = World::new().await;
    write_rows(&world, 20_000).await;
    let head = sign(&world).await.unwrap();
    let path = audit::inclusion(&world.store, 12_345, head.size).await.unwrap();
    let row = audit::get(&world.store, None, 12_345).await.unwrap();
    assert!(merkle::includes(&head.root, head.size, 12_344, &row.hash.parse().unwrap(), &path));
    assert!(path.len() <= 15);
    assert!(merkle::inclusion(499_999, 1_000_000).len() * 32 <= 640);
}

#[tokio::test]
async fn reads_are_counted_by_the_hour() {
    let world = World::new().await;
    let hour = audit::Reads::hour_of(world.now());
    let reads = |times| audit::Reads {
        hour,
        project: world.project.clone(),
        actor: world.user.clone(),
        verb: "board:get".into(),
        times,
    };
    for times in [3, 4] {
        let reads = vec![reads(times)];
        let job =
            world.write(move |tx| Box::pin(async move { audit::count_reads(tx, &reads).await }));
        job.await.unwrap();
    }
    assert_eq!(audit::list_reads(&world.store, None, None, 10).await.unwrap(), [reads(7)]);
    let other = model::ProjectId::new();
    assert_eq!(audit::list_reads(&world.store, Some(&other), None, 10).await.unwrap(), []);
    let later = hour.after(Duration::from_secs(3600));
    let job = world.write(move |tx| Box::pin(async move { audit::trim_reads(tx, later).await }));
    assert_eq!(job.await.unwrap(), 1);
}

#[tokio::test]
async fn the_filters_pick_rows_and_a_project_sees_its_own() {
    let world = World::new().await;
    let theirs = model::ProjectId::new();
    let (mine, other) = (world.project.clone(), theirs.clone());
    let job = world.write(move |tx| {
        Box::pin(async move {
            tx.audit(Entry::new("user:create", "user", "a")).await?;
            tx.audit(Entry::new("board:create", "board", "b").of(&mine)).await?;
            tx.audit(Entry::new("board:delete", "board", "b").of(&other)).await
        })
    });
    job.await.unwrap();
    let seqs = async |which: Which, project: Option<&model::ProjectId>, order| {
        let filter = Filter { which, order, after: None, limit: 10 };
        let rows = audit::rows(&world.store, project, &filter).await.unwrap();
        rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    let verb = |verb: &str| Which { verb: Some(verb.into()), ..Which::default() };
    assert_eq!(seqs(verb("board:*"), None, Direction::OldestFirst).await, [2, 3]);
    assert_eq!(seqs(verb("board:create"), None, Direction::OldestFirst).await, [2]);
    assert_eq!(seqs(Which::default(), None, Direction::NewestFirst).await, [3, 2, 1]);
    assert_eq!(seqs(Which::default(), Some(&theirs), Direction::OldestFirst).await, [3]);
    let subject = Which { subject: Some("b".into()), ..Which::default() };
    assert_eq!(seqs(subject, None, Direction::OldestFirst).await, [2, 3]);
    let future = Which { since: Some(world.in_an_hour()), ..Which::default() };
    assert_eq!(seqs(future, None, Direction::OldestFirst).await, [0_u64; 0]);
    assert!(audit::get(&world.store, Some(&theirs), 2).await.is_err());
}
