//! `DeviceRestSubmit`: one HTTP request in the cloud's name to something near the board.
//!
//! Invariants: it reaches only URLs below the prefixes that the board's owner allows, redirects included; what the cloud gives
//! cannot put a second header or request on the wire; time and sizes are bounded.

use super::target::{Target, encode};
use super::{failed, wrong};
use crate::clock::BoardClock;
use crate::cloud::{Cloud, Trust};
use crate::http1::{self, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Kind;
use rpc::Fault;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// Largest body, both ways.
const MAX_BODY: usize = 1 << 20;
/// Time for everything, unless the cloud asks for less.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Most header fields from the cloud.
const MAX_FIELDS: usize = 32;
/// Methods.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Fields that decide where a message ends or goes.
const OWN_FIELDS: [&str; 8] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
];
/// What upstream's agent passes to its HTTP library and this one has no equivalent of.
const UNSUPPORTED: [&str; 3] = ["files", "proxies", "cert"];

/// Submits requests.
#[derive(Clone)]
pub(super) struct Rest {
    prefixes: Arc<Vec<String>>,
    trust: Trust,
    clock: Arc<BoardClock>,
}

/// A request, checked.
struct Submission {
    method: String,
    target: Target,
    fields: String,
    body: Vec<u8>,
    follows: bool,
    patience: Duration,
}

impl Rest {
    pub(super) fn new(prefixes: Vec<String>, trust: Trust, clock: Arc<BoardClock>) -> Self {
        Self { prefixes: Arc::new(prefixes), trust, clock }
    }

    /// Does it; the answer's JSON.
    ///
    /// # Errors
    /// A parameter is wrong, it leads somewhere else than it may, or there is no answer in JSON.
    pub(super) async fn submit(&self, parameters: &Value) -> Result<Value, Fault> {
        let submission = Submission::parse(parameters).map_err(wrong)?;
        let patience = submission.patience;
        let response = tokio::time::timeout(patience, self.follow(submission)).await;
        let response = response.map_err(|_| {
            Fault::new(Kind::Timeout, format!("no answer within {} s", patience.as_secs()))
        })??;
        let body = &response.message.body;
        serde_json::from_slice(body).map_err(|error| {
            failed(format!(
                "the answer (status {}, {} bytes) is not JSON: {error}",
                response.status,
                body.len()
            ))
        })
    }

    async fn follow(&self, mut submission: Submission) -> Result<Response, Fault> {
        for _ in 0..=MAX_REDIRECTS {
            if !submission.target.is_below(&self.prefixes) {
                let (base, path) = (&submission.target.base, &submission.target.path);
                let text = format!("{base}{path} lies below none of this board's rest_prefixes");
                return Err(Fault::new(Kind::Forbidden, text));
            }
            let response = self.exchange(&submission).await.map_err(failed)?;
            let location = response.message.field("location").filter(|_| submission.follows);
            let Some(location) = location.filter(|_| (300..400).contains(&response.status)) else {
                return Ok(response);
            };
            let from = submission.target.base.clone();
            submission.target = submission.target.follow(location).map_err(failed)?;
            if submission.target.base != from {
                submission.forget_secrets();
            }
            if matches!(response.status, 301..=303) && submission.method != "HEAD" {
                (submission.method, submission.body) = ("GET".into(), Vec::new());
            }
        }
        Err(failed(format!("it redirects more than {MAX_REDIRECTS} times")))
    }

    async fn exchange(&self, submission: &Submission) -> Result<Response, String> {
        let target = &submission.target;
        let text = |error: crate::cloud::Error| error.to_string();
        let cloud = Cloud::new(&target.base, "", self.trust.clone(), Arc::clone(&self.clock))
            .map_err(text)?;
        let (mut stream, _) = cloud.stream(|_| Ok(())).await.map_err(text)?;
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n",
            submission.method,
            target.request_target(),
            target.address.authority(),
            submission.body.len(),
            submission.fields,
        );
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        stream.write_all(&submission.body).await.map_err(|error| error.to_string())?;
        stream.flush().await.map_err(|error| error.to_string())?;
        http1::read_response(&mut stream, &submission.method, MAX_BODY)
            .await
            .map_err(|error| error.to_string())
    }
}

impl Submission {
    fn parse(parameters: &Value) -> Result<Self, String> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let given = |name: &str| parameters.get(name).filter(|value| !value.is_null());
        if let Some(name) = UNSUPPORTED.into_iter().find(|name| given(name).is_some()) {
            return Err(format!("{name} cannot be given here; leave it out"));
        }
        if given("verify") == Some(&Value::Bool(false)) {
            return Err("certificates are always checked here; leave verify out".into());
        }
        let url = text("url").ok_or("Error RestSubmit: no url specified.")?;
        let method = text("method").ok_or("Error RestSubmit: no REST method specified.")?;
        let method = method.to_ascii_uppercase();
        if !METHODS.contains(&method.as_str()) {
            return Err(format!("the method {method:?} is none of {}", METHODS.join(", ")));
        }
        let mut target = Target::parse(url)?;
        if let Some(more) = given("params").map(query).transpose()?.filter(|more| !more.is_empty())
        {
            target.query =
                Some(target.query.map_or(more.clone(), |query| format!("{query}&{more}")));
        }
        let mut fields = Fields::default();
        if let Some(map) = given("headers") {
            fields.add_all(map.as_object().ok_or("headers is no object")?)?;
        }
        if let Some(cookies) = given("cookies") {
            fields.add("Cookie", &cookie(cookies.as_object().ok_or("cookies is no object")?)?)?;
        }
        if let Some(auth) = given("auth") {
            fields.add("Authorization", &basic(auth)?)?;
        }
        let body = match (given("json"), given("data")) {
            (Some(value), _) | (None, Some(value)) => serde_json::to_vec(value).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        if given("json").is_some() && !fields.names.iter().any(|name| name == "content-type") {
            fields.add("Content-Type", "application/json")?;
        }
        if body.len() > MAX_BODY {
            return Err(format!("the body is larger than {MAX_BODY} bytes"));
        }
        let follows = given("allow_redirects") != Some(&Value::Bool(false));
        let patience = patience(given("timeout"))?;
        Ok(Self { method, target, fields: fields.text, body, follows, patience })
    }

    /// What was meant for one host is not told to another.
    fn forget_secrets(&mut self) {
        let is_secret = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            name == "authorization" || name == "cookie"
        };
        let kept = self.fields.split_inclusive("\r\n").filter(|line| !is_secret(line));
        self.fields = kept.collect();
    }
}

#[derive(Default)]
struct Fields {
    text: String,
    names: Vec<String>,
}

impl Fields {
    fn add_all(&mut self, map: &Map<String, Value>) -> Result<(), String> {
        if map.len() > MAX_FIELDS {
            return Err(format!("there are more than {MAX_FIELDS} headers"));
        }
        map.iter().try_for_each(|(name, value)| self.add(name, &plain(value)?))
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let lower = name.to_ascii_lowercase();
        if name.is_empty() || !name.chars().all(is_token) || OWN_FIELDS.contains(&lower.as_str()) {
            return Err(format!("the header {name:?} cannot be given"));
        }
        if !value.chars().all(|c| c == '\t' || c == ' ' || c.is_ascii_graphic()) {
            return Err(format!("the value of the header {name} is not printable ASCII"));
        }
        self.text.push_str(&format!("{name}: {value}\r\n"));
        self.names.push(lower);
        Ok(())
    }
}

fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        _ => Err("a header, parameter or cookie is neither text nor number".into()),
    }
}

fn query(params: &Value) -> Result<String, String> {
    match params {
        Value::String(text) => Ok(encode(text)),
        Value::Object(map) => {
            let mut pairs = Vec::with_capacity(map.len());
            for (name, value) in map {
                pairs.push(format!("{}={}", encode(name), encode(&plain(value)?)));
            }
            Ok(pairs.join("&"))
        }
        _ => Err("params is neither text nor an object".into()),
    }
}

fn cookie(map: &Map<String, Value>) -> Result<String, String> {
    let mut pairs = Vec::with_capacity(map.len());
    for (name, value) in map {
        let pair = format!("{name}={}", plain(value)?);
        if pair.contains([';', ',', ' ']) {
            return Err(format!("the cookie {name:?} has characters that do not belong there"));
        }
        pairs.push(pair);
    }
    Ok(pairs.join("; "))
}

fn basic(auth: &Value) -> Result<String, String> {
    let part = |at| auth.get(at).and_then(Value::as_str).filter(|text: &&str| text.len() <= 256);
    match (part(0), part(1)) {
        (Some(user), Some(password)) if !user.contains(':') => {
            Ok(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        }
        _ => Err("auth is a list of a user and a password".into()),
    }
}

fn patience(timeout: Option<&Value>) -> Result<Duration, String> {
    let Some(timeout) = timeout else { return Ok(PATIENCE) };
    let seconds = match timeout {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| *seconds > 0.0 && seconds.is_finite());
    let seconds = seconds.ok_or("timeout is a positive number of seconds")?;
    Ok(Duration::from_secs_f64(seconds.min(PATIENCE.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_would_write_a_second_header_or_request_is_refused() {
        let evil = ["a\r\nX: y", "a\nb", "é", "\0"];
        for text in evil {
            for name in ["url", "method", "headers", "cookies"] {
                let mut asked = json!({"url": "http://a/", "method": "GET"});
                asked[name] = match name {
                    "headers" => json!({"X": text}),
                    "cookies" => json!({"c": text}),
                    _ => text.into(),
                };
                assert!(Submission::parse(&asked).is_err(), "{name} {text:?}");
            }
        }
        for headers in [
            json!({"Host": "evil"}),
            json!({"Content-Length": "0"}),
            json!({"a b": "c"}),
            json!([1]),
        ] {
            let asked = json!({"url": "http://a/", "method": "GET", "headers": headers});
            assert!(Submission::parse(&asked).is_err());
        }
        for wrong in [
            json!({}),
            json!(null),
            json!({"url": "http://a/"}),
            json!({"url": 5, "method": "GET"}),
        ] {
            assert!(Submission::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_upstream_takes_is_taken() {
        let asked = json!({
            "url": "http://a/x?y=1", "method": "post", "params": {"q": "a b&c", "n": 5}, "json": {"k": "v"},
            "headers": {"X-Key": "1"}, "cookies": {"c": "d"}, "auth": ["u", "p"], "timeout": "2.5",
        });
        let submission = Submission::parse(&asked).unwrap();
        assert_eq!(submission.target.request_target(), "/x?y=1&n=5&q=a%20b%26c");
        assert_eq!(submission.body, br#"{"k":"v"}"#);
        assert_eq!(
            submission.fields,
            "X-Key: 1\r\nCookie: c=d\r\nAuthorization: Basic dTpw\r\nContent-Type: application/json\r\n"
        );
        assert_eq!(submission.patience, Duration::from_millis(2500));
        let mut submission = submission;
        submission.forget_secrets();
        assert_eq!(submission.fields, "X-Key: 1\r\nContent-Type: application/json\r\n");
    }
}
