//! `/v2/recordings` and `/v2/recording-settings`.

use crate::app::access::Caller;
use crate::app::names::{self, Wanted};
use crate::app::recordings;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, nothing};
use crate::http::extract::{Body, Path, Query};
use crate::http::page;
use api::Page;
use api::recordings::{Filter, NewSetting, Recording, Setting};
use axum::Json;
use axum::body::Body as Stream;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use std::io::Read as _;
use store::names::Noun;
use store::recordings::{RecordingRow, SettingRow};

/// Bytes of one piece of a file.
const PIECE: usize = 64 * 1024;

/// List recordings of terminals.
#[utoipa::path(get, path = "/v2/recordings", tag = "recordings", params(Filter), responses((status = 200, body = Page<Recording>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<Recording>>> {
    let wanted = page::wanted(filter.limit, filter.marker.as_deref())?;
    let rows = recordings::list(&cloud, &caller, filter.board.as_deref(), wanted).await?;
    let mut page = page::page(rows, wanted, |row| row.id, view);
    name(&cloud, &mut page.items).await?;
    Ok(Json(page))
}

/// Show a recording: whose it is and what it hashes to.
#[utoipa::path(get, path = "/v2/recordings/{recording}", tag = "recordings", responses((status = 200, body = Recording)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(recording): Path<String>,
) -> Answer<Json<Recording>> {
    let mut shown = view(recordings::get(&cloud, &caller, &recording).await?);
    name(&cloud, std::slice::from_mut(&mut shown)).await?;
    Ok(Json(shown))
}

/// What was shown, as asciicast version 2. That somebody took it is told in the audit.
#[utoipa::path(get, path = "/v2/recordings/{recording}/cast", tag = "recordings", responses((status = 200, content((String = "application/x-asciicast")))))]
pub(crate) async fn cast(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(recording): Path<String>,
) -> Answer<Response> {
    let file = recordings::open(&cloud, &caller, &recording).await?;
    let pieces = stream::try_unfold(file, |mut file| async move {
        let read = move || {
            let mut piece = vec![0; PIECE];
            let count = file.read(&mut piece)?;
            piece.truncate(count);
            Ok::<_, std::io::Error>((piece, file))
        };
        let (piece, file) = tokio::task::spawn_blocking(read).await??;
        Ok::<_, std::io::Error>((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-asciicast")];
    Ok((content_type, Stream::from_stream(pieces)).into_response())
}

/// Erase what was recorded; that it was, and its hash, stay.
#[utoipa::path(delete, path = "/v2/recordings/{recording}", tag = "recordings", responses((status = 204)))]
pub(crate) async fn erase(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(recording): Path<String>,
) -> Answer {
    recordings::erase(&cloud, &caller, &recording).await?;
    Ok(nothing())
}

/// List whose terminals are recorded.
#[utoipa::path(get, path = "/v2/recording-settings", tag = "recordings", operation_id = "settings", responses((status = 200, body = Page<Setting>)))]
pub(crate) async fn settings(
    caller: Caller,
    State(cloud): State<Cloud>,
) -> Answer<Json<Page<Setting>>> {
    let rows = recordings::settings(&cloud, &caller).await?;
    Ok(Json(page::whole(rows, shown)))
}

/// Say whether terminals of a board, or of the project that one is signed in to, are recorded. Those that are open go on as they
/// began.
#[utoipa::path(put, path = "/v2/recording-settings", tag = "recordings", operation_id = "set", request_body = NewSetting, responses((status = 200, body = Page<Setting>)))]
pub(crate) async fn set(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<NewSetting>,
) -> Answer<Json<Page<Setting>>> {
    recordings::set(&cloud, &caller, new).await?;
    let rows = recordings::settings(&cloud, &caller).await?;
    Ok(Json(page::whole(rows, shown)))
}

fn shown(row: SettingRow) -> Setting {
    let SettingRow { project, board, record } = row;
    Setting { project, board, record }
}

/// Beside each id what it is called, as long as it is there.
async fn name(cloud: &Cloud, shown: &mut [Recording]) -> Answer<()> {
    let mut wanted = Wanted::default();
    for one in shown.iter() {
        wanted.add(Noun::Board, one.board);
        wanted.add(Noun::User, &one.user);
    }
    let names = names::of(cloud, wanted).await?;
    for one in shown {
        one.board_name = names.get(&one.board.to_string()).cloned();
        one.user_name = names.get(one.user.as_str()).cloned();
    }
    Ok(())
}

fn view(row: RecordingRow) -> Recording {
    Recording {
        id: row.id.to_string(),
        project: row.project,
        board: row.board,
        board_name: None,
        user: row.user,
        user_name: None,
        began_at: row.began_at,
        ended_at: row.ended_at,
        bytes: row.bytes,
        sha256: row.sha256,
        erased_at: row.erased_at,
    }
}
