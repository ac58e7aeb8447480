//! Guests: plugin code in Python and Node.js, each run in a process of its own, within limits.
//!
//! A **guest** is a plugin's source as installed on this board. It is used in two ways: a *call* runs
//! it once and takes one JSON result; a *service* is started, watched, restarted when it crashes, and
//! stopped. [`Runtime`] is the only way in.
//!
//! Invariants:
//! * no plugin code ever runs inside the agent: the agent re-executes its own binary as a launcher
//!   ([`launcher`]), which confines itself and then becomes the interpreter;
//! * results travel on a framed channel of their own, so whatever a guest prints is log and nothing else;
//! * when a run ends, for whatever reason, its whole process group is gone and reaped;
//! * everything a guest can make us hold (result, log, waiting calls, restarts) is bounded.
//!
//! Deliberately not here: WebAssembly and containers, a pool of warm interpreters, any knowledge of the
//! cloud. What the board can tell its plugins comes in as [`Order::context`].

mod cage;
mod call;
mod cancel;
mod cgroup;
mod cgroup_place;
mod failure;
mod frame;
mod guest;
mod interpreter;
mod launch;
mod launch_spec;
pub mod launcher;
mod layers;
mod library;
mod log;
mod log_file;
mod log_pump;
mod process;
mod processes;
mod runner;
mod runtime;
mod sandbox;
mod service;
mod settings;
mod share;
mod spawner;

pub use cancel::Cancel;
pub use failure::{Exit, Failure, Stream};
pub use guest::{Guest, Language, Limits, Order};
pub use layers::{Layer, Presence};
pub use log::{Line, Lines};
pub use runtime::Runtime;
pub use service::{Status, Stopped};
pub use settings::{Confinement, RestartPolicy, Settings};
pub use share::{Share, Whose};
