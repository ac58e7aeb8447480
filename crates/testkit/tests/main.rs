//! System tests: the real programs, one file for each noun or promise. All in one program, linked once.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod audit;
mod backup;
mod bad_input;
mod boards;
mod cli;
mod clones;
mod copies;
mod crashes;
mod events;
mod forwards;
mod identity;
mod keys;
mod legacy;
mod lending;
mod liveness;
mod operations;
mod packages;
mod plugins;
mod protocol;
mod races;
mod rights;
mod serve;
mod services;
mod ssh;
mod terminals;
mod tls;
mod transfers;
