//! The operator's command line: parses, makes one or a few requests, renders. Exit codes are `model::Kind`'s, documented in
//! docs/s4t.md; data goes to standard output, everything else to standard error.

mod audit;
mod board;
mod booking;
mod claim;
mod command;
mod contribution;
mod copy;
mod delegation;
mod dial;
mod event;
mod failure;
mod fleet;
mod forward;
mod login;
mod logs;
mod operation;
mod output;
mod plugin;
mod project;
mod quota;
mod recording;
mod right;
mod service;
mod session;
mod terminal;
mod transfer;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match command::Line::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
