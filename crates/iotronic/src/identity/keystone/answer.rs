//! What a Keystone says a token means, read from its answer. Total: any bytes give a meaning or a reason.

use model::access_rule::AccessRule;
use model::{CredentialId, ProjectId, RoleId, Timestamp, UserId};
use serde::Deserialize;
use store::identity::RoleRow;

/// Most roles that are read.
const MAX_ROLES: usize = 256;

/// What a token means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Who.
    pub user: (UserId, String),
    /// In which project, if in one.
    pub project: Option<(ProjectId, String)>,
    /// As what.
    pub roles: Vec<RoleRow>,
    /// From when.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// By which application credential, if by one.
    pub credential: Option<Credential>,
}

/// An application credential as it stands in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id, where that is one of the usual form.
    pub id: CredentialId,
    /// Its name.
    pub name: String,
    /// Whether it may make others.
    pub unrestricted: bool,
    /// The requests that it is for; none for all.
    pub access: Option<Vec<AccessRule>>,
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    user: Named,
    project: Option<Named>,
    #[serde(default)]
    roles: Vec<Named>,
    issued_at: Timestamp,
    expires_at: Timestamp,
    application_credential: Option<Through>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Through {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default = "yes")]
    restricted: bool,
    access_rules: Option<Vec<AccessRule>>,
}

fn yes() -> bool {
    true
}

/// Reads the body of `GET` or `POST /v3/auth/tokens`.
///
/// # Errors
/// What does not fit.
pub fn read(bytes: &[u8]) -> Result<Meaning, String> {
    let Answer { token } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if token.roles.len() > MAX_ROLES {
        return Err(format!("more than {MAX_ROLES} roles"));
    }
    let role = |named: Named| {
        let Named { id, name } = named;
        Ok(RoleRow { id: id.parse::<RoleId>()?, name, description: String::new() })
    };
    let wrong = |error: model::Invalid| error.0;
    let roles = token.roles.into_iter().map(role).collect::<Result<_, _>>().map_err(wrong)?;
    let project = token.project.map(|named| Ok((named.id.parse()?, named.name)));
    let project: Option<(ProjectId, String)> = project.transpose().map_err(wrong)?;
    if project.as_ref().is_some_and(|(id, _)| id.is_nowhere()) {
        return Err("a project with an id that stands for none".to_owned());
    }
    Ok(Meaning {
        user: (token.user.id.parse().map_err(wrong)?, token.user.name),
        project,
        roles,
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        credential: token.application_credential.map(credential).transpose()?,
    })
}

fn credential(through: Through) -> Result<Credential, String> {
    let Through { id, name, restricted, access_rules } = through;
    let id = id.parse::<CredentialId>().map_err(|error| error.0)?;
    Ok(Credential { id, name, unrestricted: !restricted, access: access_rules })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCOPED: &str = r#"{"token": {"methods": ["password"], "user": {"domain": {"id": "default", "name": "Default"},
        "id": "f4f92535f1ef4d54809e56d76119fdb2", "name": "ada", "password_expires_at": null}, "audit_ids": ["x"],
        "expires_at": "2026-11-24T15:07:56.000000Z", "issued_at": "2026-11-24T14:07:56.000000Z",
        "project": {"domain": {"id": "default", "name": "Default"}, "id": "4aee79860a404026ba1fdb6b6aa7634e", "name": "city"},
        "is_domain": false, "roles": [{"id": "75da901ba1d7404988ba17c9b31da8c8", "name": "member"}], "catalog": []}}"#;

    #[test]
    fn a_keystones_answer_is_read() {
        let meaning = read(SCOPED.as_bytes()).unwrap();
        assert_eq!(meaning.user.1, "ada");
        assert_eq!(meaning.project.unwrap().1, "city");
        assert_eq!(meaning.roles[0].name, "member");
        assert!(meaning.issued_at < meaning.expires_at);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let with = |old: &str, new: &str| read(SCOPED.replace(old, new).as_bytes());
        assert!(read(b"{}").is_err());
        assert!(with("f4f92535f1ef4d54809e56d76119fdb2", "").is_err());
        assert!(with("4aee79860a404026ba1fdb6b6aa7634e", "none").is_err());
        assert!(with("2026-11-24T15:07:56.000000Z", "tomorrow").is_err());
        let many = format!("[{}]", vec![r#"{"id": "r"}"#; MAX_ROLES + 1].join(","));
        let roles = r#"[{"id": "75da901ba1d7404988ba17c9b31da8c8", "name": "member"}]"#;
        assert!(with(roles, &many).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_meaning_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..900_usize, byte: u8) {
            let _ = read(&bytes);
            let mut changed = SCOPED.as_bytes().to_vec();
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            let _ = read(&changed);
        }
    }
}
