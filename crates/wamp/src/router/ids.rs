//! Ids of the router: random within 1 to 2^53, as the specification wants for the global scope.
//!
//! They name things; nothing secret hangs on them.

/// Largest id: every peer's number type holds it.
const MAX: u64 = 1 << 53;

/// A stream of ids out of a seed (xorshift64*).
#[derive(Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed | 1 }
    }

    /// The next id for which `is_taken` says no.
    pub(crate) fn next(&mut self, is_taken: impl Fn(u64) -> bool) -> u64 {
        loop {
            let id = self.step() % MAX + 1;
            if !is_taken(id) {
                return id;
            }
        }
    }

    fn step(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
