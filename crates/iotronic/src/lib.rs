//! The cloud: enrols boards, talks to them, keeps what was asked of them, forwards connections to their services, and serves
//! people over REST.
//!
//! Floors inside: `http` (reads requests, writes answers, decides nothing) → `app` (use cases: authorise, check state, store)
//! → `store`, and `boards` / `ingress` towards the boards. `tasks` are reconcilers. `serve` puts it all together.

pub mod app;
pub mod backup;
pub mod boards;
pub mod cloud;
pub mod cloud_keys;
pub mod http;
pub mod identity;
pub mod import;
pub mod ingress;
pub mod serve;
pub mod settings;
pub mod tasks;
pub mod tls;
