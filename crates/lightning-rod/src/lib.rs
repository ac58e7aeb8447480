//! Lightning-Rod, the board agent: it makes a device part of the cloud.
//!
//! It enrols the device with a claim, keeps a control channel to the cloud, does what the cloud asks (the calls of `rpc`),
//! runs plugins, carries connections to local services, and opens terminals. It works on without the cloud.
//!
//! A call's way: [`control`](engine) → [`dispatch`] → [`journal`] → [`handlers`] → `runtime` or [`forward`], and back.
//! Invariants: nothing is signed for a cloud that has not proven the pinned key; a command runs at most once; a connection
//! leads to a service of the board's own table or nowhere; the machine itself is changed by `actions`, as far as its owner allows.
//! On a cloud of upstream's none of this way is used but the handlers of the device, the guests and the actions: [`upstream`] is an
//! agent of its own beside it. Deliberately not here: virtual networks, pins, rules, stored
//! samples; they come as rooms of their own.

mod actions;
pub mod agent_log;
pub mod backup;
pub mod clock;
pub mod cloud;
mod cloud_call;
pub mod command_line;
mod control;
pub mod dispatch;
pub mod engine;
pub mod enrol;
pub mod epoch;
pub mod error;
pub mod facts;
pub mod forward;
pub mod handlers;
mod hearsay;
pub mod home;
mod http1;
pub mod journal;
pub mod keys;
pub mod local;
pub mod operations;
pub mod pinned;
pub mod plugins;
pub mod rotation;
pub mod sensors;
pub mod settings;
pub mod table;
pub mod terminal;
pub mod upstream;

pub use engine::{Agent, Outcome, State};
pub use error::Error;
pub use home::{Home, Identity};
pub use settings::Settings;
