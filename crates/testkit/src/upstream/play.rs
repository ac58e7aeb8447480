//! Plays the script at a cloud, and says where two clouds answered differently.
//!
//! Invariant: every step gives one outcome, also when an earlier step failed and its id is missing; the same script at
//! the same cloud gives equal outcomes. Deliberately not here: which differences are right.

use super::client::Client;
use super::normal::Normaliser;
use super::script::{Act, Step, Words};
use crate::raw_http::RawHttp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Headers of an answer that are part of the contract.
const HEADERS: [&str; 6] = [
    "content-type",
    "location",
    "allow",
    "x-openstack-iotronic-api-minimum-version",
    "x-openstack-iotronic-api-maximum-version",
    "x-openstack-iotronic-api-version",
];
/// A plugin that commands create.
const PLUGIN: &str = "from iotronic_lightningrod.modules.plugins import Plugin\n\n\nclass Worker(Plugin.Plugin):\n    \
                      def run(self):\n        self.q_result.put(\"\u{4f60}cho \\\"\" + str(self.params) + \"\\\"\")\n";

/// As whom a step asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// May do everything, in the project of the script.
    Operator,
    /// A plain member of the project.
    Member,
    /// A plain member of another project.
    Stranger,
    /// In the project, without any role that means something.
    Roleless,
    /// Without a token.
    Nobody,
}

/// A cloud at which the script can be played.
pub trait Cloud {
    /// Its base URL, without `/v1`.
    fn url(&self) -> &str;
    /// The token of somebody; `None` for nobody.
    fn token(&self, who: Who) -> Option<String>;
    /// The environment in which the client signs somebody in by itself; none when it is given a token.
    fn shell(&self, _who: Who) -> Option<Vec<(&'static str, String)>> {
        None
    }
    /// Ids that differ from cloud to cloud, and the names that stand for them: users and projects.
    fn known(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Brings a board of upstream's kind online, one that answers as a healthy board does.
    fn board_online(&mut self, board: &str);
    /// Takes it away.
    fn board_offline(&mut self, board: &str);
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The step's name.
    pub step: String,
    /// What was asked, as it stands in the script.
    pub asked: String,
    /// The normalised answer.
    pub said: Value,
}

/// A step to which two clouds answered differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The step's name.
    pub step: String,
    /// What was asked.
    pub asked: String,
    /// What the first cloud said.
    pub first: Value,
    /// What the second cloud said.
    pub second: Value,
}

/// Plays the steps, in order.
pub fn play(cloud: &mut dyn Cloud, client: &mut Client, steps: &[Step]) -> Vec<Outcome> {
    std::fs::write(client.folder().join("plugin.py"), PLUGIN).unwrap();
    std::fs::write(client.folder().join("parameters.json"), r#"{"say": "hi", "n": 2}"#).unwrap();
    let folder = client.folder().display().to_string();
    let known = BTreeMap::from([("folder".to_owned(), folder)]);
    let mut player = Player { cloud, client, known };
    steps.iter().map(|step| player.step(step)).collect()
}

/// The steps with different answers. Steps that only one of the two was asked count as different.
#[must_use]
pub fn differences(first: &[Outcome], second: &[Outcome]) -> Vec<Difference> {
    let said = |outcomes: &[Outcome], step: &str| {
        let found = outcomes.iter().find(|outcome| outcome.step == step);
        found.map_or(Value::Null, |outcome| outcome.said.clone())
    };
    let missing = second.iter().filter(|two| !first.iter().any(|one| one.step == two.step));
    let all = first.iter().chain(missing).map(|outcome| Difference {
        step: outcome.step.clone(),
        asked: outcome.asked.clone(),
        first: said(first, &outcome.step),
        second: said(second, &outcome.step),
    });
    all.filter(|difference| difference.first != difference.second).collect()
}

struct Player<'a> {
    cloud: &'a mut dyn Cloud,
    client: &'a mut Client,
    /// What the placeholders stand for.
    known: BTreeMap<String, String>,
}

impl Player<'_> {
    fn step(&mut self, step: &Step) -> Outcome {
        let (asked, raw, body) = match &step.act {
            Act::Http { method, path, body, headers } => {
                let (said, body) = self.http(step.who, method, path, *body, headers);
                (format!("{method} {path}"), said, body)
            }
            Act::Command(words) => {
                let (said, body) = self.command(step.who, words, step.words);
                (format!("iotronic {}", words.join(" ")), said, body)
            }
            Act::Online(board) => {
                let board = self.fill(board);
                self.cloud.board_online(&board);
                ("a board comes online".to_owned(), Value::Null, Value::Null)
            }
            Act::Offline(board) => {
                let board = self.fill(board);
                self.cloud.board_offline(&board);
                ("a board goes offline".to_owned(), Value::Null, Value::Null)
            }
        };
        for (name, pointer) in &step.takes {
            let taken = body.pointer(pointer).and_then(Value::as_str);
            if let Some(taken) = taken {
                self.known.insert((*name).to_owned(), taken.to_owned());
            }
        }
        Outcome { step: step.name.to_owned(), asked, said: self.normaliser().value(&raw) }
    }

    fn normaliser(&self) -> Normaliser {
        let url = self.cloud.url();
        let host = url.trim_start_matches("http://").to_owned();
        let own = [(url.to_owned(), "<url>".to_owned()), (host, "<host>".to_owned())];
        let named = self.known.iter().map(|(name, text)| (text.clone(), format!("<{name}>")));
        Normaliser::knowing(named.chain(own).chain(self.cloud.known()))
    }

    fn http(
        &self,
        who: Who,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> (Value, Value) {
        let at = self.cloud.url().trim_start_matches("http://").to_owned();
        let http = RawHttp { at, token: self.cloud.token(who) };
        let body = body.map(|body| self.fill(body));
        let answer = http.ask(method, &self.fill(path), headers, body.as_deref());
        let kept: Map<_, _> = HEADERS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), json!(answer.header(name)?))))
            .collect();
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body));
        (json!({"status": answer.status, "headers": kept, "body": said}), said)
    }

    fn command(&mut self, who: Who, words: &[&str], order: Words) -> (Value, Value) {
        let shell = self.cloud.shell(who);
        let mut args = vec!["--max-retries".to_owned(), "0".to_owned()];
        if shell.is_none() {
            let token = self.cloud.token(who).unwrap_or_else(|| "none".to_owned());
            let url = self.cloud.url().to_owned();
            args.extend(["--os-auth-token".to_owned(), token, "--iotronic-url".to_owned(), url]);
        }
        args.extend(words.iter().map(|word| self.fill(word)));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let shell = shell.unwrap_or_default();
        let shell: Vec<_> = shell.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = self.client.run(&args, &shell);
        let body = serde_json::from_str(&said.out).unwrap_or(Value::Null);
        let out = match order {
            _ if !body.is_null() => body.clone(),
            Words::InOrder => json!(said.out),
            Words::Sorted => json!(BTreeSet::from_iter(said.out.split_whitespace())),
        };
        (json!({"code": said.code, "out": out, "err": said.err}), body)
    }

    /// Puts what is known in the place of the placeholders.
    fn fill(&self, text: &str) -> String {
        self.known
            .iter()
            .fold(text.to_owned(), |text, (name, known)| text.replace(&format!("<{name}>"), known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_only_one_cloud_was_asked_is_a_difference() {
        let outcome =
            |step: &str, said: Value| Outcome { step: step.to_owned(), asked: String::new(), said };
        let first = [outcome("one", json!(1)), outcome("two", json!(2))];
        let second = [outcome("one", json!(1)), outcome("three", json!(3))];
        let steps: Vec<_> = differences(&first, &second).into_iter().map(|d| d.step).collect();
        assert_eq!(steps, ["two", "three"]);
    }
}
