//! Ctrl-C: remembered, not obeyed at once, so that what was started can be stopped in order.
//!
//! Invariant: after the first signal every wait of the demo ends soon. Deliberately not here: stopping things.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::command::Fallible;

/// How soon a wait notices.
const LOOK: Duration = Duration::from_millis(50);

/// Whether a person asked to stop.
pub(super) struct Interrupt {
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    /// From now on Ctrl-C and SIGTERM are remembered instead of ending this process.
    pub(super) fn watch() -> Fallible<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&raised))
                .map_err(|error| format!("signal {signal} cannot be watched: {error}"))?;
        }
        Ok(Self { raised })
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Waits for it.
    pub(super) fn wait(&self) {
        while !self.is_raised() {
            thread::sleep(LOOK);
        }
    }

    /// An error once raised.
    pub(super) fn check(&self) -> Fallible<()> {
        if self.is_raised() { Err("interrupted".into()) } else { Ok(()) }
    }
}
