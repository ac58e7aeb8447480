//! What the owner task of a link and its channels share: the machine behind a lock, and who waits.
//! Invariant: the lock is never held over an await nor while bytes are copied to the wire; whoever
//! changes the machine wakes exactly those whom the change concerns, after letting go of the lock.
//! So bytes cross from a channel to the link without another queue, task or account between them.
//! Not here: rules (`machine`), sockets (`driver.rs`, `splice.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::watch;

use crate::frame::{ChannelId, ServiceKey};
use crate::link::Ended;
use crate::machine::{Event, Machine, Violation};
use crate::reason::GoAway;
use crate::spare::Spare;

/// The part of a link that its owner task and its channels share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) spare: Spare,
    pub(crate) ended: watch::Sender<Option<Arc<Ended>>>,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) machine: Machine,
    waiting: HashMap<ChannelId, Waiting>,
    driver: Option<Waker>,
    /// The driver's clock already runs for owed credit.
    pub(crate) grant_at: Option<Instant>,
    /// This side ends the link, for this reason; channels may finish until then.
    pub(crate) leaving: Option<(GoAway, Instant)>,
    /// What the peer said when it went away.
    pub(crate) peer_away: Option<GoAway>,
    /// Channels that the peer asked for and nobody serves yet.
    offers: Vec<(ChannelId, ServiceKey)>,
}

/// Who waits for what on a channel.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Option<Waker>,
    room: Option<Waker>,
    answer: Option<Waker>,
}

/// Something to wait for on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Bytes,
    Room,
    Answer,
}

impl Waiting {
    fn slot(&mut self, wait: Wait) -> &mut Option<Waker> {
        match wait {
            Wait::Bytes => &mut self.bytes,
            Wait::Room => &mut self.room,
            Wait::Answer => &mut self.answer,
        }
    }
}

impl State {
    /// Remembers who waits; only the last one for each channel and kind is woken.
    pub(crate) fn wait(&mut self, id: ChannelId, wait: Wait, cx: &Context<'_>) {
        let slot = self.waiting.entry(id).or_default().slot(wait);
        match slot {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *slot = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn wait_as_driver(&mut self, cx: &Context<'_>) {
        match &mut self.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.driver = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn forget(&mut self, id: ChannelId) {
        self.waiting.remove(&id);
    }

    fn settle(&mut self, woken: &mut Vec<Waker>) {
        while let Some(event) = self.machine.poll_event() {
            let (id, wait) = match event {
                Event::Readable(id) => (id, Wait::Bytes),
                Event::Writable(id) => (id, Wait::Room),
                Event::Answered(id) => (id, Wait::Answer),
                Event::Offered { channel, key } => {
                    self.offers.push((channel, key));
                    continue;
                }
                Event::GoAway(away) => {
                    self.peer_away = Some(away);
                    continue;
                }
            };
            if let Some(waiting) = self.waiting.get_mut(&id) {
                woken.extend(waiting.slot(wait).take());
            }
        }
    }

    fn driver_has_work(&self) -> bool {
        let grant_unarmed = self.machine.owes_credit() && self.grant_at.is_none();
        self.machine.has_frames() || grant_unarmed || self.leaving.is_some()
    }
}

impl Shared {
    pub(crate) fn new(machine: Machine) -> Self {
        let state = State {
            machine,
            waiting: HashMap::new(),
            driver: None,
            grant_at: None,
            leaving: None,
            peer_away: None,
            offers: Vec::new(),
        };
        Self { state: Mutex::new(state), spare: Spare::default(), ended: watch::Sender::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of another task leaves the machine as consistent as any of its calls does.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an owner's call on the machine, then wakes whom it concerns, the driver included.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        let mut woken = Vec::new();
        let mut state = self.lock();
        let outcome = call(&mut state);
        state.settle(&mut woken);
        if state.driver_has_work() {
            woken.extend(state.driver.take());
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        outcome
    }

    /// Runs the driver's own call, then wakes the owners whom it concerns.
    pub(crate) fn drive<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        let mut woken = Vec::new();
        let mut state = self.lock();
        let outcome = call(&mut state);
        state.settle(&mut woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        outcome
    }

    /// Gives a message of the peer to the machine; the channels that it asks for.
    pub(crate) fn receive(
        &self,
        message: Bytes,
    ) -> Result<Vec<(ChannelId, ServiceKey)>, Violation> {
        let mut woken = Vec::new();
        let mut state = self.lock();
        let outcome = state.machine.handle_message(message);
        state.settle(&mut woken);
        let offers = std::mem::take(&mut state.offers);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        outcome.map(|()| offers)
    }

    /// Ends the link once: every channel is reset, everyone who waits is woken.
    pub(crate) fn end(&self, ended: Ended) -> Arc<Ended> {
        self.drive(|state| state.machine.abandon());
        let mut first = Arc::new(ended);
        self.ended.send_if_modified(|slot| match slot {
            Some(earlier) => {
                first = Arc::clone(earlier);
                false
            }
            None => {
                *slot = Some(Arc::clone(&first));
                true
            }
        });
        first
    }
}
