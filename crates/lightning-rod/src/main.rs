//! The board agent: parses, configures, builds, runs, drains.

use base::tasks::Shutdown;
use clap::Parser as _;
use lightning_rod::agent_log::AgentLog;
use lightning_rod::backup;
use lightning_rod::command_line::{Archive, Command, CommandLine, Enrol, Folder, Run};
use lightning_rod::enrol::enrol;
use lightning_rod::home::Lock;
use lightning_rod::{Agent, Error, Home, Identity, Outcome, Settings};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Threads for what would block the reactor: name resolution and small synced files.
const BLOCKING_THREADS: usize = 2;
/// The claim that means "read it from the standard input".
const FROM_INPUT: &str = "-";
/// Most bytes of a claim that are read there.
const MAX_CLAIM: u64 = 16 * 1024;

fn main() -> ExitCode {
    runtime::launcher::run_if_asked();
    lightning_rod::terminal::run_if_asked();
    // Found before anything else: after an update of the package the path leads to the new agent.
    let executable = std::env::current_exe();
    let done = match CommandLine::parse().command {
        Command::Enrol(arguments) => enrol_once(&arguments),
        Command::Status(folder) => status(&folder),
        Command::Run(arguments) => run(&arguments),
        Command::Backup(arguments) => back_up(&arguments),
        Command::Restore(arguments) => restore(&arguments),
    };
    match done {
        Ok(Outcome::Stopped) => ExitCode::SUCCESS,
        Ok(Outcome::Restart) => again(executable),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn enrol_once(arguments: &Enrol) -> Result<Outcome, Error> {
    let settings = Settings::load(arguments.config.as_deref())?;
    base::logs::install(&settings.log, None::<AgentLog>).map_err(Error::Log)?;
    let home = Home::open(&arguments.folder.home)?;
    let claim = claim(&arguments.claim)?;
    let identity = reactor().block_on(enrol(&home, &settings, &claim))?;
    show(&identity);
    Ok(Outcome::Stopped)
}

/// The claim that was given, or that comes in where `-` was.
fn claim(given: &str) -> Result<String, Error> {
    if given != FROM_INPUT {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().take(MAX_CLAIM).read_to_string(&mut text);
    read.map_err(|error| Error::Input(format!("the claim cannot be read: {error}")))?;
    Ok(text.trim().to_owned())
}

fn status(folder: &Folder) -> Result<Outcome, Error> {
    let home = Home::look(&folder.home).ok_or(Error::NotEnrolled)?;
    match home.identity()? {
        Some(identity) => {
            show(&identity);
            if let Some(said) = home.cloud_said() {
                let capabilities = said.capabilities.iter().map(|word| format!(", {word}"));
                let text =
                    format!("protocol {}{}", said.protocol, capabilities.collect::<String>());
                say(&[("speaks", &text)]);
            }
        }
        None => {
            let board = lightning_rod::upstream::board(&home)?.ok_or(Error::NotEnrolled)?;
            say(&[("board", &board.uuid), ("name", &board.name), ("cloud", &board.url)]);
        }
    }
    say(&[("agent", if home.is_running() { "running" } else { "stopped" })]);
    Ok(Outcome::Stopped)
}

fn back_up(arguments: &Archive) -> Result<Outcome, Error> {
    let settings = Settings::load(arguments.config.as_deref())?;
    let home = Home::open(&arguments.folder.home)?;
    let upstream = settings.upstream.settings.unwrap_or_else(|| home.path("settings.json"));
    let saved = backup::backup(&home, &upstream, &arguments.file)?;
    say(&[("files", &saved.files.to_string()), ("bytes", &saved.bytes.to_string())]);
    Ok(Outcome::Stopped)
}

fn restore(arguments: &Archive) -> Result<Outcome, Error> {
    let home = Home::open(&arguments.folder.home)?;
    let _alone = home.lock(Lock::Run)?;
    let restored = backup::restore(&home, &arguments.file)?;
    say(&[("files", &restored.files.to_string()), ("skipped", &restored.skipped.to_string())]);
    Ok(Outcome::Stopped)
}

fn show(identity: &Identity) {
    say(&[
        ("board", &identity.uuid.to_string()),
        ("name", identity.name.as_str()),
        ("project", identity.project.as_str()),
        ("cloud", &identity.url),
        ("pin", &identity.pin),
    ]);
}

/// Prints lines of a word and its value; whoever closed the pipe does not want them.
fn say(lines: &[(&str, &str)]) {
    for (word, value) in lines {
        let _ = writeln!(std::io::stdout(), "{:9}{value}", format!("{word}:"));
    }
}

fn run(arguments: &Run) -> Result<Outcome, Error> {
    let settings = Settings::load(arguments.config.as_deref())?;
    if arguments.check_config {
        say(&[("settings", "valid")]);
        return Ok(Outcome::Stopped);
    }
    let log = AgentLog::default();
    base::logs::install(&settings.log, Some(log.clone())).map_err(Error::Log)?;
    let home = Home::open(&arguments.folder.home)?;
    let launcher = std::env::current_exe()
        .map_err(|error| Error::Setting(format!("the agent cannot find its own file: {error}")))?;
    let agent = Agent::new(home, settings, log, launcher)?;
    reactor().block_on(async {
        let shutdown = Shutdown::new();
        tokio::spawn(signals(shutdown.clone()));
        agent.run(shutdown).await
    })
}

fn reactor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .expect("the system gives a poller and a pipe")
}

async fn signals(shutdown: Shutdown) {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.begin();
}

/// Becomes a fresh agent with the same arguments, the same process to whoever watches it.
fn again(executable: std::io::Result<std::path::PathBuf>) -> ExitCode {
    let error = match executable {
        Ok(path) => std::process::Command::new(path).args(std::env::args_os().skip(1)).exec(),
        Err(error) => error,
    };
    eprintln!("error: the agent cannot start itself again: {error}");
    ExitCode::FAILURE
}
