//! The way in: install, call, start, stop, read logs.
//!
//! Invariant: everything started here ends here: after [`Runtime::shutdown`], or when the last clone is
//! dropped, no guest runs. Not here: how runs go (`call`, `service`).

use crate::call;
use crate::cancel::Cancel;
use crate::cgroup::Cgroups;
use crate::failure::Failure;
use crate::guest::{Guest, Language, Order};
use crate::interpreter::Interpreters;
use crate::layers::{self, Layer};
use crate::library::Library;
use crate::log::{Lines, LogBook, share};
use crate::log_file::{LogFile, LogWriter};
use crate::runner::Runners;
use crate::service::{Service, Status, Stop, Stopped};
use crate::settings::{Confinement, Settings};
use crate::share::Share;
use crate::spawner::Spawner;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

/// Time for the last log lines to get to the disk when the runtime is shut down.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);
/// Stops that may wait for one owner task; more wait at the sender.
const WAITING_STOPS: usize = 4;

/// Runs guests. Clones share everything.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
    services: Arc<Mutex<HashMap<String, Handle>>>,
}

/// What all runs share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) library: Library,
    pub(crate) runners: Runners,
    pub(crate) interpreters: Interpreters,
    pub(crate) cgroups: Cgroups,
    pub(crate) spawner: Spawner,
    pub(crate) places: Places,
    books: Mutex<HashMap<String, Arc<OnceCell<Arc<LogBook>>>>>,
    writer: LogWriter,
    marks: AtomicU64,
    closed: watch::Sender<bool>,
}

/// Our end of a service.
struct Handle {
    order: Order,
    status: watch::Receiver<Status>,
    stops: mpsc::Sender<Stop>,
}

impl Runtime {
    /// Prepares directories, runners, control groups and the thread that starts guests.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        let library = Library::open(&settings.dir)?;
        let cgroups = match settings.confinement {
            Confinement::Detect => Cgroups::detect(),
            Confinement::Sampling => Cgroups::none(),
        };
        let shared = Shared {
            runners: Runners::write(library.dir())?,
            library,
            interpreters: Interpreters::default(),
            cgroups,
            spawner: Spawner::new().map_err(Failure::launch)?,
            places: Places::new(&settings),
            books: Mutex::default(),
            writer: LogWriter::start().map_err(Failure::launch)?,
            marks: AtomicU64::new(0),
            closed: watch::Sender::new(false),
            settings,
        };
        Ok(Self { shared: Arc::new(shared), services: Arc::default() })
    }

    /// Which layers of confinement this machine gives.
    #[must_use]
    pub fn layers(&self) -> Vec<Layer> {
        layers::layers(&self.shared.cgroups)
    }

    /// Bounds what all guests of others use together, from now on. Where this machine has no control groups it bounds nothing;
    /// [`Runtime::layers`] says so.
    pub fn share(&self, share: Share) -> Result<(), Failure> {
        let why = |error| Failure::launch(format!("bound the guests of others together: {error}"));
        self.shared.cgroups.share(&share).map_err(why)
    }

    /// The interpreter that runs a language here.
    pub async fn interpreter(&self, language: Language) -> Result<PathBuf, Failure> {
        let shared = &self.shared;
        shared.interpreters.find(language, &shared.settings).await.map(Path::to_path_buf)
    }

    /// Stores a guest durably, replacing one with the same id; a running service goes on with the old
    /// source until it is restarted.
    pub async fn install(&self, guest: Guest) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        on_disk(move || shared.library.install(&guest)).await
    }

    /// Removes a guest with its files and log; its service must be stopped.
    pub async fn remove(&self, id: &str) -> Result<(), Failure> {
        if self.is_alive(id) {
            return Err(Failure::AlreadyRunning { id: id.to_owned() });
        }
        lock(&self.services).remove(id);
        lock(&self.shared.books).remove(id);
        let (shared, id) = (Arc::clone(&self.shared), id.to_owned());
        on_disk(move || shared.library.remove(&id)).await
    }

    /// All guests, without their source, by id.
    #[must_use]
    pub fn installed(&self) -> Vec<Guest> {
        let list = self.shared.library.list().into_iter();
        list.map(|guest| Guest {
            id: guest.id,
            name: guest.name,
            language: guest.language,
            source: String::new(),
        })
        .collect()
    }

    /// One guest with its source.
    pub async fn guest(&self, id: &str) -> Result<Guest, Failure> {
        let (shared, id) = (Arc::clone(&self.shared), id.to_owned());
        on_disk(move || shared.library.read(&id)).await
    }

    /// Whether a guest is installed.
    #[must_use]
    pub fn is_installed(&self, id: &str) -> bool {
        self.shared.library.find(id).is_ok()
    }

    /// Runs a guest once and returns its JSON result. Dropping the future cancels the call.
    pub async fn call(&self, id: &str, order: Order, cancel: &Cancel) -> Result<Value, Failure> {
        let guest = self.shared.library.find(id)?;
        self.refuse_when_closed()?;
        call::call(Arc::clone(&self.shared), guest, order, cancel.clone()).await
    }

    /// Starts a service; returns when its source is loaded and it runs.
    pub async fn start(&self, id: &str, order: Order) -> Result<Status, Failure> {
        let guest = self.shared.library.find(id)?;
        self.refuse_when_closed()?;
        let (first, started) = oneshot::channel();
        let mut status = {
            let mut services = lock(&self.services);
            if services.get(id).is_some_and(Handle::is_alive) {
                return Err(Failure::AlreadyRunning { id: id.to_owned() });
            }
            let limit = self.shared.settings.max_services;
            if services.values().filter(|handle| handle.is_alive()).count() >= limit {
                return Err(Failure::Full { limit });
            }
            let (publish, status) = watch::channel(Status::Starting);
            let (stops, orders) = mpsc::channel(WAITING_STOPS);
            let service = Service {
                shared: Arc::clone(&self.shared),
                guest,
                order: order.clone(),
                status: publish,
                stops: orders,
            };
            tokio::spawn(service.run(first));
            services.insert(id.to_owned(), Handle { order, status: status.clone(), stops });
            status
        };
        // No answer: it was stopped while its source was being loaded.
        started.await.unwrap_or(Err(Failure::Cancelled))?;
        Ok(status.borrow_and_update().clone())
    }

    /// Asks a service to end, waits up to `grace`, then kills it.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<Stopped, Failure> {
        let not_running = || Failure::NotRunning { id: id.to_owned() };
        self.shared.library.find(id)?;
        let stops = {
            let services = lock(&self.services);
            let handle = services.get(id).filter(|handle| handle.is_alive());
            handle.map(|handle| handle.stops.clone()).ok_or_else(not_running)?
        };
        let (reply, stopped) = oneshot::channel();
        stops.send(Stop { grace, reply }).await.map_err(|_| not_running())?;
        // No answer: it ended by itself in this moment.
        stopped.await.map_err(|_| not_running())
    }

    /// Stops the service if it runs and starts it with the order of its last start.
    pub async fn restart(&self, id: &str, grace: Duration) -> Result<Status, Failure> {
        let order = lock(&self.services).get(id).map(|handle| handle.order.clone());
        match self.stop(id, grace).await {
            Ok(_) | Err(Failure::NotRunning { .. }) => {}
            Err(failure) => return Err(failure),
        }
        let order = order.ok_or_else(|| Failure::NotRunning { id: id.to_owned() })?;
        self.start(id, order).await
    }

    /// What the service does now.
    pub fn status(&self, id: &str) -> Result<Status, Failure> {
        self.shared.library.find(id)?;
        let services = lock(&self.services);
        Ok(services.get(id).map_or(Status::Stopped, |handle| handle.status.borrow().clone()))
    }

    /// Changes of a service's status, from its last start on; `None` when it was never started.
    #[must_use]
    pub fn watch_status(&self, id: &str) -> Option<watch::Receiver<Status>> {
        lock(&self.services).get(id).map(|handle| handle.status.clone())
    }

    /// At most `max` log lines after line number `after` (0: from the oldest kept).
    pub async fn logs(&self, id: &str, after: u64, max: usize) -> Result<Lines, Failure> {
        self.shared.library.find(id)?;
        Ok(self.shared.book(id).await.read(after, max))
    }

    /// Changes to the number of the last log line: wait for one, then read [`Runtime::logs`].
    pub async fn follow(&self, id: &str) -> Result<watch::Receiver<u64>, Failure> {
        self.shared.library.find(id)?;
        Ok(self.shared.book(id).await.follow())
    }

    /// Ends all calls at once and all services within `grace`; new runs are refused.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.closed.send_replace(true);
        let ids: Vec<String> = lock(&self.services).keys().cloned().collect();
        let stops: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let runtime = self.clone();
                tokio::spawn(async move { runtime.stop(&id, grace).await })
            })
            .collect();
        for stop in stops {
            // Already stopped is what we want.
            let _ = stop.await;
        }
        self.shared.places.drained().await;
        let writer = self.shared.writer.clone();
        let _ = tokio::task::spawn_blocking(move || writer.flush(LAST_LINES_WITHIN)).await;
    }

    fn refuse_when_closed(&self) -> Result<(), Failure> {
        if *self.shared.closed.borrow() { Err(Failure::ShuttingDown) } else { Ok(()) }
    }

    fn is_alive(&self, id: &str) -> bool {
        lock(&self.services).get(id).is_some_and(Handle::is_alive)
    }
}

impl Handle {
    fn is_alive(&self) -> bool {
        !matches!(*self.status.borrow(), Status::Stopped | Status::Failed { .. })
    }
}

impl Shared {
    /// The log of an installed guest.
    pub(crate) async fn book(&self, id: &str) -> Arc<LogBook> {
        let place = Arc::clone(lock(&self.books).entry(id.to_owned()).or_default());
        let open = async || {
            let file = LogFile::of(&self.library.home(id), &self.writer);
            let empty = LogFile::of(&self.library.home(id), &self.writer);
            let opened = tokio::task::spawn_blocking(move || LogBook::open(file)).await;
            // Only at the end of the process is nothing read any more.
            Arc::new(opened.unwrap_or_else(|_| LogBook::unread(empty)))
        };
        let book = Arc::clone(place.get_or_init(open).await);
        self.share_memory();
        book
    }

    /// Gives each log its share of the memory for all of them.
    fn share_memory(&self) {
        let books = lock(&self.books);
        let limit = share(books.len());
        for book in books.values().filter_map(|place| place.get()) {
            book.limit(limit);
        }
    }

    /// Marks the processes of one run; unique on this machine as long as it is up.
    pub(crate) fn next_mark(&self) -> String {
        let number = self.marks.fetch_add(1, Ordering::Relaxed);
        format!("{}-{:p}-{number}", std::process::id(), self)
    }

    /// Returns when the runtime is shut down.
    pub(crate) async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = closed.wait_for(|closed| *closed).await;
    }
}

/// The places of calls: some run, some wait, more are refused.
pub(crate) struct Places {
    running: Arc<Semaphore>,
    all: u32,
    waiting: AtomicUsize,
    may_wait: usize,
}

/// Counts a waiting call as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    fn new(settings: &Settings) -> Self {
        let all = u32::try_from(settings.max_concurrent_calls).unwrap_or(u32::MAX).clamp(1, 1024);
        Self {
            running: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(1))),
            all,
            waiting: AtomicUsize::new(0),
            may_wait: settings.max_waiting_calls,
        }
    }

    /// Waits for a place, unless too many wait already.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(place) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(place);
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _counted = Waiting(&self.waiting);
        if waiting >= self.may_wait {
            return Err(Failure::Busy { waiting });
        }
        Arc::clone(&self.running).acquire_owned().await.map_err(|_| Failure::ShuttingDown)
    }

    /// Waits until no call runs.
    async fn drained(&self) {
        let _ = self.running.acquire_many(self.all).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Synced writes take milliseconds, which the reactor does not have.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Failure::ShuttingDown))
}
