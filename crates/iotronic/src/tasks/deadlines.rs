//! Ends operations whose deadline has passed: those that never went out expire, those on a board stay undecided.

use crate::boards;
use crate::cloud::Cloud;
use model::Kind;
use model::operation::{Event, Fault, Outcome, State};
use std::time::Duration;
use store::operations::{self, OperationRow};

/// How late a deadline may be noticed.
const PERIOD: Duration = Duration::from_millis(500);

pub(super) async fn run(cloud: Cloud) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        if let Err(error) = step(&cloud).await {
            tracing::error!(%error, "deadlines could not be looked at");
        }
    }
}

async fn step(cloud: &Cloud) -> Result<(), store::Error> {
    let now = cloud.now();
    let next = operations::next_deadline(&cloud.store).await?;
    if next.is_none_or(|next| next > now) {
        return Ok(());
    }
    for operation in operations::expired(&cloud.store, now).await? {
        let outcome = meaning(&operation);
        boards::end(&cloud.boards, operation.id, Event::DeadlinePassed, outcome).await?;
        cloud.boards.ring(operation.board);
    }
    Ok(())
}

/// What a passed deadline means for what the operation was about.
fn meaning(operation: &OperationRow) -> Outcome {
    if operation.state == State::Running {
        return Outcome::Unknown;
    }
    Outcome::Failed(Fault::new(
        Kind::Timeout,
        "the deadline passed before the board could be told; bring the board online and try again",
    ))
}
