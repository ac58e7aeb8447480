//! The wstun dialect over real sockets: ours with ours, strangers who break the rules, and the npm package
//! that upstream's tunnels descend from on either side.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(unreachable_pub, reason = "shared by the modules of this test")]

#[path = "../common/mod.rs"]
mod common;

mod forwarding;
mod node;
mod ports;
mod strangers;
mod support;
mod upstream;
