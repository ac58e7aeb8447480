//! `/v1`: upstream's API, microversion 1.0, frozen. A thin translation over the same use cases as `/v2`; what differs from
//! upstream on purpose stands in `docs/compatibility.md`, and a test reads it there.
//!
//! Invariant: nothing is decided here that `app` does not decide; a path answers the same with and without `/v1` in front and
//! `/` behind. Deliberately not here: legacy boards (floor `boards`), and routes of capabilities that do not exist yet
//! ([`ports`], [`webservices`] answer as upstream does where they are not configured).

mod actions;
mod boards;
mod body;
mod exposures;
mod fault;
mod fleets;
mod injections;
mod page;
mod plugins;
mod ports;
mod requests;
mod root;
pub(crate) mod routes;
mod services;
mod version;
mod view;
mod webservices;

pub(crate) use fault::{no_method, no_path, write};
pub(crate) use root::version as document;
pub(crate) use version::{mark, refused};

/// First segments of paths that upstream serves without a version too.
const UNVERSIONED: [&str; 8] = [
    "boards",
    "plugins",
    "services",
    "fleets",
    "ports",
    "webservices",
    "enabledwebservices",
    "requests",
];

/// Whether a path is one of upstream's.
pub(crate) fn owns(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first == "v1" || UNVERSIONED.contains(&first)
}

/// All paths at which a route answers: upstream's with and without version, with and without a slash behind.
pub(crate) fn paths(path: &'static str) -> Vec<String> {
    match path.strip_prefix("/v1") {
        None => vec![path.to_owned()],
        Some("") => vec![path.to_owned(), format!("{path}/")],
        Some(rest) => {
            vec![path.to_owned(), format!("{path}/"), rest.to_owned(), format!("{rest}/")]
        }
    }
}
