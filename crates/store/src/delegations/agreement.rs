//! Tests of the index: whatever is written, it answers as the database does, and never late.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use super::index::{Answer, Asked};
use super::{Reaching, create, reach, reaching_board, revoke, revoke_held_by};
use crate::boards::{self, BoardChange, NewBoard};
use crate::fleets::{self, FleetChange, NewFleet};
use crate::sql::Statement;
use crate::{Error, Options, Store, contributions};
use base::clock::{Clock, ManualClock};
use model::contribution::{Contribution, Hours, RawHours};
use model::delegation::{Delegation, Hold, Part, Resource, Rights, Target, Window, decide};
use model::facts::Facts;
use model::label::Labels;
use model::{BoardId, DelegationId, FleetId, PluginId, ProjectId, Timestamp, UserId};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// 2026-01-01T10:00:00Z.
const START: i64 = 1_767_261_600_000_000;
const ACTIONS: [&str; 3] = ["board:get_one", "plugin_action:call", "board:update"];
const RULES: [&str; 4] = ["kind=lamp", "kind!=lamp", "!kind", "kind"];
const KINDS: [&str; 3] = ["lamp", "fan", ""];

/// Splitmix64, so that each seed is one course of events.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

struct World {
    store: Store,
    clock: Arc<ManualClock>,
    dice: Dice,
    projects: Vec<ProjectId>,
    users: Vec<UserId>,
    boards: Vec<BoardId>,
    fleets: Vec<FleetId>,
    plugins: Vec<PluginId>,
    given: Vec<Delegation>,
    _dir: TempDir,
}

impl World {
    async fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let options = Options { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Options::default() };
        let mut world = Self {
            store: Store::open(dir.path(), options).await.unwrap(),
            clock,
            dice: Dice(seed),
            projects: (0..2).map(|_| ProjectId::new()).collect(),
            users: (0..4).map(|_| UserId::new()).collect(),
            boards: Vec::new(),
            fleets: Vec::new(),
            plugins: (0..2).map(|_| PluginId::new()).collect(),
            given: Vec::new(),
            _dir: dir,
        };
        for number in 0..6 {
            world.add_fleet(number).await;
            world.add_board(number).await;
        }
        world
    }

    async fn add_fleet(&mut self, number: usize) {
        let rule = number.is_multiple_of(2).then(|| self.dice.one(&RULES).parse().unwrap());
        let new = NewFleet {
            extra: json!({}),
            id: FleetId::new(),
            name: format!("fleet-{}", FleetId::new()).parse().unwrap(),
            project: self.projects[number % 2].clone(),
            description: String::new(),
            rule,
        };
        let write = self.store.write(|tx| Box::pin(fleets::create(tx, new)));
        self.fleets.push(write.await.unwrap().id);
    }

    async fn add_board(&mut self, number: usize) {
        let new = NewBoard {
            id: BoardId::new(),
            name: format!("board-{number}").parse().unwrap(),
            project: self.projects[number % 2].clone(),
            owner: self.users[0].clone(),
            fleet: None,
            public_key: None,
            labels: self.labels(),
            position: None,
            facts: Facts::default(),
        };
        let write = self.store.write(|tx| Box::pin(boards::create(tx, new)));
        self.boards.push(write.await.unwrap().id);
    }

    fn labels(&mut self) -> Labels {
        let kind = *self.dice.one(&KINDS);
        let labels: BTreeMap<String, String> = [("kind".to_owned(), kind.to_owned())]
            .into_iter()
            .filter(|_| !kind.is_empty())
            .collect();
        labels.try_into().unwrap()
    }

    /// One change of any kind; some are refused, and some are undone after they were made.
    async fn change(&mut self) {
        match self.dice.roll(14) {
            0..=3 => self.give().await,
            4..=5 => self.pass_on().await,
            6 => self.take_back().await,
            7 => self.move_board().await,
            8 => self.rewrite_rule().await,
            9 => self.contribute().await,
            10 => self.hand_over().await,
            11 => self.undo_something().await,
            12 if self.dice.roll(4) == 0 => self.lose_a_fleet_or_a_user().await,
            _ => self.clock.advance(Duration::from_secs(self.dice.roll(4000) as u64)),
        }
    }

    fn window(&mut self) -> Window {
        let from = self.store.now().after(Duration::from_secs(self.dice.roll(600) as u64));
        let length = Duration::from_secs(1 + self.dice.roll(20_000) as u64);
        Window::new(from, from.after(length)).unwrap()
    }

    fn rights(&mut self) -> Rights {
        let mut names: BTreeSet<String> =
            ACTIONS.iter().filter(|_| self.dice.roll(2) == 0).map(|name| (*name).into()).collect();
        names.insert(ACTIONS[0].into());
        names.try_into().unwrap()
    }

    async fn give(&mut self) {
        let board = *self.dice.one(&self.boards.clone());
        let plugin = Part::Plugin(*self.dice.one(&self.plugins.clone()));
        let resource = match self.dice.roll(6) {
            0 | 1 => Resource::Board(board),
            2 | 3 => Resource::Fleet(*self.dice.one(&self.fleets.clone())),
            4 if self.dice.roll(2) == 0 => plugin.into(),
            4 => Resource::OnBoard(plugin, board),
            _ => Resource::Project(self.dice.one(&self.projects.clone()).clone()),
        };
        let new = Delegation {
            id: DelegationId::new(),
            parent: None,
            resource,
            delegator: self.users[0].clone(),
            delegated: self.dice.one(&self.users.clone()).clone(),
            rights: self.rights(),
            window: self.window(),
            depth: self.dice.roll(4) as u8,
            hold: Hold::Shared,
            revoked: false,
        };
        self.store_delegation(new).await;
    }

    async fn pass_on(&mut self) {
        let Some(parent) =
            (!self.given.is_empty()).then(|| self.dice.one(&self.given.clone()).clone())
        else {
            return;
        };
        let resource = match self.dice.roll(2) {
            0 => parent.resource.clone(),
            _ => Resource::Board(*self.dice.one(&self.boards.clone())),
        };
        let new = Delegation {
            id: DelegationId::new(),
            parent: Some(parent.id),
            resource,
            delegator: parent.delegated.clone(),
            delegated: self.dice.one(&self.users.clone()).clone(),
            depth: parent.depth.saturating_sub(1),
            ..parent
        };
        self.store_delegation(new).await;
    }

    async fn store_delegation(&mut self, new: Delegation) {
        let project = self.projects[0].clone();
        let stored = self.store.write(move |tx| {
            Box::pin(async move {
                let target = match new.resource {
                    Resource::Board(board) | Resource::OnBoard(_, board) => {
                        let project = boards::by_id(&mut *tx, None, board).await?.project;
                        reach::target(&mut *tx, board, project).await?
                    }
                    _ => Target::new(new.resource.clone(), project),
                };
                create(tx, new, &target).await
            })
        });
        self.given.extend(stored.await.ok().map(|row| row.delegation));
    }

    async fn take_back(&mut self) {
        if !self.given.is_empty() {
            let (id, by) = (self.dice.one(&self.given.clone()).id, self.users[0].clone());
            let write =
                self.store.write(move |tx| Box::pin(async move { revoke(tx, id, &by).await }));
            write.await.unwrap();
        }
    }

    async fn move_board(&mut self) {
        let board = *self.dice.one(&self.boards.clone());
        let fleet = *self.dice.one(&self.fleets.clone());
        let change = match self.dice.roll(3) {
            0 => BoardChange { fleet: Some(None), ..BoardChange::default() },
            1 => BoardChange { fleet: Some(Some(fleet)), ..BoardChange::default() },
            _ => BoardChange { labels: Some(self.labels()), ..BoardChange::default() },
        };
        let write = self.store.write(move |tx| {
            Box::pin(async move { boards::update(tx, None, board, change, None).await })
        });
        // The fleet may be another project's.
        let _ = write.await;
    }

    async fn rewrite_rule(&mut self) {
        let fleet = *self.dice.one(&self.fleets.clone());
        let rule = (self.dice.roll(3) > 0).then(|| self.dice.one(&RULES).parse().unwrap());
        let change = FleetChange { rule: Some(rule), ..FleetChange::default() };
        let write = self.store.write(move |tx| {
            Box::pin(async move { fleets::update(tx, None, fleet, change, None).await })
        });
        write.await.unwrap();
    }

    async fn contribute(&mut self) {
        let (board, by) = (*self.dice.one(&self.boards.clone()), self.users[0].clone());
        let spans = vec!["mon-sun 09:00-11:00".to_owned()];
        let hours = RawHours { zone: "UTC0".into(), spans };
        let said = match self.dice.roll(3) {
            0 => None,
            1 => Some(Contribution { hours: None, ..Contribution::default() }),
            _ => Some(Contribution {
                hours: Some(Hours::try_from(hours).unwrap()),
                ..Contribution::default()
            }),
        };
        let write = self.store.write(move |tx| {
            Box::pin(async move {
                match said {
                    Some(said) => contributions::put(tx, board, &said, &by).await.map(|_| ()),
                    None => contributions::delete(tx, board).await,
                }
            })
        });
        let _ = write.await;
    }

    async fn hand_over(&mut self) {
        let board = *self.dice.one(&self.boards.clone());
        let (to, owner) = (self.dice.one(&self.projects.clone()).clone(), self.users[0].clone());
        let write = self.store.write(move |tx| {
            Box::pin(async move { boards::transfer(tx, board, &to, &owner).await })
        });
        let _ = write.await;
    }

    async fn undo_something(&mut self) {
        let (fleet, user) = (*self.dice.one(&self.fleets.clone()), self.users[1].clone());
        let write = self.store.write(move |tx| {
            Box::pin(async move {
                revoke_held_by(tx, &user).await?;
                fleets::delete(tx, None, fleet).await?;
                Err::<(), _>(Error::NotFound { what: "reason" })
            })
        });
        write.await.unwrap_err();
    }

    async fn lose_a_fleet_or_a_user(&mut self) {
        if self.dice.roll(2) == 0 {
            let user = self.dice.one(&self.users.clone()).clone();
            let write = self
                .store
                .write(move |tx| Box::pin(async move { revoke_held_by(tx, &user).await }));
            write.await.unwrap();
            return;
        }
        let place = self.dice.roll(self.fleets.len());
        let fleet = self.fleets.swap_remove(place);
        let write = self
            .store
            .write(move |tx| Box::pin(async move { fleets::delete(tx, None, fleet).await }));
        write.await.unwrap();
        self.add_fleet(place).await;
    }

    /// Asks both about somebody and some board.
    async fn compare(&mut self) -> usize {
        let user = self.dice.one(&self.users.clone()).clone();
        let board = *self.dice.one(&self.boards.clone());
        let plugin = Part::Plugin(*self.dice.one(&self.plugins.clone()));
        let part = (self.dice.roll(2) == 0).then_some(plugin);
        let project = boards::by_id(&self.store, None, board).await.unwrap().project;
        let now = self.store.now();
        let asked = Asked { to: &user, board, project: &project, part, now };
        let held = reach::known(&self.store, asked).await.unwrap().expect("the index is sure");
        let again = self.store.lent().of_board(asked);
        assert!(matches!(again, Answer::Known(reaching) if reaching == held), "it forgets nothing");
        let (to, of) = (user.clone(), project.clone());
        let read = self.store.write(move |tx| {
            Box::pin(async move { reaching_board(&mut *tx, &to, (board, &of), part, now).await })
        });
        agree(&held, &read.await.unwrap(), &user, now)
    }
}

/// How much is allowed by either.
fn agree(held: &Reaching, read: &Reaching, user: &UserId, now: Timestamp) -> usize {
    assert_eq!(held.chains, read.chains);
    let decided = |of: &Reaching| -> Vec<_> {
        let of_chain = |chain: &Vec<Delegation>| {
            ACTIONS.map(|action| decide(chain, user, action, &of.target, now))
        };
        of.chains.iter().map(of_chain).collect()
    };
    assert_eq!(decided(held), decided(read));
    decided(held).iter().flatten().filter(|decision| decision.is_ok()).count()
}

#[tokio::test]
async fn whatever_is_written_memory_answers_as_the_database_does() {
    let mut allowed = 0;
    for seed in 0..4 {
        let mut world = World::new(seed).await;
        for _ in 0..150 {
            world.change().await;
            for _ in 0..4 {
                allowed += world.compare().await;
            }
        }
        world.store.close().await;
    }
    assert!(allowed > 200, "most of what was asked about was nothing: {allowed}");
}

#[tokio::test]
async fn a_store_that_is_opened_again_knows_what_it_knew() {
    let mut world = World::new(7).await;
    for _ in 0..60 {
        world.change().await;
    }
    world.store.close().await;
    let options =
        Options { clock: Arc::clone(&world.clock) as Arc<dyn Clock>, ..Options::default() };
    world.store = Store::open(world._dir.path(), options).await.unwrap();
    world.store.flush().await.unwrap();
    for _ in 0..40 {
        world.compare().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_allowed_anything_after_it_was_acknowledged_that_it_was_taken_back() {
    let mut world = World::new(1).await;
    let (user, board) = (world.users[1].clone(), world.boards[0]);
    let project = world.projects[0].clone();
    for _ in 0..40 {
        let new = Delegation {
            id: DelegationId::new(),
            parent: None,
            resource: Resource::Board(board),
            delegator: world.users[0].clone(),
            delegated: user.clone(),
            rights: world.rights(),
            window: Window::new(
                world.store.now(),
                world.store.now().after(Duration::from_secs(60)),
            )
            .unwrap(),
            depth: 0,
            hold: Hold::Shared,
            revoked: false,
        };
        let id = new.id;
        world.store_delegation(new).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, store, of) = (Arc::clone(&is_over), world.store.clone(), project.clone());
        let (to, now) = (user.clone(), world.store.now());
        let reader = tokio::spawn(async move {
            loop {
                // Read before the question is asked.
                let was_over = over.load(Ordering::SeqCst);
                let found = reaching_board(&store, &to, (board, &of), None, now).await.unwrap();
                assert!(!was_over || found.chains.is_empty(), "it was allowed afterwards");
                if was_over {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
        let by = world.users[0].clone();
        let write = world.store.write(move |tx| Box::pin(async move { revoke(tx, id, &by).await }));
        assert_eq!(write.await.unwrap(), 1);
        is_over.store(true, Ordering::SeqCst);
        reader.await.unwrap();
    }
}

/// Asks the database itself, so that a statement which reads one table more is not forgotten.
#[tokio::test]
async fn every_table_that_a_decision_reads_is_watched() {
    let world = World::new(2).await;
    let write = world.store.write(|tx| {
        Box::pin(async move {
            let program = "EXPLAIN WITH f (id) AS (SELECT fleet FROM fleet_members WHERE board = 'x') \
                SELECT d.id, c.said FROM delegations d, contributions c, f";
            let opened = tx.rows(&Statement::new("explain", program))?;
            let opened: BTreeSet<i64> = opened
                .iter()
                .filter(|row| row.text("opcode").is_ok_and(|code| code == "OpenRead"))
                .map(|row| row.int("p2"))
                .collect::<Result<_, _>>()?;
            let tables = "SELECT rootpage, tbl_name FROM sqlite_master WHERE rootpage > 0";
            let tables = tx.rows(&Statement::new("list tables", tables))?;
            let read: BTreeSet<String> = tables
                .iter()
                .filter(|row| row.int("rootpage").is_ok_and(|page| opened.contains(&page)))
                .map(|row| row.text("tbl_name"))
                .collect::<Result<_, _>>()?;
            let text = "SELECT tbl_name, COUNT(*) AS triggers FROM sqlite_temp_master \
                WHERE type = 'trigger' GROUP BY tbl_name";
            let watched = tx.rows(&Statement::new("list triggers", text))?;
            let watched: BTreeMap<String, i64> = watched
                .iter()
                .map(|row| Ok::<_, Error>((row.text("tbl_name")?, row.int("triggers")?)))
                .collect::<Result<_, _>>()?;
            Ok((read, watched))
        })
    });
    let (read, watched) = write.await.unwrap();
    assert!(read.len() >= 5, "{read:?}");
    for table in &read {
        assert_eq!(watched.get(table), Some(&3), "{table}: made, changed and removed");
    }
}
