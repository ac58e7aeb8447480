//! `s4t forward`: ports of this machine, or standard input and output, that lead to ports of a board.
//!
//! Invariants: a local port stays open until the command ends, whatever happens to the cloud or the board meanwhile; a
//! connection that cannot be carried is reset, never closed in order. The command ends by itself only when the way is refused.

mod spec;
mod way;

use crate::failure::Failure;
use crate::output::harmless;
use crate::session::Session;
use clap::Args;
use model::Kind;
use model::service::Port;
use spec::Spec;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tunnel::{Endpoint, splice};
use way::{Keeper, Way};

/// Rest after the system could not accept (usually: no more file descriptors).
const REST: Duration = Duration::from_millis(100);
/// How long a new connection waits for a way that is being opened again.
const PATIENCE: Duration = Duration::from_secs(15);

/// Reach ports of a board from here, without public ports.
#[derive(Args)]
pub(crate) struct Forward {
    /// Id or name.
    board: String,
    /// LOCAL:PORT, ADDRESS:LOCAL:PORT, or PORT for the same number on both sides. LOCAL 0 takes a free port.
    #[arg(required_unless_present = "stdio", value_name = "PORTS")]
    ports: Vec<Spec>,
    /// Join standard input and output with this port of the board: ssh -o ProxyCommand='s4t forward BOARD --stdio 22' BOARD.
    #[arg(long, value_name = "PORT", conflicts_with = "ports", value_parser = spec::port)]
    stdio: Option<Port>,
}

impl Forward {
    /// Forwards until it is ended.
    pub(crate) fn run(&self, session: Session) -> Result<(), Failure> {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let reactor = reactor.map_err(broken)?;
        let ended = reactor.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
            tokio::select! {
                ended = self.forward(session) => ended,
                _ = interrupt.recv() => Ok(()),
                _ = terminate.recv() => Ok(()),
            }
        });
        // A read of standard input cannot be interrupted.
        reactor.shutdown_background();
        ended
    }

    async fn forward(&self, session: Session) -> Result<(), Failure> {
        if let Some(port) = self.stdio {
            let (mut keeper, way) = Keeper::new(session.client, &self.board, port);
            keeper.open().await?;
            return tokio::select! {
                failure = keeper.keep() => Err(failure),
                ended = join(way) => ended,
            };
        }
        let mut doors = Vec::new();
        for spec in &self.ports {
            doors.push((spec.port, bind(spec).await?));
        }
        let mut tasks = JoinSet::new();
        for (port, listener) in doors {
            let (mut keeper, way) = Keeper::new(session.client.clone(), &self.board, port);
            keeper.open().await?;
            self.say(&listener, port)?;
            tasks.spawn(async move {
                tokio::select! {
                    failure = keeper.keep() => failure,
                    never = accept(&listener, &way) => match never {},
                }
            });
        }
        match tasks.join_next().await {
            Some(Ok(failure)) => Err(failure),
            Some(Err(error)) => Err(Failure::new(Kind::Internal, error.to_string())),
            None => Ok(()),
        }
    }

    /// Where it leads, for people and for programs that asked for any port.
    fn say(&self, listener: &TcpListener, port: Port) -> Result<(), Failure> {
        let local = listener.local_addr().map_err(broken)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{local} -> {}:{port}", harmless(&self.board)).map_err(Failure::output)?;
        out.flush().map_err(Failure::output)
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Kind::Internal, error.to_string())
}

async fn bind(spec: &Spec) -> Result<TcpListener, Failure> {
    TcpListener::bind((spec.address, spec.local)).await.map_err(|error| {
        let text = format!("{}:{} cannot be listened on: {error}", spec.address, spec.local);
        Failure::new(Kind::Conflict, text).help("choose another local port, or 0 for any")
    })
}

/// What never happens.
enum Never {}

async fn accept(listener: &TcpListener, way: &Way) -> Never {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => {
                let way = way.clone();
                connections.spawn(async move { carry(way, client).await });
            }
            Err(error) => {
                eprintln!("a connection could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn carry(way: Way, client: TcpStream) {
    let carried = match way.channel(PATIENCE).await {
        Ok(channel) => splice(channel, client).await.map(|_| ()).map_err(|error| error.to_string()),
        Err(reason) => {
            // Fails only on a connection that is already gone.
            let _ = client.set_zero_linger();
            Err(reason)
        }
    };
    if let Err(reason) = carried {
        eprintln!("a connection to port {} was cut: {}", way.port(), harmless(&reason));
    }
}

/// Standard input and output as one end of a channel.
async fn join(way: Way) -> Result<(), Failure> {
    let cut =
        |reason: String| Failure::new(Kind::Unreachable, format!("port {}: {reason}", way.port()));
    let ends = Ends::open().map_err(broken)?;
    let channel = way.channel(PATIENCE).await.map_err(cut)?;
    splice(channel, ends).await.map(|_| ()).map_err(|error| cut(error.to_string()))
}

/// Files, because standard output as such waits for the end of a line.
struct Ends {
    input: File,
    output: File,
}

impl Ends {
    fn open() -> io::Result<Self> {
        let file = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map(|fd| File::from_std(fd.into()));
        Ok(Self { input: file(io::stdin().as_fd())?, output: file(io::stdout().as_fd())? })
    }
}

impl Endpoint for Ends {}

impl AsyncRead for Ends {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Ends {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.output).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_flush(cx)
    }

    /// All is written; the output itself closes with the process.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_flush(cx)
    }
}
