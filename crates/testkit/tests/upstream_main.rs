//! Tests with the real upstream packages as peers; a program of its own, because making their environments takes minutes
//! the first time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod upstream_agent;
mod upstream_defects;
mod upstream_keystone;
mod upstream_lightning_rod;
mod upstream_openstack;
mod upstream_oracle;
mod upstream_password;
mod upstream_rod;
mod upstream_v1;
mod upstream_wamp;
