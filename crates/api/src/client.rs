//! A blocking client: signs in, keeps the token, speaks JSON, turns problem bodies into errors, reads event streams.
//!
//! Invariant: a token that the cloud refuses is renewed once for each request, where there is a way to; the second refusal is
//! the answer.
//!
//! Blocking on purpose: the command line does one thing at a time and starts in milliseconds. Every request has a time limit
//! but streams, which end when the reader stops.

use crate::identity::{AUTH_TOKEN, SUBJECT_TOKEN, TOKENS, TokenAnswer, TokenRequest};
use crate::problem::Problem;
use model::Kind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use ureq::Agent;
pub use ureq::http::Method;
use ureq::http::{Request, Response};
use ureq::{AsSendBody, Body};

/// Longest request but for streams; longer than the longest `wait`.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Largest answer that is read.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// Why a request failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", problem.detail)]
pub struct Error {
    /// The cloud's own words, or ours when it could not be asked.
    pub problem: Box<Problem>,
}

impl Error {
    /// A failure that is not the cloud's own.
    #[must_use]
    pub fn new(kind: Kind, detail: String) -> Self {
        Self { problem: Box::new(Problem::new(kind, detail)) }
    }

    /// What sort of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.problem.kind
    }
}

/// How the cloud's TLS certificate is checked.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// By the public authorities.
    #[default]
    Public,
    /// By this authority alone, PEM.
    Authority(String),
}

impl Trust {
    /// The certificates of the authorities that are believed, PEM; empty where none is known.
    #[must_use]
    pub fn pem(&self) -> String {
        match self {
            Self::Authority(pem) => pem.clone(),
            Self::Public => public_authorities(),
        }
    }
}

/// A new token in place of one that is refused.
pub type Renewal = Arc<dyn Fn() -> Result<String, Error> + Send + Sync>;

/// A cloud, signed in to or not yet.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    token: Arc<Mutex<Option<String>>>,
    renewal: Option<Renewal>,
    trust: Trust,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// For the cloud at `url` (`http://…` or `https://…`, without trailing slash).
    ///
    /// # Errors
    /// The authority's PEM cannot be read.
    pub fn new(url: &str, trust: &Trust) -> Result<Self, Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("s4t/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(url, trust)?)
            .build();
        let url = url.trim_end_matches('/').to_owned();
        let token = Arc::default();
        Ok(Self { agent: config.into(), url, token, renewal: None, trust: trust.clone() })
    }

    /// The same cloud with a token had before.
    #[must_use]
    pub fn with_token(mut self, token: String) -> Self {
        self.token = Arc::new(Mutex::new(Some(token)));
        self
    }

    /// With a way to a new token, taken when the one in use is refused.
    #[must_use]
    pub fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = Some(renewal);
        self
    }

    /// Where the cloud is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How its certificate is checked.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The token in use, if signed in.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.kept().clone()
    }

    fn kept(&self) -> MutexGuard<'_, Option<String>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs in and answers the token and its meaning; later requests carry it.
    ///
    /// # Errors
    /// The cloud does not answer, or refuses.
    pub fn sign_in(&mut self, request: &TokenRequest) -> Result<(String, TokenAnswer), Error> {
        self.sign_in_at(TOKENS, request)
    }

    /// As [`Client::sign_in`], where the identity service answers at another path (a Keystone of its own).
    ///
    /// # Errors
    /// The identity service does not answer, or refuses.
    pub fn sign_in_at(
        &mut self,
        path: &str,
        request: &TokenRequest,
    ) -> Result<(String, TokenAnswer), Error> {
        let response = self.send(&Method::POST, path, Some(request), &[], Some(TIMEOUT))?;
        let token = response.headers().get(SUBJECT_TOKEN).and_then(|value| value.to_str().ok());
        let token = token.map(str::to_owned).ok_or_else(|| {
            Error::new(
                Kind::Internal,
                format!("{} answered without a token; is it a Stack4Things cloud?", self.url),
            )
        })?;
        let answer = read(response)?;
        self.token = Arc::new(Mutex::new(Some(token.clone())));
        Ok((token, answer))
    }

    /// GET.
    ///
    /// # Errors
    /// The cloud does not answer, or refuses.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        read(self.send::<()>(&Method::GET, path, None, &[], Some(TIMEOUT))?)
    }

    /// Any other request; `headers` such as `If-Match` and `Idempotency-Key` go along. An empty answer reads as null.
    ///
    /// # Errors
    /// The cloud does not answer, or refuses.
    pub fn request<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&str, &str)],
    ) -> Result<T, Error> {
        read(self.send(method, path, body, headers, Some(TIMEOUT))?)
    }

    /// POST with a JSON body.
    ///
    /// # Errors
    /// The cloud does not answer, or refuses.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.request(&Method::POST, path, Some(body), &[])
    }

    /// Opens a stream of Server-Sent Events.
    ///
    /// # Errors
    /// The cloud does not answer, or refuses.
    pub fn stream(&self, path: &str, last_event_id: Option<&str>) -> Result<Stream, Error> {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let response = self.send::<()>(&Method::GET, path, None, &headers, None)?;
        Ok(Stream { lines: BufReader::new(Box::new(response.into_body().into_reader())) })
    }

    /// GET of lines of text, as they come.
    ///
    /// # Errors
    /// The cloud does not answer, or refuses.
    pub fn lines(
        &self,
        path: &str,
    ) -> Result<impl Iterator<Item = std::io::Result<String>> + use<>, Error> {
        let response = self.send::<()>(&Method::GET, path, None, &[], None)?;
        Ok(BufReader::new(response.into_body().into_reader()).lines())
    }

    /// Sends a request, and once more with a new token when the first was refused.
    fn send<B: Serialize>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&B>,
        headers: &[(&str, &str)],
        limit: Option<Duration>,
    ) -> Result<Response<Body>, Error> {
        let token = self.token();
        let refused = match self.send_as(token.as_deref(), method, path, body, headers, limit) {
            Err(error) if error.kind() == Kind::Unauthenticated && token.is_some() => error,
            done => return done,
        };
        let Some(renewal) = &self.renewal else { return Err(refused) };
        let token = renewal()?;
        *self.kept() = Some(token.clone());
        self.send_as(Some(&token), method, path, body, headers, limit)
    }

    fn send_as<B: Serialize>(
        &self,
        token: Option<&str>,
        method: &Method,
        path: &str,
        body: Option<&B>,
        headers: &[(&str, &str)],
        limit: Option<Duration>,
    ) -> Result<Response<Body>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.header(AUTH_TOKEN, token);
        }
        let answer = match body {
            Some(body) => {
                let json = serde_json::to_vec(body)
                    .map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
                self.run(request.header("content-type", "application/json").body(json), limit)
            }
            None => self.run(request.body(()), limit),
        }?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer)) }
    }

    fn run<B: AsSendBody>(
        &self,
        request: Result<Request<B>, ureq::http::Error>,
        limit: Option<Duration>,
    ) -> Result<Response<Body>, Error> {
        let request = request.map_err(|error| {
            Error::new(
                Kind::Invalid,
                format!("{} is not an address that can be asked: {error}", self.url),
            )
        })?;
        let request = self.agent.configure_request(request).timeout_global(limit).build();
        self.agent.run(request).map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> Error {
        let kind = match error {
            ureq::Error::Timeout(_) => Kind::Timeout,
            _ => Kind::Unreachable,
        };
        let (what, cure) = match certificate(error) {
            Some(_) => (
                "shows a certificate that is not trusted here",
                "name the authority that signed it (--cacert; a cloud's own is authority.pem in its data folder), \
                 and ask by a name that the certificate holds",
            ),
            None => ("cannot be reached", "check the address and that it runs"),
        };
        Error::new(kind, format!("the cloud at {} {what}: {error}; {cure}", self.url))
    }
}

/// What is wrong with the peer's certificate, if that is why a request failed.
fn certificate(error: &ureq::Error) -> Option<&rustls::Error> {
    let found = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    matches!(found, rustls::Error::InvalidCertificate(_)).then_some(found)
}

/// Where systems keep the public authorities.
const PUBLIC_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// How TLS towards `url` is spoken and certificates are checked.
///
/// # Errors
/// The authority's PEM cannot be read, or no authority is known.
pub fn tls(url: &str, trust: &Trust) -> Result<ureq::tls::TlsConfig, Error> {
    use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
    let unusable = |what: String| Error::new(Kind::Invalid, what);
    let is_needed = url.starts_with("https://") || matches!(trust, Trust::Authority(_));
    let pem = if is_needed { trust.pem() } else { String::new() };
    let mut certificates = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => {
                return Err(unusable(format!("the authority's PEM cannot be read: {error}")));
            }
        }
    }
    if certificates.is_empty() && url.starts_with("https://") {
        let cure = "name the authority of the cloud's certificate, or install ca-certificates";
        return Err(unusable(format!("no certificate authority is known here; {cure}")));
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(std::sync::Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

fn public_authorities() -> String {
    let read = |path: &&str| std::fs::read_to_string(path).ok();
    PUBLIC_AUTHORITIES.iter().find_map(read).unwrap_or_default()
}

fn refusal(mut answer: Response<Body>) -> Error {
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(MAX_BODY).read_to_string().unwrap_or_default();
    match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => Error { problem: Box::new(problem) },
        Err(_) => {
            let text = keystone_message(&text).unwrap_or(text);
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| kind.status() == status)
                .unwrap_or(Kind::Internal);
            let text: String = text.chars().take(200).collect();
            Error::new(kind, format!("the cloud answered {status}: {text}"))
        }
    }
}

/// The text of Keystone's error body `{"error": {"code": …, "message": …}}`.
fn keystone_message(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(body.get("error")?.get("message")?.as_str()?.to_owned())
}

fn read<T: DeserializeOwned>(mut answer: Response<Body>) -> Result<T, Error> {
    let garbled = |error: &dyn std::fmt::Display| {
        Error::new(
            Kind::Internal,
            format!(
                "the cloud's answer cannot be read: {error}; is this client older than the cloud?"
            ),
        )
    };
    let bytes = answer
        .body_mut()
        .with_config()
        .limit(MAX_BODY)
        .read_to_vec()
        .map_err(|error| garbled(&error))?;
    let bytes = if bytes.is_empty() { b"null".as_slice() } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| garbled(&error))
}

/// Server-Sent Events as they come.
pub struct Stream {
    lines: BufReader<Box<dyn std::io::Read + Send + Sync>>,
}

/// One Server-Sent Event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// `id:`, for resuming.
    pub id: Option<String>,
    /// `event:`.
    pub event: Option<String>,
    /// `data:`, lines joined.
    pub data: String,
}

impl Iterator for Stream {
    type Item = Result<Sent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut sent = Sent::default();
        let mut line = String::new();
        loop {
            line.clear();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Err(error) => {
                    return Some(Err(Error::new(
                        Kind::Unreachable,
                        format!("the stream broke: {error}; ask again to resume"),
                    )));
                }
                Ok(_) => {}
            }
            match line.trim_end_matches(['\r', '\n']).split_once(':') {
                None if line.trim().is_empty() && sent != Sent::default() => return Some(Ok(sent)),
                Some((field, value)) => {
                    take(&mut sent, field, value.strip_prefix(' ').unwrap_or(value))
                }
                None => {}
            }
        }
    }
}

fn take(sent: &mut Sent, field: &str, value: &str) {
    match field {
        "id" => sent.id = Some(value.to_owned()),
        "event" => sent.event = Some(value.to_owned()),
        "data" => {
            if !sent.data.is_empty() {
                sent.data.push('\n');
            }
            sent.data.push_str(value);
        }
        _ => {}
    }
}

/// A path segment or query value with everything but RFC 3986's unreserved characters escaped.
#[must_use]
pub fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(byte.into());
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}
