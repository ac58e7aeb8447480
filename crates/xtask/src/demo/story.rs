//! What the demo shows, step by step.
//!
//! Invariant: a step is done only when it was seen from outside the programs; the first failed step ends the story.
//! Deliberately not here: how a step is printed (see the folder's `mod`).

use serde_json::Value;

use super::board::{self, NAMES};
use super::client::Client;
use super::cloud::Cloud;
use super::fetch;
use super::interrupt::Interrupt;
use super::local::Local;
use super::scene::Scene;
use crate::command::Fallible;
use crate::process::Process;

/// The board that gets code and a forwarded port.
const CHOSEN: &str = "harbour";
/// Seconds a board may take to come online.
const ONLINE_WITHIN: &str = "30";
/// What a thermometer outdoors may read, in degrees Celsius.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -50.0..=60.0;

/// Everything that is up.
pub(super) struct Story<'a> {
    scene: &'a Scene,
    client: Client<'a>,
    cloud: Option<Cloud>,
    claims: Vec<String>,
    boards: Vec<Process>,
    local: Option<Local>,
    public_port: Option<u16>,
}

/// A step that was played.
pub(super) struct Told<'t> {
    pub(super) step: &'t str,
    /// The commands a person would have typed for it.
    pub(super) commands: Vec<String>,
    pub(super) outcome: &'t Fallible<String>,
}

type Step<'a> = (&'static str, fn(&mut Story<'a>) -> Fallible<String>);

impl<'a> Story<'a> {
    pub(super) fn new(scene: &'a Scene) -> Self {
        Self {
            scene,
            client: Client::new(scene),
            cloud: None,
            claims: Vec::new(),
            boards: Vec::new(),
            local: None,
            public_port: None,
        }
    }

    fn steps() -> [Step<'a>; 9] {
        [
            ("the cloud starts", Self::start_cloud),
            ("a stranger is refused", Self::refuse_stranger),
            ("three claims are made", Self::claim),
            ("three boards enrol themselves", Self::enrol),
            ("the boards come online", Self::come_online),
            ("a Python plugin is injected", Self::inject),
            ("the plugin is called and reads the board's sensors", Self::call),
            ("a service of a board is forwarded", Self::forward),
            ("the service is reached from outside", Self::reach),
        ]
    }

    /// Plays every step, telling each.
    pub(super) fn tell(
        &mut self,
        interrupt: &Interrupt,
        mut told: impl FnMut(Told),
    ) -> Fallible<()> {
        for (name, step) in Self::steps() {
            interrupt.check()?;
            let outcome = step(self);
            told(Told { step: name, commands: self.client.typed(), outcome: &outcome });
            outcome?;
        }
        Ok(())
    }

    fn start_cloud(&mut self) -> Fallible<String> {
        let cloud = Cloud::start(self.scene)?;
        let answer = fetch::get(&format!("{}/readyz", cloud.url))?;
        if answer.status != 200 {
            return Err(format!("/readyz answers {}: {}", answer.status, answer.body));
        }
        let url = cloud.url.clone();
        self.cloud = Some(cloud);
        Ok(url)
    }

    fn refuse_stranger(&mut self) -> Fallible<String> {
        let answer = fetch::get(&format!("{}/v2/boards", self.url()))?;
        match answer.status {
            401 => Ok("401 without a token".into()),
            status => Err(format!("/v2/boards answers {status} without a token")),
        }
    }

    fn claim(&mut self) -> Fallible<String> {
        for name in NAMES {
            self.claims.push(self.client.say(&["board", "claim", name, "-f", "value"])?);
        }
        Ok(NAMES.join(", "))
    }

    fn enrol(&mut self) -> Fallible<String> {
        for (name, claim) in NAMES.into_iter().zip(std::mem::take(&mut self.claims)) {
            board::enrol(self.scene, name, &claim)?;
            let home = self.scene.board_home(name);
            self.client
                .also_typed(format!("lightning-rod enrol --home {} --claim …", home.display()));
            self.client.also_typed(format!("lightning-rod run --home {}", home.display()));
            self.boards.push(board::start(self.scene, name)?);
        }
        Ok("each made a key that never leaves it".into())
    }

    fn come_online(&mut self) -> Fallible<String> {
        for name in NAMES {
            self.client.say(&[
                "board",
                "wait",
                name,
                "--for",
                "online",
                "--timeout",
                ONLINE_WITHIN,
            ])?;
        }
        let list = self.client.ask(&["board", "list"])?;
        let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let online = |name: &&str| {
            rows.iter().any(|row| at(row, "/name") == *name && at(row, "/status") == "online")
        };
        match NAMES.iter().find(|name| !online(name)) {
            None => Ok(format!("{} of {}", NAMES.len(), rows.len())),
            Some(name) => Err(format!("{name} is not online in `s4t board list`: {list}")),
        }
    }

    fn inject(&mut self) -> Fallible<String> {
        let source = self.scene.write("thermometer.py", include_str!("thermometer.py"))?;
        let file = source.to_string_lossy();
        let create = ["plugin", "create", "thermometer", "--file", &file];
        self.client.say(&[&create[..], &["--language", "python", "--mode", "sync"]].concat())?;
        self.client.say(&["plugin", "inject", "thermometer", CHOSEN])?;
        Ok(format!("thermometer on {CHOSEN}"))
    }

    fn call(&mut self) -> Fallible<String> {
        let greeting = "grüße \"from\" outside\n";
        let params = serde_json::json!({ "greeting": greeting }).to_string();
        let call = ["plugin", "call", "thermometer", CHOSEN, "--params", &params];
        let result = self.client.ask(&call)?;
        let board = self.client.ask(&["board", "show", CHOSEN])?;
        if at(&result, "/greeting") != greeting || at(&result, "/board") != at(&board, "/id") {
            return Err(format!("another answer than asked for: {result}"));
        }
        let temperature = at(&result, "/sensors/temperature").as_f64();
        let temperature = temperature
            .filter(|value| PLAUSIBLE.contains(value))
            .ok_or_else(|| format!("no plausible temperature in {result}"))?;
        let process = at(&result, "/pid");
        Ok(format!("{temperature} °C, read by process {process} on the board"))
    }

    fn forward(&mut self) -> Fallible<String> {
        let local = Local::start(self.scene)?;
        let (name, port) = (local.name(), local.port.to_string());
        self.client.say(&["service", "create", name, "--port", &port])?;
        let enabled = self.client.ask(&["service", "enable", name, CHOSEN])?;
        let public = at(&enabled, "/public_port").as_u64();
        let public = public.and_then(|port| u16::try_from(port).ok());
        self.public_port = public;
        self.local = Some(local);
        let public = public.ok_or_else(|| format!("no public_port in the answer: {enabled}"))?;
        Ok(format!("{name} of {CHOSEN}, there on port {port}, here on port {public}"))
    }

    fn reach(&mut self) -> Fallible<String> {
        match (&self.local, self.public_port) {
            (Some(local), Some(port)) => {
                Ok(format!("the board's {}: {}", local.what(), local.visit(port)?))
            }
            _ => Err("nothing was forwarded".into()),
        }
    }

    /// What a person can do now.
    pub(super) fn invitation(&self) -> String {
        let password = self.cloud.as_ref().map_or("", |cloud| cloud.password.as_str());
        let visit = match (&self.local, self.public_port) {
            (Some(local), Some(port)) => local.invitation(port),
            _ => String::new(),
        };
        format!(
            "\nThe cloud is up at {0} (its API: {0}/v2/docs)\n  \
             user admin, project admin, one-time password {password}\n\n\
             Try, in another terminal:\n  export S4T_ADMIN_FILE={1}\n  alias s4t={2}\n  s4t board list\n  s4t events\n  {visit}\n\n\
             Ctrl-C stops everything.",
            self.url(),
            self.client.admin_file().display(),
            self.scene.program("s4t").get_program().to_string_lossy(),
        )
    }

    /// Stops everything, boards first; what is told is how it ended.
    pub(super) fn end(&mut self) -> Fallible<String> {
        let mut reasons = Vec::new();
        let address = fetch::address_of(self.url());
        let boards = self.boards.drain(..);
        let local = self.local.take();
        let service = local.as_ref().map_or("no service", Local::what);
        let local = local.map(|local| local.process);
        let cloud = self.cloud.take().map(|cloud| cloud.process);
        for mut process in boards.chain(local).chain(cloud) {
            reasons.extend(process.stop().err());
        }
        if let Ok(address) = address
            && std::net::TcpStream::connect(address).is_ok()
        {
            reasons.push(format!("{address} still answers"));
        }
        if reasons.is_empty() {
            Ok(format!("cloud, boards and {service}"))
        } else {
            Err(reasons.join("; "))
        }
    }

    fn url(&self) -> &str {
        self.cloud.as_ref().map_or("", |cloud| cloud.url.as_str())
    }
}

/// The value at a JSON pointer; null when there is none.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}
