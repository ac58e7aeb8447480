//! Tasks that somebody owns, and one way to end them.
//!
//! Invariant: every task spawned through [`Tasks`] has ended, or has been named in the log and cut, when
//! [`Tasks::finish`] returns.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Says "stop" once to any number of listeners. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A signal that has not been given yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Gives the signal; giving it again changes nothing.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has been given.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is given.
    pub async fn begun(&self) {
        let mut seen = self.0.subscribe();
        let _ = seen.wait_for(|begun| *begun).await;
    }

    /// Runs `work` until it ends or the signal is given, whichever is first.
    pub async fn until<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.begun() => None,
            done = work => Some(done),
        }
    }
}

/// A set of named tasks with a common [`Shutdown`].
#[derive(Debug, Clone)]
pub struct Tasks {
    shutdown: Shutdown,
    running: Arc<Mutex<JoinSet<&'static str>>>,
}

impl Tasks {
    /// An empty set.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, running: Arc::default() }
    }

    /// The signal that ends this set.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Runs `task`; it should return soon after the shutdown signal.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().expect("no task panics while it holds this lock");
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            task.await;
            name
        });
    }

    /// Gives the signal, waits up to `grace`, then cuts what is left and says how many tasks that were.
    pub async fn finish(self, grace: Duration) -> usize {
        self.shutdown.begin();
        let taken = std::mem::take(
            &mut *self.running.lock().expect("no task panics while it holds this lock"),
        );
        let mut running = taken;
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_ok() {
            return 0;
        }
        let cut = running.len();
        tracing::warn!(cut, grace_s = grace.as_secs(), "tasks did not end in time and were cut");
        running.shutdown().await;
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_end_at_the_signal_and_stubborn_ones_are_cut() {
        let tasks = Tasks::new(Shutdown::new());
        let signal = tasks.shutdown().clone();
        tasks.spawn("orderly", async move { signal.begun().await });
        tasks.spawn("stubborn", std::future::pending());
        assert_eq!(tasks.finish(Duration::from_millis(20)).await, 1);
    }
}
