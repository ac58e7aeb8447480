//! Microversions: there is one, 1.0. Clients ask for what they know best and come back with what they are told.

use super::fault::{Unversioned, plain};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

/// The header in which a client says which version it speaks, and the cloud which one it answered in.
const VERSION: &str = "x-openstack-iotronic-api-version";
const MINIMUM: &str = "x-openstack-iotronic-api-minimum-version";
const MAXIMUM: &str = "x-openstack-iotronic-api-maximum-version";
/// Upstream's name for the request's id.
const REQUEST_ID: &str = "openstack-request-id";
/// The only version.
pub(super) const ONLY: &str = "1.0";
/// What upstream's framework puts before its reason.
const NOT_ACCEPTABLE: &str = "The resource could not be generated that was acceptable to your browser (content of type \
     ${HTTP_ACCEPT}. \n\n ";

/// 406, unless the request asks for the version there is.
pub(crate) fn refused(headers: &HeaderMap) -> Option<Response> {
    let wanted = headers.get(VERSION)?.to_str().unwrap_or_default().trim();
    let range = format!("The supported version range is: [{ONLY}, {ONLY}].");
    let why = match parse(wanted) {
        Wanted::Ours => return None,
        Wanted::Minor => format!(
            "Version {wanted} was requested but the minor version is not supported by this service. {range}"
        ),
        Wanted::Major => format!(
            "Mutually exclusive versions requested. Version {wanted} requested but not supported by this service. {range}"
        ),
        Wanted::Nonsense => "Invalid value for X-OpenStack-Iotronic-API-Version header".to_owned(),
    };
    let mut refusal = plain(StatusCode::NOT_ACCEPTABLE, &format!("{NOT_ACCEPTABLE}{why}"));
    // Clients read the range out of these.
    for name in [MINIMUM, MAXIMUM] {
        refusal.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(ONLY));
    }
    Some(refusal)
}

enum Wanted {
    Ours,
    Minor,
    Major,
    Nonsense,
}

fn parse(text: &str) -> Wanted {
    if text.eq_ignore_ascii_case("latest") {
        return Wanted::Ours;
    }
    let numbers = text.split_once('.').map(|(major, minor)| (major.parse(), minor.parse()));
    match numbers {
        Some((Ok(1_u32), Ok(0_u32))) => Wanted::Ours,
        Some((Ok(1), Ok(_))) => Wanted::Minor,
        Some((Ok(_), Ok(_))) => Wanted::Major,
        _ => Wanted::Nonsense,
    }
}

/// Says in which version an answer is, and which there are. What routing answers has no version.
pub(crate) fn mark(id: &str, response: &mut Response) {
    let status = response.status();
    let is_bare =
        response.extensions().get::<Unversioned>().is_some() || status == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put(REQUEST_ID, id);
    if !is_bare {
        for name in [MINIMUM, MAXIMUM, VERSION] {
            put(name, ONLY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_1_0_and_the_latest_are_spoken() {
        let refuses = |text: &'static str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(VERSION),
                HeaderValue::from_static(text),
            )]);
            refused(&headers).is_some()
        };
        assert!(refused(&HeaderMap::new()).is_none());
        for (text, refusal) in [
            ("1.0", false),
            ("latest", false),
            ("1.9", true),
            ("2.0", true),
            ("new", true),
            ("", true),
            ("1", true),
        ] {
            assert_eq!(refuses(text), refusal, "{text}");
        }
    }
}
