//! The session of a page: who is signed in, to which project, and the word that its changes carry.
//!
//! The signed token itself travels in a cookie that scripts cannot read. Whatever changes something on the strength of that
//! cookie names [`Session::csrf`] in the header [`CSRF`]; a program that sends its token in a header needs none of this.

use model::Timestamp;
use model::access::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Path of the session.
pub const PATH: &str = "/v2/session";
/// Header of every change that is made by cookie.
pub const CSRF: &str = "x-csrf-token";

/// `POST /v2/session`: sign in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Name of the user.
    pub user: String,
    /// Password.
    pub password: String,
    /// Id or name of the project; left out, the first by name in which the user has a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `PUT /v2/session`: go on in another project.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchProject {
    /// Id or name of the project.
    pub project: String,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Who.
    pub user: Named,
    /// In which project.
    pub project: Named,
    /// Projects that one may switch to, by name; the present one is among them.
    pub projects: Vec<Named>,
    /// As what, in the present project.
    pub roles: Vec<Role>,
    /// Until when, if nothing is asked before that: each request in the second half of a session's life prolongs it.
    pub expires_at: Timestamp,
    /// What changes carry in the header `X-CSRF-Token`.
    pub csrf: String,
}

/// Something with id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SessionName)]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}
