//! A runtime in a scratch directory, and ways to look at what guests left behind.
//!
//! Nothing here sleeps for a fixed time: conditions are waited for with a deadline.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "test support")]

use runtime::{
    Cancel, Confinement, Failure, Guest, Language, Limits, Order, Runtime, Settings, Status,
};
use serde_json::Value;
use std::time::Duration;
use tempfile::TempDir;

/// A condition that is not true by then fails the test; generous, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The same program in each language.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) python: &'static str,
    pub(crate) node: &'static str,
}

pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) language: Language,
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) fn new(language: Language) -> Self {
        Self::with(language, |_| {})
    }

    pub(crate) fn with(language: Language, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path(), env!("CARGO_BIN_EXE_guest-host"));
        settings.restarts.first_delay = Duration::from_millis(20);
        settings.restarts.max = 2;
        change(&mut settings);
        let runtime = Runtime::new(settings).unwrap();
        Self { runtime, language, dir }
    }

    pub(crate) async fn install(&self, id: &str, source: Source) {
        let source = match self.language {
            Language::Python => source.python,
            Language::Node => source.node,
        };
        let guest = Guest {
            id: id.to_owned(),
            name: "lamp".to_owned(),
            language: self.language,
            source: source.to_owned(),
        };
        self.runtime.install(guest).await.unwrap();
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::for_call(self.language)
    }

    /// Installs and calls once.
    pub(crate) async fn call(&self, source: Source, params: Value) -> Result<Value, Failure> {
        self.call_within(source, params, self.limits()).await
    }

    pub(crate) async fn call_within(
        &self,
        source: Source,
        params: Value,
        limits: Limits,
    ) -> Result<Value, Failure> {
        self.install("one", source).await;
        let order = Order { params, context: Value::Null, limits: Some(limits) };
        self.runtime.call("one", order, &Cancel::new()).await
    }

    pub(crate) async fn started(&self, id: &str) -> i32 {
        match self.runtime.start(id, Order::default()).await.unwrap() {
            Status::Running { pid, .. } => pid,
            other => panic!("not running: {other:?}"),
        }
    }

    pub(crate) async fn status_where(
        &self,
        id: &str,
        wanted: impl FnMut(&Status) -> bool,
    ) -> Status {
        let mut status = self.runtime.watch_status(id).unwrap();
        let waited = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await;
        match waited {
            Ok(Ok(status)) => status.clone(),
            // The owner task is gone: what it said last stands.
            Ok(Err(_)) => panic!("ended as {:?}", self.runtime.status(id)),
            Err(_) => panic!("still {:?}", self.runtime.status(id)),
        }
    }

    /// Waits until a log line contains `text` and returns it.
    pub(crate) async fn line_with(&self, id: &str, text: &str) -> String {
        let mut news = self.runtime.follow(id).await.unwrap();
        let mut after = 0;
        let found = async {
            loop {
                let lines = self.runtime.logs(id, after, 10).await.unwrap();
                after = lines.next;
                if let Some(line) = lines.lines.iter().find(|line| line.text.contains(text)) {
                    return line.text.clone();
                }
                if lines.lines.is_empty() {
                    news.changed().await.unwrap();
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, found).await;
        match waited {
            Ok(line) => line,
            Err(_) => panic!("no line with {text}: {:?}", self.texts(id).await),
        }
    }

    pub(crate) async fn texts(&self, id: &str) -> Vec<String> {
        let lines = self.runtime.logs(id, 0, usize::MAX).await.unwrap().lines;
        lines.into_iter().map(|line| line.text).collect()
    }
}

pub(crate) fn small_confinement(settings: &mut Settings) {
    settings.confinement = Confinement::Sampling;
}

/// Polls until `condition` gives a value.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process exists and is no zombie.
pub(crate) fn alive(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Waits until the process is gone.
pub(crate) async fn gone(pid: i64) {
    eventually(&format!("process {pid} is gone"), || (!alive(pid)).then_some(())).await;
}
