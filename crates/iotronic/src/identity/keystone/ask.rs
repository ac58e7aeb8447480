//! Questions to a Keystone over HTTP.
//!
//! Invariants: every question ends within [`DEADLINE`], reads at most [`MAX_ANSWER`] bytes, follows no redirection, and at most
//! [`AT_ONCE`] are under way with [`WAITING`] behind them: a slow or hostile Keystone costs those who wait for it and nobody else.

use api::client::Trust;
use base::secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::http::Response;

/// Longest question, connecting and reading included.
const DEADLINE: Duration = Duration::from_secs(5);
/// Largest answer that is read; catalogs of large clouds have some ten thousand bytes.
const MAX_ANSWER: u64 = 1024 * 1024;
/// Questions at the same time.
const AT_ONCE: usize = 16;
/// Questions that may wait for their turn; more are told that Keystone is away.
const WAITING: usize = 256;
/// Where tokens are made, looked at and ended.
const TOKENS: &str = "/auth/tokens";
/// Says that we hold tokens to their access rules; without it Keystone hides such tokens.
const ACCESS_RULES: (&str, &str) = ("openstack-identity-access-rules", "1.0");

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// Keystone was asked and says no.
    #[error("Keystone refuses")]
    No,
    /// It cannot be asked, or does not answer as a Keystone does.
    #[error("the identity service (Keystone) cannot be asked now: {0}; try again in a moment")]
    Away(String),
}

/// An answer: the token it is about, and what is said of it.
pub(super) struct Told {
    pub(super) token: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The way to a Keystone.
pub(super) struct Asker {
    agent: Agent,
    /// Ends in `/v3`.
    base: String,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Asker {
    /// For the Keystone at `base`, which ends in `/v3`.
    ///
    /// # Errors
    /// The authority cannot be used.
    pub(super) fn new(base: &str, trust: &Trust) -> Result<Self, api::client::Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("iotronic/", env!("CARGO_PKG_VERSION")))
            .tls_config(api::client::tls(base, trust)?)
            .build();
        Ok(Self {
            agent: config.into(),
            base: base.to_owned(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// What a token means. It is its own witness, which Keystone allows, so the cloud needs no account there.
    pub(super) async fn look(&self, token: Arc<Secret>) -> Result<Told, Silence> {
        let (agent, url) = (self.agent.clone(), format!("{}{TOKENS}", self.base));
        self.turn(move || {
            let request = agent.get(url).header("x-auth-token", token.expose());
            let request = request.header("x-subject-token", token.expose());
            request.header(ACCESS_RULES.0, ACCESS_RULES.1).call()
        })
        .await
    }

    /// Signs in by this body.
    pub(super) async fn sign_in(&self, body: String) -> Result<Told, Silence> {
        let (agent, url) = (self.agent.clone(), format!("{}{TOKENS}", self.base));
        self.turn(move || agent.post(url).header("content-type", "application/json").send(body))
            .await
    }

    /// Ends a token.
    pub(super) async fn end(&self, token: Arc<Secret>) -> Result<Told, Silence> {
        let (agent, url) = (self.agent.clone(), format!("{}{TOKENS}", self.base));
        self.turn(move || {
            let request = agent.delete(url).header("x-auth-token", token.expose());
            request.header("x-subject-token", token.expose()).call()
        })
        .await
    }

    /// The projects that a token's user may sign in to.
    pub(super) async fn projects(&self, token: Arc<Secret>) -> Result<Told, Silence> {
        let (agent, url) = (self.agent.clone(), format!("{}/auth/projects", self.base));
        self.turn(move || agent.get(url).header("x-auth-token", token.expose()).call()).await
    }

    async fn turn(
        &self,
        question: impl FnOnce() -> Result<Response<ureq::Body>, ureq::Error> + Send + 'static,
    ) -> Result<Told, Silence> {
        let busy = || Silence::Away("too many questions wait for it".to_owned());
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(DEADLINE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let work = tokio::task::spawn_blocking(move || {
            // Kept until the thread is free, even when nobody waits for the answer any more.
            let _turn = (place, turn);
            question().map_err(|error| Silence::Away(error.to_string())).and_then(read)
        });
        work.await.map_err(|_| Silence::Away("a defect; it is in the log".to_owned()))?
    }
}

fn read(mut answer: Response<ureq::Body>) -> Result<Told, Silence> {
    let status = answer.status().as_u16();
    if matches!(status, 400 | 401 | 403 | 404) {
        return Err(Silence::No);
    }
    if !(200..300).contains(&status) {
        return Err(Silence::Away(format!("it answered {status}")));
    }
    let token = answer.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
    let token = token.map(str::to_owned);
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    Ok(Told { token, body: body.map_err(|error| Silence::Away(error.to_string()))? })
}
