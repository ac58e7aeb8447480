//! Delivers the commands that the store holds for a board, as long as one session of it lasts.
//!
//! Invariants: the store is the truth and the doorbell only says when to look; commands about the same subject go out in
//! their order, others side by side up to a bound; whatever was not answered when the session ends stays running and goes
//! out again, under the same id, in the next one. Deliberately not here: one delivery (`delivery`), deadlines (`tasks`).

use super::Boards;
use super::delivery::{self, Route};
use super::registry::Online;
use model::{BoardId, OperationId};
use std::collections::{HashMap, HashSet};
use store::operations::OperationRow;
use tokio::task::{Id, JoinSet};

/// Commands on one board at one time; others wait in the store.
const MAX_RUNNING: usize = 16;

/// Runs the outbox of a board's session, in a task of its own.
pub(super) fn attend(boards: &Boards, board: BoardId, online: Online) {
    let outbox = Outbox {
        route: Route { boards: boards.clone(), board, online },
        running: JoinSet::new(),
        jobs: HashMap::new(),
        resent: HashSet::new(),
        look: Look::First,
    };
    boards.tasks().spawn("outbox", outbox.run());
}

struct Outbox {
    route: Route,
    running: JoinSet<()>,
    jobs: HashMap<Id, Job>,
    /// Commands that were told to stop in this session.
    resent: HashSet<OperationId>,
    look: Look,
}

#[derive(Debug, Clone, PartialEq)]
enum Job {
    Delivery { id: OperationId, subject: Option<String> },
    Stop(OperationId),
}

/// Whether the table is looked at for the first time in this session: what runs then was sent in an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    First,
    Later,
}

impl Outbox {
    async fn run(mut self) {
        let gone = self.route.online.gone.clone();
        let doorbell = self.route.online.doorbell.clone();
        let stop = self.route.boards.tasks().shutdown().clone();
        self.fill().await;
        loop {
            tokio::select! {
                biased;
                () = gone.begun() => break,
                () = stop.begun() => break,
                Some(done) = self.running.join_next_with_id() => self.ended(done),
                () = doorbell.notified() => {}
            }
            self.fill().await;
        }
        // Calls to a session that is gone end at once; answers that came before are still being stored.
        while let Some(done) = self.running.join_next_with_id().await {
            self.ended(done);
        }
    }

    fn ended(&mut self, done: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match &done {
            Ok((id, ())) => *id,
            Err(error) => {
                tracing::error!(%error, board = %self.route.board, "a delivery failed");
                error.id()
            }
        };
        self.jobs.remove(&id);
    }

    /// Starts whatever may go out now.
    async fn fill(&mut self) {
        let open = match self.route.open().await {
            Ok(open) => open,
            Err(error) => {
                // The sweep rings again.
                tracing::error!(%error, board = %self.route.board, "open commands could not be read");
                return;
            }
        };
        let now = self.route.boards.now();
        let mut busy: HashSet<String> = self.busy_subjects();
        for operation in open {
            if operation.cancel_requested {
                self.stop(&operation);
            }
            let subject = operation.subject.as_ref().map(ToString::to_string);
            let is_free = subject.as_ref().is_none_or(|subject| !busy.contains(subject));
            busy.extend(subject.clone());
            let may_start = is_free && operation.deadline > now && !self.is_running(operation.id);
            if may_start && self.jobs.len() < MAX_RUNNING {
                self.start(operation, subject);
            }
        }
        self.look = Look::Later;
    }

    fn busy_subjects(&self) -> HashSet<String> {
        let subjects = self.jobs.values().filter_map(|job| match job {
            Job::Delivery { subject, .. } => subject.clone(),
            Job::Stop(_) => None,
        });
        subjects.collect()
    }

    fn is_running(&self, id: OperationId) -> bool {
        self.jobs
            .values()
            .any(|job| matches!(job, Job::Delivery { id: running, .. } if *running == id))
    }

    fn start(&mut self, operation: OperationRow, subject: Option<String>) {
        let id = operation.id;
        let task = self.running.spawn(delivery::deliver(self.route.clone(), operation, self.look));
        self.jobs.insert(task.id(), Job::Delivery { id, subject });
    }

    /// Asks the board to stop what it is working on.
    fn stop(&mut self, operation: &OperationRow) {
        let id = operation.id;
        if self.is_running(id) && self.resent.insert(id) {
            let task = self.running.spawn(delivery::stop(self.route.clone(), operation.clone()));
            self.jobs.insert(task.id(), Job::Stop(id));
        }
    }
}
