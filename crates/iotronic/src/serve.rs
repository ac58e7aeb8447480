//! `iotronic serve`: puts the cloud together, opens its listeners, and takes it down in order.
//!
//! Invariant: when [`start`] returns, every listener accepts; when [`Serving::finish`] returns, requests were answered or
//! the grace period is over, boards were told, and the data folder is free again.

mod accept;
mod legacy;
mod stream;

pub use legacy::Addresses;
pub(crate) use stream::{Io, Stream};

use crate::app::looks::{self, Looks};
use crate::boards::{Boards, LegacyTerms};
use crate::cloud::{Cloud, Parts};
use crate::cloud_keys::{self, CloudKeys};
use crate::http;
use crate::identity::{self, Keystone, SignIn, Tokens};
use crate::ingress::Ingress;
use crate::settings::Settings;
use crate::tls::Versions;
use crate::{tasks, tls};
use accept::Acceptor;
use api::client::Trust;
use base::secret::Secret;
use base::tasks::{Shutdown, Tasks};
use legacy::Doors;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{Options, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Time for the goodbyes, even when requests took all of the grace period.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why the cloud does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener cannot be opened.
    #[error(
        "{key} = {address} cannot be listened on: {source}; stop what uses it or set another address"
    )]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("{}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The cloud's key cannot be had.
    #[error(transparent)]
    Key(#[from] cloud_keys::Error),
    /// There is no TLS.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The Keystone cannot be used.
    #[error("identity.keystone_url: {0}")]
    Keystone(#[from] api::client::Error),
    /// There is no first administrator.
    #[error(transparent)]
    Bootstrap(#[from] identity::BootstrapError),
    /// The router does not start.
    #[error(transparent)]
    Boards(rpc::Fault),
}

/// A cloud that serves.
pub struct Serving {
    /// Its parts.
    pub cloud: Cloud,
    /// Where the API listener really listens.
    pub address: SocketAddr,
    /// Where upstream boards are let in, if they are.
    pub legacy: Option<Addresses>,
    /// The first administrator's password, on the first start only.
    pub password: Option<Secret>,
    /// Boards the store knows.
    pub boards: u64,
    shutdown: Shutdown,
    accepting: JoinHandle<()>,
    doors: Option<JoinHandle<()>>,
    tasks: Tasks,
}

/// Starts the cloud on a data folder.
///
/// # Errors
/// Another process has the folder, a listener is taken, a file is missing or damaged.
pub async fn start(dir: &Path, settings: Settings, options: Options) -> Result<Serving, Error> {
    let clock = std::sync::Arc::clone(&options.clock);
    let options = Options { quota: settings.quota, ..options };
    let store = Store::open(dir, options).await?;
    let listen = settings.api.listen;
    let listener = TcpListener::bind(listen).await.map_err(|source| Error::Listen {
        key: "api.listen",
        address: listen,
        source,
    })?;
    let address = listener.local_addr().map_err(|source| Error::Listen {
        key: "api.listen",
        address: listen,
        source,
    })?;
    let public_url = settings.url(address);
    let tls = tls::set_up(&settings, dir, address)?;
    let keys = CloudKeys::open(dir)?;
    let key = keys.current().clone();
    let tokens =
        Tokens::open(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
    forget_interrupted(&store).await?;
    let doors = Doors::bind(&settings).await?;
    // After all that a wrong setting makes fail: the password is shown this once.
    let sign_in = sign_in(&settings)?;
    sign_in.load(&store, store.now()).await?;
    let password = match sign_in.keystone() {
        Some(_) => None,
        None => identity::bootstrap(&store, dir, &public_url).await?,
    };

    let addresses = doors.as_ref().map(|doors| doors.addresses);
    let terms = addresses.map(|at| LegacyTerms {
        wamp_url: settings.wamp_url(&public_url, at.wamp),
        max_strangers: settings.limits.enrolling,
        settings: settings.legacy.clone(),
    });
    let started = Boards::start(store.clone(), clock.clone(), keys, &settings, terms).await;
    let boards = started.map_err(Error::Boards)?;
    let ingress = Ingress::new(boards.clone(), &settings);
    let shutdown = Shutdown::new();
    let cloud = Cloud::new(Parts {
        dir: dir.to_owned(),
        started_at: store.now(),
        address,
        legacy: addresses,
        authority: tls.as_ref().and_then(|tls| tls.authority.clone()),
        store,
        clock,
        settings,
        key,
        public_url,
        tokens,
        sign_in,
        boards,
        ingress,
        looks: Looks::default(),
        shutdown: shutdown.clone(),
    });
    crate::app::recordings::end_interrupted(&cloud).await?;
    open_ports(&cloud).await?;
    let known = count_boards(&cloud.store).await?;
    let tasks = Tasks::new(Shutdown::new());
    tasks::start(&cloud, &tasks);
    if let Some(tls) = tls.clone() {
        let following = tls.follow(cloud.settings.tls.clone(), tls::LOOK_EVERY);
        let stop = tasks.shutdown().clone();
        tasks.spawn("certificate", async move {
            stop.until(following).await;
        });
    }
    let doors = doors.map(|doors| doors.open(&cloud, tls.clone(), &shutdown));
    let acceptor = Acceptor {
        listener,
        tls,
        router: http::router(cloud.clone()),
        versions: if cloud.settings.tls.allow_1_2 { Versions::Older } else { Versions::Newest },
        connections: cloud.settings.limits.connections,
        shutdown: shutdown.clone(),
    };
    let accepting = tokio::spawn(acceptor.run());
    Ok(Serving {
        cloud,
        address,
        legacy: addresses,
        doors,
        password,
        boards: known,
        shutdown,
        accepting,
        tasks,
    })
}

/// Our own identity service, or a Keystone in its place.
fn sign_in(settings: &Settings) -> Result<SignIn, Error> {
    let identity = &settings.identity;
    if identity.keystone_url.is_empty() {
        return Ok(SignIn::new(identity.roles.clone()));
    }
    let trust = match &identity.keystone_authority {
        None => Trust::Public,
        Some(path) => Trust::Authority(
            std::fs::read_to_string(path)
                .map_err(|source| Error::Folder { path: path.clone(), source })?,
        ),
    };
    let keystone = Keystone::new(&identity.keystone_url, &trust, identity.roles.clone());
    Ok(SignIn::elsewhere(keystone?))
}

/// What the last process left half done.
async fn forget_interrupted(store: &Store) -> Result<(), store::Error> {
    let job = store.write(|tx| {
        Box::pin(async move {
            store::boards::all_offline_at_start(tx).await?;
            store::idempotency::forget_interrupted_at_start(tx).await
        })
    });
    job.await.map(|_| ())
}

/// Opens what was enabled before; a port that is taken now is tried again and again, and says so meanwhile.
async fn open_ports(cloud: &Cloud) -> Result<(), store::Error> {
    for exposure in store::exposures::list_enabled_all(&cloud.store).await? {
        // Logged there, and shown with the exposure.
        let _ = cloud.ingress.open(&exposure).await;
    }
    Ok(())
}

async fn count_boards(store: &Store) -> Result<u64, store::Error> {
    let mut page = store::Page::default();
    let mut count: u64 = 0;
    loop {
        let filter = store::boards::Filter::default();
        let rows = store::boards::list(store, None, &filter, page).await?;
        count = count.saturating_add(u64::try_from(rows.len()).unwrap_or(0));
        let Some(last) = rows.last().filter(|_| rows.len() == 1000) else { return Ok(count) };
        page.marker = Some(last.id.uuid());
    }
}

impl Serving {
    /// The one line that says that all listeners accept.
    #[must_use]
    pub fn ready(&self) -> String {
        let (url, boards, pid) = (&self.cloud.public_url, self.boards, std::process::id());
        format!("ready url={url} boards={boards} pid={pid}")
    }

    /// Takes the cloud down: nobody new gets in, requests at work are answered, boards are told, what is left after the
    /// grace period is cut, and the store is closed.
    pub async fn finish(self) {
        let grace = Duration::from_secs(self.cloud.settings.limits.grace_s);
        let end = Instant::now() + grace;
        // However long requests took: boards get their goodbye.
        let rest = || end.saturating_duration_since(Instant::now()).max(FAREWELL);
        self.shutdown.begin();
        self.cloud.ingress.stop();
        // Requests first: some wait for boards, and may still get their answers.
        let cut = self.accepting.abort_handle();
        if tokio::time::timeout(grace, self.accepting).await.is_err() {
            tracing::warn!(
                grace_s = grace.as_secs(),
                "some requests did not end in time and were cut"
            );
            cut.abort();
        }
        self.cloud.boards.shutdown(rest()).await;
        if let Some(doors) = self.doors {
            // Tunnels have no goodbye.
            doors.abort();
        }
        self.tasks.finish(rest()).await;
        self.cloud.sign_in.tell_counts(&self.cloud.store);
        // What is not signed now is signed at the next start.
        if let Err(error) = looks::flush(&self.cloud).await {
            tracing::warn!(%error, "some counts of reads were lost");
        }
        self.cloud.store.close().await;
    }
}
