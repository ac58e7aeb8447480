//! Telling who bears a token: one of our own, and one of a Keystone that was asked before.

use crate::figure::{Figure, Goal};
use crate::stage::Stage;
use serde_json::Value;
use std::process::Command;
use testkit::{Said, program_path};

/// Measures.
pub(crate) fn figures(_: &mut Stage) -> Vec<Figure> {
    let said: Value = Said::of(&mut Command::new(program_path("token_check"))).json();
    let us = |name: &str| said[name].as_f64().unwrap();
    vec![
        Figure::new(
            "a token of our own read, its bearer's roles known, quietest round",
            us("own_us"),
            "us",
        )
        .goal(Goal::AtMost(30.0)),
        Figure::new("the same of a Keystone's token within its minute", us("keystone_us"), "us")
            .goal(Goal::AtMost(50.0))
            .beside("Keystone itself: 6700 us of processor time for a validation"),
    ]
}
