//! The page that the board shows to whoever is near it: upstream's `/info`, its first-boot `/config`, a page for people, and the
//! plugins for whoever has a right (`rights`).
//!
//! Invariants: nothing here changes a board that belongs to a cloud, but a plugin may that somebody with a right calls; a page of another site cannot configure one; a request is
//! bounded in time and size. Deliberately not here: logging in, and everything that upstream's page does to the machine.

mod answer;
mod face;
mod rights;

pub(crate) use face::Face;
pub(crate) use rights::Rights;

use crate::engine::State;
use crate::home::Home;
use crate::http1;
use crate::upstream::{SettingsFile, Stage, check_registration};
use answer::{Answer, page};
use base::clock::{Clock as _, SystemClock};
use model::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Requests at one time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 16;
/// Time for one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for one that may call a plugin.
const CALL_PATIENCE: Duration = Duration::from_secs(60);
/// Largest body.
const MAX_BODY: usize = 16 * 1024;
/// Pause after a connection could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the page needs.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) face: Face,
    /// What rights are honoured by, once the agent knows which board it is.
    pub(crate) rights: Arc<OnceLock<Rights>>,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) home: Home,
    /// Where a first configuration goes.
    pub(crate) file: SettingsFile,
    /// Whether it may be taken at all; else why not.
    pub(crate) admission: Result<(), String>,
}

impl Page {
    /// Answers until it is aborted.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let page = self.clone();
            tokio::spawn(async move {
                page.answer(stream).await;
                drop(place);
            });
        }
    }

    async fn answer(&self, mut stream: TcpStream) {
        let reading = http1::read_request(&mut stream, MAX_BODY);
        let Ok(read) = tokio::time::timeout(PATIENCE, reading).await else { return };
        let answer = match read {
            Ok(request) => {
                let answer = tokio::time::timeout(CALL_PATIENCE, self.route(&request)).await;
                answer.unwrap_or_else(|_| Answer::text(504, "this takes too long to wait for here"))
            }
            Err(error) => Answer::text(400, &error.to_string()),
        };
        let said = async {
            let _ = stream.write_all(&answer.to_bytes()).await;
            let _ = stream.shutdown().await;
        };
        let _ = tokio::time::timeout(PATIENCE, said).await;
    }

    async fn route(&self, request: &http1::Request) -> Answer {
        let path = request.target.split('?').next().unwrap_or_default();
        if rights::is_for(path) {
            return match self.rights.get() {
                Some(rights) => rights.answer(request, path).await,
                None => Answer::text(404, "this board belongs to no cloud that gives rights"),
            };
        }
        match (request.method.as_str(), path) {
            ("GET", "/info") => Answer::json(200, &self.info()),
            ("GET", "/" | "/status" | "/config") => Answer::html(page(&self.info())),
            ("POST", "/config") => self.configure(request),
            (_, "/" | "/status" | "/config" | "/info") => {
                Answer::text(405, "this is not done here")
            }
            _ => Answer::text(404, "there is no such page"),
        }
    }

    fn info(&self) -> Value {
        let now = Timestamp::from_micros(SystemClock.unix_micros()).to_string();
        self.face.info(&self.state.borrow(), now.trim_end_matches('Z'))
    }

    /// Upstream's first configuration: where to register, and with which code.
    fn configure(&self, request: &http1::Request) -> Answer {
        let refused = |status: u16, why: &str| Answer::json(status, &json!({ "result": why }));
        let kind = request.message.field("content-type").unwrap_or_default();
        // Browsers ask before they send this to another site, and are told no.
        if !kind.to_ascii_lowercase().starts_with("application/json") {
            return refused(415, "send a JSON object, as application/json");
        }
        if !is_own_page(request) {
            return refused(403, "pages of other sites cannot configure this board");
        }
        match self.is_nobodys() {
            Ok(true) => {}
            Ok(false) => return refused(403, "LR already configured!"),
            Err(why) => return refused(500, &why),
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.message.body) else {
            return refused(400, "the body is not JSON");
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let (Some("configure"), Some(url), Some(code)) =
            (text("action"), text("urlwagent"), text("code"))
        else {
            return refused(400, "needed are action (configure), urlwagent and code, all texts");
        };
        if let Err(why) = check_registration(url, code) {
            return refused(400, &why);
        }
        if let Err(why) = &self.admission {
            return refused(403, why);
        }
        match self.file.configure(url, code) {
            Ok(()) if text("hostname").is_some_and(|name| !name.is_empty()) => {
                refused(200, "LR configured, authenticating... the host name is left to the system")
            }
            Ok(()) => refused(200, "LR configured, authenticating..."),
            Err(error) => refused(500, &error.to_string()),
        }
    }

    /// Whether the board belongs to no cloud yet.
    fn is_nobodys(&self) -> Result<bool, String> {
        let text = |error: crate::home::Error| error.to_string();
        let stage = self.file.read().map_err(text)?;
        let is_first = matches!(stage, None | Some(Stage::FirstBoot));
        Ok(is_first && self.home.identity().map_err(text)?.is_none())
    }
}

/// Whether a browser sends this from the board's own page, or no browser sends it.
fn is_own_page(request: &http1::Request) -> bool {
    let Some(origin) = request.message.field("origin") else { return true };
    let host = request.message.field("host").unwrap_or_default();
    origin.strip_prefix("http://").is_some_and(|site| site == host)
}
