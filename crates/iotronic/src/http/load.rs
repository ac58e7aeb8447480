//! `/v2/boards/{board}/load`: how a board was in the last hours, or how it is from now on as a stream.
//!
//! The stream ends as that of events does: with its token, or with the right to look.

use crate::app::access::Caller;
use crate::app::standing::{End, Standing};
use crate::app::{boards, load};
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Path, Query, SignedIn, within};
use crate::http::page;
use crate::http::sse::{self, Place, Places};
use crate::identity::sessions::stream_end;
use api::Page;
use api::load::{DEFAULT_HOURS, MAX_HOURS, Reading, Sample};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Read how a board was, or follow how it is (`Accept: text/event-stream`).
#[utoipa::path(get, path = "/v2/boards/{board}/load", tag = "boards", operation_id = "load", params(Reading), responses(
    (status = 200, content((Page<Sample> = "application/json"), (String = "text/event-stream")))
))]
pub(crate) async fn read(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(reading): Query<Reading>,
    Extension(places): Extension<Places>,
    headers: HeaderMap,
) -> Answer<Response> {
    if sse::wants_stream(&headers) {
        let board = boards::get(&cloud, &caller, &board).await?;
        let reports = cloud.boards.follow_load(board.id);
        let place = places.take(&said.user)?;
        let until = stream_end(&said, cloud.token_life());
        let standing = Standing::new(&cloud, caller, said, board.id, End::At(until));
        return Ok(sse::answer(follow(Follower { cloud, standing, reports, _place: place })));
    }
    let hours = within("hours", reading.hours, DEFAULT_HOURS, 1..=MAX_HOURS)?;
    let samples = load::history(&cloud, &caller, &board, hours).await?;
    Ok(Json(page::whole(samples, view)).into_response())
}

struct Follower {
    cloud: Cloud,
    standing: Standing,
    reports: Receiver<store::load::Sample>,
    _place: Place,
}

fn follow(follower: Follower) -> impl Stream<Item = String> {
    stream::unfold(follower, |mut follower| async move {
        let frames = follower.next().await?;
        Some((frames, follower))
    })
}

impl Follower {
    /// The next report, or a comment after some silence; none when the stream ends.
    async fn next(&mut self) -> Option<String> {
        let next = timeout(sse::SILENCE, self.reports.recv());
        let came = tokio::select! {
            biased;
            _ = self.standing.lost() => return None,
            came = self.cloud.shutdown.until(next) => came?,
        };
        let mut frames = String::new();
        match came {
            Ok(Ok(sample)) => {
                sse::push(&mut frames, None::<i64>, "load", &json!(view(sample)).to_string());
            }
            // Nothing for a while; or more than was read, of which the next one comes at once.
            Err(_) | Ok(Err(RecvError::Lagged(_))) => frames.push_str(sse::COMMENT),
            Ok(Err(RecvError::Closed)) => return None,
        }
        Some(frames)
    }
}

fn view(sample: store::load::Sample) -> Sample {
    Sample { at: sample.at, load: sample.load }
}
