//! Sessions that were renewed, and until when each now is, so that what began under an earlier token of one goes on.
//!
//! Invariant: at the bound those that end first are forgotten; what rests on one then ends with its own token. Deliberately
//! not here: whether a session was ended (see `revoked`).

use crate::identity::tokens::Statement;
use model::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Renewed sessions remembered at one time.
const MAX_PROLONGED: usize = 10_000;

/// By audit id, which all renewals of a session share.
#[derive(Default)]
pub(crate) struct Prolonged(Mutex<HashMap<[u8; 16], Timestamp>>);

impl Prolonged {
    /// Remembers a renewal.
    pub(crate) fn add(&self, said: &Statement, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_PROLONGED {
            known.retain(|_, until| now < *until);
        }
        if known.len() >= MAX_PROLONGED {
            let first = known.iter().min_by_key(|(_, until)| **until).map(|(audit, _)| *audit);
            first.and_then(|audit| known.remove(&audit));
        }
        let until = known.entry(said.audit).or_insert(said.expires_at);
        *until = said.expires_at.max(*until);
    }

    /// When the session ends of which this is a token.
    pub(crate) fn end(&self, said: &Statement) -> Timestamp {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&said.audit).map_or(said.expires_at, |until| said.expires_at.max(*until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tokens::Method;
    use model::{ProjectId, UserId};
    use std::time::Duration;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(minutes * 60))
    }

    #[test]
    fn what_began_before_a_renewal_lasts_as_long_as_the_session() {
        let prolonged = Prolonged::default();
        let said = Statement {
            user: UserId::new(),
            project: ProjectId::new(),
            credential: None,
            method: Method::Session,
            issued_at: at(0),
            expires_at: at(60),
            audit: [1; 16],
        };
        assert_eq!(prolonged.end(&said), at(60));
        let more = Statement { expires_at: at(91), ..said.clone() };
        prolonged.add(&more, at(31));
        // A request that was on its way with the older token changes nothing.
        prolonged.add(&said, at(31));
        assert_eq!((prolonged.end(&said), prolonged.end(&more)), (at(91), at(91)));
        let other = Statement { audit: [2; 16], ..said.clone() };
        assert_eq!(prolonged.end(&other), at(60));
        for number in 0..=MAX_PROLONGED {
            let audit = (u128::try_from(number).unwrap() + 5).to_be_bytes();
            prolonged.add(&Statement { audit, ..said.clone() }, at(32));
        }
        assert_eq!(prolonged.0.lock().unwrap().len(), MAX_PROLONGED);
        assert_eq!(prolonged.end(&said), at(91), "those that end first are forgotten first");
    }
}
