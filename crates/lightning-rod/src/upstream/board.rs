//! From a call of upstream's cloud to its answer: which method, with what, now or later.
//!
//! Invariants: whatever arrives is answered; a result that was promised for later is told on whatever session stands then, or
//! given up after a day with a log entry; a defect in a handler ends its own call.

use super::cloud;
use super::device::{Device, moment};
use super::method::{Method, Pace};
use super::plugins::Plugins;
use super::reply::Reply;
use super::request;
use super::services::Services;
use super::settings_file::SettingsFile;
use crate::clock::BoardClock;
use base::tasks::Tasks;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use wamp::Session;

/// Results that may wait to be told; more are refused when they are asked for.
const MAX_LATER: usize = 64;
/// How long a result waits for the cloud.
const TELL_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Between two tries on one session.
const TELL_AGAIN: Duration = Duration::from_secs(5);

/// An upstream board, as its cloud sees it. Clones share it.
#[derive(Clone)]
pub(super) struct UpstreamBoard {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) uuid: String,
    pub(super) agent: String,
    pub(super) device: Device,
    pub(super) plugins: Plugins,
    pub(super) services: Services,
    pub(super) file: SettingsFile,
    pub(super) clock: Arc<BoardClock>,
    pub(super) tasks: Tasks,
    /// The session that stands now.
    pub(super) line: watch::Sender<Option<Session>>,
    pub(super) later: Arc<Semaphore>,
}

impl Shared {
    /// Places for results that come later.
    pub(super) fn places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(MAX_LATER))
    }
}

/// Work that is done while nobody waits.
type Work = std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>;

impl UpstreamBoard {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// The session on which results are told from now on.
    pub(super) fn set_line(&self, session: Option<Session>) {
        self.shared.line.send_replace(session);
    }

    pub(super) fn services(&self) -> &Services {
        &self.shared.services
    }

    pub(super) fn plugins(&self) -> &Plugins {
        &self.shared.plugins
    }

    /// Answers a call with a WampMessage.
    pub(super) async fn answer(&self, method: Method, arguments: &[Value]) -> String {
        let (request, arguments) = request::split(arguments);
        tracing::info!(method = method.word(), request = request.id, "call");
        let reply = match method.pace() {
            Pace::Later => self.later(method, arguments, request.id.clone()),
            Pace::LaterInGroups if request.main.is_some() => {
                let (board, arguments) = (self.clone(), arguments.to_vec());
                let work = Box::pin(async move { board.guarded(method, arguments).await });
                self.promise(method.word().to_owned(), work, request.id.clone())
            }
            Pace::LaterInGroups | Pace::Now => self.guarded(method, arguments.to_vec()).await,
        };
        reply.to_text(request.id.as_deref())
    }

    /// In a task of its own, so that a defect ends this call alone and a caller who leaves cuts nothing short.
    async fn guarded(&self, method: Method, arguments: Vec<Value>) -> Reply {
        let board = self.clone();
        let handled = tokio::spawn(async move { board.handle(method, &arguments).await }).await;
        handled.map_or_else(
            |_| Reply::error("the agent failed while it worked on this; look at its log"),
            Reply::from,
        )
    }

    async fn handle(&self, method: Method, arguments: &[Value]) -> Result<Reply, String> {
        let Shared { device, plugins, services, clock, .. } = &*self.shared;
        let argument = |at: usize| arguments.get(at).unwrap_or(&Value::Null);
        let now = clock.now();
        match method {
            Method::DevicePing => Ok(device.ping(now)),
            Method::DeviceEcho => Ok(device.echo(argument(0), now)),
            Method::DeviceReboot => device.reboot(argument(0)),
            Method::DeviceRestartLR => device.restart_agent(argument(0)),
            Method::DeviceNetConfig => Ok(device.network()),
            Method::DeviceMountFs => device.mount(argument(0)).await,
            Method::DeviceFactoryReset => self.factory_reset().await,
            Method::DeviceRestSubmit => device.submit(argument(0)).await,
            Method::PluginInject => plugins.inject(argument(0), argument(1), &moment(now)).await,
            Method::PluginCall => plugins.call(argument(0), argument(1).clone()).await,
            Method::PluginStart => plugins.start(argument(0), argument(1).clone()).await,
            Method::PluginStop => plugins.stop(argument(0), argument(1)).await,
            Method::PluginStatus => plugins.status(argument(0)),
            Method::PluginReboot => plugins.reboot(argument(0), argument(1).clone()).await,
            Method::PluginRemove => plugins.remove(argument(0)).await,
            Method::ServiceEnable => services.enable(argument(0), argument(1), &moment(now)).await,
            Method::ServiceRestore => {
                services.restore(argument(0), argument(1), &moment(now)).await
            }
            Method::ServiceDisable => services.disable(argument(0)).await,
            Method::ServicesStatus => Ok(services.status()),
            Method::DeviceUpgradeLR | Method::DevicePkgOperation => {
                Err("this is done later only".into())
            }
            without => Ok(meaningless(without)),
        }
    }

    /// What always takes long: checked at once, done later.
    fn later(&self, method: Method, arguments: &[Value], request: Option<String>) -> Reply {
        let parameters = arguments.first().unwrap_or(&Value::Null);
        let device = &self.shared.device;
        let prepared = match method {
            Method::DevicePkgOperation => device.package(parameters).map(|operation| {
                let (command, package) = (&operation.command, &operation.package);
                let text = format!("Executing '{command}' operation on package '{package}'");
                (text, Box::pin(package_operation(operation.words)) as Work)
            }),
            Method::DeviceUpgradeLR => device.upgrade(parameters).map(|upgrade| {
                let text = format!("LR upgrading to {} version...", upgrade.version);
                (text, Box::pin(self.clone().upgrade(upgrade.words)) as Work)
            }),
            _ => Err(format!("{} is not done later", method.word())),
        };
        match prepared {
            Ok((text, work)) => self.promise(text, work, request),
            Err(why) => Reply::error(why),
        }
    }

    /// Does the work beside the call and tells its result by `notify_result`.
    fn promise(&self, text: String, work: Work, request: Option<String>) -> Reply {
        let Ok(place) = Arc::clone(&self.shared.later).try_acquire_owned() else {
            return Reply::error(format!("{MAX_LATER} results wait already; ask again later"));
        };
        let board = self.clone();
        self.shared.tasks.spawn("later", async move {
            let _place = place;
            let shutdown = board.shared.tasks.shutdown().clone();
            let told = async {
                let reply = work.await.to_text(request.as_deref());
                board.tell(&reply).await;
            };
            if shutdown.until(told).await.is_none() {
                tracing::warn!("the agent ends before a result could be told");
            }
        });
        Reply::running(text)
    }

    async fn tell(&self, text: &str) {
        let Shared { uuid, agent, line, .. } = &*self.shared;
        let mut sessions = line.subscribe();
        let telling = async {
            loop {
                let session = match sessions.wait_for(Option::is_some).await {
                    Ok(session) => session.clone(),
                    Err(_) => return,
                };
                let Some(session) = session else { continue };
                match cloud::notify(&session, agent, uuid, text).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(%error, "a result was not taken, telling it again")
                    }
                }
                drop(session);
                tokio::time::sleep(TELL_AGAIN).await;
            }
        };
        if tokio::time::timeout(TELL_WITHIN, telling).await.is_err() {
            tracing::error!(text, "a result could not be told for a day and is given up");
        }
    }

    /// Takes everything away that the cloud put here, and the board's identity, and starts anew.
    async fn factory_reset(&self) -> Result<Reply, String> {
        let Shared { device, plugins, services, file, .. } = &*self.shared;
        device.may_reset()?;
        tracing::warn!("factory reset on request");
        services.clear().await?;
        plugins.clear().await?;
        file.reset().map_err(|error| error.to_string())?;
        device.restart_agent(&serde_json::json!({ "delay": 5 }))?;
        Ok(Reply::success("Device reset completed"))
    }

    async fn upgrade(self, words: Vec<String>) -> Reply {
        match Device::long(&words).await {
            Err(why) => Reply::error(why),
            Ok(_) => {
                // The result is told within the delay.
                let restarts = self.shared.device.restart_agent(&Value::Null);
                restarts.map_or_else(Reply::error, |_| Reply::success("LR upgraded"))
            }
        }
    }
}

async fn package_operation(words: Vec<String>) -> Reply {
    let done = Device::long(&words).await;
    done.map_or_else(Reply::error, |_| Reply::success("Package operation completed!"))
}

/// What upstream has and this agent has no use for.
fn meaningless(method: Method) -> Reply {
    let why = match method {
        Method::Create_VIF | Method::Configure_VIF | Method::Remove_VIF => {
            "this agent makes virtual networks only in its own cloud"
        }
        Method::EnableWebService
        | Method::DisableWebService
        | Method::ExposeWebservice
        | Method::UnexposeWebservice
        | Method::RenewWebservice => {
            "this agent runs no web proxy; forward the port of the web server as a service"
        }
        Method::NginxInfo
        | Method::NginxStatus
        | Method::NginxReload
        | Method::NginxRestart
        | Method::NginxIotronicConf => "this agent runs no nginx",
        Method::plug_and_play => "this agent loads no modules; inject a plugin",
        Method::changeConf => "this agent takes its configuration at registration alone",
        Method::destroyNode => "this agent is reset by DeviceFactoryReset",
        _ => "this agent does not know what it is for",
    };
    Reply::warning(format!("{} does nothing here: {why}", method.word()))
}
