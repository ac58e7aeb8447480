//! What somebody near the board may do with a right in hand, the cloud away or not: see the plugins, read what they printed, call
//! one.
//!
//! Invariants: nothing is done or told before the right was found to hold for this board, this moment and this epoch; a board
//! that does not know what time it is honours none. Deliberately not here: HTTP (`local`), signatures (`rpc::right`).

use super::answer::Answer;
use crate::clock::BoardClock;
use crate::epoch::Epoch;
use crate::handlers::plugins::Plugins;
use crate::http1::Request;
use crate::pinned::Pinned;
use model::{BoardId, Kind, PluginId};
use rpc::Fault;
use rpc::call::PluginLogs;
use rpc::plugin::Run;
use rpc::right::{Act, Allowed, Refusal, Right};
use runtime::Cancel;
use serde_json::{Value, json};
use std::sync::Arc;

/// First part of the paths.
const PLUGINS: &str = "/plugins";
/// What comes before a right in the header `authorization`.
const SCHEME: &str = "bearer ";

/// The board behind the page, once it is one.
#[derive(Clone)]
pub(crate) struct Rights {
    pub(crate) board: BoardId,
    pub(crate) cloud: Pinned,
    pub(crate) clock: Arc<BoardClock>,
    pub(crate) epoch: Epoch,
    pub(crate) plugins: Plugins,
}

/// What is asked for.
struct Asked {
    act: Act,
    plugin: Option<PluginId>,
}

/// Whether the path is one that needs a right.
pub(super) fn is_for(path: &str) -> bool {
    path == PLUGINS || path.strip_prefix(PLUGINS).is_some_and(|rest| rest.starts_with('/'))
}

impl Rights {
    /// Answers a request for a path that needs a right.
    pub(super) async fn answer(&self, request: &Request, path: &str) -> Answer {
        match self.done(request, path).await {
            Ok(value) => Answer::json(200, &value),
            Err(fault) => Answer::json(
                status(fault.kind),
                &json!({ "kind": fault.kind, "detail": fault.message }),
            ),
        }
    }

    async fn done(&self, request: &Request, path: &str) -> Result<Value, Fault> {
        let asked = self.asked(&request.method, path)?;
        let allowed = self.allowed(request).await?;
        allowed.may(asked.act, asked.plugin).map_err(refused)?;
        tracing::info!(
            holder = allowed.holder, hops = allowed.hops, act = %asked.act, plugin = ?asked.plugin,
            "done by a right"
        );
        match (asked.act, asked.plugin) {
            (Act::Status, Some(plugin)) => self.plugins.status(plugin),
            (Act::Status, None) => Ok(self.plugins.overview()),
            (Act::Logs, Some(plugin)) => self.logs(request, plugin).await,
            (Act::Call, Some(plugin)) => self.call(request, plugin).await,
            (Act::Logs | Act::Call, None) => Err(no_such_page()),
        }
    }

    /// `/plugins`, `/plugins/{id or name}`, `…/logs`, `…/call`.
    fn asked(&self, method: &str, path: &str) -> Result<Asked, Fault> {
        let rest = path.strip_prefix(PLUGINS).unwrap_or_default();
        let mut parts = rest.split('/').skip(1);
        let (plugin, verb, more) = (parts.next(), parts.next(), parts.next());
        let act = match (method, verb) {
            ("GET", None) => Act::Status,
            ("GET", Some("logs")) => Act::Logs,
            ("POST", Some("call")) => Act::Call,
            _ => return Err(no_such_page()),
        };
        if more.is_some() {
            return Err(no_such_page());
        }
        // Nobody learns which plugins there are before the right is looked at: an unknown name is asked for as it is.
        let plugin = plugin.map(|word| self.plugins.id_of(word).or_else(|| word.parse().ok()));
        match plugin {
            Some(None) => Ok(Asked { act, plugin: Some(uuid::Uuid::nil().into()) }),
            Some(found) => Ok(Asked { act, plugin: found }),
            None => Ok(Asked { act, plugin: None }),
        }
    }

    async fn allowed(&self, request: &Request) -> Result<Allowed, Fault> {
        let text = bearer(request)?;
        let right: Right = text.parse().map_err(refused)?;
        let now = self.clock.trusted().ok_or_else(|| {
            let text = "the board does not know what time it is until its cloud has told it, and honours no right before";
            Fault::new(Kind::Unauthenticated, text)
        })?;
        let root = self.cloud.key();
        let allowed = right.verify(&root, self.board, self.epoch.now(), now).map_err(refused)?;
        // A younger epoch is news that did not come by the cloud; and time is not taken back from here on.
        let (epoch, clock, seen) = (self.epoch.clone(), Arc::clone(&self.clock), allowed.epoch);
        let kept = tokio::task::spawn_blocking(move || {
            clock.keep(now);
            epoch.raise(seen)
        });
        match kept.await {
            Ok(Ok(())) => Ok(allowed),
            _ => Err(Fault::new(Kind::Internal, "the board cannot write down what it relies on")),
        }
    }

    async fn logs(&self, request: &Request, plugin: PluginId) -> Result<Value, Fault> {
        let number = |name: &str| {
            let query = request.target.split_once('?').map_or("", |(_, query)| query);
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let mut read = rpc::logs::Read::default();
        if let Some(after) = number("after") {
            read.after = after;
        }
        if let Some(limit) = number("limit") {
            read.limit = u32::try_from(limit).unwrap_or(u32::MAX);
        }
        // The page's connections are few: nobody waits on one for what may come.
        read.wait_ms = 0;
        self.plugins.logs(PluginLogs { plugin, read }).await
    }

    async fn call(&self, request: &Request, plugin: PluginId) -> Result<Value, Fault> {
        let body = &request.message.body;
        let parameters = if body.is_empty() {
            Value::Null
        } else {
            let wrong = |_| Fault::new(Kind::Invalid, "the body is not JSON: {\"parameters\": …}");
            let mut body: Value = serde_json::from_slice(body).map_err(wrong)?;
            body.get_mut("parameters").map(Value::take).unwrap_or_default()
        };
        let result = self.plugins.call(Run { plugin, parameters }, Cancel::new()).await?;
        Ok(json!({ "result": result }))
    }
}

/// The right that a request carries.
fn bearer(request: &Request) -> Result<&str, Fault> {
    let missing = || {
        let text =
            "this needs a right: send Authorization: Bearer with what `s4t right issue` printed";
        Fault::new(Kind::Unauthenticated, text)
    };
    let field = request.message.field("authorization").ok_or_else(missing)?;
    let (scheme, right) = field.split_at_checked(SCHEME.len()).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case(SCHEME) { Ok(right.trim()) } else { Err(missing()) }
}

fn refused(refusal: Refusal) -> Fault {
    tracing::warn!(reason = %refusal, "refused a right");
    Fault::new(refusal.kind(), refusal.to_string())
}

fn no_such_page() -> Fault {
    Fault::new(Kind::NotFound, "there is no such page")
}

fn status(kind: Kind) -> u16 {
    match kind {
        Kind::Invalid => 400,
        Kind::Unauthenticated => 401,
        Kind::Forbidden => 403,
        Kind::NotFound => 404,
        Kind::Conflict => 409,
        Kind::Exhausted => 429,
        Kind::Timeout => 504,
        Kind::Unreachable | Kind::Internal => 500,
    }
}
