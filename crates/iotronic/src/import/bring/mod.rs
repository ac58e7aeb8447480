//! Records into the store, noun by noun, what others refer to first.
//!
//! Invariants: what is there by its id is left as it is; each batch is one transaction, so a run that ends early leaves whole
//! rows only and the next one goes on; a row the store refuses is skipped with the store's reason.

mod boards;
mod names;
mod people;
mod plugins;
mod services;

use super::found::Found;
use super::report::{Noun, Report};
use futures_util::future::BoxFuture;
use model::ProjectId;
use std::collections::BTreeSet;
use std::fmt::Display;
use store::upstream::{self, Legacy};
use store::{Error, Store, Tx};

/// Rows of one transaction; the store undoes one that takes long.
const BATCH: usize = 100;

/// Brings one row.
type One<R> = for<'t> fn(&'t mut Tx, R, &'t mut Report) -> BoxFuture<'t, Result<(), Error>>;

/// Brings everything.
pub(super) async fn everything(
    store: &Store,
    found: &Found,
    report: &mut Report,
) -> Result<(), Error> {
    people::bring(store, found, report).await?;
    boards::bring(store, found, report).await?;
    plugins::bring(store, found, report).await?;
    services::bring(store, found, report).await
}

/// Lets upstream's agents connect in the projects that have boards in the dump.
pub(super) async fn allow_legacy(store: &Store, found: &Found) -> Result<(), Error> {
    let projects: BTreeSet<ProjectId> =
        found.boards.iter().map(|board| board.project.clone()).collect();
    store
        .write(move |tx| {
            Box::pin(async move {
                for project in &projects {
                    upstream::allow_legacy(tx, project, Legacy::Allowed).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn in_batches<R: Clone + Send + 'static>(
    store: &Store,
    rows: Vec<R>,
    report: &mut Report,
    one: One<R>,
) -> Result<(), Error> {
    for batch in rows.chunks(BATCH) {
        let batch = batch.to_vec();
        let said = store.write(move |tx| {
            Box::pin(async move {
                let mut said = Report::default();
                for row in batch {
                    one(tx, row, &mut said).await?;
                }
                Ok(said)
            })
        });
        report.add(said.await?);
    }
    Ok(())
}

/// What is there, or nothing.
fn present<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(row) => Ok(Some(row)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts what the store made or refused; what it could not do at all ends the import.
fn settle<T>(
    made: Result<T, Error>,
    report: &mut Report,
    noun: Noun,
    id: impl Display,
) -> Result<Option<T>, Error> {
    match made {
        Ok(row) => {
            report.created(noun);
            Ok(Some(row))
        }
        Err(
            error @ (Error::Invalid(_)
            | Error::Duplicate { .. }
            | Error::Conflict(_)
            | Error::NotFound { .. }
            | Error::Exhausted(_)),
        ) => {
            report.skip(noun, id, error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn remark(report: &mut Report, noun: Noun, id: impl Display, remarks: Vec<String>) {
    for text in remarks {
        report.change(noun, &id, text);
    }
}
