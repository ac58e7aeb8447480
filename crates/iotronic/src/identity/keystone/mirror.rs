//! Projects and users of a Keystone as our own rows: boards belong to projects, and people are shown and lent things by name.
//!
//! Invariant: nobody signs in by such a row; who may do what is Keystone's to say. A name that is taken here by another (names
//! are unique in a domain there, and in the whole cloud here) gets its id behind it.

use super::answer::Meaning;
use model::{ProjectId, UserId};
use store::identity::{self, ProjectRow, UserRow};
use store::{Error, Store, Tx};

/// No password has this hash.
const NO_PASSWORD: &str = "!";
/// Letters of a name that stand before an id.
const STEM: usize = 40;

/// Makes or renames the rows that a token speaks of.
///
/// # Errors
/// The store failed.
pub(super) async fn mirror(store: &Store, meaning: &Meaning) -> Result<(), Error> {
    let (user, project) = (meaning.user.clone(), meaning.project.clone());
    let is_known = is_same_user(store, &user).await?
        && match &project {
            Some(project) => is_same_project(store, project).await?,
            None => true,
        };
    if is_known {
        return Ok(());
    }
    let job = store.write(move |tx| {
        Box::pin(async move {
            mirror_user(tx, user).await?;
            match project {
                Some(project) => mirror_project(tx, project).await,
                None => Ok(()),
            }
        })
    });
    job.await
}

async fn is_same_user(store: &Store, (id, name): &(UserId, String)) -> Result<bool, Error> {
    match identity::get_user(store, id).await {
        Ok(row) => Ok(row.name == *name || row.name == told_apart(name, id.as_str())),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn is_same_project(store: &Store, (id, name): &(ProjectId, String)) -> Result<bool, Error> {
    match identity::get_project(store, id).await {
        Ok(row) => Ok(row.name == *name || row.name == told_apart(name, id.as_str())),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn mirror_user(tx: &mut Tx, (id, name): (UserId, String)) -> Result<(), Error> {
    let taken = match identity::get_user_by_name(&mut *tx, &name).await {
        Ok(row) => row.id != id,
        Err(Error::NotFound { .. }) => name.is_empty(),
        Err(error) => return Err(error),
    };
    let name = if taken { told_apart(&name, id.as_str()) } else { name };
    match identity::get_user(&mut *tx, &id).await {
        Ok(row) => identity::update_user(tx, &UserRow { name, ..row }).await,
        Err(Error::NotFound { .. }) => {
            identity::create_user(tx, &UserRow::new(id, name, NO_PASSWORD)).await
        }
        Err(error) => Err(error),
    }
}

async fn mirror_project(tx: &mut Tx, (id, name): (ProjectId, String)) -> Result<(), Error> {
    let taken = match identity::get_project_by_name(&mut *tx, &name).await {
        Ok(row) => row.id != id,
        Err(Error::NotFound { .. }) => name.is_empty(),
        Err(error) => return Err(error),
    };
    let name = if taken { told_apart(&name, id.as_str()) } else { name };
    match identity::get_project(&mut *tx, &id).await {
        Ok(row) => identity::update_project(tx, &ProjectRow { name, ..row }).await,
        Err(Error::NotFound { .. }) => {
            identity::create_project(tx, &ProjectRow::new(id, name)).await
        }
        Err(error) => Err(error),
    }
}

fn told_apart(name: &str, id: &str) -> String {
    let stem: String = name.chars().take(STEM).collect();
    format!("{stem}-{id}")
}
