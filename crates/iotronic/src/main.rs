//! The cloud's program: parses, configures, builds, runs, drains; it decides nothing.

use clap::{Parser, Subcommand};
use iotronic::identity::reset;
use iotronic::{backup, cloud_keys, http, import, serve, settings, tls};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// The Stack4Things cloud.
#[derive(Parser)]
#[command(name = "iotronic", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the cloud until SIGTERM or Ctrl-C.
    Serve {
        /// Folder of everything the cloud keeps; made when missing.
        #[arg(long, value_name = "DIR", env = "IOTRONIC_DATA")]
        data: PathBuf,
        /// Settings file (TOML); IOTRONIC__SECTION__KEY variables win over it.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Say whether the settings are good, and exit.
        #[arg(long)]
        check_config: bool,
    },
    /// Bring boards, plugins and services from a cloud of upstream's.
    Import(import::Arguments),
    /// Put all that a cloud is into one file, while it runs or not.
    Backup(backup::Backup),
    /// Make a cloud out of such a file, in an empty folder.
    Restore(backup::Restore),
    /// Give a user of a stopped cloud a new password.
    ResetPassword(reset::Arguments),
    /// Give a stopped cloud a new key, which its boards follow.
    RotateKey(cloud_keys::Arguments),
    /// Print the OpenAPI document of /v2.
    Openapi,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Openapi => {
            say(&http::openapi::document());
            Ok(())
        }
        Command::Import(arguments) => import::run(&arguments, &mut std::io::stdout().lock())
            .map_err(|error| error.to_string()),
        Command::Backup(arguments) => backup::run_backup(&arguments, &mut std::io::stdout().lock())
            .map_err(|error| error.to_string()),
        Command::Restore(arguments) => {
            backup::run_restore(&arguments, &mut std::io::stdout().lock())
                .map_err(|error| error.to_string())
        }
        Command::ResetPassword(arguments) => {
            reset::run(&arguments, &mut std::io::stdout().lock()).map_err(|error| error.to_string())
        }
        Command::RotateKey(arguments) => cloud_keys::run(&arguments, &mut std::io::stdout().lock())
            .map_err(|error| error.to_string()),
        Command::Serve { data, config, check_config } => load(config).and_then(|settings| {
            if check_config {
                tls::check(&settings).map_err(|error| error.to_string())?;
                say("settings are good\n");
                return Ok(());
            }
            run(data, settings)
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iotronic: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output; whoever closed it does not want the text, and the cloud goes on.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn load(config: Option<PathBuf>) -> Result<settings::Settings, String> {
    settings::load(config.as_deref(), std::env::vars()).map_err(|error| error.to_string())
}

fn run(data: PathBuf, settings: settings::Settings) -> Result<(), String> {
    base::logs::install::<tracing_subscriber::layer::Identity>(&settings.log, None)?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("threads cannot be started: {error}"))?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let serving = serve::start(&data, settings, store::Options::default())
            .await
            .map_err(|error| error.to_string())?;
        if let Some(password) = &serving.password {
            say(&format!("the password of user admin, shown this once: {}\n", password.expose()));
        }
        say(&format!("{}\n", serving.ready()));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        serving.finish().await;
        Ok(())
    })
}

/// Each connection is a file descriptor; the soft limit of most systems is there for programs that cannot count them.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of file descriptors could not be raised");
    }
}
