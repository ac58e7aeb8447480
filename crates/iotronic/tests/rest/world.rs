//! A cloud, people with roles in projects, and requests in their names.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base::clock::{Clock as _, ManualClock, SystemClock};
use iotronic::cloud::Cloud;
use iotronic::identity::tokens::{Method as How, Statement};
use iotronic::serve::{self, Serving};
use iotronic::settings::Settings;
use model::access::Role;
use model::claim::Claim;
use model::{BoardId, ClaimId, ProjectId, UserId};
use serde_json::Value;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::claims::NewClaim;
use store::identity::{ProjectRow, UserRow};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// Longest wait for anything in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) password: String,
    pub(crate) dir: TempDir,
    /// The project of everything that [`World::claim`] makes.
    pub(crate) project: ProjectId,
    owner: UserId,
    router: Router,
    serving: Serving,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Somebody {
    pub(crate) token: String,
    pub(crate) user: UserId,
    pub(crate) project: ProjectId,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of the status that is expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(change, store::Options::default()).await
    }

    /// A world whose time stands, from now, until it is told to move.
    pub(crate) async fn standing_still() -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(SystemClock.unix_micros()));
        let options = store::Options { clock: clock.clone(), ..store::Options::default() };
        (Self::on(|_| {}, options).await, clock)
    }

    pub(crate) async fn on(change: impl FnOnce(&mut Settings), options: store::Options) -> Self {
        let mut settings = Settings::default();
        settings.api.listen.set_port(0);
        settings.limits.grace_s = 2;
        change(&mut settings);
        let dir = tempfile::tempdir().unwrap();
        let serving = serve::start(dir.path(), settings, options).await.unwrap();
        let world = Self {
            address: serving.address,
            // None with a Keystone elsewhere.
            password: serving
                .password
                .as_ref()
                .map_or_else(String::new, |password| password.expose().to_owned()),
            dir,
            project: ProjectId::new(),
            owner: UserId::new(),
            router: iotronic::http::router(serving.cloud.clone()),
            serving,
        };
        let project = world.project.clone();
        world.make_project(&project).await;
        world
    }

    pub(crate) async fn finish(self) {
        self.serving.finish().await;
    }

    pub(crate) fn cloud(&self) -> &Cloud {
        &self.serving.cloud
    }

    pub(crate) async fn make_project(&self, id: &ProjectId) {
        let row = ProjectRow::new(id.clone(), format!("project-{id}"));
        let job = self.cloud().store.write(move |tx| {
            Box::pin(async move { store::identity::create_project(tx, &row).await })
        });
        job.await.unwrap();
    }

    /// A new user with one role in a project, signed in.
    pub(crate) async fn somebody(&self, project: &ProjectId, role: Role) -> Somebody {
        let user = UserId::new();
        let row = UserRow::new(user.clone(), format!("user-{user}"), "none");
        let (id, place) = (user.clone(), project.clone());
        let job = self.cloud().store.write(move |tx| {
            Box::pin(async move {
                store::identity::create_user(tx, &row).await?;
                store::identity::assign(tx, &id, &place, role).await
            })
        });
        job.await.unwrap();
        let now = self.cloud().now();
        let said = Statement {
            user: user.clone(),
            project: project.clone(),
            credential: None,
            method: How::Password,
            issued_at: now,
            expires_at: now.after(Duration::from_secs(600)),
            audit: [0; 16],
        };
        Somebody { token: self.cloud().tokens.make(&said), user, project: project.clone() }
    }

    /// An administrator of the world's own project.
    pub(crate) async fn owner(&self) -> Somebody {
        self.somebody(&self.project, Role::AdminIotProject).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.send_raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body, text }
    }

    /// The answer as it is, for what is no text.
    pub(crate) async fn send_raw(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn ask(
        &self,
        who: &Somebody,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(request(Some(&who.token), method, path, body, headers)).await
    }

    pub(crate) async fn get(&self, who: &Somebody, path: &str) -> Answer {
        self.ask(who, Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, who: &Somebody, path: &str, body: Value) -> Answer {
        self.ask(who, Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, who: &Somebody, path: &str, body: Value) -> Answer {
        self.ask(who, Method::PUT, path, Some(body), &[]).await
    }

    pub(crate) async fn patch(&self, who: &Somebody, path: &str, body: Value) -> Answer {
        self.ask(who, Method::PATCH, path, Some(body), &[]).await
    }

    pub(crate) async fn delete(&self, who: &Somebody, path: &str) -> Answer {
        self.ask(who, Method::DELETE, path, None, &[]).await
    }

    /// The secret of a new claim in the world's project.
    pub(crate) async fn claim(&self, name: &str, uses: u32) -> String {
        self.claim_of(&self.project, name, uses).await
    }

    async fn claim_of(&self, project: &ProjectId, name: &str, uses: u32) -> String {
        let secret = base::secret::random_text::<32>();
        let claim = NewClaim {
            id: ClaimId::new(),
            name: name.parse().unwrap(),
            project: project.clone(),
            owner: self.owner.clone(),
            secret_hash: Claim::hash(&secret),
            uses,
            expires_at: self.cloud().now().after(Duration::from_secs(600)),
            labels: Default::default(),
            fleet: None,
            replaces: None,
            contribution: None,
        };
        let job = self
            .cloud()
            .store
            .write(|tx| Box::pin(async move { store::claims::create(tx, claim).await }));
        job.await.unwrap();
        secret
    }

    /// An enrolled board of the world's project that is away.
    pub(crate) async fn board(&self, name: &str) -> BoardId {
        self.board_of(&self.project, name).await
    }

    /// The same of another project.
    pub(crate) async fn board_of(&self, project: &ProjectId, name: &str) -> BoardId {
        let hash = Claim::hash(&self.claim_of(project, name, 1).await);
        let key = base::key::KeyPair::generate().public();
        let job = self.cloud().store.write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                store::claims::redeem(tx, &hash, &key, now, None).await
            })
        });
        job.await.unwrap().board.id
    }
}

pub(crate) fn request(
    token: Option<&str>,
    method: Method,
    path: &str,
    body: Option<Value>,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("x-auth-token", token);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match body {
        Some(body) => {
            let request = request.header("content-type", "application/json");
            request.body(Body::from(body.to_string())).unwrap()
        }
        None => request.body(Body::empty()).unwrap(),
    }
}

/// Waits until `check` gives a value; the last reason is told when it never does.
pub(crate) async fn eventually<T, E, F>(what: &str, mut check: impl FnMut() -> F) -> T
where
    E: std::fmt::Debug,
    F: Future<Output = Result<T, E>>,
{
    let start = Instant::now();
    loop {
        match check().await {
            Ok(value) => return value,
            Err(reason) if start.elapsed() > PATIENCE => panic!("never: {what}; now: {reason:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
