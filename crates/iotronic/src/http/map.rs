//! `/ui/map.pmtiles`: the operator's map tiles (`ui.pmtiles`), part by part, to whoever sees the pages.
//!
//! Invariant: an answer holds one part of bounded size; the whole file, which may be as large as the world, is not given
//! away. Deliberately not here: what the parts mean, which the pages know.

use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use model::Kind;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// Where it is served.
pub(crate) const PATH: &str = "/ui/map.pmtiles";
/// Largest part; directories and tiles are far smaller.
const MAX_PART: u64 = 4 * 1024 * 1024;
/// For how long a browser need not ask again for a part; the pages notice by the tag that parts are of different files.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// A part of the map.
pub(crate) async fn part(State(cloud): State<Cloud>, headers: HeaderMap) -> Answer {
    let path = cloud.settings.ui.pmtiles.as_deref();
    let path = path.ok_or_else(|| Failure::new(Kind::NotFound, "this cloud has no map file"))?;
    let (file, size, tag) = open(path).await.map_err(|error| {
        tracing::warn!(path = %path.display(), %error, "the map file cannot be read");
        Failure::new(Kind::NotFound, "the map file is not there any more; tell the operator")
    })?;
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((first, length)) = asked.and_then(|asked| range(asked, size)) else {
        return Ok(beyond(size));
    };
    let bytes = read(file, first, length).await.map_err(|error| {
        tracing::warn!(path = %path.display(), %error, "the map file cannot be read");
        Failure::new(Kind::Internal, "the map file could not be read")
    })?;
    let whole = format!("bytes {first}-{}/{size}", first + length - 1);
    let mut response = (StatusCode::PARTIAL_CONTENT, Body::from(bytes)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.pmtiles"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, KEEP);
    for (name, text) in [(header::CONTENT_RANGE, whole), (header::ETAG, tag)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Nothing that can be given (RFC 9110, section 15.5.17).
fn beyond(size: u64) -> Response {
    let text = format!("ask for one part of at most {MAX_PART} bytes: Range: bytes=FIRST-LAST");
    let failure = Failure::new(Kind::Invalid, text).with_status(StatusCode::RANGE_NOT_SATISFIABLE);
    let mut response = failure.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

async fn open(path: &Path) -> io::Result<(File, u64, String)> {
    let file = File::open(path).await?;
    let about = file.metadata().await?;
    let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let tag = format!("\"{:x}-{:x}\"", about.len(), changed.as_nanos());
    Ok((file, about.len(), tag))
}

async fn read(mut file: File, first: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(first)).await?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// First byte and length of the one part that is asked for; none when it lies beyond the file or is too large.
fn range(asked: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = asked.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", last) => (size.saturating_sub(last.parse().ok()?), size.checked_sub(1)?),
        (first, "") => (first.parse().ok()?, size.checked_sub(1)?),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(size.checked_sub(1)?)),
    };
    let length = last.checked_sub(first)?.checked_add(1)?;
    (length <= MAX_PART).then_some((first, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_part_within_the_file_is_given_and_nothing_else() {
        for (asked, part) in [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=0-16383", Some((0, 100))),
            ("bytes=90-", Some((90, 10))),
            ("bytes=-5", Some((95, 5))),
            ("bytes=-500", Some((0, 100))),
            ("bytes=99-99", Some((99, 1))),
            ("bytes=100-", None),
            ("bytes=100-101", None),
            ("bytes=9-0", None),
            ("bytes=-0", None),
            ("bytes=0-1,5-6", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("items=0-1", None),
            ("", None),
            ("bytes=0-99999999999999999999999", None),
        ] {
            assert_eq!(range(asked, 100), part, "{asked}");
        }
        assert_eq!(range("bytes=0-", 0), None);
        assert_eq!(range("bytes=0-", MAX_PART), Some((0, MAX_PART)));
        assert_eq!(range("bytes=0-", MAX_PART + 1), None);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_stays_within_the_file(asked in "bytes=[0-9]{0,20}-[0-9]{0,20}|.{0,30}", size: u64) {
            if let Some((first, length)) = range(&asked, size) {
                prop_assert!(length > 0 && length <= MAX_PART);
                prop_assert!(first.checked_add(length).is_some_and(|end| end <= size));
            }
        }
    }
}
