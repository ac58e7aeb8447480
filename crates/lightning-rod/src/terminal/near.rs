//! The near end of a terminal: what the shell reads and writes, as the agent holds it.
//!
//! A pseudo-terminal for a screen, a socket pair for a pipe. Invariant: nothing here blocks; bytes that the shell does not
//! read stay with the sender. Deliberately not here: the shell (`session`), the channel (`relay`).

use super::account::Account;
use rpc::terminal::{Mode, Size};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// What a keyboard sends to say that nothing more comes (Control-D).
const END_OF_INPUT: u8 = 4;

/// Our end.
#[derive(Debug)]
pub(super) struct Near {
    fd: AsyncFd<OwnedFd>,
    mode: Mode,
}

/// What one look at the shell's output gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at this moment.
    Nothing,
    /// Nothing ever: nobody holds the shell's end any more.
    Over,
}

/// Opens both ends; the shell's end belongs to `account`.
pub(super) fn open(mode: Mode, size: Size, account: &Account) -> io::Result<(Near, OwnedFd)> {
    let (ours, theirs) = match mode {
        Mode::Screen => screen(size, account)?,
        Mode::Pipe => pipe()?,
    };
    rustix::io::ioctl_fionbio(&ours, true)?;
    #[allow(
        deprecated,
        reason = "sound for an `OwnedFd`, which stays one file; the successor is unsafe for all"
    )]
    let fd = AsyncFd::new(ours)?;
    Ok((Near { fd, mode }, theirs))
}

fn screen(size: Size, account: &Account) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
    rustix::termios::tcsetwinsize(&ours, window(size))?;
    if rustix::process::geteuid().is_root() {
        // Programs that open the terminal by its name need it; the group stays the system's.
        rustix::fs::fchown(&theirs, Some(rustix::fs::Uid::from_raw(account.uid)), None)?;
    }
    Ok((ours, theirs))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

fn window(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Near {
    /// Looks for output once.
    pub(super) fn look(&self, buffer: &mut [u8]) -> io::Result<Looked> {
        match rustix::io::read(self.fd.get_ref(), buffer) {
            // A pseudo-terminal whose other end is closed says EIO, a socket may say that it was reset.
            Ok(0) | Err(Errno::IO | Errno::CONNRESET) => Ok(Looked::Over),
            Ok(read) => Ok(Looked::Bytes(read)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Looked::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until there may be output.
    pub(super) async fn may_have_output(&self) -> io::Result<()> {
        let mut ready = self.fd.readable().await?;
        let mut poll =
            [rustix::event::PollFd::new(self.fd.get_ref(), rustix::event::PollFlags::IN)];
        // Readiness is remembered until a read finds nothing; this look finds out without reading.
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        if rustix::event::poll(&mut poll, Some(&now))? == 0 {
            ready.clear_ready();
        }
        Ok(())
    }

    /// Hands bytes to the shell, as fast as it takes them.
    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.fd.writable().await?;
            let written = ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?));
            if let Ok(written) = written {
                bytes = bytes.get(written?..).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub(super) async fn end_input(&self) -> io::Result<()> {
        match self.mode {
            Mode::Screen => self.write_all(&[END_OF_INPUT]).await,
            Mode::Pipe => Ok(rustix::net::shutdown(self.fd.get_ref(), Shutdown::Write)?),
        }
    }

    /// The screen has another size; programs on it are told by the kernel. A pipe has none.
    pub(super) fn resize(&self, size: Size) -> io::Result<()> {
        match self.mode {
            Mode::Screen => Ok(rustix::termios::tcsetwinsize(self.fd.get_ref(), window(size))?),
            Mode::Pipe => Ok(()),
        }
    }
}
