//! A fresh store in a scratch folder, with a clock that stands still, and short words to fill it.

use base::clock::{Clock, ManualClock};
use base::key::PublicKey;
use futures_util::future::BoxFuture;
use model::facts::Facts;
use model::label::Labels;
use model::operation::Event;
use model::plugin::{Language, Mode, Visibility};
use model::service::{Port, Protocol};
use model::{
    BoardId, ClaimId, FleetId, Name, OperationId, PluginId, ProjectId, ServiceId, Timestamp, UserId,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::boards::{BoardRow, NewBoard};
use store::claims::NewClaim;
use store::fleets::NewFleet;
use store::operations::NewOperation;
use store::plugins::NewPlugin;
use store::services::NewService;
use store::{Error, Options, Page, Store, Tx};
use tempfile::TempDir;

/// 2026-01-01T10:00:00Z.
const START: i64 = 1_767_261_600_000_000;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) project: ProjectId,
    pub(crate) user: UserId,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let options = Options { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Options::default() };
        let store = Store::open(dir.path(), options).await.unwrap();
        Self { store, clock, project: ProjectId::new(), user: UserId::new(), dir }
    }

    /// The same folder, after the store was closed and opened again.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        let options =
            Options { clock: Arc::clone(&self.clock) as Arc<dyn Clock>, ..Options::default() };
        let store = Store::open(self.dir.path(), options).await.unwrap();
        Self { store, ..self }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(crate) fn in_an_hour(&self) -> Timestamp {
        self.now().after(Duration::from_secs(3600))
    }

    pub(crate) async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        self.store.write(job).await
    }

    pub(crate) fn new_board(&self, name: &str) -> NewBoard {
        NewBoard {
            id: BoardId::new(),
            name: self::name(name),
            project: self.project.clone(),
            owner: self.user.clone(),
            fleet: None,
            public_key: None,
            labels: Labels::default(),
            position: None,
            facts: Facts::default(),
        }
    }

    pub(crate) async fn board(&self, name: &str) -> BoardRow {
        let new = self.new_board(name);
        self.create_board(new).await.unwrap()
    }

    pub(crate) async fn create_board(&self, new: NewBoard) -> Result<BoardRow, Error> {
        self.write(move |tx| Box::pin(async move { store::boards::create(tx, new).await })).await
    }

    pub(crate) async fn boards(&self) -> Vec<BoardRow> {
        let filter = store::boards::Filter::default();
        store::boards::list(&self.store, None, &filter, Page::default()).await.unwrap()
    }

    pub(crate) async fn enrolled_board(&self, name: &str) -> BoardRow {
        let new = NewBoard { public_key: Some(random_key()), ..self.new_board(name) };
        self.create_board(new).await.unwrap()
    }

    pub(crate) fn new_claim(&self, name: &str, secret: u8, uses: u32) -> NewClaim {
        NewClaim {
            id: ClaimId::new(),
            name: self::name(name),
            project: self.project.clone(),
            owner: self.user.clone(),
            secret_hash: [secret; 32],
            uses,
            expires_at: self.in_an_hour(),
            labels: labels(&[("kind", "lamp")]),
            fleet: None,
            replaces: None,
            contribution: None,
        }
    }

    pub(crate) fn new_plugin(&self, name: &str) -> NewPlugin {
        NewPlugin {
            extra: json!({}),
            id: PluginId::new(),
            name: self::name(name),
            project: self.project.clone(),
            owner: self.user.clone(),
            visibility: Visibility::Private,
            language: Language::Python,
            mode: Mode::Sync,
            source: "def run(): pass".into(),
            parameters: json!({}),
            limits: json!({ "memory": 64 }),
        }
    }

    pub(crate) fn new_service(&self, name: &str, port: u32) -> NewService {
        NewService {
            extra: json!({}),
            id: ServiceId::new(),
            name: self::name(name),
            project: self.project.clone(),
            port: Port::try_from(port).unwrap(),
            protocol: Protocol::Tcp,
        }
    }

    pub(crate) fn new_fleet(&self, name: &str) -> NewFleet {
        NewFleet {
            extra: json!({}),
            id: FleetId::new(),
            name: self::name(name),
            project: self.project.clone(),
            description: "lamps".into(),
            rule: None,
        }
    }

    pub(crate) fn new_operation(&self, board: BoardId) -> NewOperation {
        NewOperation {
            id: OperationId::new(),
            project: self.project.clone(),
            board,
            method: "DeviceReboot".into(),
            arguments: json!([1, "two"]),
            idempotent: false,
            created_by: Some(self.user.clone()),
            deadline: self.in_an_hour(),
            subject: None,
            start: store::operations::Start::Pending,
            main: None,
            delegation: None,
        }
    }

    pub(crate) async fn submit(&self, new: NewOperation) -> store::operations::OperationRow {
        let job =
            self.write(move |tx| Box::pin(async move { store::operations::submit(tx, new).await }));
        job.await.unwrap()
    }

    pub(crate) async fn advance(
        &self,
        id: OperationId,
        event: Event,
    ) -> Result<store::operations::OperationRow, Error> {
        let now = self.now();
        let job = self.write(move |tx| {
            Box::pin(async move { store::operations::advance(tx, id, &event, now).await })
        });
        job.await
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs: BTreeMap<String, String> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    pairs.try_into().unwrap()
}

pub(crate) fn random_key() -> PublicKey {
    PublicKey::from_bytes(base::secret::random())
}
