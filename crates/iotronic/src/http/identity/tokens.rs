//! `/identity/v3/auth/tokens`: signing in, and looking at a token.

use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Body, wrong};
use crate::identity::sign_in::{Attempt, Grant, Named, Refused, WhichCredential};
use crate::identity::tokens::{Method, Statement};
use api::identity::{
    Auth, CredentialMethod, Domain, Endpoint, PasswordMethod, Reference, RoleReference,
    SUBJECT_TOKEN, Service, Token, TokenAnswer, TokenMethod, TokenRequest,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Kind;
use model::access::Role;
use serde_json::Value;

/// Region of every endpoint.
const REGION: &str = "RegionOne";

/// Sign in by password, application credential or token.
#[utoipa::path(post, path = "/identity/v3/auth/tokens", tag = "identity",
    request_body(content = Object, description = "Keystone's request: auth.identity with one method, and auth.scope"), responses(
    (status = 201, body = TokenAnswer, headers(("x-subject-token" = String, description = "The token")))
))]
pub(crate) async fn create(
    State(cloud): State<Cloud>,
    peer: Option<Extension<Peer>>,
    Body(request): Body<TokenRequest>,
) -> Answer {
    let attempt = attempt(&cloud, peer);
    let said = sign_in(&cloud, request.auth, attempt).await.map_err(refusal)?;
    let grant = cloud.sign_in.grant(&cloud.store, &said, attempt.now).await?;
    let grant = grant.ok_or_else(|| refusal(Refused::Wrong.into()))?;
    let token = cloud.tokens.make(&said);
    tracing::info!(
        user = grant.user_name,
        project = grant.project_name,
        method = said.method.word(),
        "signed in"
    );
    let body = TokenAnswer { token: meaning(&cloud, &said, &grant) };
    let headers = [(SUBJECT_TOKEN, token), (header::VARY.as_str(), "X-Auth-Token".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// The circumstances of a request that signs in.
pub(crate) fn attempt(cloud: &Cloud, peer: Option<Extension<Peer>>) -> Attempt {
    Attempt {
        address: peer.map(|Extension(Peer(address))| address.ip()),
        now: cloud.now(),
        life: cloud.token_life(),
    }
}

enum NotSignedIn {
    Refused(Refused),
    Malformed(Failure),
}

impl From<Refused> for NotSignedIn {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

fn refusal(why: NotSignedIn) -> Failure {
    match why {
        NotSignedIn::Malformed(failure) => failure,
        NotSignedIn::Refused(refused) => refused.into(),
    }
}

async fn sign_in(cloud: &Cloud, auth: Auth, attempt: Attempt) -> Result<Statement, NotSignedIn> {
    let malformed = |text: &str| NotSignedIn::Malformed(wrong(text));
    let scope = scope(auth.scope.as_ref()).map_err(NotSignedIn::Malformed)?;
    let identity = auth.identity;
    let [method] = identity.methods.as_slice() else {
        return Err(malformed("name one method: password, application_credential or token"));
    };
    let store = &cloud.store;
    match (method.as_str(), identity.password, identity.application_credential, identity.token) {
        ("password", Some(PasswordMethod { user }), _, _) => {
            let who = named(user.id, user.name).ok_or_else(|| malformed("name the user"))?;
            let password = user.password.into();
            let scope = scope.as_ref().into();
            Ok(cloud.sign_in.by_password(store, &who, password, scope, attempt).await?)
        }
        ("application_credential", _, Some(credential), _) => {
            let secret = credential.secret.clone().into();
            let which = which(credential).ok_or_else(|| {
                malformed("name the application credential by id, or by name and user")
            })?;
            Ok(cloud.sign_in.by_credential(store, &which, secret, attempt).await?)
        }
        ("token", _, _, Some(TokenMethod { id })) => {
            let old = cloud.tokens.read(&id, attempt.now).ok_or(Refused::Wrong)?;
            Ok(cloud.sign_in.by_token(store, old, scope.as_ref(), attempt).await?)
        }
        ("password" | "application_credential" | "token", ..) => {
            Err(malformed("identity lacks the member that its method needs"))
        }
        _ => Err(malformed("the method is none of password, application_credential and token")),
    }
}

fn named(id: Option<String>, name: Option<String>) -> Option<Named> {
    id.map(Named::Id).or(name.map(Named::Name))
}

fn which(credential: CredentialMethod) -> Option<WhichCredential> {
    match (credential.id, credential.name, credential.user) {
        (Some(id), _, _) => Some(WhichCredential::Id(id)),
        (None, Some(name), Some(user)) => {
            Some(WhichCredential::Of(named(user.id, user.name)?, name))
        }
        _ => None,
    }
}

fn scope(scope: Option<&Value>) -> Result<Option<Named>, Failure> {
    let Some(scope) = scope.filter(|scope| !scope.is_null() && *scope != "unscoped") else {
        return Ok(None);
    };
    let project = scope.get("project").ok_or_else(|| {
        wrong("scope names no project; domains and the system are no scopes of this cloud")
    })?;
    let project: Reference = serde_json::from_value(project.clone())
        .map_err(|error| wrong(format_args!("auth.scope.project: {error}")))?;
    match named(project.id, project.name) {
        Some(project) => Ok(Some(project)),
        None => Err(wrong("auth.scope.project has neither id nor name")),
    }
}

/// What the token in `X-Subject-Token` means.
pub(crate) async fn show(caller: Caller, State(cloud): State<Cloud>, headers: HeaderMap) -> Answer {
    let subject = headers.get(SUBJECT_TOKEN).and_then(|token| token.to_str().ok());
    let subject = subject.ok_or_else(|| wrong("x-subject-token is missing"))?;
    let unknown = || Failure::new(Kind::NotFound, "the subject token is not valid or has expired");
    let said = cloud.tokens.read(subject, cloud.now()).ok_or_else(unknown)?;
    let mine = said.user == caller.principal().user;
    if !mine && !caller.principal().roles.contains(&Role::Admin) {
        return Err(Failure::new(Kind::Forbidden, "another user's token needs the role admin"));
    }
    let grant = cloud.sign_in.grant(&cloud.store, &said, cloud.now()).await?.ok_or_else(unknown)?;
    let body = TokenAnswer { token: meaning(&cloud, &said, &grant) };
    let headers = [(SUBJECT_TOKEN, subject.to_owned())];
    Ok::<Response, _>((headers, Json(body)).into_response())
}

fn meaning(cloud: &Cloud, said: &Statement, grant: &Grant) -> Token {
    let named = |id: &str, name: &str| api::identity::Named {
        id: id.to_owned(),
        name: name.to_owned(),
        domain: Domain::default(),
    };
    let roles = grant.principal.roles.iter().map(|role| RoleReference { id: *role, name: *role });
    let mut methods = vec![said.method.word().to_owned()];
    if said.method == Method::Token {
        methods.push(Method::Password.word().to_owned());
    }
    Token {
        methods,
        user: named(said.user.as_str(), &grant.user_name),
        project: named(said.project.as_str(), &grant.project_name),
        roles: roles.collect(),
        catalog: catalog(cloud),
        issued_at: said.issued_at,
        expires_at: grant.expires_at.map_or(said.expires_at, |end| end.min(said.expires_at)),
        is_domain: false,
        audit_ids: vec![URL_SAFE_NO_PAD.encode(said.audit)],
    }
}

/// Where the services are; all interfaces lead to the one public URL.
fn catalog(cloud: &Cloud) -> Vec<Service> {
    let url = &cloud.public_url;
    let service = |kind: &str, name: &str, url: String| Service {
        id: kind.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        endpoints: ["public", "internal", "admin"]
            .map(|interface| Endpoint {
                id: format!("{kind}-{interface}"),
                interface: interface.to_owned(),
                region: REGION.to_owned(),
                region_id: REGION.to_owned(),
                url: url.clone(),
            })
            .into(),
    };
    vec![
        service("iot", "iotronic", url.clone()),
        service("identity", "keystone", format!("{url}/identity/v3")),
    ]
}
