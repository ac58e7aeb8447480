//! `/identity/v3/auth/tokens`: signing in, looking at a token, and ending one.

use super::{access_rules, catalog, changed, operates};
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{Body, Person, wrong};
use crate::identity::grants::{Grant, Through};
use crate::identity::revoked;
use crate::identity::sign_in::{Attempt, Named, Refused, Scope, WhichCredential};
use crate::identity::tokens::{Method, Statement};
use api::identity::{
    Auth, CredentialMethod, Domain, PasswordMethod, Reference, RoleReference, SUBJECT_TOKEN, Token,
    TokenAnswer, TokenMethod, TokenRequest,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use model::Kind;
use serde_json::{Value, json};

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
    let wanted = scope(auth.scope.as_ref())?;
    let scope = wanted.scope();
    let identity = auth.identity;
    let [method] = identity.methods.as_slice() else {
        return Err(malformed("name one method: password, application_credential or token"));
    };
    let store = &cloud.store;
    match (method.as_str(), identity.password, identity.application_credential, identity.token) {
        ("password", Some(PasswordMethod { user }), _, _) => {
            let who = named(user.id, user.name, user.domain.as_ref())?;
            let who = who.ok_or_else(|| malformed("name the user"))?;
            let password = user.password.into();
            Ok(cloud.sign_in.by_password(store, &who, password, scope, attempt).await?)
        }
        ("application_credential", _, Some(credential), _) => {
            let secret = credential.secret.clone().into();
            let which = which(credential)?.ok_or_else(|| {
                malformed("name the application credential by id, or by name and user")
            })?;
            Ok(cloud.sign_in.by_credential(store, &which, secret, attempt).await?)
        }
        ("token", _, _, Some(TokenMethod { id })) => {
            let old = cloud.tokens.read(&id, attempt.now).map_err(|_| Refused::Wrong)?;
            Ok(cloud.sign_in.by_token(store, old, scope, attempt).await?)
        }
        ("password" | "application_credential" | "token", ..) => {
            Err(malformed("identity lacks the member that its method needs"))
        }
        _ => Err(malformed("the method is none of password, application_credential and token")),
    }
}

/// By id, or by name in the one domain; a name in another domain is nobody's.
fn named(
    id: Option<String>,
    name: Option<String>,
    domain: Option<&Reference>,
) -> Result<Option<Named>, Refused> {
    if let Some(id) = id {
        return Ok(Some(Named::Id(id)));
    }
    let only = Domain::default();
    let is_it = domain.is_none_or(|domain| match (&domain.id, &domain.name) {
        (Some(id), _) => *id == only.id,
        (None, Some(name)) => name.eq_ignore_ascii_case(&only.name),
        (None, None) => true,
    });
    if is_it { Ok(name.map(Named::Name)) } else { Err(Refused::Wrong) }
}

fn which(credential: CredentialMethod) -> Result<Option<WhichCredential>, Refused> {
    match (credential.id, credential.name, credential.user) {
        (Some(id), _, _) => Ok(Some(WhichCredential::Id(id))),
        (None, Some(name), Some(user)) => {
            let user = named(user.id, user.name, user.domain.as_deref())?;
            Ok(user.map(|user| WhichCredential::Of(user, name)))
        }
        _ => Ok(None),
    }
}

/// The project that is asked for.
enum Wanted {
    Usual,
    Nowhere,
    Project(Named),
}

impl Wanted {
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Usual => Scope::Usual,
            Self::Nowhere => Scope::Nowhere,
            Self::Project(named) => Scope::Of(named),
        }
    }
}

fn scope(scope: Option<&Value>) -> Result<Wanted, NotSignedIn> {
    let Some(scope) = scope.filter(|scope| !scope.is_null()) else { return Ok(Wanted::Usual) };
    if *scope == "unscoped" || scope.get("unscoped").is_some() {
        return Ok(Wanted::Nowhere);
    }
    let project = scope.get("project").ok_or_else(|| {
        malformed("scope names no project; domains and the system are no scopes of this cloud")
    })?;
    let project: Reference = serde_json::from_value(project.clone())
        .map_err(|error| malformed(format_args!("auth.scope.project: {error}")))?;
    match named(project.id, project.name, project.domain.as_deref())? {
        Some(project) => Ok(Wanted::Project(project)),
        None => Err(malformed("auth.scope.project has neither id nor name")),
    }
}

fn malformed(text: impl std::fmt::Display) -> NotSignedIn {
    NotSignedIn::Malformed(wrong(text))
}

/// What the token in `X-Subject-Token` means.
pub(crate) async fn show(who: Person, State(cloud): State<Cloud>, headers: HeaderMap) -> Answer {
    let (text, said) = subject(&cloud, &who, &headers, "token:get")?;
    let grant = cloud.sign_in.grant(&cloud.store, &said, cloud.now()).await?.ok_or_else(unknown)?;
    let body = TokenAnswer { token: meaning(&cloud, &said, &grant) };
    let headers = [(SUBJECT_TOKEN, text), (header::VARY.as_str(), "X-Auth-Token".to_owned())];
    Ok::<Response, _>((headers, Json(body)).into_response())
}

/// End the token in `X-Subject-Token` before its time.
pub(crate) async fn revoke(who: Person, State(cloud): State<Cloud>, headers: HeaderMap) -> Answer {
    let (_, said) = subject(&cloud, &who, &headers, "token:revoke")?;
    let grant = cloud.sign_in.grant(&cloud.store, &said, cloud.now()).await?;
    let grant = grant.ok_or_else(unknown)?;
    cloud.sign_in.end(&cloud.store, &said, cloud.now()).await?;
    tracing::info!(user = grant.user_name, by = who.grant.user_name, "a token was ended");
    let project = Some(&said.project).filter(|project| !project.is_nowhere());
    let more = json!({ "user": said.user });
    let event = changed(&who.grant, "token", "revoked", project, revoked::text(&said.audit), more);
    let written = cloud.store.write(move |tx| Box::pin(async move { tx.event(event).await })).await;
    written?;
    Ok(nothing())
}

fn unknown() -> Failure {
    Failure::new(Kind::NotFound, "the subject token is not valid or has expired")
}

/// The token that a request is about: one's own, or anybody's for those who operate the cloud.
fn subject(
    cloud: &Cloud,
    who: &Person,
    headers: &HeaderMap,
    action: &'static str,
) -> Result<(String, Statement), Failure> {
    let mut all = headers.get_all(SUBJECT_TOKEN).into_iter();
    let text = all.next().and_then(|token| token.to_str().ok());
    let text = text.ok_or_else(|| wrong("x-subject-token is missing"))?;
    if all.next().is_some() {
        return Err(wrong("the request names more than one x-subject-token; send one"));
    }
    let said = cloud.tokens.read(text, cloud.now()).map_err(|_| unknown())?;
    if said.user != who.grant.principal.user && !operates(&who.grant, action) {
        let text = format!("{action} for another user's token needs the role admin");
        return Err(Failure::new(Kind::Forbidden, text));
    }
    Ok((text.to_owned(), said))
}

fn meaning(cloud: &Cloud, said: &Statement, grant: &Grant) -> Token {
    let named = |id: &str, name: &str| api::identity::Named {
        id: id.to_owned(),
        name: name.to_owned(),
        domain: Domain::default(),
    };
    let is_scoped = !said.project.is_nowhere();
    let roles = grant
        .roles
        .iter()
        .map(|row| RoleReference { id: row.id.to_string(), name: row.name.clone() });
    let mut methods = vec![said.method.word().to_owned()];
    if said.method == Method::Token {
        let first = said.credential.map_or(Method::Password, |_| Method::Credential);
        methods.push(first.word().to_owned());
    }
    Token {
        methods,
        user: named(said.user.as_str(), &grant.user_name),
        project: is_scoped.then(|| named(said.project.as_str(), &grant.project_name)),
        roles: roles.collect(),
        catalog: if is_scoped { catalog::all(cloud) } else { Vec::new() },
        application_credential: grant.credential.as_ref().map(|through| shown(said, through)),
        issued_at: said.issued_at,
        expires_at: grant.expires_at.map_or(said.expires_at, |end| end.min(said.expires_at)),
        is_domain: false,
        audit_ids: vec![revoked::text(&said.audit)],
    }
}

fn shown(said: &Statement, through: &Through) -> Value {
    let mut shown =
        json!({ "id": through.id, "name": through.name, "restricted": !through.unrestricted });
    let rules = through.access.as_ref().map(|rules| {
        rules.iter().map(|rule| access_rules::view(&said.user, rule)).collect::<Vec<_>>()
    });
    if let (Some(members), Some(rules)) = (shown.as_object_mut(), rules) {
        members.insert("access_rules".into(), rules.into());
    }
    shown
}
