//! A router that stands alone: for tests, benchmarks, and whoever wants nothing more.
//!
//! `wamp_router --listen 127.0.0.1:0 [--raw 127.0.0.1:0] [--unix PATH] [--config FILE]`. It says on standard output where it
//! listens. Without a file there is one realm, `realm1`, in which everybody may do everything. Deliberately not here:
//! TLS, which a proxy in front of it does.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use wamp::auth::{cryptosign, scram};
use wamp::rawsocket;
use wamp::{Deed, Directory, Match, Permission, Router, RouterSettings, Serialiser, User};
use websocket::{Limits, handshake};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const LIMITS: Limits = Limits { max_message: 16 * 1024 * 1024 };

fn main() -> Fallible<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        words.iter().zip(words.iter().skip(1)).find(|(word, _)| *word == name).map(|(_, next)| next)
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = option("--threads") {
        runtime.worker_threads(threads.parse()?);
    }
    let runtime = runtime.enable_all().build()?;
    let (settings, directory) = match option("--config") {
        Some(file) => configured(&serde_json::from_str(&std::fs::read_to_string(file)?)?)?,
        None => (RouterSettings::realm("realm1"), Directory::open("anonymous")),
    };
    runtime.block_on(async {
        let router = Router::new(settings, directory);
        let listen = option("--listen").map_or("127.0.0.1:8080", String::as_str);
        let listener = TcpListener::bind(listen).await?;
        println!("websocket {}", listener.local_addr()?);
        if let Some(address) = option("--raw") {
            let raw = TcpListener::bind(address).await?;
            println!("raw {}", raw.local_addr()?);
            tokio::spawn(raw_tcp(raw, router.clone()));
        }
        if let Some(path) = option("--unix") {
            let raw = UnixListener::bind(path)?;
            println!("unix {path}");
            tokio::spawn(raw_unix(raw, router.clone()));
        }
        loop {
            let (io, peer) = listener.accept().await?;
            io.set_nodelay(true)?;
            let router = router.clone();
            tokio::spawn(async move {
                let Ok((socket, request)) = handshake::server(io, LIMITS, choose).await else {
                    return;
                };
                if let Some(serialiser) = known(&request) {
                    router.serve(socket, serialiser, peer).await;
                }
            });
        }
    })
}

fn known(request: &handshake::Request) -> Option<Serialiser> {
    request.subprotocols.iter().find_map(|name| Serialiser::from_subprotocol(name))
}

fn choose(request: &handshake::Request) -> Result<Option<String>, handshake::Refusal> {
    let serialiser = known(request).ok_or(handshake::Refusal::Subprotocol)?;
    Ok(Some(serialiser.subprotocol().to_owned()))
}

async fn raw_tcp(listener: TcpListener, router: Router<Directory>) {
    while let Ok((io, _)) = listener.accept().await {
        if io.set_nodelay(true).is_ok() {
            serve_raw(io, router.clone());
        }
    }
}

async fn raw_unix(listener: UnixListener, router: Router<Directory>) {
    while let Ok((io, _)) = listener.accept().await {
        serve_raw(io, router.clone());
    }
}

fn serve_raw<S>(io: S, router: Router<Directory>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Ok(socket) = rawsocket::accept(io, LIMITS).await {
            router.serve_raw(socket, None).await;
        }
    });
}

/// `{"realms": [..], "anonymous": ROLE, "roles": {ROLE: [{"uri", "match", "allow": [..]}]},
/// "users": {AUTHID: {"role", "ticket", "secret", "password", "keys": [HEX]}}}`.
fn configured(file: &Value) -> Fallible<(RouterSettings, Directory)> {
    let mut settings = RouterSettings::realm("realm1");
    if let Some(realms) = file.get("realms").and_then(Value::as_array) {
        settings.realms = realms.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let anonymous = file.get("anonymous").and_then(Value::as_str).map(str::to_owned);
    let empty = serde_json::Map::new();
    let table = |name: &str| file.get(name).and_then(Value::as_object).unwrap_or(&empty);
    let mut roles = BTreeMap::new();
    for (role, list) in table("roles") {
        let list = list.as_array().ok_or("a role is a list of permissions")?;
        roles.insert(role.clone(), list.iter().map(permission).collect::<Fallible<_>>()?);
    }
    let mut users = HashMap::new();
    for (authid, entry) in table("users") {
        users.insert(authid.clone(), user(entry)?);
    }
    Ok((settings, Directory { anonymous, users, roles }))
}

fn permission(entry: &Value) -> Fallible<Permission> {
    let pattern = entry.as_object().and_then(Match::from_options);
    let mut allow = Vec::new();
    for deed in entry.get("allow").and_then(Value::as_array).into_iter().flatten() {
        allow.push(match deed.as_str() {
            Some("call") => Deed::Call,
            Some("register") => Deed::Register,
            Some("publish") => Deed::Publish,
            Some("subscribe") => Deed::Subscribe,
            _ => return Err("allow: call, register, publish, subscribe".into()),
        });
    }
    let uri = entry.get("uri").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pattern = pattern.ok_or("match: exact, prefix or wildcard")?;
    Ok(Permission { uri, pattern, allow })
}

fn user(entry: &Value) -> Fallible<User> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let derivation = scram::Derivation::Argon2id { memory: 512, iterations: 8 };
    let keys = entry.get("keys").and_then(Value::as_array).into_iter().flatten();
    let key =
        |key: &Value| key.as_str().and_then(cryptosign::from_hex).ok_or("a key is hexadecimal");
    Ok(User {
        role: text("role").ok_or("a user has a role")?,
        realms: Default::default(),
        ticket: text("ticket"),
        cra: text("secret").map(|secret| (secret, None)),
        scram: text("password").and_then(|password| scram::store(&password, derivation)),
        keys: keys.map(key).collect::<Result<_, _>>()?,
    })
}
