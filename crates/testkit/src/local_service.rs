//! Something that listens on a board's loopback, for services to be forwarded.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How it talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Says back what it hears, and ends when it has heard the end.
    Echo,
    /// Says hello before it hears anything, then as [`Talk::Echo`].
    Greeting,
    /// Hears everything to the end first, then says how many bytes it was and ends.
    Count,
    /// Talks without end and hears nothing.
    Endless,
    /// Hears nothing and says nothing, and stays.
    Deaf,
    /// Says its piece and ends its side at once, then counts what it still hears into [`LocalService::heard`].
    Farewell,
}

/// What [`Talk::Greeting`] says first.
const HELLO: &[u8] = b"hello, who is there?\n";
/// What [`Talk::Farewell`] says.
const PIECE: &[u8] = b"that was all\n";

/// A listener on loopback. Its threads end with their connections.
#[derive(Debug)]
pub struct LocalService {
    /// Its port.
    pub port: u16,
    heard: Arc<AtomicU32>,
}

impl LocalService {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// No port is free.
    #[must_use]
    pub fn start(talk: Talk) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    // A visitor that leaves early is his own affair.
                    let _ = converse(talk, stream, &counter);
                });
            }
        });
        Self { port, heard }
    }

    /// Bytes that [`Talk::Farewell`] heard after its own end.
    #[must_use]
    pub fn heard(&self) -> u32 {
        self.heard.load(Ordering::SeqCst)
    }
}

fn converse(talk: Talk, mut stream: TcpStream, heard: &AtomicU32) -> std::io::Result<()> {
    match talk {
        Talk::Echo => echo(&mut stream),
        Talk::Greeting => {
            stream.write_all(HELLO)?;
            echo(&mut stream)
        }
        Talk::Count => {
            let count = std::io::copy(&mut stream, &mut std::io::sink())?;
            writeln!(stream, "{count}")?;
            stream.shutdown(Shutdown::Write)
        }
        Talk::Endless => loop {
            stream.write_all(&[b'x'; 65536])?;
        },
        Talk::Deaf => {
            let closed = || stream.take_error().is_ok_and(|error| error.is_some());
            while !closed() {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            Ok(())
        }
        Talk::Farewell => {
            stream.write_all(PIECE)?;
            stream.shutdown(Shutdown::Write)?;
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer)?;
                if read == 0 {
                    return Ok(());
                }
                heard.fetch_add(u32::try_from(read).unwrap_or(0), Ordering::SeqCst);
            }
        }
    }
}

fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut back = stream.try_clone()?;
    std::io::copy(stream, &mut back)?;
    stream.shutdown(Shutdown::Write)
}
