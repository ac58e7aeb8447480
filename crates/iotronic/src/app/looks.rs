//! Counting what changes nothing: who looked at what how often, by the hour, in memory until the next flush.
//!
//! Invariant: bounded; at the bound further sorts of looks are counted together, under the verb `*`.

use crate::cloud::Cloud;
use model::{ProjectId, Timestamp, UserId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::audit::{Reads, count_reads};

/// Sorts of looks that are told apart between two flushes.
const MAX: usize = 20_000;
/// Counts that are written by one commit.
const BATCH: usize = 500;
/// Stands for the looks beyond the bound.
const OTHERS: &str = "*";

type Key = (Timestamp, ProjectId, UserId, &'static str);

/// The counts since the last flush.
#[derive(Default)]
pub struct Looks(Mutex<HashMap<Key, u64>>);

impl Looks {
    /// Somebody looked.
    pub fn count(&self, at: Timestamp, project: &ProjectId, user: &UserId, verb: &'static str) {
        let hour = Reads::hour_of(at);
        let mut counts = self.counts();
        let mut key = (hour, project.clone(), user.clone(), verb);
        if counts.len() >= MAX && !counts.contains_key(&key) {
            // Those beyond the bound share a few entries, one for each project.
            key = (hour, project.clone(), project_itself(project), OTHERS);
            if counts.len() >= MAX * 2 {
                return;
            }
        }
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    fn take(&self) -> Vec<Reads> {
        let counts = std::mem::take(&mut *self.counts());
        let read = |((hour, project, actor, verb), times): (Key, u64)| Reads {
            hour,
            project,
            actor,
            verb: verb.to_owned(),
            times,
        };
        counts.into_iter().map(read).collect()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Key, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands for its users where they are not told apart; ids of both have the same form.
fn project_itself(project: &ProjectId) -> UserId {
    project.as_str().parse().unwrap_or_else(|_| UserId::new())
}

/// Writes what was counted since the last time.
///
/// # Errors
/// The database failed; those counts are lost.
pub async fn flush(cloud: &Cloud) -> Result<(), store::Error> {
    for batch in cloud.looks.take().chunks(BATCH) {
        let batch = batch.to_vec();
        let job =
            cloud.store.write(move |tx| Box::pin(async move { count_reads(tx, &batch).await }));
        job.await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_counted_by_hour_and_bounded() {
        let (looks, project, user) = (Looks::default(), ProjectId::new(), UserId::new());
        let hour = 3_600_000_000;
        for at in [0, 1, hour] {
            looks.count(Timestamp::from_micros(at), &project, &user, "board:get");
        }
        let mut counts: Vec<u64> = looks.take().iter().map(|reads| reads.times).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2]);
        for _ in 0..MAX + 100 {
            looks.count(Timestamp::default(), &project, &UserId::new(), "board:get");
        }
        let counts = looks.take();
        assert_eq!(counts.len(), MAX + 1);
        assert_eq!(
            counts.iter().find(|reads| reads.verb == OTHERS).map(|reads| reads.times),
            Some(100)
        );
    }
}
