//! Proofs of identity that both ends compute alike: pure functions, no socket, no clock.
//!
//! Each method has its own module with both sides: what a router asks and checks, what a client answers. Deliberately not
//! here: who may enter and as what; that is the policy's knowledge ([`crate::Directory`] is a small one).

pub mod cryptosign;
mod digest;
pub mod scram;
pub mod ticket;
pub mod wampcra;

pub use digest::same;
