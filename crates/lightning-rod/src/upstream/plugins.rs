//! The plugin calls, on upstream's files: `plugins.json`, `plugins/<uuid>/<uuid>.py` and the last parameters beside it.
//!
//! Invariants: the source in upstream's place is the truth, what the runtime has installed is its copy; a plugin is in the
//! book only after its source is on the disk; a pickle is never evaluated. The guests themselves are the `runtime` crate's.

use super::book::{Book, pretty};
use super::reply::Reply;
use crate::home::Error;
use crate::plugins::MAX_PLUGINS;
use crate::sensors::Sensors;
use crate::settings;
use model::plugin::{MAX_SOURCE, MAX_VALUE};
use runtime::{Cancel, Failure, Guest, Language, Limits, Order, Runtime, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Time a plugin gets to end.
const GRACE: Duration = Duration::from_secs(3);
/// Longest delay of a stop.
const MAX_DELAY: Duration = Duration::from_secs(3600);

/// A row of `plugins.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    name: String,
    onboot: bool,
    callable: bool,
    #[serde(default)]
    injected_at: String,
    #[serde(default)]
    updated_at: String,
    /// `injected`, `updated` or `operative`.
    status: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// The plugins of this board. Clones share them.
#[derive(Clone)]
pub(super) struct Plugins {
    book: Book<Row>,
    dir: Arc<PathBuf>,
    runtime: Runtime,
    sensors: Arc<dyn Sensors>,
    board: Arc<Map<String, Value>>,
    defaults: settings::Runtime,
}

impl Plugins {
    pub(super) fn open(
        home: &Path,
        runtime: Runtime,
        sensors: Arc<dyn Sensors>,
        board: Map<String, Value>,
        defaults: settings::Runtime,
    ) -> Result<Self, Error> {
        let book = Book::open(home.join("plugins.json"), "plugins")?;
        let dir = Arc::new(home.join("plugins"));
        Ok(Self { book, dir, runtime, sensors, board: Arc::new(board), defaults })
    }

    /// Starts what upstream would: asynchronous, on boot, and started before.
    pub(super) async fn start_wanted(&self) {
        for (uuid, row) in self.book.all() {
            if row.callable || !row.onboot || row.status != "operative" {
                continue;
            }
            let parameters = self.last_parameters(uuid).await;
            match self.run(uuid, &row, parameters).await {
                Ok(()) => tracing::info!(plugin = %uuid, name = row.name, "plugin started"),
                Err(error) => {
                    tracing::error!(plugin = %uuid, name = row.name, error, "plugin does not start")
                }
            }
        }
    }

    pub(super) async fn inject(
        &self,
        plugin: &Value,
        on_boot: &Value,
        now: &str,
    ) -> Result<Reply, String> {
        let text = |name: &str| {
            let found = plugin.get(name).and_then(Value::as_str);
            found.ok_or_else(|| format!("Plugin injection error: the plugin's {name} is no text"))
        };
        let uuid = uuid(text("uuid")?)?;
        let (name, code) = (text("name")?.to_owned(), text("code")?);
        let source = rpc::pickle::parse(code.as_bytes())
            .map_err(|error| format!("Plugin injection error: {error}"))?;
        if source.len() > MAX_SOURCE {
            return Err(format!(
                "the source has {} bytes; at most {MAX_SOURCE} are allowed",
                source.len()
            ));
        }
        let callable = plugin.get("callable").is_some_and(is_true);
        let on_boot = is_true(on_boot);
        let language = match plugin.get("language").and_then(Value::as_str) {
            Some("node" | "nodejs" | "javascript") => Language::Node,
            _ => Language::Python,
        };
        let is_new = self.book.get(uuid).is_none();
        if is_new && self.book.all().len() >= MAX_PLUGINS {
            return Err(format!("the board has {MAX_PLUGINS} plugins already; remove one first"));
        }
        self.write_source(uuid, language, &source).await?;
        self.install(uuid, &name).await?;
        self.book
            .change(|rows| {
                let older = rows.remove(&uuid);
                let injected_at = older.as_ref().map_or(now, |row| &row.injected_at).to_owned();
                let row = Row {
                    name: name.clone(),
                    onboot: on_boot,
                    callable,
                    injected_at,
                    updated_at: older.as_ref().map_or("", |_| now).to_owned(),
                    status: if is_new { "injected" } else { "updated" }.to_owned(),
                    other: older.map(|row| row.other).unwrap_or_default(),
                };
                rows.insert(uuid, row);
            })
            .await
            .map_err(|error| error.to_string())?;
        tracing::info!(plugin = %uuid, name, "plugin injected");
        let word = if is_new { "INJECTED" } else { "UPDATED" };
        Ok(Reply::success(format!("PluginInject result: {word}")))
    }

    pub(super) async fn call(&self, plugin: &Value, parameters: Value) -> Result<Reply, String> {
        let (uuid, row) = self.known(plugin)?;
        if !row.callable {
            return Err(format!(
                "plugin {} is asynchronous; start it instead of calling it",
                row.name
            ));
        }
        self.save_parameters(uuid, &parameters).await?;
        self.install(uuid, &row.name).await?;
        let order = self.order(uuid, parameters, Limits::for_call);
        let result = self.runtime.call(&uuid.to_string(), order, &Cancel::default()).await;
        result.map(Reply::success).map_err(|failure| said(&failure))
    }

    pub(super) async fn start(&self, plugin: &Value, parameters: Value) -> Result<Reply, String> {
        let (uuid, row) = self.asynchronous(plugin)?;
        if self.is_alive(uuid) {
            return Err("ALREADY STARTED!".into());
        }
        self.save_parameters(uuid, &parameters).await?;
        self.run(uuid, &row, parameters).await?;
        self.set_status(uuid, "operative").await?;
        Ok(Reply::success("STARTED"))
    }

    pub(super) async fn stop(&self, plugin: &Value, parameters: &Value) -> Result<Reply, String> {
        let (uuid, _) = self.known(plugin)?;
        let delay = super::device::seconds(parameters, "delay")?.unwrap_or_default().min(MAX_DELAY);
        if !self.is_alive(uuid) {
            return Ok(Reply::warning(format!("PluginStop - WARNING {uuid}  is not running!")));
        }
        // Upstream waits before it asks the plugin to end.
        tokio::time::sleep(delay).await;
        match self.runtime.stop(&uuid.to_string(), GRACE).await {
            Ok(_) | Err(Failure::NotRunning { .. }) => Ok(Reply::success("STOPPED")),
            Err(failure) => Err(said(&failure)),
        }
    }

    pub(super) async fn reboot(&self, plugin: &Value, parameters: Value) -> Result<Reply, String> {
        let (uuid, row) = self.asynchronous(plugin)?;
        match self.runtime.stop(&uuid.to_string(), GRACE).await {
            Ok(_) | Err(Failure::NotRunning { .. } | Failure::NotInstalled { .. }) => {}
            Err(failure) => return Err(said(&failure)),
        }
        let parameters = match parameters {
            Value::Null => self.last_parameters(uuid).await,
            given => given,
        };
        self.run(uuid, &row, parameters).await?;
        Ok(Reply::success("REBOOTED"))
    }

    pub(super) fn status(&self, plugin: &Value) -> Result<Reply, String> {
        let uuid = uuid(plugin.as_str().unwrap_or_default())?;
        Ok(Reply::success(if self.is_alive(uuid) { "ALIVE" } else { "DEAD" }))
    }

    pub(super) async fn remove(&self, plugin: &Value) -> Result<Reply, String> {
        let uuid = uuid(plugin.as_str().unwrap_or_default())?;
        if self.book.get(uuid).is_none() && !self.dir.join(uuid.to_string()).exists() {
            return Err("Plugin paths or files do not exist!".into());
        }
        self.erase(uuid).await?;
        Ok(Reply::success(format!("PluginRemove result: {uuid} removed!")))
    }

    /// Takes every plugin away.
    pub(super) async fn clear(&self) -> Result<(), String> {
        for (uuid, _) in self.book.all() {
            self.erase(uuid).await?;
        }
        Ok(())
    }

    async fn erase(&self, uuid: Uuid) -> Result<(), String> {
        let id = uuid.to_string();
        match self.runtime.stop(&id, GRACE).await {
            Ok(_) | Err(Failure::NotRunning { .. } | Failure::NotInstalled { .. }) => {}
            Err(failure) => return Err(said(&failure)),
        }
        match self.runtime.remove(&id).await {
            Ok(()) | Err(Failure::NotInstalled { .. }) => {}
            Err(failure) => return Err(said(&failure)),
        }
        let dir = self.dir.join(&id);
        on_disk(move || match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await?;
        self.book.change(|rows| rows.remove(&uuid)).await.map_err(|error| error.to_string())?;
        tracing::info!(plugin = id, "plugin removed");
        Ok(())
    }

    async fn run(&self, uuid: Uuid, row: &Row, parameters: Value) -> Result<(), String> {
        self.install(uuid, &row.name).await?;
        let order = self.order(uuid, parameters, Limits::for_service);
        match self.runtime.start(&uuid.to_string(), order).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(said(&failure)),
        }
    }

    /// Brings the runtime's copy in line with the file in upstream's place.
    async fn install(&self, uuid: Uuid, name: &str) -> Result<(), String> {
        let (language, path) = self.source_file(uuid);
        let source = on_disk(move || {
            std::fs::read_to_string(&path)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
        })
        .await?;
        let id = uuid.to_string();
        let guest = Guest { id: id.clone(), name: name.to_owned(), language, source };
        if self.runtime.guest(&id).await.is_ok_and(|installed| installed == guest) {
            return Ok(());
        }
        self.runtime.install(guest).await.map_err(|failure| said(&failure))
    }

    /// Where the source is; Node.js only where such a file lies there.
    fn source_file(&self, uuid: Uuid) -> (Language, PathBuf) {
        let dir = self.dir.join(uuid.to_string());
        let node = dir.join(format!("{uuid}.js"));
        if node.exists() {
            return (Language::Node, node);
        }
        (Language::Python, dir.join(format!("{uuid}.py")))
    }

    async fn write_source(
        &self,
        uuid: Uuid,
        language: Language,
        source: &str,
    ) -> Result<(), String> {
        let dir = self.dir.join(uuid.to_string());
        let (name, other) = match language {
            Language::Python => (format!("{uuid}.py"), format!("{uuid}.js")),
            Language::Node => (format!("{uuid}.js"), format!("{uuid}.py")),
        };
        let source = source.to_owned();
        on_disk(move || {
            std::fs::create_dir_all(&dir)?;
            base::secret::write_private(&dir.join(name), source.as_bytes())?;
            match std::fs::remove_file(dir.join(other)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn save_parameters(&self, uuid: Uuid, parameters: &Value) -> Result<(), String> {
        if parameters.is_null() {
            return Ok(());
        }
        let (path, bytes) = (self.parameters_file(uuid), pretty(parameters));
        if bytes.len() > MAX_VALUE {
            return Err(format!(
                "the parameters have {} bytes; at most {MAX_VALUE} are allowed",
                bytes.len()
            ));
        }
        on_disk(move || base::secret::write_private(&path, &bytes)).await
    }

    async fn last_parameters(&self, uuid: Uuid) -> Value {
        let path = self.parameters_file(uuid);
        let read = on_disk(move || std::fs::read(path)).await;
        read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn parameters_file(&self, uuid: Uuid) -> PathBuf {
        self.dir.join(uuid.to_string()).join(format!("{uuid}.json"))
    }

    async fn set_status(&self, uuid: Uuid, status: &str) -> Result<(), String> {
        let change = self.book.change(|rows| {
            if let Some(row) = rows.get_mut(&uuid) {
                row.status = status.to_owned();
            }
        });
        change.await.map_err(|error| error.to_string())
    }

    fn is_alive(&self, uuid: Uuid) -> bool {
        let status = self.runtime.status(&uuid.to_string());
        status.is_ok_and(|status| !matches!(status, Status::Stopped | Status::Failed { .. }))
    }

    fn known(&self, plugin: &Value) -> Result<(Uuid, Row), String> {
        let uuid = uuid(plugin.as_str().unwrap_or_default())?;
        let row = self.book.get(uuid);
        row.map(|row| (uuid, row))
            .ok_or_else(|| format!("Plugin {uuid} does not exist in this board!"))
    }

    fn asynchronous(&self, plugin: &Value) -> Result<(Uuid, Row), String> {
        let (uuid, row) = self.known(plugin)?;
        if row.callable {
            return Err(format!("plugin {} is synchronous; call it instead", row.name));
        }
        Ok((uuid, row))
    }

    fn order(&self, uuid: Uuid, params: Value, base: fn(Language) -> Limits) -> Order {
        let mut limits = base(self.source_file(uuid).0);
        if limits.wall.is_some() {
            limits.wall =
                self.defaults.wall_s.map(|s| Duration::from_secs(s.into())).or(limits.wall);
            limits.cpu_seconds = self.defaults.cpu_s.map(u64::from).or(limits.cpu_seconds);
        }
        limits.memory_bytes = self.defaults.memory_bytes.unwrap_or(limits.memory_bytes);
        let most = MAX_VALUE as u64;
        limits.output_bytes = self.defaults.output_bytes.unwrap_or(limits.output_bytes).min(most);
        limits.processes = self.defaults.processes.unwrap_or(limits.processes);
        let mut context = (*self.board).clone();
        let sensors = serde_json::to_value(self.sensors.read()).unwrap_or_default();
        context.insert("sensors".into(), sensors);
        Order { params, context: Value::Object(context), limits: Some(limits) }
    }
}

fn uuid(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "the plugin's uuid is none".to_owned())
}

/// Upstream sends booleans, and its database sometimes numbers or texts.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(bool) => *bool,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        _ => false,
    }
}

fn said(failure: &Failure) -> String {
    crate::handlers::guests::fault(failure.clone()).message
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| error.to_string())
}
