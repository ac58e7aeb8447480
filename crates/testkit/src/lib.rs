//! A whole world for tests: the real programs as processes on loopback, each world with its own folder and ports.
//!
//! Invariant: nothing started here outlives its value, and what it said is shown when its test fails. A failure is a
//! panic with the last reason, because only tests call this.
//! Deliberately not here: the tests (`tests/`), and stand-ins of parts that their own crates can test alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the workshop of tests: a failure is a panic"
)]

mod board;
mod command_line;
mod island;
mod local_service;
mod package_managers;
mod program;
mod raw_http;
mod sim_board;
mod skip;
mod slot;
mod ssh_server;
mod terminal;
pub mod upstream;
mod visitor;
mod wait;
mod world;
mod world_options;

pub use board::{Board, BoardOptions};
pub use command_line::Said;
pub use island::Island;
pub use local_service::{LocalService, Talk};
pub use package_managers::PackageManagers;
pub use program::{Program, memory_kib, program_path};
pub use raw_http::{Answer, RawHttp};
pub use rustix::process::Signal;
pub use sim_board::{Conduct, Reply, SimulatedBoard};
pub use skip::{Need, lacks};
pub use slot::Slot;
pub use ssh_server::SshServer;
pub use terminal::{Said as TerminalSaid, Terminal};
pub use visitor::{echoes, noise, visit, wait_echo};
pub use wait::{PATIENCE, until};
pub use world::{World, administrator};
pub use world_options::WorldOptions;
