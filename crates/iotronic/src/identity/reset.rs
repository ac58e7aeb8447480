//! `iotronic reset-password`: whoever lost a password and owns the cloud's machine gets a new one.
//!
//! Invariants: the cloud is stopped, because a running one has the folder to itself; the new password is random, shown this
//! once and stored as a hash only; nothing else of the user changes but that it may sign in again, and that its tokens end. Deliberately not here:
//! application credentials, which stay; whoever fears that one leaked removes it after signing in.

use crate::identity::passwords::{Busy, Passwords};
use base::secret::{self, Secret};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use store::{Options, Store, identity};

/// Whose password, in which cloud.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Folder of everything the cloud keeps; the cloud is stopped.
    #[arg(long, value_name = "DIR", env = "IOTRONIC_DATA")]
    data: PathBuf,
    /// Name of the user.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    user: String,
}

/// Why there is no new password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to open.
    #[error("{} holds no cloud yet; give the folder that `iotronic serve --data` uses", .0.display())]
    NoCloud(PathBuf),
    /// There is no such user.
    #[error("there is no user {0:?} in this cloud; name another with --user")]
    NoUser(String),
    /// The store cannot be opened or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The password cannot be hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// No threads, or nobody reads.
    #[error("the new password cannot be shown or made: {0}")]
    System(#[from] std::io::Error),
}

/// Sets a new password and shows it.
///
/// # Errors
/// The cloud runs, the folder holds none, or there is no such user.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    // Opening would make one.
    if !arguments.data.join("cloud.db").exists() {
        return Err(Error::NoCloud(arguments.data.clone()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let password = runtime.block_on(reset(arguments))?;
    let (user, text) = (&arguments.user, password.expose());
    writeln!(out, "the new password of user {user}, shown this once: {text}")?;
    Ok(())
}

async fn reset(arguments: &Arguments) -> Result<Secret, Error> {
    let store = Store::open(&arguments.data, Options::default()).await?;
    let done = change(&store, &arguments.user).await;
    store.close().await;
    done
}

async fn change(store: &Store, name: &str) -> Result<Secret, Error> {
    let mut user = identity::get_user_by_name(store, name).await.map_err(|error| match error {
        store::Error::NotFound { .. } => Error::NoUser(name.to_owned()),
        error => error.into(),
    })?;
    let password: Secret = secret::random_text::<15>().into();
    user.password_hash = Passwords::default().hash(password.clone()).await?;
    user.enabled = true;
    user.tokens_since = store.now();
    let job =
        store.write(move |tx| Box::pin(async move { identity::update_user(tx, &user).await }));
    job.await?;
    Ok(password)
}
