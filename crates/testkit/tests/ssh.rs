//! `s4t ssh`: the command line at a board's terminal, with pipes and with a terminal of its own.

use model::access::Role;
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use testkit::{Board, BoardOptions, PATIENCE, Said, World, until};

fn scene() -> (World, Board) {
    let world = World::new();
    let board = world.board_with("desk", BoardOptions::default().terminals());
    (world, board)
}

fn ssh(world: &World, words: &[&str]) -> Command {
    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", world.admin_file()).arg("ssh").args(words);
    command
}

/// Runs it with this input, in pipes.
fn piped(mut command: Command, input: &[u8]) -> std::process::Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    output
}

#[test]
fn pipes_carry_every_byte_and_the_exit_code_comes_back() {
    let (world, _board) = scene();
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let output = piped(ssh(&world, &["desk", "--", "cat"]), &bytes);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == bytes, "{} of {} bytes", output.stdout.len(), bytes.len());

    let script = "echo one; echo two >&2; exit 42\n";
    let said = Said::from(piped(ssh(&world, &["desk"]), script.as_bytes()));
    assert_eq!((said.code, said.out.as_str()), (42, "one\ntwo\n"));
    let words = ["desk", "--", "echo", "$((6*7))", "&&", "exit", "3"];
    let said = Said::of(&mut ssh(&world, &words));
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (3, "42\n", ""));
    let closed = "head -c 100000000 /dev/zero";
    let mut child = ssh(&world, &["desk", "--", closed]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    until("the end without a reader", PATIENCE, || {
        child.try_wait().unwrap().map(drop).ok_or_else(|| "it goes on".to_owned())
    });
}

#[test]
fn refusals_have_their_exit_codes_and_cures() {
    let (world, _board) = scene();
    let _closed = world.board("closed");
    let said = world.s4t(&["ssh", "closed"]).failed(5);
    assert!(said.contains("terminal.user"), "{said}");
    let _ = world.s4t(&["ssh", "nowhere"]).failed(6);
    let mut looker = world.s4t_command();
    let client = world.colleague("looker", Role::UserIot);
    looker.env("S4T_URL", world.url()).env("S4T_TOKEN", client.token().unwrap());
    let said = Said::of(looker.args(["ssh", "desk"])).failed(5);
    assert!(said.contains("manager_iot_project"), "{said}");
}

/// A terminal at which a program runs.
struct Desk {
    ours: OwnedFd,
    theirs: OwnedFd,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Desk {
    fn run(mut command: Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&ours).unwrap();
        let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags).unwrap();
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let (mut screen, seen) = (File::from(ours.try_clone().unwrap()), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                seen.lock().unwrap().extend(&buffer[..read]);
            }
        });
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let desk = Self { ours, theirs, shown, child };
        desk.resize(90, 20);
        desk
    }

    fn resize(&self, cols: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.ours, size).unwrap();
        // The kernel tells only whom the terminal controls.
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::WINCH).unwrap();
    }

    fn press(&self, keys: &str) {
        assert_eq!(rustix::io::write(&self.ours, keys.as_bytes()).unwrap(), keys.len());
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        until(&format!("{text:?} on the screen"), PATIENCE, || {
            let shown = String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned();
            if shown.contains(text) { Ok(()) } else { Err(format!("it shows {shown:?}")) }
        });
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.theirs).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    #[track_caller]
    fn end(&mut self) -> i32 {
        until("its end", PATIENCE, || {
            let ended = self.child.try_wait().unwrap();
            ended.and_then(|status| status.code()).ok_or_else(|| "it goes on".to_owned())
        })
    }
}

#[test]
fn a_terminal_is_raw_follows_the_window_and_is_given_back() {
    let (world, board) = scene();
    let mut desk = Desk::run(ssh(&world, &["desk"]));
    desk.wait_for("at the beginning of a line leaves");
    until("the terminal to be raw", PATIENCE, || {
        if desk.is_raw() { Ok(()) } else { Err("it is not".to_owned()) }
    });
    desk.press("echo it is $((40 + 2))\r");
    desk.wait_for("it is 42");
    desk.resize(111, 33);
    until("the size to arrive", PATIENCE, || {
        desk.press("stty size\r");
        let shown = String::from_utf8_lossy(&desk.shown.lock().unwrap()).into_owned();
        if shown.contains("33 111") { Ok(()) } else { Err(shown) }
    });
    desk.press("cat\rmeow\r");
    until("the echo and the answer of cat", PATIENCE, || {
        let shown = String::from_utf8_lossy(&desk.shown.lock().unwrap()).into_owned();
        if shown.matches("meow").count() == 2 { Ok(()) } else { Err(shown) }
    });
    desk.press("\u{3}");
    desk.wait_for("^C\r\n$ ");
    desk.press("exit 5\r");
    desk.wait_for("closed");
    assert_eq!(desk.end(), 5);
    assert!(!desk.is_raw(), "the terminal is as it was");

    let mut desk = Desk::run(ssh(&world, &["desk"]));
    desk.wait_for("at the beginning of a line leaves");
    desk.press("echo a''live\r");
    desk.wait_for("alive");
    desk.press("~.");
    assert_eq!(desk.end(), 255);
    assert!(!desk.is_raw(), "the terminal is as it was");

    let mut desk = Desk::run(ssh(&world, &["desk"]));
    desk.wait_for("at the beginning of a line leaves");
    board.stop();
    assert_eq!(desk.end(), 8, "the board's agent stops");
    assert!(!desk.is_raw(), "the terminal is as it was");
    desk.wait_for("agent is stopping");
}
