//! Process plumbing, a closed list: log set-up, configuration loading, task set and shutdown, backoff, clock, secrets and
//! the Ed25519 keys that boards and clouds are known by. Nothing here knows what the system is for.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod key;
pub mod logs;
pub mod secret;
pub mod tasks;
