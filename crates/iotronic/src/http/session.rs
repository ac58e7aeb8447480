//! `/v2/session`: signing in to the pages, who one is, changing projects, signing out.
//!
//! The token goes into a cookie (see `cookie`), never into a body or a URL. Signing out ends the session and its renewals at
//! once, for streams too.

use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::cookie::{self, Page};
use crate::http::extract::{Body, SignedIn};
use crate::http::idempotency;
use crate::http::identity::tokens::attempt;
use crate::identity::grants::Grant;
use crate::identity::sign_in::{Named as Wanted, Scope};
use crate::identity::tokens::{Method, Statement};
use api::session::{Named, NewSession, Session, SwitchProject};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use model::Kind;
use store::identity::{self, ProjectRow};

/// Sign in to the pages. The answer sets the cookie that they are used with.
#[utoipa::path(post, path = "/v2/session", tag = "session", request_body = NewSession, responses(
    (status = 201, body = Session)
))]
pub(crate) async fn create(
    State(cloud): State<Cloud>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Body(wanted): Body<NewSession>,
) -> Answer {
    // Nobody is signed in as somebody else by a page they did not mean to use.
    if cookie::page(&cloud, &headers) == Page::Foreign {
        return Err(cookie::foreign());
    }
    let attempt = attempt(&cloud, peer);
    let project = match wanted.project {
        Some(text) => Some(id_or_name(&cloud, text).await?),
        None => None,
    };
    let scope = project.as_ref().map_or(Scope::First, Scope::Of);
    let (who, password) = (Wanted::Name(wanted.user), wanted.password.into());
    let said = cloud.sign_in.by_password(&cloud.store, &who, password, scope, attempt).await?;
    let said = Statement { method: Method::Session, ..said };
    let session = describe(&cloud, &said).await?;
    tracing::info!(user = session.user.name, project = session.project.name, "signed in by page");
    Ok(begun(&cloud, StatusCode::CREATED, &said, session))
}

/// Who is signed in.
#[utoipa::path(get, path = "/v2/session", tag = "session", responses((status = 200, body = Session)))]
pub(crate) async fn show(
    _: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
) -> Answer<Json<Session>> {
    Ok(Json(describe(&cloud, &said).await?))
}

/// Go on in another project. The answer sets a new cookie, and has a new word for changes.
#[utoipa::path(put, path = "/v2/session", tag = "session", request_body = SwitchProject, responses(
    (status = 200, body = Session)
))]
pub(crate) async fn switch(
    _: Caller,
    SignedIn(old): SignedIn,
    State(cloud): State<Cloud>,
    peer: Option<Extension<Peer>>,
    Body(wanted): Body<SwitchProject>,
) -> Answer {
    let project = id_or_name(&cloud, wanted.project).await?;
    let (method, issued_at) = (old.method, old.issued_at);
    let said = cloud
        .sign_in
        .by_token(&cloud.store, old, Scope::Of(&project), attempt(&cloud, peer))
        .await
        .map_err(|refused| not_there(refused.into()))?;
    // The session stays the same one: its longest life counts from when the password was given.
    let said = Statement { method, issued_at, ..said };
    let session = describe(&cloud, &said).await?;
    Ok(begun(&cloud, StatusCode::OK, &said, session))
}

/// Sign out. Whoever is not signed in is told the same.
#[utoipa::path(delete, path = "/v2/session", tag = "session", responses((status = 204)))]
pub(crate) async fn end(State(cloud): State<Cloud>, request: Request) -> Answer {
    let (mut parts, _) = request.into_parts();
    match SignedIn::from_request_parts(&mut parts, &cloud).await {
        Ok(SignedIn(said)) => cloud.sign_in.end(&cloud.store, &said, cloud.now()).await?,
        Err(failure) if failure.problem.kind == Kind::Unauthenticated => {}
        Err(failure) => return Err(failure),
    }
    let mut response = nothing();
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear(&cloud));
    Ok(response)
}

/// "Sign in again" would be no cure here.
fn not_there(failure: Failure) -> Failure {
    if failure.problem.kind != Kind::Unauthenticated {
        return failure;
    }
    Failure::new(Kind::Forbidden, "you have no role in a project of this id or name; see projects")
}

fn begun(cloud: &Cloud, status: StatusCode, said: &Statement, session: Session) -> Response {
    let mut response = (status, Json(session)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(cloud, said));
    response.extensions_mut().insert(idempotency::Secret);
    response
}

async fn id_or_name(cloud: &Cloud, text: String) -> Answer<Wanted> {
    let Ok(id) = text.parse() else { return Ok(Wanted::Name(text)) };
    match identity::get_project(&cloud.store, &id).await {
        Ok(_) => Ok(Wanted::Id(text)),
        Err(store::Error::NotFound { .. }) => Ok(Wanted::Name(text)),
        Err(error) => Err(error.into()),
    }
}

async fn describe(cloud: &Cloud, said: &Statement) -> Answer<Session> {
    let grant = cloud.sign_in.grant(&cloud.store, said, cloud.now()).await?;
    let grant = grant.ok_or_else(|| {
        Failure::new(Kind::Unauthenticated, "the session has ended; sign in again")
    })?;
    let mut projects = identity::projects_of(&cloud.store, &said.user).await?;
    // A credential opens one project.
    projects.retain(|row| row.enabled && (said.credential.is_none() || row.id == said.project));
    Ok(session(cloud, said, &grant, projects))
}

fn session(cloud: &Cloud, said: &Statement, grant: &Grant, projects: Vec<ProjectRow>) -> Session {
    let named = |id: &str, name: &str| Named { id: id.to_owned(), name: name.to_owned() };
    Session {
        user: named(said.user.as_str(), &grant.user_name),
        project: named(said.project.as_str(), &grant.project_name),
        projects: projects.iter().map(|row| named(row.id.as_str(), &row.name)).collect(),
        roles: grant.principal.roles.clone(),
        expires_at: said.expires_at,
        csrf: cloud.tokens.csrf(said),
    }
}
