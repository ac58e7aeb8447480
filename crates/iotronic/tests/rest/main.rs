//! The cloud's side of people, over the real router and a real database: who may do what, every noun, signing in, streams.
//! Boards are the small machines of the other component tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop where it fails"
)]

mod audit;
mod backup;
mod bookings;
mod commands;
mod cors;
mod delegations;
mod errors;
mod identity;
mod identity_people;
mod identity_programs;
mod identity_tokens;
mod keystone;
mod lapses;
mod lent_parts;
mod limits;
mod load;
#[path = "../boards/machine.rs"]
#[allow(dead_code, reason = "shared with the tests of boards, which use all of it")]
mod machine;
mod matrix;
mod metrics;
mod quotas;
mod recordings;
mod rights;
mod session;
mod smuggling;
mod streams;
mod system;
mod things;
mod transfers;
mod ui;
mod v1_commands;
mod v1_defects;
mod v1_errors;
mod v1_things;
mod world;
