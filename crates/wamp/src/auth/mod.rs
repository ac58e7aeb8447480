//! Proofs of identity that both ends compute alike.
//!
//! Deliberately not here: which key belongs to whom; that is the policy's knowledge.

pub mod cryptosign;
