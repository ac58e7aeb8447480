//! The cloud's side of its boards, over real sockets and a real database: enrolment, presence, commands, links.
//!
//! The boards here are small (`machine`): a WAMP client, the contract of `rpc`, and a behaviour that each test chooses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod clones;
mod commands;
mod control;
mod defects;
mod enrolment;
mod forwarding;
mod hostile;
mod keys;
mod killing;
mod legacy;
mod legacy_plugins;
mod legacy_requests;
mod legacy_services;
mod machine;
mod people;
mod process;
mod proxy;
mod rod;
mod shell_words;
mod world;
