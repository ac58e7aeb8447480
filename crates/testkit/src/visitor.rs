//! Somebody who connects to a port: the judge of whether bytes arrive exactly.

use crate::wait::{PATIENCE, until};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

/// Somebody at a port of this machine, who does not wait for ever.
///
/// # Panics
/// Nobody listens there.
#[must_use]
pub fn visit(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Bytes that differ for each seed and show when a piece is missing or out of order.
#[must_use]
pub fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(step).collect()
}

/// Sends that much noise to a port and its end, and compares what comes back until its end.
///
/// # Errors
/// It is something else, or less.
pub fn echoes(port: u16, seed: u32, length: usize) -> Result<(), String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let sent = noise(seed, length);
    let mut writer = stream.try_clone().unwrap();
    let bytes = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&bytes)?;
        writer.shutdown(Shutdown::Write)
    });
    let mut back = Vec::new();
    let read = stream.read_to_end(&mut back);
    writing.join().unwrap().map_err(|error| format!("writing: {error}"))?;
    read.map_err(|error| format!("reading: {error} after {} bytes", back.len()))?;
    if back == sent { Ok(()) } else { Err(format!("{} of {length} bytes", back.len())) }
}

/// Waits until a port echoes.
///
/// # Panics
/// It never does.
pub fn wait_echo(port: u16) {
    until("bytes to come back", PATIENCE, || echoes(port, 1, 100));
}
