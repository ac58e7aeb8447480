//! What a channel leads to: a local service of the table, a port that was asked for, or a terminal.
//!
//! Invariant: a channel leads to what the board itself knows by the key, or nowhere.

use super::{Connection, Ports, Services};
use crate::terminal::{Far, Terminals};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tunnel::{Acceptor, Endpoint, Refusal};

/// Looks keys up.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The table of services.
    pub services: Services,
    /// The ports that may be reached without being services.
    pub ports: Ports,
    /// The terminals that wait for their channels.
    pub terminals: Terminals,
}

impl Acceptor for Targets {
    type Target = Target;

    async fn accept(&self, key: &[u8]) -> Result<Target, Refusal> {
        if Terminals::owns(key) {
            return self.terminals.accept(key).map(Target::Terminal);
        }
        let connection = match Ports::owns(key) {
            true => self.ports.accept(key).await,
            false => self.services.accept(key).await,
        };
        connection.map(Target::Port)
    }
}

/// The other end of a channel.
pub enum Target {
    /// A local port, of a service or without one.
    Port(Connection),
    /// A terminal.
    Terminal(Far),
}

macro_rules! either {
    ($target:expr, $end:ident => $work:expr) => {
        match $target {
            Target::Port($end) => $work,
            Target::Terminal($end) => $work,
        }
    };
}

impl AsyncRead for Target {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(&mut *self, end => Pin::new(end).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Target {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(&mut *self, end => Pin::new(end).poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, end => Pin::new(end).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, end => Pin::new(end).poll_shutdown(cx))
    }
}

impl Endpoint for Target {
    fn prepare(&mut self) {
        either!(self, end => end.prepare());
    }

    fn abort(&mut self) {
        either!(self, end => end.abort());
    }
}
