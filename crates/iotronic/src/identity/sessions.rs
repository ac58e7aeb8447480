//! Sessions of pages: how long they live.
//!
//! A session is a token that a page holds in a cookie. It slides: used in the second half of its life it is renewed, for
//! [`LONGEST`] since signing in at most. All renewals of a session share its audit id, so ending it ends all of them.
//! Deliberately not here: which were ended before their time (see `revoked`).

use crate::identity::tokens::{Method, Statement};
use model::Timestamp;
use std::time::Duration;

/// Longest life of a session, however busy: then one signs in again.
pub const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// The session with more time, when it is in the second half of its life and there is more to give.
#[must_use]
pub fn renewed(said: &Statement, now: Timestamp, life: Duration) -> Option<Statement> {
    if said.method != Method::Session || now.until(said.expires_at) >= life / 2 {
        return None;
    }
    let expires_at = now.after(life).min(said.issued_at.after(LONGEST));
    (now < said.expires_at && said.expires_at < expires_at)
        .then(|| Statement { expires_at, ..said.clone() })
}

/// Until when a stream may run on the strength of a token. That of a session ends when a new request would renew it, so
/// that a page which only listens stays signed in by opening its stream again.
#[must_use]
pub fn stream_end(said: &Statement, life: Duration) -> Timestamp {
    let last = said.expires_at >= said.issued_at.after(LONGEST);
    if said.method != Method::Session || last {
        return said.expires_at;
    }
    let half = i64::try_from((life / 2).as_micros()).unwrap_or(i64::MAX);
    // One more, so that the half is over when the page comes back.
    Timestamp::from_micros(said.expires_at.micros().saturating_sub(half).saturating_add(1))
}

/// Until when a token, and all that it may be renewed to, must be refused once it was ended.
#[must_use]
pub fn last_moment(said: &Statement) -> Timestamp {
    match said.method {
        // A renewal may be on its way to the page, so the longest life counts.
        Method::Session => said.issued_at.after(LONGEST).max(said.expires_at),
        _ => said.expires_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ProjectId, UserId};

    const HOUR: Duration = Duration::from_secs(3600);

    fn session(method: Method, expires_at: Duration) -> Statement {
        Statement {
            user: UserId::new(),
            project: ProjectId::new(),
            credential: None,
            method,
            issued_at: Timestamp::default(),
            expires_at: Timestamp::default().after(expires_at),
            audit: [1; 16],
        }
    }

    fn at(minutes: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(minutes * 60))
    }

    #[test]
    fn a_session_slides_in_the_second_half_of_its_life_and_only_then() {
        let said = session(Method::Session, HOUR);
        assert_eq!(renewed(&said, at(30), HOUR), None);
        assert_eq!(renewed(&said, at(31), HOUR).unwrap().expires_at, at(91));
        assert_eq!(renewed(&said, at(60), HOUR), None, "it is over");
        assert_eq!(renewed(&session(Method::Password, HOUR), at(31), HOUR), None);
    }

    #[test]
    fn it_slides_to_its_longest_life_and_no_further() {
        let said = session(Method::Session, Duration::from_secs(11 * 3600 + 1800));
        assert_eq!(renewed(&said, at(11 * 60 + 1), HOUR).unwrap().expires_at, at(12 * 60));
        let last = session(Method::Session, LONGEST);
        assert_eq!(renewed(&last, at(12 * 60 - 1), HOUR), None);
        assert_eq!(stream_end(&last, HOUR), at(12 * 60));
    }

    #[test]
    fn a_stream_ends_when_its_session_can_be_renewed() {
        let said = session(Method::Session, HOUR);
        let end = stream_end(&said, HOUR);
        assert!(renewed(&said, end, HOUR).is_some());
        assert_eq!(stream_end(&session(Method::Credential, HOUR), HOUR), at(60));
    }
}
