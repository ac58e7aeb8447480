//! The buffer of a connection's reads.
//! Invariant: a piece is at most what the other programs of the dialect take in one frame.
//! Not here: reading.

/// Bytes of one frame: what upstream's server takes at most, and a good size for bulk.
pub(super) const PIECE_MAX: usize = 64 * 1024;
/// Bytes of one read on a quiet connection.
const PIECE_MIN: usize = 4 * 1024;
/// Small reads in a row after which a grown buffer is given back.
const QUIET_READS: u32 = 32;

/// The buffer of reads: large while the connection is busy, small otherwise.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    size: usize,
    quiet_reads: u32,
}

impl Window {
    /// Room for one read.
    pub(super) fn open(&mut self) -> &mut [u8] {
        self.size = self.size.max(PIECE_MIN);
        if self.bytes.len() != self.size {
            self.bytes = vec![0; self.size];
        }
        &mut self.bytes
    }

    /// The bytes of the last read; learns from their number.
    pub(super) fn filled(&mut self, read: usize) -> &[u8] {
        if read == self.bytes.len() {
            self.size = (self.size * 4).min(PIECE_MAX);
            self.quiet_reads = 0;
        } else if read < PIECE_MIN {
            self.quiet_reads += 1;
        }
        if self.quiet_reads >= QUIET_READS {
            self.size = PIECE_MIN;
            self.quiet_reads = 0;
        }
        self.bytes.get(..read).unwrap_or_default()
    }
}
