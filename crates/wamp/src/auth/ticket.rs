//! Ticket authentication: the client shows a secret (specification section 14.3).
//!
//! The secret is seen by the router, and by whoever can read the connection: use it over TLS only.

use crate::Dict;

/// The method's name.
pub const METHOD: &str = "ticket";

/// The extra of the CHALLENGE message: nothing.
pub fn challenge() -> Dict {
    Dict::new()
}

/// Whether the client showed the right ticket.
pub fn verify(expected: &str, shown: &str) -> bool {
    super::same(expected.as_bytes(), shown.as_bytes())
}
