//! Plugins, and what they do on boards.

use crate::board;
use crate::failure::Failure;
use crate::logs::Reading;
use crate::operation::{self, Giving, Query, all_pages};
use crate::output::Output;
use crate::session::{Session, read};
use api::client::{Method, escape};
use api::plugins::{
    Change, Inject, InjectMany, Injecting, Limits, New, PATH, Plugin, Run, Status, Stop,
};
use clap::{Args, Subcommand};
use model::Name;
use model::plugin::{Language, Mode, OnBoot, Visibility};
use serde_json::{Value, json};
use std::path::PathBuf;

const COLUMNS: &[&str] =
    &["id", "name", "language", "mode", "visibility", "revision", "created_at"];
const ON_BOARD: &[&str] =
    &["plugin", "name", "mode", "on_boot", "state", "injected_revision", "last_error"];

/// Plugins: code that runs on boards.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create one from a file.
    Create(Create),
    /// List plugins; with --board those on that board.
    List {
        /// Those on this board.
        #[arg(long)]
        board: Option<String>,
    },
    /// Show one.
    Show {
        /// Id or name.
        plugin: String,
    },
    /// Change source, name, visibility, parameters or limits.
    Set(Set),
    /// Delete one from the cloud; it must be off all boards.
    Delete {
        /// Id or name.
        plugin: String,
    },
    /// Put one on a board, or on all boards of a selector.
    Inject(InjectArgs),
    /// Take one off a board.
    Remove(OnBoard),
    /// Call a synchronous one and print its result.
    Call(RunArgs),
    /// Start an asynchronous one.
    Start(RunArgs),
    /// Stop an asynchronous one.
    Stop {
        #[command(flatten)]
        on: OnBoard,
        /// Seconds it gets to end by itself.
        #[arg(long)]
        grace: Option<u32>,
    },
    /// Stop and start an asynchronous one.
    Restart(RunArgs),
    /// Show what one is doing on a board.
    Status(OnBoard),
    /// Show what one has printed on a board.
    Logs {
        #[command(flatten)]
        on: OnBoard,
        #[command(flatten)]
        logs: Reading,
    },
}

/// A new plugin.
#[derive(Args)]
pub(crate) struct Create {
    /// Name.
    name: Name,
    /// Source file; '-' reads standard input.
    #[arg(long)]
    file: PathBuf,
    /// python or node; from the file's ending when left out.
    #[arg(long)]
    language: Option<Language>,
    /// sync (called) or async (started and stopped).
    #[arg(long, default_value = "sync")]
    mode: Mode,
    /// Everybody may read and inject it.
    #[arg(long)]
    public: bool,
    /// Default parameters, a JSON object.
    #[arg(long)]
    params: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Caps on what it may use.
#[derive(Args)]
struct LimitArgs {
    /// Seconds one call may take.
    #[arg(long)]
    wall: Option<u32>,
    /// Seconds of processor time.
    #[arg(long)]
    cpu: Option<u32>,
    /// Mebibytes of memory.
    #[arg(long)]
    memory: Option<u64>,
    /// Number of processes.
    #[arg(long)]
    processes: Option<u32>,
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        Limits {
            wall_s: self.wall,
            cpu_s: self.cpu,
            memory_bytes: self.memory.map(|mebibytes| mebibytes.saturating_mul(1 << 20)),
            output_bytes: None,
            processes: self.processes,
        }
    }
}

/// What to change.
#[derive(Args)]
pub(crate) struct Set {
    /// Id or name.
    plugin: String,
    /// New name.
    #[arg(long)]
    name: Option<Name>,
    /// New source file.
    #[arg(long)]
    file: Option<PathBuf>,
    /// private or public.
    #[arg(long)]
    visibility: Option<Visibility>,
    /// New default parameters, a JSON object.
    #[arg(long)]
    params: Option<String>,
}

/// A plugin on a board.
#[derive(Args)]
pub(crate) struct OnBoard {
    /// Plugin, id or name.
    plugin: String,
    /// Board, id or name.
    board: String,
    #[command(flatten)]
    giving: Giving,
}

impl OnBoard {
    fn path(&self) -> String {
        format!("{}/plugins/{}", board::path(&self.board), escape(&self.plugin))
    }
}

/// Where to inject.
#[derive(Args)]
pub(crate) struct InjectArgs {
    /// Plugin, id or name.
    plugin: String,
    /// Board, id or name.
    #[arg(required_unless_present = "selector")]
    board: Option<String>,
    /// Into all boards with these labels.
    #[arg(short = 'l', long, conflicts_with = "board")]
    selector: Option<String>,
    /// Start it whenever the board starts.
    #[arg(long)]
    on_boot: bool,
    #[command(flatten)]
    giving: Giving,
}

/// A plugin on a board, and parameters.
#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    on: OnBoard,
    /// Parameters, a JSON object; the plugin's own when left out.
    #[arg(long)]
    params: Option<String>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let path = |plugin: &str| format!("{PATH}/{}", escape(plugin));
        let none: Option<&()> = None;
        match self {
            Self::Create(create) => create.run(session, out),
            Self::List { board } => list(session, out, board.as_deref()),
            Self::Show { plugin } => out.one(&session.client.get::<Plugin>(&path(&plugin))?, &[]),
            Self::Set(set) => set.run(session, out),
            Self::Delete { plugin } => {
                session.client.request::<Value>(&Method::DELETE, &path(&plugin), none, &[])?;
                Ok(())
            }
            Self::Inject(inject) => inject.run(session, out),
            Self::Remove(on) => {
                let operation = on.giving.done(session, &Method::DELETE, &on.path(), &json!({}))?;
                operation::show(out, &operation)
            }
            Self::Call(run) => {
                let operation = run.give(session, "call")?;
                match &operation.result {
                    Some(result) => out.value(result),
                    None => operation::show(out, &operation),
                }
            }
            Self::Start(run) => operation::show(out, &run.give(session, "start")?),
            Self::Restart(run) => operation::show(out, &run.give(session, "restart")?),
            Self::Stop { on, grace } => {
                let path = format!("{}/stop", on.path());
                let operation =
                    on.giving.done(session, &Method::POST, &path, &Stop { grace_s: grace })?;
                operation::show(out, &operation)
            }
            Self::Status(on) => out.one(&session.client.get::<Status>(&on.path())?, &[]),
            Self::Logs { on, logs } => logs.run(session, out, &format!("{}/logs", on.path())),
        }
    }
}

fn list(session: &Session, out: &mut Output, board: Option<&str>) -> Result<(), Failure> {
    match board {
        Some(board) => {
            let path = format!("{}/plugins", board::path(board));
            out.list(&all_pages::<Value>(session, &path, Query::default(), None)?, ON_BOARD)
        }
        None => out.list(&all_pages::<Value>(session, PATH, Query::default(), None)?, COLUMNS),
    }
}

fn parameters(text: Option<&str>) -> Result<Value, Failure> {
    text.map_or(Ok(Value::Null), |text| {
        serde_json::from_str(text)
            .map_err(|error| Failure::invalid(format!("--params is not JSON: {error}")))
    })
}

fn source(path: &std::path::Path) -> Result<String, Failure> {
    if path.as_os_str() == "-" {
        return std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::invalid(format!("standard input cannot be read: {error}")));
    }
    read(path)
}

impl Create {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let ending = self.file.extension().and_then(|ending| ending.to_str());
        let language = match (self.language, ending) {
            (Some(language), _) => language,
            (None, Some("py")) => Language::Python,
            (None, Some("js" | "cjs")) => Language::Node,
            (None, _) => {
                return Err(Failure::invalid(
                    "the file's ending does not say the language; give --language",
                ));
            }
        };
        let new = New {
            name: self.name,
            language,
            mode: self.mode,
            source: source(&self.file)?,
            visibility: self.public.then_some(Visibility::Public),
            parameters: parameters(self.params.as_deref())?,
            limits: self.limits.limits(),
        };
        out.one(&session.client.post::<Plugin>(PATH, &new)?, COLUMNS)
    }
}

impl Set {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let change = Change {
            name: self.name,
            source: self.file.as_deref().map(source).transpose()?,
            visibility: self.visibility,
            parameters: self.params.as_deref().map(|text| parameters(Some(text))).transpose()?,
            limits: None,
        };
        let path = format!("{PATH}/{}", escape(&self.plugin));
        let after: Plugin = session.client.request(&Method::PATCH, &path, Some(&change), &[])?;
        out.one(&after, COLUMNS)
    }
}

impl InjectArgs {
    fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        let on_boot = Some(if self.on_boot { OnBoot::Start } else { OnBoot::Wait });
        let Some(board) = self.board else {
            let many = InjectMany {
                plugin: self.plugin,
                selector: self.selector.unwrap_or_default(),
                on_boot,
            };
            let begun: Vec<Injecting> = session.client.post("/v2/injections", &many)?;
            return out.list(&begun, &["board", "operation"]);
        };
        let on = OnBoard { plugin: self.plugin, board, giving: self.giving };
        let operation = on.giving.done(session, &Method::PUT, &on.path(), &Inject { on_boot })?;
        operation::show(out, &operation)
    }
}

impl RunArgs {
    fn give(&self, session: &Session, verb: &str) -> Result<api::operations::Operation, Failure> {
        let run = Run { parameters: parameters(self.params.as_deref())? };
        self.on.giving.done(session, &Method::POST, &format!("{}/{verb}", self.on.path()), &run)
    }
}
