//! `logs`, of a board's agent and of a plugin: read once, or follow.

use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::session::Session;
use api::logs::{Line, Lines};
use clap::Args;
use model::Kind;
use std::time::Duration;

/// How many times a broken stream is asked for again before the command gives up.
const RETRIES: u32 = 10;

/// Which lines.
#[derive(Args)]
pub(crate) struct Reading {
    /// Go on with new lines until interrupted.
    #[arg(short = 'f', long)]
    follow: bool,
    /// How results look. Stands in for the global option here, so that `-f` can mean "follow" as in every other `logs`.
    #[arg(id = "format", long, visible_alias = "output", value_enum, default_value = "table")]
    _format: Format,
    /// At most so many of the newest lines.
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: u32,
}

impl Reading {
    /// Reads from `path`, the resource's `…/logs`.
    pub(crate) fn run(
        &self,
        session: &Session,
        out: &mut Output,
        path: &str,
    ) -> Result<(), Failure> {
        let read: Lines = session.client.get(&format!("{path}?limit={}", self.lines))?;
        for line in &read.lines {
            show(out, line)?;
        }
        if self.follow { follow(session, out, path, read.next) } else { Ok(()) }
    }
}

fn follow(session: &Session, out: &mut Output, path: &str, mut next: u64) -> Result<(), Failure> {
    let mut failures = 0;
    loop {
        let ended = follow_once(session, out, path, &mut next, &mut failures);
        match ended {
            Err(failure) if failures >= RETRIES || !failure.may_pass() => return Err(failure),
            _ => failures += 1,
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn follow_once(
    session: &Session,
    out: &mut Output,
    path: &str,
    next: &mut u64,
    failures: &mut u32,
) -> Result<(), Failure> {
    for sent in session.client.stream(&format!("{path}?follow=true&after={next}"), None)? {
        let sent = sent?;
        if sent.event.as_deref() == Some("problem") {
            return Err(Failure::new(Kind::Unreachable, sent.data));
        }
        if let Ok(line) = serde_json::from_str::<Line>(&sent.data) {
            *next = line.seq;
            *failures = 0;
            show(out, &line)?;
        }
    }
    Ok(())
}

fn show(out: &mut Output, line: &Line) -> Result<(), Failure> {
    out.stream(line, &format!("{} {:6} {}", line.time, line.stream, line.text))
}
