//! `iotronic import`, as people run it: the real program on a dump, and on a real MariaDB server.
//!
//! Deliberately not here: the reader of dumps and the parts, which are tested beside their code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails should stop where it fails"
)]

mod dump;
mod mariadb;
mod world;
