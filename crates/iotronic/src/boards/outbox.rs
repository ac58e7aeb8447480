//! Delivers the commands that the store holds for a board, as long as one session of it lasts.
//!
//! Invariants: the store is the truth and the doorbell only says when to look; commands about the same subject go out in
//! their order, others side by side up to a bound; whatever was not answered when the session ends stays running and goes
//! out again, under the same id, in the next one. Deliberately not here: one delivery (`delivery`), deadlines (`tasks`).

use super::Boards;
use super::delivery::{self, Route};
use super::registry::Online;
use model::operation::State;
use model::{BoardId, OperationId, Timestamp};
use std::collections::{HashMap, HashSet, VecDeque};
use store::operations::OperationRow;
use tokio::task::{Id, JoinError, JoinSet};

/// Commands on one board at one time; others wait in the store.
const MAX_RUNNING: usize = 16;

/// Runs the outbox of a board's session, in a task of its own.
pub(super) fn attend(boards: &Boards, board: BoardId, online: Online) {
    let outbox = Outbox {
        route: Route { boards: boards.clone(), board, online },
        running: JoinSet::new(),
        jobs: HashMap::new(),
        told_to_stop: HashSet::new(),
        waiting: VecDeque::new(),
        look: Look::First,
    };
    boards.tasks().spawn("outbox", outbox.run());
}

struct Outbox {
    route: Route,
    running: JoinSet<()>,
    jobs: HashMap<Id, Job>,
    /// Commands that the board was asked to stop in this session.
    told_to_stop: HashSet<OperationId>,
    /// What could not go out when the store was last read, in order.
    waiting: VecDeque<Item>,
    look: Look,
}

#[derive(Debug, Clone, PartialEq)]
enum Job {
    Delivery { id: OperationId, subject: Option<String> },
    Stop,
}

/// What must be known of a command before it goes out; the rest, which may be large, is read when it does.
#[derive(Debug)]
struct Item {
    id: OperationId,
    state: State,
    subject: Option<String>,
    deadline: Timestamp,
    look: Look,
}

/// When a command was found: at the first look of a session, what runs was sent in an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    First,
    Later,
}

impl Item {
    fn new(operation: &OperationRow, look: Look) -> Self {
        Self {
            id: operation.id,
            state: operation.state,
            subject: operation.subject.as_ref().map(ToString::to_string),
            deadline: operation.deadline,
            look,
        }
    }
}

impl Outbox {
    async fn run(mut self) {
        let gone = self.route.online.gone.clone();
        let doorbell = self.route.online.doorbell.clone();
        let stop = self.route.boards.tasks().shutdown().clone();
        self.read().await;
        loop {
            tokio::select! {
                biased;
                () = gone.begun() => break,
                () = stop.begun() => break,
                Some(done) = self.running.join_next_with_id() => {
                    self.ended(done);
                    // An empty queue may mean that what has just ended must be looked at again.
                    if self.waiting.is_empty() { self.read().await } else { self.start_waiting() }
                }
                () = doorbell.notified() => self.read().await,
            }
        }
        // Calls to a session that is gone end at once; answers that came before are still being stored.
        while let Some(done) = self.running.join_next_with_id().await {
            self.ended(done);
        }
    }

    fn ended(&mut self, done: Result<(Id, ()), JoinError>) {
        let id = match &done {
            Ok((id, ())) => *id,
            Err(error) => {
                tracing::error!(%error, board = %self.route.board, "a delivery failed");
                error.id()
            }
        };
        self.jobs.remove(&id);
    }

    /// Reads what is open, asks the board to stop what is to be stopped, and starts whatever may go out.
    async fn read(&mut self) {
        let open = match self.route.open().await {
            Ok(open) => open,
            Err(error) => {
                // The sweep rings again.
                tracing::error!(%error, board = %self.route.board, "open commands could not be read");
                return;
            }
        };
        let is_new = |operation: &&OperationRow| !self.is_running(operation.id);
        let items = open.iter().filter(is_new).map(|operation| Item::new(operation, self.look));
        self.waiting = items.collect();
        self.look = Look::Later;
        self.start_waiting();
        for operation in open.iter().filter(|operation| operation.cancel_requested) {
            self.stop(operation);
        }
    }

    /// Starts those that wait and may go out now, in order.
    fn start_waiting(&mut self) {
        let now = self.route.boards.now();
        let mut busy = self.busy_subjects();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|item| item.deadline > now);
        for item in waiting {
            let is_free = item.subject.as_ref().is_none_or(|subject| !busy.contains(subject));
            busy.extend(item.subject.clone());
            if is_free && self.deliveries() < MAX_RUNNING {
                self.start(item);
            } else {
                self.waiting.push_back(item);
            }
        }
    }

    fn deliveries(&self) -> usize {
        self.jobs.values().filter(|job| **job != Job::Stop).count()
    }

    fn busy_subjects(&self) -> HashSet<String> {
        let subjects = self.jobs.values().filter_map(|job| match job {
            Job::Delivery { subject, .. } => subject.clone(),
            Job::Stop => None,
        });
        subjects.collect()
    }

    fn is_running(&self, id: OperationId) -> bool {
        let is_it = |job: &Job| matches!(job, Job::Delivery { id: running, .. } if *running == id);
        self.jobs.values().any(is_it)
    }

    fn start(&mut self, item: Item) {
        let Item { id, state, subject, look, .. } = item;
        let delivery = delivery::deliver(self.route.clone(), id, state, look);
        let task = self.running.spawn(delivery);
        self.jobs.insert(task.id(), Job::Delivery { id, subject });
    }

    /// Asks the board to stop what it is working on.
    fn stop(&mut self, operation: &OperationRow) {
        if self.is_running(operation.id) && self.told_to_stop.insert(operation.id) {
            let project = operation.project.clone();
            let stop = delivery::stop(self.route.clone(), operation.id, project);
            let task = self.running.spawn(stop);
            self.jobs.insert(task.id(), Job::Stop);
        }
    }
}
