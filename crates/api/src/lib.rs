//! What people and programs say to the cloud over REST: the types of `/v2`, the problem body of every error, and a typed
//! blocking client. One file for each noun, named as on every other floor.
//!
//! Invariant: a type here is what is on the wire, nothing more; unknown members of requests are refused.

pub mod actions;
pub mod audit;
pub mod boards;
pub mod bookings;
pub mod claims;
#[cfg(feature = "client")]
pub mod client;
pub mod contributions;
pub mod delegations;
pub mod events;
pub mod fleets;
pub mod forwards;
pub mod identity;
pub mod load;
pub mod logs;
pub mod operations;
pub mod page;
pub mod plugins;
pub mod problem;
pub mod quotas;
pub mod recordings;
pub mod rights;
pub mod services;
pub mod session;
pub mod system;
pub mod terminals;
pub mod transfers;
pub mod ui;

pub use page::Page;
pub use problem::Problem;
