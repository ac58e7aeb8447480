//! Terminals without a cloud: a script stands in for the launcher, the test for the channel. The real launcher is tried in
//! the system tests.

use super::*;
use base::tasks::Shutdown;
use rpc::terminal::{Decoder, Frame, Mode, Size};
use std::os::unix::fs::PermissionsExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    terminals: Terminals,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

/// Terminals whose shell is `script`.
fn scene(script: &str, idle_s: u32) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let launcher = folder.path().join("launcher");
    // Written by a process of its own: a child of another test could hold it open for writing at the moment of its start.
    let status = std::process::Command::new("sh")
        .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 700 \"$0\""])
        .arg(&launcher)
        .arg(script)
        .status();
    assert!(status.unwrap().success());
    assert_eq!(launcher.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let tasks = Tasks::new(Shutdown::new());
    let settings = settings::Terminal {
        user: Some(own_name()),
        shell: Some("/bin/sh".into()),
        allow_root: true,
        idle_s,
    };
    Scene { terminals: Terminals::new(settings, launcher, tasks.clone()), tasks, _folder: folder }
}

fn own_name() -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let own = own_user().to_string();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields[2] == own).expect("who runs this test is a user")[0].to_owned()
}

fn asked(mode: Mode) -> Open {
    Open { size: Size::default(), mode, command: None }
}

/// The channel's end, with its frames.
struct Channel {
    far: Far,
    decoder: Decoder,
}

impl Channel {
    fn open(scene: &Scene, mode: Mode) -> Self {
        let opened = scene.terminals.offer(asked(mode)).unwrap();
        let far = scene.terminals.accept(opened.key.as_bytes()).unwrap();
        Self { far, decoder: Decoder::default() }
    }

    async fn send(&mut self, frame: Frame) {
        self.far.write_all(&frame.encode()).await.unwrap();
    }

    /// The next frame; none at the end of the channel.
    async fn next(&mut self) -> Option<Frame> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            let read = tokio::time::timeout(PATIENCE, self.far.read(&mut buffer));
            match read.await.expect("something in time").unwrap() {
                0 => return None,
                read => self.decoder.push(&buffer[..read]),
            }
        }
    }

    /// All data up to the last frame, and that.
    async fn rest(&mut self) -> (Vec<u8>, Option<Frame>) {
        let mut data = Vec::new();
        loop {
            match self.next().await {
                Some(Frame::Data(bytes)) => data.extend(bytes),
                last => return (data, last),
            }
        }
    }

    /// Reads until the data holds `text`.
    async fn wait_for(&mut self, text: &str) {
        let mut data = String::new();
        while !data.contains(text) {
            match self.next().await {
                Some(Frame::Data(bytes)) => data += &String::from_utf8_lossy(&bytes),
                other => panic!("{other:?} after {data:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_good_once_and_the_ninth_terminal_is_refused() {
    let scene = scene("exec cat", 60);
    let mut offers = Vec::new();
    for _ in 0..MAX_TERMINALS {
        offers.push(scene.terminals.offer(asked(Mode::Pipe)).unwrap());
    }
    let fault = scene.terminals.offer(asked(Mode::Pipe)).unwrap_err();
    assert_eq!(fault.kind, Kind::Exhausted, "{fault}");
    scene.terminals.withdraw(&offers.pop().unwrap().key);
    let key = scene.terminals.offer(asked(Mode::Pipe)).unwrap().key;
    assert!(Terminals::owns(key.as_bytes()));
    let far = scene.terminals.accept(key.as_bytes()).unwrap();
    for wrong in [key.as_bytes(), b"terminal:", b"terminal:guess", b"terminal:\xff"] {
        assert_eq!(scene.terminals.accept(wrong).unwrap_err().code, RefusalCode::UnknownService);
    }
    drop(far);
    assert_eq!(scene.tasks.finish(PATIENCE).await, 0);
}

#[tokio::test]
async fn what_is_unsound_is_refused() {
    let scene = scene("exec cat", 60);
    let mut wrong = [asked(Mode::Screen), asked(Mode::Screen), asked(Mode::Screen)];
    wrong[0].size.cols = 0;
    wrong[1].command = Some("x".repeat(MAX_COMMAND + 1));
    wrong[2].command = Some("a\0b".into());
    for open in wrong {
        assert_eq!(scene.terminals.offer(open).unwrap_err().kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn a_pipe_carries_bytes_both_ways_and_its_end_ends_the_shell() {
    let scene = scene("exec cat", 60);
    let mut channel = Channel::open(&scene, Mode::Pipe);
    let sent: Vec<u8> = (0..=255).cycle().take(40_000).collect();
    for piece in sent.chunks(1000) {
        channel.send(Frame::Data(piece.to_vec())).await;
    }
    channel.send(Frame::EndOfInput).await;
    assert_eq!(channel.rest().await, (sent, Some(Frame::Exit(0))));
    assert_eq!(channel.next().await, None);
    assert_eq!(scene.tasks.finish(PATIENCE).await, 0);
}

#[tokio::test]
async fn all_output_comes_before_the_exit_code_even_to_a_slow_reader() {
    let scene = scene("head -c 1000000 /dev/zero; exit 7", 60);
    for mode in [Mode::Pipe, Mode::Screen] {
        let mut channel = Channel::open(&scene, mode);
        let (data, last) = channel.rest().await;
        assert_eq!((data.len(), last), (1_000_000, Some(Frame::Exit(7))), "{mode:?}");
    }
}

#[tokio::test]
async fn a_screen_has_a_size_that_changes_and_control_d_ends_its_input() {
    let scene = scene("stty size; read line; stty size; cat; echo over", 60);
    let mut channel = Channel::open(&scene, Mode::Screen);
    channel.wait_for("24 80").await;
    channel.send(Frame::Resize(Size { cols: 132, rows: 50 })).await;
    channel.send(Frame::Data(b"\n".to_vec())).await;
    channel.wait_for("50 132").await;
    channel.send(Frame::EndOfInput).await;
    let (data, last) = channel.rest().await;
    assert!(String::from_utf8_lossy(&data).contains("over"));
    assert_eq!(last, Some(Frame::Exit(0)));
}

#[tokio::test]
async fn silence_is_ended_and_bytes_that_are_no_frames_too() {
    let scene = scene("exec cat", 1);
    let mut channel = Channel::open(&scene, Mode::Pipe);
    let (_, last) = channel.rest().await;
    assert!(matches!(last, Some(Frame::Closed { kind: Kind::Timeout, .. })), "{last:?}");
    let mut channel = Channel::open(&scene, Mode::Pipe);
    channel.far.write_all(&[2, 0, 1, 9]).await.unwrap();
    let (_, last) = channel.rest().await;
    assert!(matches!(last, Some(Frame::Closed { kind: Kind::Invalid, .. })), "{last:?}");
}

#[tokio::test]
async fn whoever_leaves_hangs_up_even_while_the_shell_takes_no_input() {
    let scene = scene("trap '' HUP; echo up; while :; do sleep 1; done", 60);
    let mut channel = Channel::open(&scene, Mode::Pipe);
    channel.wait_for("up").await;
    // More than the shell's socket and all buffers between take.
    let flood = async {
        loop {
            channel.send(Frame::Data(vec![7; 10_000])).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), flood).await.is_err());
    drop(channel);
    let places = &scene.terminals.0.places;
    let all = u32::try_from(MAX_TERMINALS).unwrap();
    let free = tokio::time::timeout(session::KILL_AFTER + PATIENCE, places.acquire_many(all));
    assert!(free.await.is_ok(), "the shell that ignores the hang-up is killed");
}

#[tokio::test]
async fn a_stop_of_the_agent_is_told_and_ends_all() {
    let scene = scene("exec cat", 60);
    let mut channel = Channel::open(&scene, Mode::Screen);
    scene.tasks.shutdown().begin();
    let (_, last) = channel.rest().await;
    assert!(matches!(last, Some(Frame::Closed { kind: Kind::Unreachable, .. })), "{last:?}");
    assert_eq!(scene.tasks.finish(PATIENCE).await, 0);
}

#[tokio::test]
async fn the_last_word_is_heard_although_somebody_still_types() {
    let scene = scene("exit 4", 60);
    let mut channel = Channel::open(&scene, Mode::Pipe);
    for _ in 0..20 {
        channel.send(Frame::Data(vec![7; 10_000])).await;
    }
    assert_eq!(channel.rest().await, (Vec::new(), Some(Frame::Exit(4))));
    drop(channel);
    assert_eq!(scene.tasks.finish(PATIENCE).await, 0);
}
