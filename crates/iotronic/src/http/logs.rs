//! Logs of agents and plugins, read from the board at each request; nothing of them is kept in the cloud.
//!
//! Following asks the board again and again to answer when there is something new (long polling). While the board is away the
//! stream stays open and goes on where it stopped.

use crate::app::access::Caller;
use crate::app::standing::{End, Standing};
use crate::app::{boards, devices, injections};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Query, SignedIn, within, wrong};
use crate::http::sse::{self, Place, Places};
use crate::identity::sessions::stream_end;
use crate::identity::tokens::Statement;
use api::logs::{Line, Lines, Reading};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use axum::{Extension, Json};
use futures_util::{Stream, stream};
use model::delegation::Part;
use model::{Kind, PluginId};
use rpc::Call;
use rpc::call::PluginLogs;
use rpc::logs::{MAX_LINES, Read};
use serde_json::json;
use std::time::Duration;
use store::boards::BoardRow;
use tokio::time::timeout;

/// Lines when nothing is said.
const DEFAULT_LINES: u32 = 100;
/// How long a board may wait for a new line before it answers that there is none.
const POLL_MS: u32 = 15_000;
/// How long its answer may take then.
const POLL_TIMEOUT: Duration = Duration::from_secs(20);

/// Whose log.
#[derive(Clone, Copy)]
enum Of {
    Agent,
    Plugin(PluginId),
}

impl Of {
    fn call(self, read: Read) -> Call {
        match self {
            Self::Agent => Call::DeviceLogs(read),
            Self::Plugin(plugin) => Call::PluginLogs(PluginLogs { plugin, read }),
        }
    }
}

/// Read the log of a board's agent, or follow it.
#[utoipa::path(get, path = "/v2/boards/{board}/logs", tag = "boards", params(Reading), responses(
    (status = 200, content((Lines = "application/json"), (String = "text/event-stream")))
))]
pub(crate) async fn of_agent(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(reading): Query<Reading>,
    Extension(places): Extension<Places>,
    headers: HeaderMap,
) -> Answer {
    let board = boards::get(&cloud, &caller, &board).await?;
    Log { cloud, caller, said, board, part: None, of: Of::Agent }
        .answer(reading, &places, &headers)
        .await
}

/// Read the output of a plugin on a board, or follow it.
#[utoipa::path(get, path = "/v2/boards/{board}/plugins/{plugin}/logs", tag = "injections", params(Reading), responses(
    (status = 200, content((Lines = "application/json"), (String = "text/event-stream")))
))]
pub(crate) async fn of_plugin(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
    Query(reading): Query<Reading>,
    Extension(places): Extension<Places>,
    headers: HeaderMap,
) -> Answer {
    let (board, plugin, part) = injections::of_log(&cloud, &caller, &board, &plugin).await?;
    let log = Log { cloud, caller, said, board, part, of: Of::Plugin(plugin.id) };
    log.answer(reading, &places, &headers).await
}

/// One log, and who reads it.
struct Log {
    cloud: Cloud,
    caller: Caller,
    said: Statement,
    board: BoardRow,
    part: Option<Part>,
    of: Of,
}

impl Log {
    async fn answer(self, reading: Reading, places: &Places, headers: &HeaderMap) -> Answer {
        let limit = within("limit", reading.limit, DEFAULT_LINES, 1..=MAX_LINES)?;
        let resume = sse::last_event_id(headers).map(str::parse).transpose();
        let resume = resume.map_err(|_| wrong("last-event-id is not a number of a line"))?;
        let after = resume.or(reading.after).unwrap_or(0);
        let first = self.read(Read { after, limit, wait_ms: 0 }).await?;
        if reading.follow != Some(true) {
            return Ok(Json(first).into_response());
        }
        let place = places.take(&self.said.user)?;
        Ok(sse::answer(self.follow(first, limit, place)))
    }

    async fn read(&self, read: Read) -> Result<Lines, Failure> {
        let (call, caller) = (self.of.call(read), &self.caller);
        let answer = devices::ask(&self.cloud, caller, &self.board, call, POLL_TIMEOUT).await?;
        let lines: rpc::logs::Lines = devices::shape(answer)?;
        Ok(view(lines))
    }

    fn follow(self, first: Lines, limit: u32, place: Place) -> impl Stream<Item = String> {
        let next = first.next;
        let flow = Flow::Goes;
        let start = Follower { flow, next, pending: Some(first), limit, log: self, _place: place };
        stream::unfold(start, |mut follower| async move {
            let frames = follower.step().await?;
            Some((frames, follower))
        })
    }

    fn standing(&self) -> Standing {
        let until = stream_end(&self.said, self.cloud.token_life());
        let (caller, said) = (self.caller.clone(), self.said.clone());
        Standing::new(&self.cloud, caller, said, self.board.id, End::At(until)).about(self.part)
    }

    /// Waits until something happens to some board, or for a while.
    async fn board_is_back(&self) -> Option<()> {
        let mut commits = self.cloud.store.watch_events();
        commits.borrow_and_update();
        if self.cloud.boards.is_online(self.board.id) {
            return Some(());
        }
        match self.cloud.shutdown.until(timeout(sse::SILENCE, commits.changed())).await? {
            Ok(Err(_)) => None,
            Ok(Ok(())) | Err(_) => Some(()),
        }
    }
}

enum Flow {
    Goes,
    /// The board refused: the client has been told why.
    Over,
}

struct Follower {
    flow: Flow,
    log: Log,
    next: u64,
    limit: u32,
    pending: Option<Lines>,
    _place: Place,
}

impl Follower {
    /// The next frames, a comment when there was nothing, none when the stream ends.
    async fn step(&mut self) -> Option<String> {
        if let Some(lines) = self.pending.take() {
            return Some(self.frames(lines));
        }
        if matches!(self.flow, Flow::Over) {
            return None;
        }
        let standing = self.log.standing();
        tokio::select! {
            biased;
            _ = standing.lost() => None,
            frames = self.more() => frames,
        }
    }

    /// What the board answers, as soon as there is something.
    async fn more(&mut self) -> Option<String> {
        let read = Read { after: self.next, limit: self.limit, wait_ms: POLL_MS };
        let shutdown = self.log.cloud.shutdown.clone();
        match shutdown.until(self.log.read(read)).await? {
            Ok(lines) => Some(self.frames(lines)),
            Err(failure) if matches!(failure.problem.kind, Kind::Unreachable | Kind::Timeout) => {
                self.log.board_is_back().await?;
                Some(sse::COMMENT.to_owned())
            }
            Err(failure) => {
                let mut frames = String::new();
                let data = json!(failure.problem).to_string();
                sse::push(&mut frames, None::<u64>, "problem", &data);
                self.flow = Flow::Over;
                Some(frames)
            }
        }
    }

    fn frames(&mut self, lines: Lines) -> String {
        self.next = lines.next;
        let mut frames = String::new();
        for line in lines.lines {
            sse::push(&mut frames, Some(line.seq), "line", &json!(line).to_string());
        }
        if frames.is_empty() {
            frames.push_str(sse::COMMENT);
        }
        frames
    }
}

fn view(lines: rpc::logs::Lines) -> Lines {
    let line = |line: rpc::logs::Line| Line {
        seq: line.seq,
        time: line.time,
        stream: line.stream,
        text: line.text,
    };
    Lines {
        lines: lines.lines.into_iter().map(line).collect(),
        next: lines.next,
        dropped: lines.dropped,
    }
}
