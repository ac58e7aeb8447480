//! The plugin calls: inject, remove, call, start, stop, reboot, status, logs.
//!
//! Invariants: a plugin is in the table only after its source is on the disk; what was wanted of it is on the disk before
//! the answer leaves. The guests themselves are the `runtime` crate's.

use super::answer;
use super::guests::{fault, language, limits, share, stream, timestamp, to_wire};
use crate::plugins::{MAX_PLUGINS, Row, Run as WantedRun, Wanted, boot_id};
use crate::sensors::Sensors;
use crate::settings;
use crate::table::Table;
use model::plugin::{MAX_SOURCE, MAX_VALUE, Mode};
use model::{Kind, PluginId};
use rpc::Fault;
use rpc::call::PluginLogs;
use rpc::logs::{Line, Lines, MAX_LINES, MAX_WAIT_MS, Read};
use rpc::plugin::{Inject, Run, Stop};
use runtime::{Cancel, Failure, Guest, Limits, Order, Runtime};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Time a plugin gets to end when it is removed or restarted.
const GRACE: Duration = Duration::from_secs(3);
/// Longest time a plugin may ask for.
const MAX_GRACE: Duration = Duration::from_secs(60);

/// The plugins of this board. Clones share them.
#[derive(Clone)]
pub struct Plugins {
    runtime: Runtime,
    table: Table<PluginId, Row>,
    sensors: Arc<dyn Sensors>,
    /// What plugins are told about the board, without the values of its sensors.
    board: Arc<Map<String, Value>>,
    defaults: settings::Runtime,
}

impl Plugins {
    /// The plugins in `table`, run by `runtime`.
    #[must_use]
    pub fn new(
        runtime: Runtime,
        table: Table<PluginId, Row>,
        sensors: Arc<dyn Sensors>,
        board: Map<String, Value>,
        defaults: settings::Runtime,
    ) -> Self {
        Self { runtime, table, sensors, board: Arc::new(board), defaults }
    }

    /// Starts every plugin that should run, each on its own; failures are logged and shown by their status.
    pub async fn start_wanted(&self) {
        self.share();
        let boot = boot_id();
        let starts: Vec<_> = self
            .table
            .rows_by_key()
            .into_iter()
            .filter_map(|(plugin, row)| Some((plugin, row.start_with(&boot)?, row)))
            .map(|(plugin, parameters, row)| {
                let this = self.clone();
                tokio::spawn(async move {
                    let order = this.order(&row, parameters, Limits::for_service);
                    match this.runtime.start(&plugin.to_string(), order).await {
                        Ok(_) => tracing::info!(%plugin, name = %row.name, "plugin started"),
                        Err(error) => tracing::error!(%plugin, name = %row.name, %error, "plugin does not start"),
                    }
                })
            })
            .collect();
        for start in starts {
            let _ = start.await;
        }
    }

    pub(super) async fn inject(&self, inject: Inject) -> Result<Value, Fault> {
        let Inject { plugin, on_boot } = inject;
        check_size("source", plugin.code.len(), MAX_SOURCE)?;
        check_size("parameters", plugin.parameters.to_string().len(), MAX_VALUE)?;
        let id = plugin.uuid;
        let older = self.table.get(&id);
        if let Some(older) =
            older.as_ref().filter(|row| row.revision > plugin.revision && plugin.revision > 0)
        {
            let text = format!(
                "the board has revision {} of plugin {} already, newer than {}; inject the newest",
                older.revision, plugin.name, plugin.revision
            );
            return Err(Fault::new(Kind::Conflict, text));
        }
        if older.is_none() && self.table.len() >= MAX_PLUGINS {
            let text = format!("the board has {MAX_PLUGINS} plugins already; remove one first");
            return Err(Fault::new(Kind::Exhausted, text));
        }
        let row = Row::new(&plugin, on_boot, older.as_ref());
        let has_it = older
            .as_ref()
            .is_some_and(|row| row.revision == plugin.revision && plugin.revision > 0)
            && self.runtime.is_installed(&id.to_string());
        if !has_it {
            let guest = Guest {
                id: id.to_string(),
                name: plugin.name.to_string(),
                language: language(plugin.language),
                source: plugin.code,
            };
            self.runtime.install(guest).await.map_err(fault)?;
        }
        let has_other_limits = older.is_some_and(|older| older.limits != row.limits);
        self.table.change(|rows| rows.insert(id, row.clone())).await?;
        self.share();
        if has_other_limits {
            self.run_within_new_limits(id, &row).await?;
        }
        tracing::info!(plugin = %id, name = %plugin.name, revision = plugin.revision, "plugin injected");
        Ok(Value::String(format!("plugin {} injected", plugin.name)))
    }

    /// What runs goes on within its new limits, from its beginning: a process keeps those that it started with. A call that
    /// is under way ends within the old ones.
    async fn run_within_new_limits(&self, plugin: PluginId, row: &Row) -> Result<(), Fault> {
        let id = plugin.to_string();
        match self.runtime.stop(&id, GRACE).await {
            Ok(_) => {}
            Err(Failure::NotRunning { .. }) => return Ok(()),
            Err(failure) => return Err(fault(failure)),
        }
        // Memory that it held may have kept the new share away.
        self.share();
        let last = row.wanted.as_ref().map(|wanted| wanted.parameters.clone());
        let parameters = last.unwrap_or_else(|| row.parameters.clone());
        let order = self.order(row, parameters, Limits::for_service);
        self.runtime.start(&id, order).await.map_err(fault)?;
        tracing::info!(%plugin, name = %row.name, "plugin started again within new limits");
        Ok(())
    }

    /// Bounds what borrowers' plugins use together. What cannot be bounded is told and goes on: the board's record says
    /// which layers it has.
    fn share(&self) {
        let rows = self.table.rows_by_key();
        if let Err(error) = self.runtime.share(share(rows.iter().map(|(_, row)| row))) {
            tracing::warn!(%error, "what others may use together is not bounded");
        }
    }

    pub(super) async fn remove(&self, plugin: PluginId) -> Result<Value, Fault> {
        let id = plugin.to_string();
        match self.runtime.stop(&id, GRACE).await {
            Ok(_) | Err(Failure::NotRunning { .. } | Failure::NotInstalled { .. }) => {}
            Err(failure) => return Err(fault(failure)),
        }
        match self.runtime.remove(&id).await {
            Ok(()) | Err(Failure::NotInstalled { .. }) => {}
            Err(failure) => return Err(fault(failure)),
        }
        self.table.change(|rows| rows.remove(&plugin)).await?;
        self.share();
        tracing::info!(%plugin, "plugin removed");
        Ok(Value::String("plugin removed".into()))
    }

    /// Removes all of them.
    pub(super) async fn clear(&self) -> Result<(), Fault> {
        for (plugin, _) in self.table.rows_by_key() {
            self.remove(plugin).await?;
        }
        Ok(())
    }

    pub(crate) async fn call(&self, run: Run, cancel: Cancel) -> Result<Value, Fault> {
        let row = self.row(run.plugin)?;
        if row.mode != Mode::Sync {
            let text =
                format!("plugin {} is asynchronous; start it instead of calling it", row.name);
            return Err(Fault::new(Kind::Conflict, text));
        }
        let parameters = parameters(run.parameters, &row)?;
        let order = self.order(&row, parameters, Limits::for_call);
        self.runtime.call(&run.plugin.to_string(), order, &cancel).await.map_err(fault)
    }

    pub(super) async fn start(&self, run: Run) -> Result<Value, Fault> {
        let row = self.asynchronous(run.plugin)?;
        let parameters = parameters(run.parameters, &row)?;
        let order = self.order(&row, parameters.clone(), Limits::for_service);
        self.runtime.start(&run.plugin.to_string(), order).await.map_err(fault)?;
        self.want(run.plugin, WantedRun::Started, Some(parameters)).await?;
        tracing::info!(plugin = %run.plugin, name = %row.name, "plugin started");
        Ok(Value::String(format!("plugin {} started", row.name)))
    }

    pub(super) async fn stop(&self, stop: Stop) -> Result<Value, Fault> {
        let row = self.asynchronous(stop.plugin)?;
        let grace = Duration::from_secs(stop.delay.into()).min(MAX_GRACE);
        // Wanted first: an agent that dies in between must not start it again.
        self.want(stop.plugin, WantedRun::Stopped, None).await?;
        match self.runtime.stop(&stop.plugin.to_string(), grace.max(GRACE)).await {
            Ok(_) => Ok(Value::String(format!("plugin {} stopped", row.name))),
            Err(Failure::NotRunning { .. }) => {
                Ok(Value::String(format!("plugin {} was not running", row.name)))
            }
            Err(failure) => Err(fault(failure)),
        }
    }

    pub(super) async fn reboot(&self, run: Run) -> Result<Value, Fault> {
        self.asynchronous(run.plugin)?;
        match self.runtime.stop(&run.plugin.to_string(), GRACE).await {
            Ok(_) | Err(Failure::NotRunning { .. }) => self.start(run).await,
            Err(failure) => Err(fault(failure)),
        }
    }

    /// All plugins by id, name and mode, and what each does.
    pub(crate) fn overview(&self) -> Value {
        let rows = self.table.rows_by_key().into_iter();
        let shown = rows.map(|(id, row)| {
            let state = self.runtime.status(&id.to_string()).map(|status| to_wire(id, &status));
            json!({ "plugin": id, "name": row.name, "mode": row.mode, "status": state.ok() })
        });
        Value::Array(shown.collect())
    }

    /// The plugin of this id or name.
    pub(crate) fn id_of(&self, word: &str) -> Option<PluginId> {
        let rows = self.table.rows_by_key().into_iter();
        let mut found =
            rows.filter(|(id, row)| row.name.as_str() == word || id.to_string() == word);
        found.next().map(|(id, _)| id)
    }

    pub(crate) fn status(&self, plugin: PluginId) -> Result<Value, Fault> {
        self.row(plugin)?;
        let status = self.runtime.status(&plugin.to_string()).map_err(fault)?;
        answer(to_wire(plugin, &status))
    }

    pub(crate) async fn logs(&self, logs: PluginLogs) -> Result<Value, Fault> {
        self.row(logs.plugin)?;
        let (id, read) = (logs.plugin.to_string(), logs.read);
        let mut last = self.runtime.follow(&id).await.map_err(fault)?;
        let wait = Duration::from_millis(read.wait_ms.min(MAX_WAIT_MS).into());
        let newer = last.wait_for(|last| *last > read.after);
        let _ = tokio::time::timeout(wait, newer).await;
        answer(self.read_log(&id, read).await.map_err(fault)?)
    }

    async fn read_log(&self, id: &str, read: Read) -> Result<Lines, Failure> {
        let limit = read.limit.min(MAX_LINES) as usize;
        let found = if read.after == 0 {
            let all = self.runtime.logs(id, 0, usize::MAX).await?;
            let skip = all.lines.len().saturating_sub(limit);
            runtime::Lines { lines: all.lines.into_iter().skip(skip).collect(), ..all }
        } else {
            self.runtime.logs(id, read.after, limit).await?
        };
        let lines = found.lines.into_iter().map(|line| Line {
            seq: line.seq,
            time: timestamp(line.time),
            stream: stream(line.stream).to_owned(),
            text: line.text,
        });
        Ok(Lines { lines: lines.collect(), next: found.next, dropped: found.dropped })
    }

    async fn want(
        &self,
        plugin: PluginId,
        state: WantedRun,
        parameters: Option<Value>,
    ) -> Result<(), Fault> {
        let boot = boot_id();
        self.table
            .change(|rows| {
                let Some(row) = rows.get_mut(&plugin) else { return };
                let last = row.wanted.take().map(|wanted| wanted.parameters);
                let parameters = parameters.or(last).unwrap_or_else(|| row.parameters.clone());
                row.wanted = Some(Wanted { state, parameters, boot });
            })
            .await?;
        Ok(())
    }

    fn row(&self, plugin: PluginId) -> Result<Row, Fault> {
        self.table.get(&plugin).ok_or_else(|| {
            let text = format!("plugin {plugin} is not on this board; inject it first");
            Fault::new(Kind::NotFound, text)
        })
    }

    fn asynchronous(&self, plugin: PluginId) -> Result<Row, Fault> {
        let row = self.row(plugin)?;
        if row.mode == Mode::Async {
            return Ok(row);
        }
        let text = format!("plugin {} is synchronous; call it instead", row.name);
        Err(Fault::new(Kind::Conflict, text))
    }

    fn order(&self, row: &Row, params: Value, base: fn(runtime::Language) -> Limits) -> Order {
        let limits = limits(base(language(row.language)), row, &self.defaults);
        Order { params, context: self.context(), limits: Some(limits) }
    }

    fn context(&self) -> Value {
        let mut context = (*self.board).clone();
        context.insert("sensors".into(), answer(self.sensors.read()).unwrap_or_default());
        Value::Object(context)
    }
}

fn check_size(what: &str, size: usize, limit: usize) -> Result<(), Fault> {
    if size <= limit {
        return Ok(());
    }
    let text = format!("the {what} has {size} bytes; at most {limit} are allowed");
    Err(Fault::new(Kind::Invalid, text))
}

fn parameters(given: Value, row: &Row) -> Result<Value, Fault> {
    if given.is_null() {
        return Ok(row.parameters.clone());
    }
    check_size("parameters", given.to_string().len(), MAX_VALUE)?;
    Ok(given)
}
