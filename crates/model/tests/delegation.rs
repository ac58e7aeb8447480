//! The algebra of delegations against a naive model: what somebody may do by a chain is what each link gives, cut together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use model::delegation::{
    Delegation, Denied, Hold, MAX_DEPTH, Part, Resource, Rights, Target, Window, decide,
};
use model::{BoardId, DelegationId, FleetId, PluginId, ProjectId, ServiceId, Timestamp, UserId};
use proptest::prelude::*;
use std::collections::BTreeSet;

const ACTIONS: [&str; 5] = [
    "board:get_one",
    "board:update",
    "plugin_inject:put",
    "plugin_action:call",
    "service_action:enable",
];
/// Moments that are looked at.
const MOMENTS: i64 = 12;
/// Chains of one run; `soak` sets more.
const CHAINS: u32 = 3_000;

/// Boards of the small world; the first four belong to the first project.
const BOARDS: usize = 6;

/// A small world: two projects, two fleets, six boards, a plugin and a service of the first project, four people.
struct World {
    /// What is asked for: boards, parts of boards, the plugin and the service.
    targets: Vec<Target>,
    /// What can be given, with the target that it is.
    resources: Vec<(Resource, Target)>,
    /// Naive: the targets that each of those reaches, by number.
    reach: Vec<BTreeSet<usize>>,
    people: Vec<UserId>,
}

impl World {
    fn new() -> Self {
        let projects = [ProjectId::new(), ProjectId::new()];
        let fleets = [FleetId::new(), FleetId::new()];
        let parts = [Part::Plugin(PluginId::new()), Part::Service(ServiceId::new())];
        let boards: Vec<BoardId> = (0..BOARDS).map(|_| BoardId::new()).collect();
        // A fleet holds boards of its own project only.
        let fleet_of = |number: usize| (number < 4 && number % 3 < 2).then_some(number % 3);
        let project_of = |number: usize| usize::from(number >= 4);
        let board = |number: usize| {
            let fleets = fleet_of(number).map(|fleet| fleets[fleet]).into_iter().collect();
            Target::board(boards[number], fleets, projects[project_of(number)].clone())
        };
        let itself = |part: Part| Target::new(part.into(), projects[0].clone());

        // Each target with its board and its part, by number.
        let mut asked: Vec<(Target, Option<usize>, Option<usize>)> =
            (0..BOARDS).map(|number| (board(number), Some(number), None)).collect();
        for (number, part) in [(0, 0), (0, 1), (3, 0), (1, 1)] {
            asked.push((board(number).part(Some(parts[part])), Some(number), Some(part)));
        }
        asked.extend([0, 1].map(|part| (itself(parts[part]), None, Some(part))));

        let (mut resources, mut reach) = (Vec::new(), Vec::new());
        let mut add =
            |resource: Resource,
             target: Target,
             reached: &dyn Fn(Option<usize>, Option<usize>) -> bool| {
                resources.push((resource, target));
                let numbers = asked.iter().enumerate();
                let numbers = numbers.filter(|(_, (_, board, part))| reached(*board, *part));
                reach.push(numbers.map(|(number, _)| number).collect());
            };
        for number in 0..BOARDS {
            let target = board(number);
            add(target.resource.clone(), target, &|board, _| board == Some(number));
        }
        for number in [0, 1] {
            let resource = Resource::Fleet(fleets[number]);
            let target = Target::new(resource.clone(), projects[0].clone());
            add(resource, target, &|board, _| board.and_then(fleet_of) == Some(number));
            let resource = Resource::Project(projects[number].clone());
            let target = Target::new(resource.clone(), projects[number].clone());
            // Things that are on no board belong to the first project.
            add(resource, target, &|board, _| board.map_or(0, project_of) == number);
            add(parts[number].into(), itself(parts[number]), &|_, part| part == Some(number));
            let target = board(0).part(Some(parts[number]));
            let resource = Resource::OnBoard(parts[number], boards[0]);
            add(resource, target, &|board, part| board == Some(0) && part == Some(number));
        }
        let targets = asked.iter().map(|(target, ..)| target.clone()).collect();
        Self { targets, resources, reach, people: (0..4).map(|_| UserId::new()).collect() }
    }

    fn reach(&self, resource: &Resource) -> &BTreeSet<usize> {
        let number = self.resources.iter().position(|(known, _)| known == resource);
        &self.reach[number.unwrap()]
    }
}

/// A delegation that somebody would like to make; numbers point into the world.
#[derive(Debug, Clone)]
struct Wish {
    resource: usize,
    from_person: usize,
    to_person: usize,
    rights: u8,
    window: (i64, i64),
    depth: u8,
}

fn wish() -> impl Strategy<Value = Wish> {
    (0..14_usize, 0..4_usize, 0..4_usize, 1..32_u8, 0..MOMENTS, 1..MOMENTS, 0..MAX_DEPTH).prop_map(
        |(resource, from_person, to_person, rights, from, length, depth)| Wish {
            resource,
            from_person,
            to_person,
            rights,
            window: (from, from + length),
            depth,
        },
    )
}

fn rights(bits: u8) -> Rights {
    let names = ACTIONS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
    names.map(|(_, name)| (*name).to_owned()).collect::<BTreeSet<_>>().try_into().unwrap()
}

fn at(moment: i64) -> Timestamp {
    Timestamp::from_micros(moment)
}

impl Wish {
    fn grant(&self, world: &World, parent: Option<&Delegation>) -> Delegation {
        Delegation {
            id: DelegationId::new(),
            parent: parent.map(|parent| parent.id),
            resource: world.resources[self.resource].0.clone(),
            delegator: world.people[self.from_person].clone(),
            delegated: world.people[self.to_person].clone(),
            rights: rights(self.rights),
            window: Window::new(at(self.window.0), at(self.window.1)).unwrap(),
            depth: self.depth,
            hold: Hold::Shared,
            revoked: false,
        }
    }

    /// The same wish, brought within its parent where numbers allow it, so that long chains come about.
    fn nearer(mut self, parent: &Wish) -> Self {
        self.from_person = parent.to_person;
        self.rights &= parent.rights;
        self.rights = if self.rights == 0 { parent.rights } else { self.rights };
        self.window = (self.window.0.max(parent.window.0), self.window.1.min(parent.window.1));
        if self.window.0 >= self.window.1 {
            self.window = parent.window;
        }
        self.depth = self.depth.min(parent.depth.saturating_sub(1));
        self
    }
}

/// Naive: everything that a delegation gives by itself.
fn given(world: &World, link: &Delegation) -> BTreeSet<(usize, usize, i64)> {
    let mut all = BTreeSet::new();
    for number in 0..world.targets.len() {
        for (action, name) in ACTIONS.iter().enumerate() {
            for moment in 0..MOMENTS * 2 {
                let is_given = !link.revoked
                    && world.reach(&link.resource).contains(&number)
                    && link.rights.iter().any(|right| right == *name)
                    && link.window.from() <= at(moment)
                    && at(moment) < link.window.until();
                if is_given {
                    all.insert((number, action, moment));
                }
            }
        }
    }
    all
}

/// Naive: what a chain gives is what each of its links gives.
fn given_by_chain(world: &World, chain: &[Delegation]) -> BTreeSet<(usize, usize, i64)> {
    let mut sets = chain.iter().map(|link| given(world, link));
    let first = sets.next().unwrap_or_default();
    sets.fold(first, |left, right| left.intersection(&right).copied().collect())
}

/// By the engine.
fn allowed(world: &World, chain: &[Delegation]) -> BTreeSet<(usize, usize, i64)> {
    let Some(leaf) = chain.first() else { return BTreeSet::new() };
    let mut all = BTreeSet::new();
    for (number, target) in world.targets.iter().enumerate() {
        for (action, name) in ACTIONS.iter().enumerate() {
            for moment in 0..MOMENTS * 2 {
                if decide(chain, &leaf.delegated, name, target, at(moment)).is_ok() {
                    all.insert((number, action, moment));
                }
            }
        }
    }
    all
}

fn chains() -> u32 {
    std::env::var("S4T_DELEGATION_CHAINS").ok().and_then(|text| text.parse().ok()).unwrap_or(CHAINS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: chains(), ..ProptestConfig::default() })]

    #[test]
    fn chains_only_shrink_and_the_engine_agrees_with_the_naive_model(
        wishes in prop::collection::vec(wish(), 1..7),
        wild in prop::collection::vec(any::<bool>(), 7),
        cut in prop::option::of(0..7_usize),
    ) {
        let world = World::new();
        let mut last = wishes[0].clone();
        let mut chain = vec![last.grant(&world, None)];
        for (wish, is_wild) in wishes[1..].iter().zip(wild) {
            let wish = if is_wild { wish.clone() } else { wish.clone().nearer(&last) };
            let new = wish.grant(&world, Some(&chain[0]));
            let held = given_by_chain(&world, &chain);
            match new.is_part_of(&chain[0], &world.resources[wish.resource].1) {
                Ok(()) => {
                    prop_assert!(given(&world, &new).is_subset(&held), "{new:?} widens {:?}", chain[0]);
                    prop_assert!(new.depth < chain[0].depth);
                    chain.insert(0, new);
                    last = wish;
                }
                Err(reason) => {
                    // Refused for what it would add, or because it may not be passed on by this person so far.
                    let adds = !given(&world, &new).is_subset(&held);
                    let is_formal = new.rights.beyond(&chain[0].rights).is_some()
                        || new.delegator != chain[0].delegated
                        || new.depth >= chain[0].depth
                        // A fleet of one board is more than this board: others may come.
                        || !chain[0].resource.covers(&world.resources[wish.resource].1)
                        || !new.window.is_within(&chain[0].window);
                    prop_assert!(adds || is_formal, "{reason}: {new:?} under {:?}", chain[0]);
                }
            }
        }
        prop_assert!(chain.len() <= usize::from(MAX_DEPTH) + 1);
        prop_assert_eq!(allowed(&world, &chain), given_by_chain(&world, &chain));
        if let Some(link) = cut.and_then(|place| chain.get_mut(place)) {
            link.revoked = true;
            prop_assert_eq!(allowed(&world, &chain), BTreeSet::new());
        }
    }
}

#[test]
fn a_chain_that_is_not_whole_or_not_the_users_gives_nothing() {
    let world = World::new();
    let wish =
        Wish { resource: 0, from_person: 0, to_person: 1, rights: 31, window: (0, 9), depth: 3 };
    let root = wish.grant(&world, None);
    let below = Wish { from_person: 1, to_person: 2, depth: 1, ..wish }.grant(&world, Some(&root));
    let ask = |chain: &[Delegation], user: usize| {
        decide(chain, &world.people[user], ACTIONS[0], &world.targets[0], at(1))
    };
    assert_eq!(ask(&[below.clone(), root.clone()], 2), Ok(()));
    assert_eq!(ask(&[below.clone(), root.clone()], 1), Err(Denied::None), "it is another's");
    assert_eq!(ask(std::slice::from_ref(&below), 2), Err(Denied::None), "its root is missing");
    assert_eq!(ask(&[], 2), Err(Denied::None));
    let foreign = Delegation { id: DelegationId::new(), ..root.clone() };
    assert_eq!(ask(&[below, foreign], 2), Err(Denied::None), "that is not its parent");
    let late =
        decide(std::slice::from_ref(&root), &world.people[1], ACTIONS[0], &world.targets[0], at(9));
    assert_eq!(late, Err(Denied::Late));
    let other = decide(&[root], &world.people[1], "board:delete", &world.targets[0], at(1));
    assert_eq!(other, Err(Denied::Beyond));
}

#[test]
fn things_are_written_as_noun_and_id() {
    let board = Resource::Board(BoardId::new());
    let part = Part::Service(ServiceId::new());
    for thing in [board, part.into(), Resource::OnBoard(part, BoardId::new())] {
        assert_eq!(thing.to_string().parse::<Resource>().unwrap(), thing);
    }
    let board_on_board = format!("board:{0}@{0}", BoardId::new());
    for text in [
        "",
        "board",
        "board:",
        "board:x",
        "moon:1",
        ":",
        "plugin:@",
        "service:x@y",
        &board_on_board,
    ] {
        assert!(text.parse::<Resource>().is_err(), "{text}");
    }
}
