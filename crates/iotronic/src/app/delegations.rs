//! Delegations: who may give what, and whether somebody may do something by one.
//!
//! The first of a chain is given by the project itself, that is by who may add and give up its boards; further ones by who
//! holds one that may be passed on. What a project's own people may do never comes from here.

use crate::app::access::{Basis, Caller};
use crate::app::names::{self, Wanted};
use crate::app::{Error, boards, find, fleets, plugins, services};
use crate::cloud::Cloud;
use api::delegations::{New, Of};
use model::access::{Action, Decision, Reach, decide};
use model::delegation::{
    self, Delegation, Denied, Hold, MAX_DEPTH, Part, Resource, Rights, Target, Window,
};
use model::{DelegationId, Invalid, Kind, ProjectId, Timestamp, UserId};
use std::collections::{BTreeSet, HashMap};
use store::delegations::{self, DelegationRow, Filter, Reaching};
use store::names::Noun;
use store::{Page, identity};

/// The right to give a thing away for the first time.
const GIVE: Action = Action::own("delegation:create");

/// On what it rests that the caller may do what it came for with a thing that is no board.
///
/// # Errors
/// It may not, or for this caller there is no such thing.
pub(super) async fn basis<'e>(
    from: impl store::Reader<'e>,
    caller: &Caller,
    target: Target,
    now: Timestamp,
) -> Result<Basis, Error> {
    let what = target.resource.noun();
    let Err(refused) = caller.may(&target.project, what) else { return Ok(Basis::Roles) };
    let user = &caller.principal().user;
    let reaching = delegations::reaching(from, user, target, now).await?;
    or_refused(refused, longest(caller, &reaching, what, now))
}

/// What the own roles lack is the better answer in the own project.
pub(super) fn or_refused(refused: Error, found: Result<Basis, Error>) -> Result<Basis, Error> {
    match found {
        Err(_) if refused.kind() == Kind::Forbidden => Err(refused),
        found => found,
    }
}

/// The delegation by which the caller may do what it came for; of several the one that lasts longest.
///
/// # Errors
/// There is none; who has none that reaches the thing is told that there is no such thing.
pub(super) fn longest(
    caller: &Caller,
    reaching: &Reaching,
    what: &'static str,
    now: Timestamp,
) -> Result<Basis, Error> {
    let (user, action) = (&caller.principal().user, caller.action().name);
    let Reaching { target, chains } = reaching;
    let mut nearest = Denied::None;
    let mut longest: Option<&Delegation> = None;
    for chain in chains {
        match (delegation::decide(chain, user, action, target, now), chain.first()) {
            (Ok(()), Some(leaf)) => {
                longest =
                    longest.filter(|it| it.window.until() >= leaf.window.until()).or(Some(leaf));
            }
            (Err(why @ Denied::Closed), _) => nearest = why,
            (Err(why @ Denied::Beyond), _) if nearest == Denied::None => nearest = why,
            _ => {}
        }
    }
    match (longest, nearest) {
        (Some(leaf), _) => {
            let closing = target.hours.as_ref().and_then(|hours| hours.end(now));
            let until = leaf.window.until();
            Ok(Basis::Delegation(leaf.id, closing.map_or(until, |end| end.min(until))))
        }
        (None, Denied::Beyond | Denied::Closed) => {
            Err(Error::new(Kind::Forbidden, format!("{action}: {nearest}")))
        }
        (None, _) => Err(store::Error::NotFound { what }.into()),
    }
}

/// Makes a delegation; `known` are the actions that can be delegated.
///
/// # Errors
/// There is no such thing or user, the caller holds too little to give this, or the thing is booked.
pub async fn create(
    cloud: &Cloud,
    caller: &Caller,
    new: New,
    known: &[Action],
) -> Result<DelegationRow, Error> {
    let (resource, target) = target(cloud, caller, &new.resource).await?;
    let known: Vec<Action> =
        known.iter().copied().filter(|action| is_about(*action, &resource)).collect();
    let window = Window::new(new.from.unwrap_or_else(|| cloud.now()), new.until)?;
    if window.until() <= cloud.now() {
        return Err(Invalid::new("until is over already; give a later end").into());
    }
    let depth = new.depth.unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(Invalid::new(format!("depth {depth} is not 0 to {MAX_DEPTH}")).into());
    }
    let wish = Wish {
        resource,
        delegator: caller.principal().user.clone(),
        delegated: user(cloud, &new.to).await?,
        window,
        depth,
        hold: new.hold.unwrap_or_default(),
    };
    if wish.delegated == wish.delegator {
        return Err(Invalid::new("one does not delegate to oneself; name somebody else").into());
    }
    let is_givers = decide(caller.principal(), GIVE, &target.project) == Decision::Allow;
    if is_givers && new.parent.is_none() {
        let may = |action: &Action| {
            decide(caller.principal(), *action, &target.project) == Decision::Allow
        };
        let held: Vec<Action> = known.iter().copied().filter(may).collect();
        let rights = spelled_out(&new.rights, &held)?;
        return store(cloud, wish.granted(rights, None), target).await;
    }
    pass_on(cloud, wish, &new, &known, target).await
}

/// All of a delegation but what it rests on and what may be done by it.
struct Wish {
    resource: Resource,
    delegator: UserId,
    delegated: UserId,
    window: Window,
    depth: u8,
    hold: Hold,
}

impl Wish {
    fn granted(&self, rights: Rights, parent: Option<DelegationId>) -> Delegation {
        Delegation {
            id: DelegationId::new(),
            parent,
            resource: self.resource.clone(),
            delegator: self.delegator.clone(),
            delegated: self.delegated.clone(),
            rights,
            window: self.window,
            depth: self.depth,
            hold: self.hold,
            revoked: false,
        }
    }
}

/// Out of the caller's own hands into the next ones.
async fn pass_on(
    cloud: &Cloud,
    wish: Wish,
    new: &New,
    known: &[Action],
    target: Target,
) -> Result<DelegationRow, Error> {
    let held = held(cloud, &wish.delegator, &target).await?;
    let mut held = held.into_iter().filter_map(|chain| chain.into_iter().next());
    let parents: Vec<Delegation> = match new.parent {
        Some(parent) => held.find(|link| link.id == parent).into_iter().collect(),
        None => held.collect(),
    };
    let mut reason: Error = store::Error::NotFound { what: wish.resource.noun() }.into();
    for parent in parents {
        let actions: Vec<Action> =
            known.iter().copied().filter(|action| parent.rights.allow(action.name)).collect();
        let part = spelled_out(&new.rights, &actions).and_then(|rights| {
            let part = wish.granted(rights, Some(parent.id));
            part.is_part_of(&parent, &target).map(|()| part)
        });
        match part {
            Ok(part) => return store(cloud, part, target).await,
            Err(wider) => reason = Error::new(Kind::Forbidden, wider.0),
        }
    }
    Err(reason)
}

async fn held(
    cloud: &Cloud,
    user: &UserId,
    target: &Target,
) -> Result<Vec<Vec<Delegation>>, Error> {
    let (from, now) = (&cloud.store, cloud.now());
    let reaching = match target.resource {
        Resource::Board(board) => {
            let board = (board, &target.project);
            delegations::reaching_board(from, user, board, target.part, now).await
        }
        _ => delegations::reaching(from, user, target.clone(), now).await,
    };
    Ok(reaching?.chains)
}

/// Whether an action can be done with a board, or with what is on it.
pub(super) fn is_of_boards(action: Action) -> bool {
    !action.name.starts_with("plugin:") && !action.name.starts_with("service:")
}

/// Whether an action can be done with a thing, or with what is in it.
pub(super) fn is_about(action: Action, resource: &Resource) -> bool {
    const PLUGIN: [&str; 3] = ["plugin_action", "plugin_on_board", "operation"];
    const SERVICE: [&str; 3] = ["service_action", "service_on_board", "operation"];
    let Some((noun, verb)) = action.name.split_once(':') else { return false };
    // Lists of what is on a board are about the board.
    let is_use = |nouns: &[&str]| {
        nouns.contains(&noun)
            && action.name != "plugin_on_board:get"
            && action.name != "service_on_board:get"
    };
    match resource {
        Resource::Project(_) => true,
        Resource::Fleet(_) | Resource::Board(_) => is_of_boards(action),
        Resource::Plugin(_) => {
            noun == "plugin" || (noun, verb) == ("plugin_inject", "put") || is_use(&PLUGIN)
        }
        Resource::Service(_) => noun == "service" || is_use(&SERVICE),
        Resource::OnBoard(Part::Plugin(_), _) => is_use(&PLUGIN),
        Resource::OnBoard(Part::Service(_), _) => is_use(&SERVICE),
    }
}

async fn store(cloud: &Cloud, new: Delegation, target: Target) -> Result<DelegationRow, Error> {
    let made = cloud
        .store
        .write(move |tx| Box::pin(async move { delegations::create(tx, new, &target).await }));
    Ok(made.await?)
}

/// What people write as `NOUN:ID` or `NOUN:NAME`, a part of one board as `NOUN:NAME@BOARD`; the thing, and where it stands.
async fn target(cloud: &Cloud, caller: &Caller, text: &str) -> Result<(Resource, Target), Error> {
    let whole = |target: Target| (target.resource.clone(), target);
    match text.split_once(':') {
        Some(("board", ident)) => {
            let board = boards::reachable(cloud, caller, ident).await?;
            Ok(whole(delegations::target(&cloud.store, board.id, board.project).await?))
        }
        Some(("fleet", ident)) => {
            let fleet = fleets::get(cloud, caller, ident).await?;
            Ok(whole(Target::new(Resource::Fleet(fleet.id), fleet.project)))
        }
        Some(("project", ident)) => {
            let resource: Resource = text.parse()?;
            match resource {
                Resource::Project(project)
                    if project == *caller.project() || caller.is_operator() =>
                {
                    Ok(whole(Target::new(Resource::Project(project.clone()), project)))
                }
                _ => Err(Error::new(Kind::NotFound, format!("no such project {ident:?}"))),
            }
        }
        Some((noun @ ("plugin" | "service"), ident)) => match ident.split_once('@') {
            None => {
                let (part, project) = part(cloud, caller, noun, ident).await?;
                Ok(whole(Target::new(part.into(), project)))
            }
            Some((ident, board)) => part_of_board(cloud, caller, (noun, ident), board).await,
        },
        _ => Err(Invalid::new(format!(
            "{text:?} is no thing to delegate: write board:NAME, fleet:NAME, project:ID, plugin:NAME, service:NAME, or \
             plugin:NAME@BOARD or service:NAME@BOARD for one board alone"
        ))
        .into()),
    }
}

async fn part(
    cloud: &Cloud,
    caller: &Caller,
    noun: &str,
    ident: &str,
) -> Result<(Part, ProjectId), Error> {
    if noun == "plugin" {
        let plugin = plugins::reachable(cloud, caller, ident).await?;
        Ok((Part::Plugin(plugin.id), plugin.project))
    } else {
        let service = services::reachable(cloud, caller, ident).await?;
        Ok((Part::Service(service.id), service.project))
    }
}

/// On one board alone; boards have plugins and services of their own project.
async fn part_of_board(
    cloud: &Cloud,
    caller: &Caller,
    (noun, ident): (&str, &str),
    board: &str,
) -> Result<(Resource, Target), Error> {
    let board = boards::reachable(cloud, caller, board).await?;
    let (store, scope) = (&cloud.store, Some(&board.project));
    let part = if noun == "plugin" {
        let plugin = store::plugins::get(store, scope, ident).await?;
        (plugin.project == board.project).then_some(Part::Plugin(plugin.id))
    } else {
        Some(Part::Service(store::services::get(store, scope, ident).await?.id))
    };
    let Some(part) = part else {
        let text = format!("the board's project has no {noun} {ident:?}; lend the {noun} itself");
        return Err(Error::new(Kind::NotFound, text));
    };
    let target = delegations::target(store, board.id, board.project).await?;
    Ok((Resource::OnBoard(part, board.id), target.part(Some(part))))
}

async fn user(cloud: &Cloud, ident: &str) -> Result<UserId, Error> {
    if let Ok(id) = ident.parse::<UserId>()
        && let Ok(row) = identity::get_user(&cloud.store, &id).await
    {
        return Ok(row.id);
    }
    Ok(identity::get_user_by_name(&cloud.store, ident).await?.id)
}

/// Words that stand for many become the names of those among `held`; a name that is not held is refused.
pub(super) fn spelled_out(words: &[String], held: &[Action]) -> Result<Rights, Invalid> {
    let mut names = BTreeSet::new();
    for word in words {
        let before = names.len();
        let meant = held.iter().filter(|action| stands_for(word, **action));
        names.extend(meant.map(|action| action.name.to_owned()));
        let is_empty = names.len() == before && !names.contains(word);
        if is_empty && !held.iter().any(|action| stands_for(word, *action)) {
            return Err(Invalid::new(format!(
                "{word:?} is no right that can be given here: name an action such as board:get_one, or read, write, NOUN:all"
            )));
        }
    }
    names.try_into()
}

fn stands_for(word: &str, action: Action) -> bool {
    match word {
        "read" => action.reach == Reach::Read,
        "write" => matches!(action.reach, Reach::Read | Reach::Write),
        _ => match (word.split_once(':'), action.name.split_once(':')) {
            (Some((noun, verb)), Some((has_noun, has_verb))) => {
                (noun == "all" || noun == has_noun) && (verb == "all" || verb == has_verb)
            }
            _ => false,
        },
    }
}

/// A delegation that the caller gave, holds, or whose thing belongs to the own project.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<DelegationRow, Error> {
    let id = find::id("delegation", ident, api::delegations::PATH)?;
    let row = delegations::get(&cloud.store, id).await?;
    let user = &caller.principal().user;
    if row.delegation.delegator == *user || row.delegation.delegated == *user {
        return Ok(row);
    }
    caller.may(&row.project, "delegation")?;
    Ok(row)
}

/// Delegations that the caller may see, in order of creation.
///
/// # Errors
/// A filter is not valid.
pub async fn list(
    cloud: &Cloud,
    caller: &Caller,
    filter: &api::delegations::Filter,
    page: Page,
) -> Result<Vec<DelegationRow>, Error> {
    let wanted = Filter {
        party: matches!(filter.of, Some(Of::Mine)).then(|| caller.principal().user.clone()),
        resource: filter.resource.as_deref().map(str::parse).transpose()?,
        live_at: (filter.past != Some(true)).then(|| cloud.now()),
    };
    let scope = if wanted.party.is_some() { None } else { caller.scope() };
    Ok(delegations::list(&cloud.store, scope, &wanted, page).await?)
}

/// What their things and people are called, by id.
///
/// # Errors
/// The store failed.
pub async fn names(
    cloud: &Cloud,
    rows: &[DelegationRow],
) -> Result<HashMap<String, String>, Error> {
    let mut wanted = Wanted::default();
    for said in rows.iter().map(|row| &row.delegation) {
        for (noun, id) in things(&said.resource) {
            wanted.add(noun, id);
        }
        wanted.add(Noun::User, &said.delegator);
        wanted.add(Noun::User, &said.delegated);
    }
    let mut names = names::of(cloud, wanted).await?;
    for resource in rows.iter().map(|row| &row.delegation.resource) {
        if let [(_, part), (_, board)] = things(resource).as_slice()
            && let (Some(part), Some(board)) = (names.get(part), names.get(board))
        {
            names.insert(resource.id(), format!("{part}@{board}"));
        }
    }
    Ok(names)
}

fn things(resource: &Resource) -> Vec<(Noun, String)> {
    let noun = match resource {
        Resource::Project(_) => Noun::Project,
        Resource::Fleet(_) => Noun::Fleet,
        Resource::Board(_) => Noun::Board,
        Resource::Plugin(_) => Noun::Plugin,
        Resource::Service(_) => Noun::Service,
        Resource::OnBoard(part, board) => {
            let mut both = things(&Resource::from(*part));
            both.push((Noun::Board, board.to_string()));
            return both;
        }
    };
    vec![(noun, resource.id())]
}

/// Takes a delegation back, with all that rest on it: its giver may, whoever gave one above it, and who may give the thing.
/// Who holds it may lay it down.
///
/// # Errors
/// There is none that the caller may see, or it is not the caller's to take.
pub async fn revoke(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<u64, Error> {
    let row = get(cloud, caller, ident).await?;
    let user = caller.principal().user.clone();
    let chain = delegations::chain(&cloud.store, row.delegation.id).await?;
    let is_theirs = row.delegation.delegated == user
        || chain.iter().any(|link| link.delegator == user)
        || decide(caller.principal(), GIVE, &row.project) == Decision::Allow;
    if !is_theirs {
        let text = "only who gave this, or one it rests on, may take it back; ask them";
        return Err(Error::new(Kind::Forbidden, text));
    }
    let id = row.delegation.id;
    let done = cloud
        .store
        .write(move |tx| Box::pin(async move { delegations::revoke(tx, id, &user).await }));
    Ok(done.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: [Action; 3] = [
        Action::read("board:get_one"),
        Action::write("board:update"),
        Action::write("plugin_action:call"),
    ];

    fn names(words: &[&str]) -> Result<Vec<String>, Invalid> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(spelled_out(&words, &HELD)?.iter().map(str::to_owned).collect())
    }

    #[test]
    fn words_that_stand_for_many_are_spelled_out() {
        assert_eq!(names(&["read"]).unwrap(), ["board:get_one"]);
        assert_eq!(names(&["write"]).unwrap().len(), 3);
        assert_eq!(names(&["board:all"]).unwrap(), ["board:get_one", "board:update"]);
        assert_eq!(names(&["all:call"]).unwrap(), ["plugin_action:call"]);
        assert_eq!(names(&["all:all"]).unwrap().len(), 3);
        assert_eq!(names(&["board:update", "board:update"]).unwrap(), ["board:update"]);
    }

    #[test]
    fn what_is_not_held_or_means_nothing_is_refused() {
        for words in [&["board:delete"][..], &["moon:all"], &["board"], &[""], &[]] {
            assert!(names(words).is_err(), "{words:?}");
        }
    }
}
