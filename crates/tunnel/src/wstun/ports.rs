//! Which public ports have a control socket, and the means to cut all that hangs on one.
//! Invariant: at most one control socket for each port; a cut reaches its control socket, its waiting
//! clients and its live connections, also those whose control socket is gone.
//! Not here: opening ports.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// A port's cut, held by all that hangs on it.
#[derive(Debug)]
pub(super) struct Cut(watch::Sender<bool>);

impl Cut {
    /// Returns when the port is cut.
    pub(super) async fn made(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|made| *made).await;
    }
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Ports {
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Ports with a control socket; the notice says that another one wants it.
    controls: HashMap<NonZeroU16, Arc<Notify>>,
    /// At most one entry for each port.
    cuts: HashMap<NonZeroU16, Weak<Cut>>,
}

impl Ports {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a port. If it has a control socket, that one is told to prove that it lives, and is waited for.
    pub(super) async fn take(
        self: &Arc<Self>,
        port: NonZeroU16,
        patience: Duration,
    ) -> Option<PortGuard> {
        let attempt = async {
            loop {
                let released = self.released.notified();
                tokio::pin!(released);
                released.as_mut().enable();
                match self.try_take(port) {
                    Ok(guard) => return guard,
                    Err(contested) => contested.notify_one(),
                }
                released.await;
            }
        };
        tokio::time::timeout(patience, attempt).await.ok()
    }

    fn try_take(self: &Arc<Self>, port: NonZeroU16) -> Result<PortGuard, Arc<Notify>> {
        let mut state = self.lock();
        if let Some(contested) = state.controls.get(&port) {
            return Err(Arc::clone(contested));
        }
        let contested = Arc::new(Notify::new());
        state.controls.insert(port, Arc::clone(&contested));
        let alive = state.cuts.get(&port).and_then(Weak::upgrade);
        let cut = alive.unwrap_or_else(|| Arc::new(Cut(watch::Sender::new(false))));
        state.cuts.insert(port, Arc::downgrade(&cut));
        Ok(PortGuard { ports: Arc::clone(self), port, contested, cut })
    }

    /// Cuts a port. Who takes it afterwards starts afresh.
    pub(super) fn cut(&self, port: NonZeroU16) {
        if let Some(cut) = self.lock().cuts.remove(&port).and_then(|cut| cut.upgrade()) {
            cut.0.send_replace(true);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().controls.len()
    }
}

/// A port with its control socket; freed when dropped.
#[derive(Debug)]
pub(super) struct PortGuard {
    ports: Arc<Ports>,
    port: NonZeroU16,
    contested: Arc<Notify>,
    cut: Arc<Cut>,
}

impl PortGuard {
    /// Returns when somebody else wants the port.
    pub(super) async fn contested(&self) {
        self.contested.notified().await;
    }

    pub(super) fn cut(&self) -> &Arc<Cut> {
        &self.cut
    }

    pub(super) fn port(&self) -> NonZeroU16 {
        self.port
    }
}

impl Drop for PortGuard {
    fn drop(&mut self) {
        self.ports.lock().controls.remove(&self.port);
        self.ports.released.notify_waiters();
    }
}
