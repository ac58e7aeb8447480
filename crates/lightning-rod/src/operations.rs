//! Operations that run on this board now, so that somebody can ask to stop them.
//!
//! Invariant: an operation is listed exactly as long as its [`Running`] lives.

use model::{Kind, OperationId};
use rpc::{Fault, Method};
use runtime::Cancel;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Commands that run at one time; more are refused.
pub const MAX_RUNNING: usize = 64;

/// The list. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Operations {
    running: Arc<Mutex<HashMap<OperationId, Entry>>>,
}

#[derive(Debug, Clone)]
struct Entry {
    method: Method,
    cancel: Cancel,
    was_cancelled: bool,
}

/// An operation on the list.
#[derive(Debug)]
pub struct Running {
    operation: OperationId,
    list: Operations,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.list.running().remove(&self.operation);
    }
}

impl Running {
    /// Whether somebody asked to stop it.
    #[must_use]
    pub fn was_cancelled(&self) -> bool {
        self.list.running().get(&self.operation).is_some_and(|entry| entry.was_cancelled)
    }
}

impl Operations {
    /// Whether another operation may be entered.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.running().len() < MAX_RUNNING
    }

    /// Enters an operation.
    ///
    /// # Errors
    /// [`MAX_RUNNING`] run already.
    pub fn enter(&self, operation: OperationId, method: Method) -> Result<Running, Fault> {
        let mut running = self.running();
        if running.len() >= MAX_RUNNING {
            let text = format!("{MAX_RUNNING} operations run on this board; try again later");
            return Err(Fault::new(Kind::Exhausted, text));
        }
        running.insert(operation, Entry { method, cancel: Cancel::new(), was_cancelled: false });
        Ok(Running { operation, list: self.clone() })
    }

    /// The token by which the operation's work learns that it should stop.
    #[must_use]
    pub fn token(&self, operation: OperationId) -> Cancel {
        self.running().get(&operation).map(|entry| entry.cancel.clone()).unwrap_or_default()
    }

    /// Asks an operation to stop.
    ///
    /// # Errors
    /// It does not run here, or cannot be stopped half-way.
    pub fn cancel(&self, operation: OperationId) -> Result<(), Fault> {
        let mut running = self.running();
        let Some(entry) = running.get_mut(&operation) else {
            let text =
                format!("operation {operation} does not run on this board; look at its state");
            return Err(Fault::new(Kind::NotFound, text));
        };
        if entry.method != Method::PluginCall {
            let text = format!("{} cannot be stopped half-way; wait for it", entry.method.word());
            return Err(Fault::new(Kind::Conflict, text));
        }
        entry.was_cancelled = true;
        entry.cancel.cancel();
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, HashMap<OperationId, Entry>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_can_be_stopped_while_it_runs_and_nothing_else() {
        let list = Operations::default();
        let (call, inject) = (OperationId::new(), OperationId::new());
        let running = list.enter(call, Method::PluginCall).unwrap();
        let _other = list.enter(inject, Method::PluginInject).unwrap();
        assert_eq!(list.cancel(inject).unwrap_err().kind, Kind::Conflict);
        list.cancel(call).unwrap();
        list.token(call).cancelled().await;
        assert!(running.was_cancelled());
        drop(running);
        assert_eq!(list.cancel(call).unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn the_list_is_bounded() {
        let list = Operations::default();
        let held: Vec<_> =
            (0..MAX_RUNNING).map(|_| list.enter(OperationId::new(), Method::PluginCall)).collect();
        assert!(held.iter().all(Result::is_ok));
        let full = list.enter(OperationId::new(), Method::PluginCall);
        assert_eq!(full.unwrap_err().kind, Kind::Exhausted);
    }
}
