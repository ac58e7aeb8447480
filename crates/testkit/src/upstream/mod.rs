//! The real upstream packages as peers: the command line client, the server, and the board agent, unmodified, each with
//! pinned dependencies in an environment of its own that is made once and kept in a cache.
//!
//! Invariants: nothing is installed outside the cache; the server listens on loopback; the board agent runs only as a
//! machine of its own (namespaces of mounts, processes and network), because it restarts, reconfigures and deletes what
//! it takes for its machine. What was needed to bring them up is told in `crates/testkit/upstream/README.md`.
//! Deliberately not here: the cloud under test, and any code of the packages.

pub mod client;
pub mod cloud;
pub mod crossbar;
mod environment;
pub mod keystone;
pub mod lightning_rod;
mod lines;
pub mod normal;
pub mod openstack;
pub mod play;
pub mod script;
pub mod server;
pub mod tunnel;
pub mod wamp;
pub mod wstun;

pub use environment::cache;
