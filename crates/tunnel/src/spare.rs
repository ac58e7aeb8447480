//! Read buffers of a link that wait to be used again.
//! Invariant: at most [`MOST`] are kept, and none while no channel is open; a buffer is empty, unshared
//! and at least [`MAX_DATA`] large when it is handed out. Fresh memory costs a page fault for each 4 KiB,
//! which is a tenth of all that forwarding costs.
//! Not here: buffers of what arrives; those belong to the WebSocket.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::frame::MAX_DATA;

/// Buffers kept: what a few bulk channels have under way.
const MOST: usize = 16;
/// A smaller rest of a buffer is not worth keeping.
const WORTHWHILE: usize = MAX_DATA / 4;

/// The buffers.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Vec<BytesMut>>);

impl Spare {
    fn lock(&self) -> MutexGuard<'_, Vec<BytesMut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer of at least [`MAX_DATA`].
    pub(crate) fn take(&self) -> BytesMut {
        let mut buffer = self.lock().pop().unwrap_or_default();
        buffer.reserve(MAX_DATA);
        buffer
    }

    /// A buffer that was not needed after all.
    pub(crate) fn give_back(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut kept = self.lock();
        if kept.len() < MOST {
            kept.push(buffer);
        }
    }

    /// Bytes that have left; their memory is kept if nobody shares it.
    pub(crate) fn reclaim(&self, bytes: Bytes) {
        if bytes.len() >= WORTHWHILE
            && let Ok(buffer) = bytes.try_into_mut()
        {
            self.give_back(buffer);
        }
    }

    /// Gives all memory back.
    pub(crate) fn clear(&self) {
        *self.lock() = Vec::new();
    }
}
