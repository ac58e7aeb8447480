//! The first start: an administrator, a project, and a file by which its programs sign in.
//!
//! Invariant: the file is written before the rows are committed, so a cloud that dies in between starts over, and one that has
//! an administrator always has the file.

use crate::identity::passwords::{Busy, Passwords};
use crate::identity::sign_in::made_here;
use api::identity::AdminFile;
use base::secret::{self, Secret};
use model::access::Role;
use model::{CredentialId, ProjectId, UserId};
use std::path::{Path, PathBuf};
use store::Store;
use store::identity::{self, CredentialRow, ProjectRow, UserRow};

/// Name of the first user and of the first project.
const ADMIN: &str = "admin";
const FILE: &str = "admin.json";

/// Why there is no first administrator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The password cannot be hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Makes the first administrator in a cloud without users and answers the password, which is never seen again; otherwise only
/// brings the URL in the file up to date.
///
/// # Errors
/// The file cannot be written, or the store failed.
pub async fn bootstrap(store: &Store, dir: &Path, url: &str) -> Result<Option<Secret>, Error> {
    if !identity::list_users(store).await?.is_empty() {
        refresh(&dir.join(FILE), url)?;
        return Ok(None);
    }
    let password: Secret = secret::random_text::<15>().into();
    let credential_secret: Secret = secret::random_text::<32>().into();
    let hash = Passwords::default().hash(password.clone()).await?;
    let project = ProjectRow::new(ProjectId::new(), ADMIN);
    let user = UserRow::new(UserId::new(), ADMIN, hash);
    let credential = CredentialRow {
        id: CredentialId::new(),
        name: FILE.into(),
        user: user.id.clone(),
        project: project.id.clone(),
        secret_hash: made_here(&credential_secret),
        roles: vec![Role::Admin.into()],
        expires_at: None,
        created_at: store.now(),
        description: "the first administrator's programs".into(),
        unrestricted: false,
        access: None,
    };
    write(
        &dir.join(FILE),
        &AdminFile {
            url: url.to_owned(),
            user: ADMIN.into(),
            project: ADMIN.into(),
            application_credential_id: credential.id.to_string(),
            application_credential_secret: credential_secret.expose().to_owned(),
        },
    )?;
    commit(store, project, user, credential).await?;
    Ok(Some(password))
}

async fn commit(
    store: &Store,
    project: ProjectRow,
    user: UserRow,
    credential: CredentialRow,
) -> Result<(), store::Error> {
    store
        .write(move |tx| {
            Box::pin(async move {
                identity::create_project(tx, &project).await?;
                identity::create_user(tx, &user).await?;
                identity::assign(tx, &user.id, &project.id, Role::Admin).await?;
                identity::create_credential(tx, &credential).await
            })
        })
        .await
}

/// The operator may have removed or changed the file: it is touched only where it is ours and its URL is old.
fn refresh(path: &Path, url: &str) -> Result<(), Error> {
    let Ok(text) = std::fs::read(path) else { return Ok(()) };
    let Ok(mut file) = serde_json::from_slice::<AdminFile>(&text) else { return Ok(()) };
    if file.url == url {
        return Ok(());
    }
    url.clone_into(&mut file.url);
    write(path, &file)
}

fn write(path: &Path, file: &AdminFile) -> Result<(), Error> {
    let at = |source| Error::File { path: path.to_owned(), source };
    let mut text = serde_json::to_vec_pretty(file).map_err(|error| at(error.into()))?;
    text.push(b'\n');
    secret::write_private(path, &text).map_err(at)
}
