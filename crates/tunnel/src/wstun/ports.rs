//! Which public ports have a control socket, and the means to cut all that hangs on one.
//! Invariant: at most one control socket for each port; a cut reaches its control socket, its waiting
//! clients and its live connections, also those whose control socket is gone.
//! Not here: opening ports.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// A port's cut, held by all that hangs on it.
#[derive(Debug, Default)]
pub(super) struct Cut {
    made: watch::Sender<bool>,
    /// Connections that are carried now.
    carried: AtomicUsize,
}

/// A connection that is carried, counted as long as this lives.
#[derive(Debug)]
pub(super) struct Carried<'a>(&'a Cut);

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        self.0.carried.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Cut {
    /// Returns when the port is cut.
    pub(super) async fn made(&self) {
        // The sender lives as long as `self`.
        let _ = self.made.subscribe().wait_for(|made| *made).await;
    }

    /// Counts one connection.
    pub(super) fn carry(&self) -> Carried<'_> {
        self.carried.fetch_add(1, Ordering::Relaxed);
        Carried(self)
    }
}

/// Between a control socket and the one that wants its port.
#[derive(Debug, Default)]
struct Contest {
    wanted: Notify,
    defended: Notify,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Ports {
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    controls: HashMap<NonZeroU16, Arc<Contest>>,
    /// At most one entry for each port.
    cuts: HashMap<NonZeroU16, Weak<Cut>>,
}

impl Ports {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a port. If it has a control socket, that one is told to prove that it lives; `None` if it does,
    /// or has not gone after `patience`.
    pub(super) async fn take(
        self: &Arc<Self>,
        port: NonZeroU16,
        patience: Duration,
    ) -> Option<PortGuard> {
        let attempt = async {
            loop {
                let mut released = pin!(self.released.notified());
                released.as_mut().enable();
                let contest = match self.try_take(port) {
                    Ok(guard) => return Some(guard),
                    Err(contest) => contest,
                };
                let defended = contest.defended.notified();
                contest.wanted.notify_one();
                tokio::select! {
                    () = defended => return None,
                    () = released => {}
                }
            }
        };
        tokio::time::timeout(patience, attempt).await.ok().flatten()
    }

    fn try_take(self: &Arc<Self>, port: NonZeroU16) -> Result<PortGuard, Arc<Contest>> {
        let mut state = self.lock();
        if let Some(contest) = state.controls.get(&port) {
            return Err(Arc::clone(contest));
        }
        let contest = Arc::<Contest>::default();
        state.controls.insert(port, Arc::clone(&contest));
        let alive = state.cuts.get(&port).and_then(Weak::upgrade);
        let cut = alive.unwrap_or_else(|| Arc::new(Cut::default()));
        state.cuts.insert(port, Arc::downgrade(&cut));
        Ok(PortGuard { ports: Arc::clone(self), port, contest, cut })
    }

    /// Cuts a port. Who takes it afterwards starts afresh.
    pub(super) fn cut(&self, port: NonZeroU16) {
        if let Some(cut) = self.lock().cuts.remove(&port).and_then(|cut| cut.upgrade()) {
            cut.made.send_replace(true);
        }
    }

    /// Connections of a port that are carried now.
    pub(super) fn connections(&self, port: NonZeroU16) -> usize {
        let cut = self.lock().cuts.get(&port).and_then(Weak::upgrade);
        cut.map_or(0, |cut| cut.carried.load(Ordering::Relaxed))
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
    contest: Arc<Contest>,
    cut: Arc<Cut>,
}

impl PortGuard {
    /// Returns when somebody else wants the port.
    pub(super) async fn contested(&self) {
        self.contest.wanted.notified().await;
    }

    /// The control socket lives: whoever wants its port is turned away.
    pub(super) fn defend(&self) {
        self.contest.defended.notify_waiters();
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
