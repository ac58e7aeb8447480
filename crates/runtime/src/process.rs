//! One process of a guest: started, watched, and ended with everything it started.
//!
//! Invariant: a [`Process`] that was spawned is either finished by [`Process::finish`] or, when dropped
//! with its task, killed; it never outlives its owner. Not here: what a call or a service does with it.

use crate::cage::{Cage, SAMPLE_EVERY};
use crate::failure::{Exit, Failure, Stream};
use crate::frame::{Broken, FrameReader};
use crate::guest::{Language, Limits};
use crate::launch::{Launch, start};
use crate::log::LogBook;
use crate::log_pump::pump;
use crate::runtime::Shared;
use serde::Deserialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, timeout};

/// Room for the frame around a result of the full size.
const FRAME_EXTRA: u64 = 256;
/// A frame may always be this long, so that errors get through a small output limit.
const LEAST_FRAME: u64 = 64 << 10;
/// How long the channel may stay open after the process ended.
const CHANNEL_CLOSES_WITHIN: Duration = Duration::from_millis(200);
/// How long the log may take to end after all processes are gone.
const LOG_ENDS_WITHIN: Duration = Duration::from_millis(300);
/// Signal of the soft CPU limit.
const SIGXCPU: i32 = 24;
/// Last lines shown in the error of a crash.
const CRASH_LINES: usize = 8;
/// What Node writes when its heap is full.
const NODE_OUT_OF_MEMORY: &str = "JavaScript heap out of memory";

/// What runners and launcher say on the channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The source is loaded and starts to run.
    Ready,
    Ok(Value),
    Raised {
        kind: String,
        message: String,
        traceback: Vec<String>,
    },
    NotJson(String),
    NoResult,
    Launch(String),
}

/// What happened to a process.
#[derive(Debug)]
pub(crate) enum Event {
    Answer(Answer),
    /// It ended, or closed its channel, without a further answer.
    Ended,
    /// It went over a limit.
    Over(Failure),
}

/// A running process of a guest.
pub(crate) struct Process {
    child: Child,
    pid: i32,
    language: Language,
    limits: Limits,
    cage: Cage,
    frames: FrameReader<OwnedReadHalf>,
    logs: Vec<JoinHandle<VecDeque<String>>>,
    book: Arc<LogBook>,
    samples: Interval,
    exit: Option<ExitStatus>,
}

impl Process {
    /// Starts the guest and sends it its request.
    pub(crate) async fn spawn(shared: &Shared, launch: &Launch<'_>) -> Result<Self, Failure> {
        let Launch { guest, limits, .. } = *launch;
        let request = launch.request(shared)?;
        let interpreter = shared.interpreters.find(guest.language, &shared.settings).await?;
        let mark = shared.next_mark();
        let mut cage = Cage::new(&shared.cgroups, mark.clone(), limits, guest.language)?;
        let spec = launch.spec(shared, interpreter, mark, cage.procs_files());
        let started = start(shared, &spec).await;
        let (mut child, channel) = match started {
            Ok(started) => started,
            Err(failure) => {
                cage.clear().await;
                return Err(failure);
            }
        };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
        cage.hold(pid);
        let (read, write) = channel.into_split();
        tokio::spawn(send(write, request));
        let book = shared.book(&guest.id).await;
        let mut samples = tokio::time::interval(SAMPLE_EVERY);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let frame_limit = limits.output_bytes.saturating_add(FRAME_EXTRA).max(LEAST_FRAME);
        Ok(Self {
            logs: pumps(&mut child, &book),
            child,
            pid,
            language: guest.language,
            limits: limits.clone(),
            cage,
            frames: FrameReader::new(read, frame_limit),
            book,
            samples,
            exit: None,
        })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for the next thing that happens. Dropping the future loses nothing.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            if self.exit.is_some() {
                return self.last_words().await;
            }
            tokio::select! {
                // Looked at first, or a guest that floods the channel would never be.
                biased;
                _ = self.samples.tick() => {
                    if let Some(failure) = self.cage.over() {
                        return Event::Over(failure);
                    }
                }
                frame = self.frames.next() => return self.understand(frame),
                status = self.child.wait() => {
                    self.exit = Some(status.unwrap_or_default());
                    // Whoever still holds the channel keeps us from seeing its end.
                    self.cage.kill();
                }
            }
        }
    }

    async fn last_words(&mut self) -> Event {
        match timeout(CHANNEL_CLOSES_WITHIN, self.frames.next()).await {
            Ok(frame) => self.understand(frame),
            Err(_) => Event::Ended,
        }
    }

    fn understand(&self, frame: Result<Option<Vec<u8>>, Broken>) -> Event {
        match frame {
            Ok(Some(frame)) => self.parse(&frame),
            Ok(None) | Err(Broken::Cut) => Event::Ended,
            Err(Broken::TooLarge) => Event::Over(self.too_large()),
        }
    }

    fn parse(&self, frame: &[u8]) -> Event {
        match serde_json::from_slice(frame) {
            Ok(Answer::Ok(_)) if !self.admits(frame.len()) => Event::Over(self.too_large()),
            Ok(answer) => Event::Answer(answer),
            Err(error) => Event::Answer(Answer::NotJson(error.to_string())),
        }
    }

    fn admits(&self, length: usize) -> bool {
        let limit = self.limits.output_bytes.saturating_add(FRAME_EXTRA);
        u64::try_from(length).is_ok_and(|length| length <= limit)
    }

    fn too_large(&self) -> Failure {
        Failure::Output { limit: self.limits.output_bytes }
    }

    /// Asks the guest to end.
    pub(crate) fn terminate(&self) {
        self.cage.terminate();
    }

    /// Waits up to `patience` for an orderly end, then kills all of it. An outcome that the process did
    /// not give itself is found in how it ended.
    pub(crate) async fn finish(
        mut self,
        outcome: Option<Result<Value, Failure>>,
        patience: Duration,
    ) -> Result<Value, Failure> {
        if self.exit.is_none()
            && !patience.is_zero()
            && let Ok(status) = timeout(patience, self.child.wait()).await
        {
            self.exit = Some(status.unwrap_or_default());
        }
        let over = self.cage.over();
        let exit = self.end().await;
        let tail = self.tail().await;
        match outcome {
            Some(Ok(value)) => Ok(value),
            Some(Err(failure)) => Err(self.explain(failure, over)),
            None => Err(self.judge(exit, over, tail)),
        }
    }

    /// Kills and reaps; nothing of the run is left afterwards.
    async fn end(&mut self) -> Option<ExitStatus> {
        let by_itself = self.exit;
        // Before the launcher made its session, the process is not in the group that the cage kills.
        let _ = self.child.start_kill();
        self.cage.kill();
        if by_itself.is_none() {
            self.exit = self.child.wait().await.ok();
        }
        self.cage.clear().await;
        by_itself.or(self.exit)
    }

    async fn tail(&mut self) -> Vec<String> {
        let mut tail = Vec::new();
        for mut log in std::mem::take(&mut self.logs) {
            match timeout(LOG_ENDS_WITHIN, &mut log).await {
                Ok(lines) => tail.extend(lines.unwrap_or_default()),
                Err(_) => log.abort(),
            }
        }
        self.book.settle();
        tail
    }

    /// An exception may only be the way a limit shows inside the guest.
    fn explain(&self, failure: Failure, over: Option<Failure>) -> Failure {
        match failure {
            Failure::Raised { ref kind, .. } if kind == "MemoryError" => self.out_of_memory(),
            Failure::Raised { .. } => over.unwrap_or(failure),
            other => other,
        }
    }

    fn judge(
        &self,
        exit: Option<ExitStatus>,
        over: Option<Failure>,
        mut tail: Vec<String>,
    ) -> Failure {
        if let Some(failure) = over {
            return failure;
        }
        let exit = exit.unwrap_or_default();
        let full = self.language == Language::Node
            && tail.iter().any(|line| line.contains(NODE_OUT_OF_MEMORY));
        tail.drain(..tail.len().saturating_sub(CRASH_LINES));
        match (exit.signal(), exit.code(), self.limits.cpu_seconds) {
            (Some(SIGXCPU), _, Some(limit)) => Failure::Cpu { limit },
            _ if full => self.out_of_memory(),
            (Some(signal), ..) => Failure::Crashed { exit: Exit::Signal(signal), tail },
            (None, Some(0), _) => Failure::NoResult,
            (None, code, _) => Failure::Crashed { exit: Exit::Code(code.unwrap_or(-1)), tail },
        }
    }

    fn out_of_memory(&self) -> Failure {
        Failure::Memory { limit: self.limits.memory_bytes }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit.is_none() {
            self.cage.kill();
        }
    }
}

/// The guest may end without reading; then there is nobody to tell.
async fn send(mut channel: OwnedWriteHalf, request: Vec<u8>) {
    let _ = channel.write_all(&request).await;
}

fn pumps(child: &mut Child, book: &Arc<LogBook>) -> Vec<JoinHandle<VecDeque<String>>> {
    let out =
        child.stdout.take().map(|out| tokio::spawn(pump(out, Stream::Stdout, Arc::clone(book))));
    let err =
        child.stderr.take().map(|err| tokio::spawn(pump(err, Stream::Stderr, Arc::clone(book))));
    out.into_iter().chain(err).collect()
}
