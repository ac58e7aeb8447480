//! What every storage backend must do, noun by noun. SQLite is the one there is; the next one runs the same tests.
//!
//! Faults of the machine (a commit that fails, a process that is killed, a second process) are in the tests beside this one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod audit;
mod boards;
mod claims;
mod events;
mod exposures;
mod fleets;
mod idempotency;
mod identity;
mod keys;
mod load;
mod operations;
mod paging;
mod plugins;
mod quotas;
mod requests;
mod upstream;
mod world;
mod writes;
