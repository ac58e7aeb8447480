//! `/v2/session`: signing in to the pages, who one is, changing projects, signing out.
//!
//! The token goes into a cookie (see `cookie`), never into a body or a URL. Signing out ends the session and its renewals at
//! once, for streams too.

use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::authenticate;
use crate::http::cookie::{self, Page};
use crate::http::extract::{Body, SignedIn};
use crate::http::idempotency;
use crate::http::identity::tokens::attempt;
use crate::identity::grants::Grant;
use crate::identity::sign_in::{Named as Wanted, Scope};
use crate::identity::tokens::Statement;
use api::session::{Named, NewSession, Session, SwitchProject};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use model::Kind;
use store::identity;

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
    let sign_in = &cloud.sign_in;
    let begun_as = sign_in.begin(&cloud.store, &cloud.tokens, (&who, password), scope, attempt);
    let (token, said) = begun_as.await?;
    let session = describe(&cloud, &token, &said).await?;
    tracing::info!(user = session.user.name, project = session.project.name, "signed in by page");
    Ok(begun(StatusCode::CREATED, cookie::hold(&cloud, &token, &said), session))
}

/// Who is signed in.
#[utoipa::path(get, path = "/v2/session", tag = "session", responses((status = 200, body = Session)))]
pub(crate) async fn show(
    _: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    headers: HeaderMap,
) -> Answer<Json<Session>> {
    let token = authenticate::text(&cloud, &headers).unwrap_or_default();
    Ok(Json(describe(&cloud, token, &said).await?))
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
    headers: HeaderMap,
    Body(wanted): Body<SwitchProject>,
) -> Answer {
    let project = id_or_name(&cloud, wanted.project).await?;
    let token = authenticate::text(&cloud, &headers).unwrap_or_default();
    let attempt = attempt(&cloud, peer);
    let sign_in = &cloud.sign_in;
    let gone_on = sign_in.switch(&cloud.store, &cloud.tokens, (token, old), &project, attempt);
    let (token, said) = gone_on.await.map_err(|refused| not_there(refused.into()))?;
    let session = describe(&cloud, &token, &said).await?;
    Ok(begun(StatusCode::OK, cookie::hold(&cloud, &token, &said), session))
}

/// Sign out. Whoever is not signed in is told the same.
#[utoipa::path(delete, path = "/v2/session", tag = "session", responses((status = 204)))]
pub(crate) async fn end(State(cloud): State<Cloud>, request: Request) -> Answer {
    let (mut parts, _) = request.into_parts();
    match SignedIn::from_request_parts(&mut parts, &cloud).await {
        Ok(SignedIn(said)) => cloud.sign_in.end(&cloud.store, &said, cloud.now()).await?,
        // The page forgets its token, whoever else may know it.
        Err(failure)
            if matches!(failure.problem.kind, Kind::Unauthenticated | Kind::Unreachable) => {}
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

fn begun(status: StatusCode, cookie: HeaderValue, session: Session) -> Response {
    let mut response = (status, Json(session)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
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

async fn describe(cloud: &Cloud, token: &str, said: &Statement) -> Answer<Session> {
    let grant = cloud.sign_in.grant(&cloud.store, said, cloud.now()).await?;
    let grant = grant.ok_or_else(|| {
        Failure::new(Kind::Unauthenticated, "the session has ended; sign in again")
    })?;
    let projects = projects(cloud, token, said, &grant).await?;
    Ok(session(cloud, said, &grant, projects))
}

/// The projects that one may go on in, by name.
async fn projects(
    cloud: &Cloud,
    token: &str,
    said: &Statement,
    grant: &Grant,
) -> Answer<Vec<Named>> {
    let named = |id: String, name: String| Named { id, name };
    if let Some(keystone) = cloud.sign_in.keystone() {
        // A page works on in its project while the list cannot be had.
        let here = vec![(said.project.clone(), grant.project_name.clone())];
        let mut all = keystone.projects(token).await.unwrap_or(here);
        all.sort_by(|one, other| one.1.cmp(&other.1));
        return Ok(all.into_iter().map(|(id, name)| named(id.into(), name)).collect());
    }
    let mut rows = identity::projects_of(&cloud.store, &said.user).await?;
    // A credential opens one project.
    rows.retain(|row| row.enabled && (said.credential.is_none() || row.id == said.project));
    Ok(rows.into_iter().map(|row| named(row.id.into(), row.name)).collect())
}

fn session(cloud: &Cloud, said: &Statement, grant: &Grant, projects: Vec<Named>) -> Session {
    let named = |id: &str, name: &str| Named { id: id.to_owned(), name: name.to_owned() };
    Session {
        user: named(said.user.as_str(), &grant.user_name),
        project: named(said.project.as_str(), &grant.project_name),
        projects,
        roles: grant.principal.roles.clone(),
        expires_at: said.expires_at,
        csrf: cloud.tokens.csrf(said),
    }
}
