//! What is said to sign in.

use api::identity::{
    Auth, CredentialMethod, Identity, PasswordMethod, PasswordUser, Reference, TokenRequest,
};

/// Signs in with a password.
pub(crate) fn password_request(user: PasswordUser, project: Option<Reference>) -> TokenRequest {
    let identity = Identity {
        methods: vec!["password".into()],
        password: Some(PasswordMethod { user }),
        ..Identity::default()
    };
    TokenRequest {
        auth: Auth {
            identity,
            scope: project.map(|project| serde_json::json!({ "project": project })),
        },
    }
}

/// Signs in with an application credential.
pub(super) fn credential(id: String, secret: String) -> TokenRequest {
    let method = CredentialMethod { id: Some(id), secret, ..CredentialMethod::default() };
    let identity = Identity {
        methods: vec!["application_credential".into()],
        application_credential: Some(method),
        ..Identity::default()
    };
    TokenRequest { auth: Auth { identity, scope: None } }
}
