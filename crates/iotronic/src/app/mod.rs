//! Use cases: what people ask of the cloud, one file for each noun. Each authorises, checks the state of things, and stores;
//! what must reach a board goes there after the commit.
//!
//! Invariant: nothing is read or changed before [`access`] allowed it. Deliberately not here: HTTP (floor `http`) and the
//! conversation with boards (floor `boards`).

pub mod access;
pub mod actions;
pub mod audit;
pub mod backups;
pub mod boards;
pub mod bookings;
pub mod claims;
pub mod contributions;
pub mod delegations;
pub mod devices;
mod error;
pub mod exposures;
mod find;
pub mod fleets;
pub mod forwards;
pub mod ifconfig;
pub mod injections;
pub mod keys;
pub mod lapses;
pub mod load;
pub mod looks;
pub mod names;
pub mod offers;
pub mod operations;
pub mod parking;
pub mod plugins;
pub mod projects;
pub mod quotas;
pub mod recordings;
pub mod registered;
pub mod replacement;
pub mod requests;
pub mod rights;
pub mod services;
pub mod settle;
pub mod standing;
pub mod system;
pub mod terminals;
pub mod transfers;

pub use error::Error;
