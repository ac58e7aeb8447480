//! The agent against a small cloud in the same process: a real router, real sockets on loopback, real files, real guests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what helps a test fails the test"
)]

mod actions;
mod boot;
mod cloud;
mod command_line;
mod commands;
mod control;
mod enrolment;
mod journal;
mod keys;
mod packages;
mod plugins;
mod ports;
mod proxy;
mod rod;
mod services;
mod tls;
mod upstream;
mod words;

use std::time::Duration;

/// Waits until `look` finds something; fails with what `look` said last.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        match look().await {
            Ok(found) => return found,
            Err(reason) if tokio::time::Instant::now() > deadline => {
                panic!("{what} did not happen: {reason}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
