//! `/v2/events`: the event log, as a page of JSON or as a stream that can be resumed.
//!
//! A stream ends when its token does, or when its bearer loses the right to look; the client then signs in and resumes.

mod tail;

pub(super) use tail::Tail;

use crate::app::access::Caller;
use crate::app::operations::cloud_project;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Query, SignedIn, within, wrong};
use crate::http::sse::{self, Place, Places};
use crate::identity::sessions::stream_end;
use crate::identity::tokens::Statement;
use api::Page;
use api::events::{Event, Reading};
use api::page::{DEFAULT_LIMIT, Direction, MAX_LIMIT};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures_util::{Stream, stream};
use model::{ProjectId, Timestamp};
use serde_json::json;
use std::time::Duration;
use store::events::{self, EventRow};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// Events in one chunk of a stream.
const CHUNK: u32 = 200;
/// Between two looks at the log; commits in between are seen together, so many readers of a busy cloud cost little.
const PACE: Duration = Duration::from_millis(20);

/// Read the event log, or follow it (`Accept: text/event-stream`).
#[utoipa::path(get, path = "/v2/events", tag = "events", params(Reading), responses(
    (status = 200, content((Page<Event> = "application/json"), (String = "text/event-stream")))
))]
pub(crate) async fn list(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Query(reading): Query<Reading>,
    Extension(places): Extension<Places>,
    Extension(tail): Extension<Tail>,
    headers: HeaderMap,
) -> Answer {
    if sse::wants_stream(&headers) {
        let place = places.take(&said.user)?;
        let after = match sse::last_event_id(&headers) {
            Some(id) => {
                Some(id.parse().map_err(|_| wrong("last-event-id is not a number of an event"))?)
            }
            None => reading.after,
        };
        return Ok(sse::answer(follow(cloud, caller, said, after, (place, tail))));
    }
    Ok(page(&cloud, &caller, reading).await?.into_response())
}

async fn page(cloud: &Cloud, caller: &Caller, reading: Reading) -> Answer<Response> {
    let limit = within("limit", reading.limit, DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let (store, scope) = (&cloud.store, caller.scope());
    let rows = match (reading.order.unwrap_or_default(), reading.after, reading.before) {
        (Direction::Asc, after, None) => {
            events::after(store, scope, after.unwrap_or(0), limit).await?
        }
        (Direction::Desc, None, before) => events::before(store, scope, before, limit).await?,
        _ => {
            return Err(wrong(
                "after goes with order=asc, before with order=desc; leave one of them out",
            ));
        }
    };
    let is_full = usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit);
    let next = rows.last().filter(|_| is_full).map(|row| row.seq.to_string());
    Ok(Json(Page { items: rows.into_iter().map(view).collect(), next }).into_response())
}

struct Follower {
    cloud: Cloud,
    scope: Option<ProjectId>,
    said: Statement,
    until: Timestamp,
    commits: watch::Receiver<i64>,
    grants: watch::Receiver<u64>,
    after: i64,
    first: First,
    next_look: Instant,
    tail: Tail,
    _place: Place,
}

/// Whether the reader may have missed something.
enum First {
    /// It resumes: the log may have been trimmed since.
    Resumes,
    /// Nothing can be missing.
    Goes,
}

fn follow(
    cloud: Cloud,
    caller: Caller,
    said: Statement,
    after: Option<i64>,
    (place, tail): (Place, Tail),
) -> impl Stream<Item = String> {
    let commits = cloud.store.watch_events();
    let (after, first) = match after {
        Some(after) => (after, First::Resumes),
        None => (events::last_seq(&cloud.store), First::Goes),
    };
    let follower = Follower {
        until: stream_end(&said, cloud.token_life()),
        scope: caller.scope().cloned(),
        next_look: Instant::now(),
        grants: cloud.sign_in.watch(),
        cloud,
        said,
        commits,
        after,
        first,
        tail,
        _place: place,
    };
    stream::unfold(follower, |mut follower| async move {
        let frames = follower.next().await?;
        Some((frames, follower))
    })
}

impl Follower {
    /// The next frames: events, or a comment after some silence; none when the stream ends.
    async fn next(&mut self) -> Option<String> {
        sleep_until(self.next_look).await;
        self.next_look = Instant::now().checked_add(PACE)?;
        let grant = self.cloud.sign_in.grant(&self.cloud.store, &self.said, self.cloud.now()).await;
        if !matches!(grant, Ok(Some(_))) || self.cloud.now() >= self.until {
            return None;
        }
        let mut frames = self.gap().await?;
        self.commits.borrow_and_update();
        let behind = events::last_seq(&self.cloud.store).saturating_sub(self.after);
        if behind > i64::from(CHUNK) {
            self.catch_up(&mut frames).await?;
        } else if behind > 0 {
            self.keep_up(&mut frames).await?;
        }
        if !frames.is_empty() || events::last_seq(&self.cloud.store) > self.after {
            return Some(frames);
        }
        // The end is not slept over: who comes back too late cannot renew a short session.
        let patience = sse::SILENCE.min(self.cloud.now().until(self.until));
        let commit = timeout(patience, self.commits.changed());
        let change = tokio::select! {
            // Whether the reader may go on is asked at the next step.
            Ok(()) = self.grants.changed() => return Some(String::new()),
            change = self.cloud.shutdown.until(commit) => change?,
        };
        match change {
            // An empty chunk is not sent.
            Ok(Ok(())) => Some(String::new()),
            Ok(Err(_)) => None,
            Err(_) => Some(sse::COMMENT.to_owned()),
        }
    }

    /// Reads alone, and only what this reader may see.
    async fn catch_up(&mut self, frames: &mut String) -> Option<()> {
        let last = events::last_seq(&self.cloud.store);
        let scope = self.scope.as_ref();
        let rows = events::after(&self.cloud.store, scope, self.after, CHUNK).await.ok()?;
        let is_full = rows.len() >= CHUNK as usize;
        for frame in rows.into_iter().map(tail::frame) {
            self.after = frame.seq;
            frames.push_str(&frame.text);
        }
        if !is_full {
            // All that was there is read; the rest is of others.
            self.after = self.after.max(last);
        }
        Some(())
    }

    /// Takes what was read for all.
    async fn keep_up(&mut self, frames: &mut String) -> Option<()> {
        let newest = self.tail.after(&self.cloud.store, self.after).await.ok()?;
        for frame in newest.iter() {
            self.after = frame.seq;
            if self.scope.is_none() || self.scope == frame.project {
                frames.push_str(&frame.text);
            }
        }
        Some(())
    }

    /// A frame that tells a resuming reader of events that are not kept any more.
    async fn gap(&mut self) -> Option<String> {
        let mut frames = String::new();
        if let First::Resumes = self.first {
            self.first = First::Goes;
            let oldest = events::first_seq(&self.cloud.store).await.ok()?;
            if self.after.saturating_add(1) < oldest {
                let data = json!({ "after": self.after, "oldest": oldest }).to_string();
                sse::push(&mut frames, None::<i64>, "gap", &data);
            }
            let last = events::last_seq(&self.cloud.store);
            if self.after > last {
                // The cloud was restored as it was before: numbers go on from there.
                let data = json!({ "after": self.after, "oldest": oldest, "newest": last });
                sse::push(&mut frames, None::<i64>, "gap", &data.to_string());
                self.after = last;
            }
        }
        Some(frames)
    }
}

fn view(row: EventRow) -> Event {
    Event {
        seq: row.seq,
        at: row.at,
        project: row.project.unwrap_or_else(cloud_project),
        kind: row.kind,
        subject_type: row.subject_type,
        subject_id: row.subject_id,
        body: row.body,
    }
}
