//! Files that are the same for everybody until the program changes: with an entity tag for each form, and compressed for
//! whoever can read that.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// One file.
pub(crate) struct Asset {
    kind: &'static str,
    plain: Form,
    gzip: Option<Form>,
}

/// One form of it.
struct Form {
    bytes: Bytes,
    tag: String,
}

/// How long a client may use what it has without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Never: it asks each time, and mostly hears that nothing has changed.
    Asking,
    /// For good: the name changes with the content.
    Forever,
}

impl Asset {
    /// A file of this media type.
    pub(crate) fn new(kind: &'static str, plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        let tag = format!("\"{}\"", hash(&plain));
        Self { kind, plain: Form { bytes: plain, tag }, gzip: None }
    }

    /// The same file, which is there compressed too.
    #[must_use]
    pub(crate) fn with_gzip(mut self, gzip: Option<&'static [u8]>) -> Self {
        let tag = self.plain.tag.replacen('"', "\"gz-", 1);
        self.gzip = gzip.map(|bytes| Form { bytes: Bytes::from_static(bytes), tag });
        self
    }

    /// The answer to a request for it; nobody but our own pages may do with it what `policy` does not say.
    pub(crate) fn answer(&self, request: &HeaderMap, keep: Keep, policy: &HeaderValue) -> Response {
        let gzip = self.gzip.as_ref().filter(|_| accepts_gzip(request));
        let form = gzip.unwrap_or(&self.plain);
        let mut response = if has(request, &form.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::new(Body::from(form.bytes.clone()))
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if self.gzip.is_some() {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Ok(tag) = HeaderValue::from_str(&form.tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, keep.word());
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

impl Keep {
    fn word(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Asking => "no-cache",
            Self::Forever => "public, max-age=31536000, immutable",
        })
    }
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

fn has(request: &HeaderMap, tag: &str) -> bool {
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        known
            .split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*")
    })
}

/// Whether the client reads gzip (RFC 9110, section 12.5.3).
fn accepts_gzip(request: &HeaderMap) -> bool {
    let lines = request.get_all(header::ACCEPT_ENCODING).into_iter();
    let codings = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut accepted = codings.filter_map(|coding| {
        let (name, terms) = coding.split_once(';').unwrap_or((coding, ""));
        let terms: String = terms.chars().filter(|letter| !letter.is_whitespace()).collect();
        let weight = terms.strip_prefix("q=").map_or(Some(1.0), |text| text.parse::<f32>().ok());
        Some((name.trim().to_ascii_lowercase(), weight? > 0.0))
    });
    accepted.any(|(name, yes)| yes && (name == "gzip" || name == "x-gzip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whoever_says_so_and_to_nobody_else() {
        for (said, yes) in [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("br, GZIP;q=0.5"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip; q = 0.000"), false),
            (Some("gzip;q=nonsense"), false),
            (Some("deflate, identity"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(said));
            }
            assert_eq!(accepts_gzip(&headers), yes, "{said:?}");
        }
    }

    #[test]
    fn each_form_has_a_tag_of_its_own_and_a_known_one_is_not_sent_again() {
        let asset = Asset::new("text/plain", "text").with_gzip(Some(b"small"));
        let policy = HeaderValue::from_static("default-src 'none'");
        let mut headers = HeaderMap::new();
        let tag = |headers: &HeaderMap| {
            let response = asset.answer(headers, Keep::Asking, &policy);
            (response.status(), response.headers().get(header::ETAG).unwrap().clone())
        };
        let (_, plain) = tag(&headers);
        headers.insert(header::IF_NONE_MATCH, plain.clone());
        assert_eq!(tag(&headers), (StatusCode::NOT_MODIFIED, plain));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let (status, gzip) = tag(&headers);
        assert_eq!(status, StatusCode::OK);
        let both = format!("\"x\", W/{}", gzip.to_str().unwrap());
        headers.insert(header::IF_NONE_MATCH, both.parse().unwrap());
        assert_eq!(tag(&headers).0, StatusCode::NOT_MODIFIED);
    }
}
