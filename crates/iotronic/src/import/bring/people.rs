//! Projects, users and fleets: what boards, plugins and services belong to.

use super::{in_batches, names, present, remark, settle};
use crate::import::found::{Fleet, Found};
use crate::import::report::{Noun, Report};
use model::{ProjectId, UserId};
use std::collections::BTreeSet;
use store::fleets::{self, NewFleet};
use store::identity::{self, ProjectRow, UserRow};
use store::{Error, Store, Tx};

/// No password has this hash.
const NO_PASSWORD: &str = "!";

pub(super) async fn bring(store: &Store, found: &Found, report: &mut Report) -> Result<(), Error> {
    let projects = projects_of(found).into_iter().map(|id| {
        let name = found.people.project_name(&id);
        ProjectRow::new(id, name)
    });
    in_batches(store, projects.collect(), report, |tx, row, said| Box::pin(project(tx, row, said)))
        .await?;
    let users = users_of(found).into_iter().map(|id| {
        let name = found.people.user_name(&id);
        UserRow::new(id, name, NO_PASSWORD)
    });
    in_batches(store, users.collect(), report, |tx, row, said| Box::pin(user(tx, row, said)))
        .await?;
    let mut rows = found.fleets.clone();
    rows.sort_by_key(|row| row.serial);
    in_batches(store, rows, report, |tx, row, said| Box::pin(fleet(tx, row, said))).await
}

fn projects_of(found: &Found) -> BTreeSet<ProjectId> {
    let of_boards = found.boards.iter().map(|row| &row.project);
    let of_fleets = found.fleets.iter().map(|row| &row.project);
    let of_services = found.services.iter().map(|row| &row.project);
    let homes = found.plugins.iter().filter_map(|row| found.people.home(&row.owner));
    of_boards.chain(of_fleets).chain(of_services).chain(homes).cloned().collect()
}

fn users_of(found: &Found) -> BTreeSet<UserId> {
    let of_boards = found.boards.iter().map(|row| &row.owner);
    of_boards.chain(found.plugins.iter().map(|row| &row.owner)).cloned().collect()
}

async fn project(tx: &mut Tx, mut row: ProjectRow, report: &mut Report) -> Result<(), Error> {
    if present(identity::get_project(&mut *tx, &row.id).await)?.is_some() {
        report.present(Noun::Project);
        return Ok(());
    }
    let is_taken = present(identity::get_project_by_name(&mut *tx, &row.name).await)?.is_some();
    if is_taken {
        let name = told_apart(&row.name, row.id.as_str());
        report.change(Noun::Project, &row.id, renamed(&row.name, &name));
        row.name = name;
    }
    let made = identity::create_project(tx, &row).await;
    settle(made, report, Noun::Project, &row.id).map(|_| ())
}

async fn user(tx: &mut Tx, mut row: UserRow, report: &mut Report) -> Result<(), Error> {
    if present(identity::get_user(&mut *tx, &row.id).await)?.is_some() {
        report.present(Noun::User);
        return Ok(());
    }
    if present(identity::get_user_by_name(&mut *tx, &row.name).await)?.is_some() {
        let name = told_apart(&row.name, row.id.as_str());
        report.change(Noun::User, &row.id, renamed(&row.name, &name));
        row.name = name;
    }
    let made = identity::create_user(tx, &row).await;
    settle(made, report, Noun::User, &row.id).map(|_| ())
}

/// The whole id: what is told apart by a part of it may be alike again.
fn told_apart(name: &str, id: &str) -> String {
    let stem: String = name.chars().take(40).collect();
    format!("{stem}-{id}")
}

fn renamed(old: &str, new: &str) -> String {
    format!("the name {old:?} is taken here; it is now {new:?}")
}

async fn fleet(tx: &mut Tx, row: Fleet, report: &mut Report) -> Result<(), Error> {
    if present(fleets::by_id(&mut *tx, None, row.id).await)?.is_some() {
        report.present(Noun::Fleet);
        return Ok(());
    }
    let mut made = Err(Error::Duplicate { what: "fleet", field: "name" });
    for name in names::candidates(&row.name, "fleet", row.id) {
        let new = NewFleet {
            id: row.id,
            name,
            project: row.project.clone(),
            description: row.description.clone(),
            rule: None,
            extra: row.extra.clone(),
        };
        made = fleets::create(tx, new).await;
        if !matches!(made, Err(Error::Duplicate { field: "name", .. })) {
            break;
        }
    }
    if let Some(fleet) = settle(made, report, Noun::Fleet, row.id)? {
        let renamed = names::remark(&row.name, &fleet.name);
        remark(report, Noun::Fleet, row.id, row.remarks.into_iter().chain(renamed).collect());
    }
    Ok(())
}
