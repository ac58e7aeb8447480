//! Rights: a part of what one may do with a board, for minutes, honoured by the board without its cloud.
//!
//! `issue` asks the cloud; `narrow` and `show` need nobody. A right given as `-` is read from the standard input, so that it
//! stands in no list of processes.

use crate::board;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use api::rights::{New, Right as Issued};
use clap::{Args, Subcommand};
use model::PluginId;
use rpc::right::{Act, Acts, MAX_TEXT, Narrowing, Right, Thing};
use serde_json::{Value, json};
use std::io::Read as _;

/// Rights: what a board lets one do without its cloud, for minutes.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Ask the cloud for one.
    Issue(Issuing),
    /// Take something away from one, to pass the rest on.
    Narrow(Narrowed),
    /// Show what one says; only its board knows whether it holds.
    Show {
        /// Its text, or - for the standard input.
        right: String,
    },
}

/// What is wanted.
#[derive(Args)]
pub(crate) struct Issuing {
    /// Id or name of the board.
    board: String,
    /// What may be done: status, logs, call.
    #[arg(short, long = "act", required = true)]
    acts: Vec<String>,
    /// Only with this plugin (id or name).
    #[arg(long)]
    plugin: Option<String>,
    /// Seconds until it is over, 300 at the most.
    #[arg(long, default_value_t = 300)]
    life: u32,
    /// How often it may be passed on narrowed.
    #[arg(long, default_value_t = 0)]
    depth: u8,
}

/// What is taken away.
#[derive(Args)]
pub(crate) struct Narrowed {
    /// The right's text, or - for the standard input.
    right: String,
    /// Only these acts.
    #[arg(short, long = "act")]
    acts: Vec<Act>,
    /// Only with this plugin (id).
    #[arg(long)]
    plugin: Option<PluginId>,
    /// Only for so many seconds after it was given out.
    #[arg(long)]
    until: Option<u16>,
    /// How often it may still be passed on.
    #[arg(long)]
    depth: Option<u8>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Issue(issuing) => issuing.run(session, out),
            Self::Narrow(narrowing) => narrowing.run(out),
            Self::Show { right } => show(out, &right),
        }
    }
}

impl Issuing {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let path = format!("{}/rights", board::path(&self.board));
        let new = New {
            acts: self.acts,
            plugin: self.plugin,
            life_s: Some(self.life),
            depth: Some(self.depth),
        };
        out.one(&session.client.post::<Issued>(&path, &new)?, &[])
    }
}

impl Narrowed {
    pub(crate) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let narrowing = Narrowing {
            acts: (!self.acts.is_empty()).then(|| self.acts.iter().copied().collect::<Acts>()),
            from_s: None,
            until_s: self.until,
            depth: self.depth,
            thing: self.plugin.map(Thing::Plugin),
        };
        let narrowed = read(&self.right)?.narrow(narrowing).map_err(failure)?;
        out.one(&shown(&narrowed)?, &[])
    }
}

/// Shows what a right says.
pub(crate) fn show(out: &mut Output, text: &str) -> Result<(), Failure> {
    let mut said = shown(&read(text)?)?;
    if let Some(members) = said.as_object_mut() {
        members.remove("right");
    }
    out.one(&said, &[])
}

fn shown(right: &Right) -> Result<Value, Failure> {
    let says = right.says().map_err(failure)?;
    let plugin = match says.thing {
        Some(Thing::Plugin(plugin)) => json!(plugin),
        Some(Thing::Board) => Value::Null,
        // Its blocks name two plugins.
        None => json!("none"),
    };
    Ok(json!({
        "right": right.to_string(),
        "board": says.board,
        "holder": says.holder,
        "acts": says.acts.iter().map(Act::word).collect::<Vec<_>>(),
        "plugin": plugin,
        "from": says.from,
        "until": says.until,
        "depth": says.depth,
        "passed_on": says.hops,
    }))
}

fn read(text: &str) -> Result<Right, Failure> {
    let text = if text == "-" { from_input()? } else { text.to_owned() };
    text.parse().map_err(failure)
}

fn from_input() -> Result<String, Failure> {
    let mut text = String::new();
    let most = u64::try_from(MAX_TEXT).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().take(most).read_to_string(&mut text).map_err(|error| {
        Failure::invalid(format!("the right cannot be read from the standard input: {error}"))
    })?;
    Ok(text)
}

fn failure(refusal: rpc::right::Refusal) -> Failure {
    Failure::new(refusal.kind(), refusal.to_string())
}
