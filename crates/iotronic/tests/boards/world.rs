//! A cloud on loopback that a test can stop and start again, and what tests ask of it.

use base::clock::ManualClock;
use iotronic::serve::{self, Serving};
use iotronic::settings::Settings;
use model::access::{Principal, Role};
use model::board::Status;
use model::claim::Claim;
use model::operation::State;
use model::{BoardId, ClaimId, OperationId, ProjectId, UserId};
use rpc::{Call, Nature};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::claims::NewClaim;
use store::operations::{NewOperation, OperationRow};
use tempfile::TempDir;

/// Longest wait for anything in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) project: ProjectId,
    pub(crate) user: UserId,
    pub(crate) address: SocketAddr,
    settings: Settings,
    options: store::Options,
    serving: Option<Serving>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(change, store::Options::default()).await
    }

    /// A world whose time moves only when told to.
    pub(crate) async fn at(clock: Arc<ManualClock>) -> Self {
        Self::on(|_| {}, store::Options { clock, ..store::Options::default() }).await
    }

    pub(crate) async fn on(change: impl FnOnce(&mut Settings), options: store::Options) -> Self {
        let mut settings = Settings::default();
        settings.api.listen.set_port(free_port());
        settings.limits.grace_s = 2;
        change(&mut settings);
        let dir = tempfile::tempdir().unwrap();
        let mut world = Self {
            dir,
            project: ProjectId::new(),
            user: UserId::new(),
            address: settings.api.listen,
            settings,
            options,
            serving: None,
        };
        world.resume().await;
        world
    }

    /// Starts the cloud again, where it was.
    pub(crate) async fn resume(&mut self) {
        let started = serve::start(self.dir.path(), self.settings.clone(), self.options.clone());
        let serving = started.await.unwrap();
        self.address = serving.address;
        self.settings.api.listen = serving.address;
        self.serving = Some(serving);
    }

    /// Where upstream boards are let in.
    pub(crate) fn upstream(&self) -> serve::Addresses {
        self.serving.as_ref().unwrap().legacy.unwrap()
    }

    pub(crate) async fn stop(&mut self) {
        self.serving.take().unwrap().finish().await;
    }

    pub(crate) fn cloud(&self) -> &iotronic::cloud::Cloud {
        &self.serving.as_ref().unwrap().cloud
    }

    pub(crate) fn store(&self) -> &store::Store {
        &self.cloud().store
    }

    pub(crate) fn principal(&self) -> Principal {
        Principal {
            user: self.user.clone(),
            project: self.project.clone(),
            roles: vec![Role::AdminIotProject],
        }
    }

    /// The secret of a new claim.
    pub(crate) async fn claim(&self, name: &str, uses: u32) -> String {
        self.claim_of(name, uses, None, Duration::from_secs(3600)).await
    }

    pub(crate) async fn claim_of(
        &self,
        name: &str,
        uses: u32,
        replaces: Option<BoardId>,
        lasting: Duration,
    ) -> String {
        let secret = base::secret::random_text::<32>();
        let claim = NewClaim {
            id: ClaimId::new(),
            name: name.parse().unwrap(),
            project: self.project.clone(),
            owner: self.user.clone(),
            secret_hash: Claim::hash(&secret),
            uses,
            expires_at: self.cloud().now().after(lasting),
            labels: Default::default(),
            fleet: None,
            replaces,
            contribution: None,
        };
        let job = self
            .store()
            .write(|tx| Box::pin(async move { store::claims::create(tx, claim).await }));
        job.await.unwrap();
        secret
    }

    /// A board that has enrolled and is away.
    pub(crate) async fn claimed(&self, name: &str) -> BoardId {
        let secret = self.claim(name, 1).await;
        let key = base::key::KeyPair::generate();
        crate::machine::enrol(self.address, &key, &secret).await.unwrap().uuid
    }

    pub(crate) async fn board(&self, id: BoardId) -> store::boards::BoardRow {
        store::boards::by_id(self.store(), None, id).await.unwrap()
    }

    pub(crate) async fn until_status(&self, id: BoardId, status: Status) {
        eventually(&format!("board is {status}"), || async {
            let now = self.board(id).await.status;
            (now == status).then_some(()).ok_or(now)
        })
        .await;
    }

    pub(crate) async fn query(&self, id: BoardId, call: Call) -> Result<Value, rpc::Fault> {
        self.query_within(id, call, PATIENCE).await
    }

    pub(crate) async fn query_within(
        &self,
        id: BoardId,
        call: Call,
        timeout: Duration,
    ) -> Result<Value, rpc::Fault> {
        let board = self.board(id).await;
        self.cloud().boards.query(&board, &self.principal(), call, timeout).await
    }

    /// Stores a command and rings.
    pub(crate) async fn command(&self, board: BoardId, call: Call) -> OperationId {
        self.command_about(board, call, None, Duration::from_secs(3600)).await
    }

    pub(crate) async fn command_about(
        &self,
        board: BoardId,
        call: Call,
        subject: Option<&str>,
        within: Duration,
    ) -> OperationId {
        let new = NewOperation {
            id: OperationId::new(),
            project: self.project.clone(),
            board,
            method: call.method().word().to_owned(),
            arguments: Value::Array(call.arguments()),
            idempotent: call.method().nature() == Nature::Idempotent,
            created_by: Some(self.user.clone()),
            deadline: self.cloud().now().after(within),
            subject: subject.map(|subject| json!({ "plugin": subject })),
            start: store::operations::Start::Pending,
            main: None,
            delegation: None,
        };
        let id = new.id;
        let job = self
            .store()
            .write(|tx| Box::pin(async move { store::operations::submit(tx, new).await }));
        job.await.unwrap();
        self.cloud().boards.ring(board);
        id
    }

    pub(crate) async fn operation(&self, id: OperationId) -> OperationRow {
        store::operations::get(self.store(), None, id).await.unwrap()
    }

    pub(crate) async fn until_state(&self, id: OperationId, state: State) -> OperationRow {
        eventually(&format!("operation is {state}"), || async {
            let now = self.operation(id).await;
            if now.state == state { Ok(now) } else { Err((now.state, now.fault)) }
        })
        .await
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
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// A port below the ephemeral range, so that no client's connection takes it while a cloud is started again, and never the same
/// twice in this process.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = 10_000 + u16::from_le_bytes(base::secret::random()) % 10_000;
        let is_free = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}
