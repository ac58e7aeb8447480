//! The thread that starts all guests.
//!
//! The kernel ties a child's parent-death signal to the *thread* that started it. The reactor may end its
//! threads while the agent lives, so one thread does nothing but start guests.
//! Invariant: the thread lives exactly as long as the last [`Spawner`]; guests die with it.

use crate::failure::Failure;
use std::sync::mpsc;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

struct Job {
    command: Command,
    reactor: tokio::runtime::Handle,
    reply: oneshot::Sender<std::io::Result<Child>>,
}

/// Hands commands to the thread.
#[derive(Debug, Clone)]
pub(crate) struct Spawner {
    // Never longer than the number of runs, which is bounded by calls and guests.
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    pub(crate) fn new() -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("guest-spawner".to_owned()).spawn(move || work(&queue))?;
        Ok(Self { jobs })
    }

    /// Starts a process; the child belongs to the caller.
    pub(crate) async fn spawn(&self, command: Command) -> Result<Child, Failure> {
        let (reply, answer) = oneshot::channel();
        let reactor = tokio::runtime::Handle::current();
        let gone = |_| Failure::ShuttingDown;
        self.jobs.send(Job { command, reactor, reply }).map_err(|_| Failure::ShuttingDown)?;
        answer.await.map_err(gone)?.map_err(|error| Failure::launch(format!("launcher: {error}")))
    }
}

fn work(queue: &mpsc::Receiver<Job>) {
    // Before the first guest, and not on the agent's way to being online.
    crate::processes::kill_orphans();
    while let Ok(mut job) = queue.recv() {
        let _inside = job.reactor.enter();
        // If nobody waits any more, the child comes back in the error and is killed on drop.
        let _ = job.reply.send(job.command.spawn());
    }
}
