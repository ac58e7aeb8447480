//! Public ports: whoever connects to one reaches a service on a board, through the board's link.
//!
//! Invariants: a port is open exactly while its exposure is to be reachable, or [`Ingress::problem`] says why not; closing
//! one cuts its connections; the target is named by the service's id, which the board looks up in its own table.
//! Deliberately not here: which ports are handed out (the store), links (`boards`), the bytes (`tunnel`).

mod listener;
mod session;
mod wstun;

use crate::boards::Boards;
use crate::settings::Settings;
use base::tasks::Shutdown;
use listener::{Listener, Terms};
use model::operation::Fault;
use model::{BoardId, Kind, ServiceId};
use session::Place;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::exposures::ExposureRow;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tunnel::wstun::Server;
use wstun::Allow;

type Key = (BoardId, ServiceId);

/// The public ports of this process. Cloning is cheap.
#[derive(Clone)]
pub struct Ingress(Arc<Inner>);

struct Inner {
    boards: Boards,
    address: IpAddr,
    terms: Terms,
    wstun: Server<Allow>,
    state: Mutex<State>,
    shutdown: Shutdown,
}

#[derive(Default)]
struct State {
    ports: HashMap<Key, Port>,
    /// Listeners told to end, by port: the next one on that port waits until it is free.
    closing: HashMap<u16, JoinHandle<()>>,
}

enum Port {
    Open(Listener),
    /// Of an upstream board: opened by its wstun control socket, for as long as that lives.
    Tunnelled(u16),
    Failed {
        exposure: ExposureRow,
        problem: String,
    },
}

impl Ingress {
    /// No port yet.
    #[must_use]
    pub fn new(boards: Boards, settings: &Settings) -> Self {
        let total = usize::try_from(settings.limits.service_connections).unwrap_or(usize::MAX);
        let tunnels = tunnel::wstun::Settings {
            bind: settings.services.listen,
            liveness: settings.liveness.watch(),
            max_connections: total,
            ..tunnel::wstun::Settings::default()
        };
        Self(Arc::new(Inner {
            wstun: Server::new(tunnels, Allow { boards: boards.clone() }),
            boards,
            address: settings.services.listen,
            terms: Terms {
                all: Arc::new(Semaphore::new(total)),
                per_service: settings.limits.connections_per_service,
            },
            state: Mutex::default(),
            shutdown: Shutdown::new(),
        }))
    }

    /// Opens the public port of an exposure; opening it again changes nothing.
    ///
    /// # Errors
    /// Somebody else has the port.
    pub async fn open(&self, exposure: &ExposureRow) -> Result<(), Fault> {
        let key = (exposure.board, exposure.service);
        let port = exposure.public_port.ok_or_else(|| {
            Fault::new(Kind::Conflict, "the exposure has no public port; disable and enable it")
        })?;
        if self.is_open(key, port) {
            return Ok(());
        }
        self.close(exposure.board, exposure.service);
        match self.bind(port).await {
            Ok(_free) if exposure.legacy => {
                self.state().ports.insert(key, Port::Tunnelled(port));
                Ok(())
            }
            Ok(bound) => {
                let listener = self.listen(place(exposure, port), bound);
                self.state().ports.insert(key, Port::Open(listener));
                Ok(())
            }
            Err(error) => {
                let fault = refusal(port, &error);
                tracing::warn!(board = %exposure.board, service = %exposure.service, port, %error, "a public port could not be opened");
                let failed =
                    Port::Failed { exposure: exposure.clone(), problem: fault.message.clone() };
                self.state().ports.insert(key, failed);
                Err(fault)
            }
        }
    }

    /// Whether nobody listens on this port now.
    pub async fn is_free(&self, port: u16) -> bool {
        self.bind(port).await.is_ok()
    }

    async fn bind(&self, port: u16) -> io::Result<TcpListener> {
        let closing = self.state().closing.remove(&port);
        if let Some(closing) = closing {
            // Ends at once, cancelled; how does not matter.
            let _ = closing.await;
        }
        TcpListener::bind(SocketAddr::new(self.0.address, port)).await
    }

    fn listen(&self, place: Place, bound: TcpListener) -> Listener {
        let boards = self.0.boards.clone();
        let (terms, shutdown) = (self.0.terms.clone(), self.0.shutdown.clone());
        Listener::start(boards, place, bound, terms, shutdown)
    }

    /// Closes the public port and cuts its connections.
    pub fn close(&self, board: BoardId, service: ServiceId) {
        let mut state = self.state();
        match state.ports.remove(&(board, service)) {
            Some(Port::Open(listener)) => {
                let (port, task) = listener.cut();
                state.closing.retain(|_, task| !task.is_finished());
                state.closing.insert(port, task);
            }
            Some(Port::Tunnelled(port)) => {
                if let Some(port) = NonZeroU16::new(port) {
                    self.0.wstun.cut(port);
                }
            }
            Some(Port::Failed { .. }) | None => {}
        }
    }

    /// Why the public port is closed although it should be open, if so.
    #[must_use]
    pub fn problem(&self, board: BoardId, service: ServiceId) -> Option<String> {
        match self.state().ports.get(&(board, service))? {
            Port::Open(_) | Port::Tunnelled(_) => None,
            Port::Failed { problem, .. } => Some(problem.clone()),
        }
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self, board: BoardId, service: ServiceId) -> u32 {
        match self.state().ports.get(&(board, service)) {
            Some(Port::Open(listener)) => listener.connections(),
            Some(Port::Tunnelled(port)) => NonZeroU16::new(*port).map_or(0, |port| {
                u32::try_from(self.0.wstun.connections(port)).unwrap_or(u32::MAX)
            }),
            Some(Port::Failed { .. }) | None => 0,
        }
    }

    /// How many public ports are open.
    #[must_use]
    pub fn ports(&self) -> usize {
        self.state().ports.values().filter(|port| !matches!(port, Port::Failed { .. })).count()
    }

    /// Opens again what could not be opened before.
    pub async fn retry(&self) {
        let failed: Vec<ExposureRow> = {
            let state = self.state();
            let failed = state.ports.values().filter_map(|port| match port {
                Port::Open(_) | Port::Tunnelled(_) => None,
                Port::Failed { exposure, .. } => Some(exposure.clone()),
            });
            failed.collect()
        };
        for exposure in failed {
            if self.problem(exposure.board, exposure.service).is_some()
                && self.open(&exposure).await.is_ok()
            {
                tracing::info!(board = %exposure.board, service = %exposure.service, port = exposure.public_port, "a public port is open at last");
            }
        }
    }

    /// Lets nobody in any more; connections go on until their links end.
    pub fn stop(&self) {
        self.0.shutdown.begin();
    }

    /// The tunnels of upstream boards.
    pub(crate) fn wstun(&self) -> &Server<Allow> {
        &self.0.wstun
    }

    fn is_open(&self, key: Key, wanted: u16) -> bool {
        match self.state().ports.get(&key) {
            Some(Port::Open(listener)) => listener.port() == wanted,
            Some(Port::Tunnelled(port)) => *port == wanted,
            Some(Port::Failed { .. }) | None => false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(exposure: &ExposureRow, port: u16) -> Place {
    Place {
        project: exposure.project.clone(),
        board: exposure.board,
        service: exposure.service,
        port,
        legacy: exposure.legacy,
    }
}

fn refusal(port: u16, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::AddrInUse => Fault::new(
            Kind::Conflict,
            format!(
                "public port {port} is taken by another program on the cloud's machine; free it or ask for another port"
            ),
        ),
        io::ErrorKind::PermissionDenied => Fault::new(
            Kind::Conflict,
            format!(
                "the cloud may not open public port {port}; choose a range of ports above 1023 in services.ports"
            ),
        ),
        _ => Fault::new(Kind::Conflict, format!("public port {port} cannot be opened: {error}")),
    }
}
