//! Plugins and which boards have them.
//!
//! Invariants: code is unpickled as text or not at all; a plugin goes into one project, and where the database leaves that
//! open it is skipped, because a guess could show it to strangers; boards are not sent anything for what they have already.

use super::{in_batches, names, present, remark, settle};
use crate::import::found::{Found, Injection, Plugin};
use crate::import::report::{Noun, Report};
use model::plugin::{InjectionState, Language, Mode, OnBoot, Visibility};
use model::{BoardId, PluginId, ProjectId, UserId};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use store::injections::{self, InjectionChange};
use store::plugins::{self, NewPlugin};
use store::{Error, Store, Tx, boards};

pub(super) async fn bring(store: &Store, found: &Found, report: &mut Report) -> Result<(), Error> {
    let homes = Homes::of(found);
    let mut sources: Vec<&Plugin> = found.plugins.iter().collect();
    sources.sort_by_key(|plugin| plugin.serial);
    let mut rows = Vec::with_capacity(sources.len());
    for plugin in sources {
        match homes.home(plugin, found).and_then(|home| new(plugin, home)) {
            Ok(row) => rows.push(row),
            Err(reason) => report.skip(Noun::Plugin, plugin.id, reason),
        }
    }
    in_batches(store, rows, report, |tx, row, said| Box::pin(plugin(tx, row, said))).await?;
    let rows = found.injections.clone();
    in_batches(store, rows, report, |tx, row, said| Box::pin(injection(tx, row, said))).await
}

/// In which projects a user has boards, and in which a plugin is on one.
struct Homes {
    of_owner: HashMap<UserId, BTreeSet<ProjectId>>,
    of_plugin: HashMap<PluginId, BTreeSet<ProjectId>>,
}

impl Homes {
    fn of(found: &Found) -> Self {
        let mut homes = Self { of_owner: HashMap::new(), of_plugin: HashMap::new() };
        let mut projects: HashMap<BoardId, &ProjectId> = HashMap::new();
        for board in &found.boards {
            projects.insert(board.id, &board.project);
            homes.of_owner.entry(board.owner.clone()).or_default().insert(board.project.clone());
        }
        for injection in &found.injections {
            if let Some(project) = projects.get(&injection.board) {
                homes.of_plugin.entry(injection.plugin).or_default().insert((*project).clone());
            }
        }
        homes
    }

    /// The project a plugin goes into: the map's word first, then where its owner's boards are, then where it runs.
    fn home(&self, plugin: &Plugin, found: &Found) -> Result<ProjectId, String> {
        if let Some(home) = found.people.home(&plugin.owner) {
            return Ok(home.clone());
        }
        let guesses = [self.of_owner.get(&plugin.owner), self.of_plugin.get(&plugin.id)];
        for projects in guesses.into_iter().flatten() {
            if let (Some(only), 1) = (projects.first(), projects.len()) {
                return Ok(only.clone());
            }
        }
        found.people.project(None).map_err(|_| {
            let owner = &plugin.owner;
            format!("its project cannot be told; name the project of user {owner} under \"homes\" in the project map")
        })
    }
}

type Row = (NewPlugin, String, Vec<String>);

/// The plugin without its final name, which comes beside it.
fn new(row: &Plugin, project: ProjectId) -> Result<Row, String> {
    let mut remarks = row.remarks.clone();
    let source = source(&row.code, &mut remarks)?;
    let first = names::candidates(&row.name, "plugin", row.id).into_iter().next();
    let plugin = NewPlugin {
        id: row.id,
        name: first.ok_or("it has no name that could be mended")?,
        project,
        owner: row.owner.clone(),
        visibility: if row.public { Visibility::Public } else { Visibility::Private },
        language: Language::Python,
        mode: if row.callable { Mode::Sync } else { Mode::Async },
        source,
        parameters: row.parameters.clone(),
        limits: json!({}),
        extra: row.extra.clone(),
    };
    Ok((plugin, row.name.clone(), remarks))
}

/// The pickled text. Upstream stores code that was changed by PATCH as it came, so what cannot be a pickle, because it
/// lacks the mark at whose sight reading one ends, is source.
fn source(code: &str, remarks: &mut Vec<String>) -> Result<String, String> {
    let parsed = match latin1(code) {
        Some(bytes) => rpc::pickle::parse(&bytes),
        None => rpc::pickle::parse(code.as_bytes()),
    };
    let source = match parsed {
        Ok(source) => source,
        Err(_) if !code.ends_with('.') && !code.trim().is_empty() => {
            remarks.push("its code is no pickle and is taken as the source itself".into());
            code.to_owned()
        }
        Err(refused) => return Err(format!("its code is not a pickled string: {refused}")),
    };
    if source.is_empty() { Err("its code is empty".into()) } else { Ok(source) }
}

/// A text column holds a pickle's bytes as the characters U+0000 to U+00FF.
fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

async fn plugin(tx: &mut Tx, row: Row, report: &mut Report) -> Result<(), Error> {
    let (new, old_name, remarks) = row;
    let id = new.id;
    if present(plugins::by_id(&mut *tx, None, id).await)?.is_some() {
        report.present(Noun::Plugin);
        return Ok(());
    }
    let mut made = Err(Error::Duplicate { what: "plugin", field: "name" });
    for name in names::candidates(&old_name, "plugin", id) {
        made = plugins::create(tx, NewPlugin { name, ..new.clone() }).await;
        if !matches!(made, Err(Error::Duplicate { field: "name", .. })) {
            break;
        }
    }
    if let Some(plugin) = settle(made, report, Noun::Plugin, id)? {
        let renamed = names::remark(&old_name, &plugin.name);
        remark(report, Noun::Plugin, id, remarks.into_iter().chain(renamed).collect());
    }
    Ok(())
}

async fn injection(tx: &mut Tx, row: Injection, report: &mut Report) -> Result<(), Error> {
    let id = format!("{}/{}", row.board, row.plugin);
    let board = present(boards::by_id(&mut *tx, None, row.board).await)?;
    let plugin = present(plugins::by_id(&mut *tx, None, row.plugin).await)?;
    let (Some(board), Some(plugin)) = (board, plugin) else {
        report.skip(Noun::Injection, id, "its board or its plugin is not here");
        return Ok(());
    };
    if plugin.visibility == Visibility::Private && plugin.project != board.project {
        report.skip(Noun::Injection, id, "its plugin is private to another project");
        return Ok(());
    }
    if present(injections::get(&mut *tx, row.board, row.plugin).await)?.is_some() {
        report.present(Noun::Injection);
        return Ok(());
    }
    let on_boot = if row.on_boot { OnBoot::Start } else { OnBoot::Wait };
    injections::put(tx, row.board, row.plugin, on_boot).await?;
    let change = InjectionChange {
        state: Some(InjectionState::Injected),
        revision_injected: Some(plugin.revision),
        ..InjectionChange::default()
    };
    for _ in 0..row.times {
        injections::update(tx, row.board, row.plugin, change.clone()).await?;
    }
    report.created(Noun::Injection);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickled_text_is_read_and_anything_that_does_something_is_refused() {
        let text = "print('\u{e4}\u{20ac}\\n')\n";
        let bytes = rpc::pickle::emit_bytes(text);
        let stored: String = bytes.into_iter().map(char::from).collect();
        for code in [rpc::pickle::emit(text), stored] {
            assert_eq!(source(&code, &mut Vec::new()), Ok(text.to_owned()), "{code}");
        }
        for hostile in ["cos\nsystem\n(S'id'\ntR.", "I1\n.", "", ".", "Vcut"] {
            let mut remarks = Vec::new();
            let read = source(hostile, &mut remarks);
            assert!(read.is_err() || !remarks.is_empty(), "{hostile:?}: {read:?}");
        }
    }
}
