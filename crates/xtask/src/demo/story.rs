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
use super::process::Process;
use super::scene::Scene;
use crate::command::Fallible;

/// The board that gets code and a forwarded port.
const CHOSEN: &str = "harbour";
/// Seconds a board may take to come online.
const ONLINE_WITHIN: &str = "30";
/// What a simulated sensor may read; anything else is no plausible value of any of them.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -100_000.0..=200_000.0;

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
        mut told: impl FnMut(&str, &Fallible<String>),
    ) -> Fallible<()> {
        for (name, step) in Self::steps() {
            interrupt.check()?;
            let outcome = step(self);
            told(name, &outcome);
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
        let rows = items(&list);
        let online =
            |name: &&str| rows.iter().any(|row| row["name"] == **name && row["status"] == "online");
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
        let answer = self.client.ask(&call)?;
        let result = plugin_result(&answer);
        if result["greeting"] != greeting {
            return Err(format!("the parameters did not come back whole: {answer}"));
        }
        let (name, value) = plausible_reading(&result["sensors"])
            .ok_or_else(|| format!("no sensor was read: {answer}"))?;
        Ok(format!("{name} = {value}, read by process {} on the board", result["pid"]))
    }

    fn forward(&mut self) -> Fallible<String> {
        let local = Local::start(self.scene)?;
        let (name, port) = (local.name(), local.port.to_string());
        self.client.say(&["service", "create", name, "--port", &port])?;
        let enabled = self.client.ask(&["service", "enable", name, CHOSEN])?;
        let public = find(&enabled, "public_port").and_then(Value::as_u64);
        let public = public.and_then(|port| u16::try_from(port).ok());
        self.public_port = public;
        self.local = Some(local);
        let public = public.ok_or_else(|| format!("no public_port in the answer: {enabled}"))?;
        Ok(format!("{name} of {CHOSEN}, there on port {port}, here on port {public}"))
    }

    fn reach(&mut self) -> Fallible<String> {
        match (&self.local, self.public_port) {
            (Some(local), Some(port)) => local.visit(port),
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
            "\nThe cloud is up at {}\n  user admin, project admin, one-time password {password}\n\n\
             Try, in another terminal:\n  export S4T_ADMIN_FILE={}\n  {} board list\n  {visit}\n\n\
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
        let local = self.local.take().map(|local| local.process);
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
            Ok("cloud, boards and service".into())
        } else {
            Err(reasons.join("; "))
        }
    }

    fn url(&self) -> &str {
        self.cloud.as_ref().map_or("", |cloud| cloud.url.as_str())
    }
}

/// The rows of a list, whether bare or in a page.
fn items(list: &Value) -> Vec<Value> {
    let page = list.as_object().and_then(|page| page.values().find(|value| value.is_array()));
    page.unwrap_or(list).as_array().cloned().unwrap_or_default()
}

/// What the plugin returned, whether bare or in an answer or operation.
fn plugin_result(answer: &Value) -> &Value {
    if answer.get("sensors").is_some() { answer } else { find(answer, "result").unwrap_or(answer) }
}

/// A member of an object or of one of its objects.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| members.values().find_map(|member| find(member, name)))
}

/// The first plausible number among readings, as `{name: value}` or `{name: {…, value}}`.
fn plausible_reading(sensors: &Value) -> Option<(String, f64)> {
    sensors.as_object()?.iter().find_map(|(name, reading)| {
        let value = reading.as_f64().or_else(|| reading.get("value")?.as_f64())?;
        PLAUSIBLE.contains(&value).then(|| (name.clone(), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_member_is_found_at_any_depth() {
        let answer = json!({ "operation": { "result": { "public_port": 20001 } } });
        assert_eq!(find(&answer, "public_port"), Some(&json!(20001)));
        assert_eq!(find(&answer, "port"), None);
    }

    #[test]
    fn a_reading_is_a_number_with_a_name() {
        let reading = plausible_reading(&json!({ "label": "x", "temperature": 21.5 }));
        assert_eq!(reading, Some(("temperature".into(), 21.5)));
        assert_eq!(plausible_reading(&json!({ "temperature": "warm" })), None);
        assert_eq!(plausible_reading(&Value::Null), None);
    }

    #[test]
    fn rows_come_bare_or_in_a_page() {
        assert_eq!(items(&json!([1, 2])).len(), 2);
        assert_eq!(items(&json!({ "items": [1], "next": null })).len(), 1);
        assert!(items(&json!({})).is_empty());
    }
}
