//! The program itself: starts, says so, is alone, stops when told, survives being killed.

use crate::machine::{self, Proof, come_online, obedient, silent};
use crate::world::eventually;
use base::key::KeyPair;
use rpc::handshake::Intent;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

pub(crate) struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) lines: Vec<String>,
}

fn command(dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iotronic"));
    command.env_clear().env("IOTRONIC__API__LISTEN", "127.0.0.1:0");
    command.env("IOTRONIC__LIMITS__GRACE_S", "3");
    command.envs(settings.iter().map(|(key, value)| (format!("IOTRONIC__{key}"), *value)));
    command.args(["serve", "--data"]).arg(dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    pub(crate) fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = command(dir, settings).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, output, lines: Vec::new() };
        while !program.lines.last().is_some_and(|line| line.starts_with("ready ")) {
            let mut line = String::new();
            let read = program.output.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before it was ready");
            program.lines.push(line.trim().to_owned());
        }
        program
    }

    fn url(&self) -> &str {
        let ready = self.lines.last().unwrap();
        ready.split("url=").nth(1).unwrap().split(' ').next().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url().split("://").nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

/// A test that fails leaves nothing running.
impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(dir: &Path, settings: &[(&str, &str)]) -> String {
    let output = command(dir, settings).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_says_the_password_once_and_that_it_is_ready_and_stops_orderly() {
    let dir = tempfile::tempdir().unwrap();
    let first = Program::start(dir.path(), &[]);
    assert_eq!(first.lines.len(), 2, "{:?}", first.lines);
    assert!(first.lines[0].contains("password of user admin"), "{:?}", first.lines);
    assert!(first.url().starts_with("http://127.0.0.1:"), "{:?}", first.lines);
    assert!(first.lines[1].contains(&format!("boards=0 pid={}", first.child.id())));
    let admin = std::fs::read_to_string(dir.path().join("admin.json")).unwrap();
    assert!(admin.contains(first.url()), "{admin}");
    assert!(!base::secret::readable_by_others(&dir.path().join("admin.json")).unwrap());
    first.signal("-TERM");
    let (status, rest) = first.wait();
    assert!(status.success(), "{status}");
    assert_eq!(rest, "");

    let second = Program::start(dir.path(), &[]);
    assert_eq!(second.lines.len(), 1, "{:?}", second.lines);
    second.signal("-INT");
    assert!(second.wait().0.success());
}

#[tokio::test]
async fn a_lost_password_is_replaced_while_the_cloud_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let reset = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iotronic"));
        let output = command.args(["reset-password", "--data"]).arg(dir.path()).args(more).output();
        let output = output.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let (is_done, text) = reset(&[]);
    assert!(!is_done && text.contains("holds no cloud yet"), "{text}");
    let cloud = Program::start(dir.path(), &[]);
    let first = cloud.lines[0].rsplit(' ').next().unwrap().to_owned();
    let (is_done, text) = reset(&[]);
    assert!(!is_done && text.contains("in use by another process"), "{text}");
    cloud.signal("-TERM");
    cloud.wait();
    let (is_done, text) = reset(&["--user", "nobody"]);
    assert!(!is_done && text.contains("no user \"nobody\""), "{text}");
    let (is_done, text) = reset(&[]);
    assert!(is_done && text.contains("password of user admin"), "{text}");
    let second = text.trim().rsplit(' ').next().unwrap().to_owned();
    let store = store::Store::open(dir.path(), store::Options::default()).await.unwrap();
    let row = store::identity::get_user_by_name(&store, "admin").await.unwrap();
    store.close().await;
    for (password, is_right) in [(first, false), (second, true)] {
        let check = iotronic::identity::passwords::Passwords::default();
        let right = check.verify(password.into(), Some(row.password_hash.clone())).await.unwrap();
        assert_eq!(right, is_right);
    }
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Program::start(dir.path(), &[]);
    let text = refused(dir.path(), &[]);
    assert!(text.contains("in use by another process"), "{text}");
    first.signal("-KILL");
    assert!(!first.wait().0.success());
    let next = Program::start(dir.path(), &[]);
    next.signal("-TERM");
    assert!(next.wait().0.success());
}

#[test]
fn settings_are_checked_before_anything_happens() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for (settings, named) in [
        (("LEGACY__PUBLIC_WAMP_URL", "wss://x/"), "legacy.public_wamp_url"),
        (("API__LISTEN", "0.0.0.0:0"), "tls.internal"),
        (("SERVICES__PORTS", "x"), "range of ports"),
        (("TYPO", "1"), "typo"),
        (("UI__PMTILES", "/nowhere/map.pmtiles"), "ui.pmtiles"),
    ] {
        let text = refused(&data, &[settings]);
        assert!(text.contains(named), "{text}");
    }
    assert!(!data.exists());
    let output = command(&data, &[]).arg("--check-config").output().unwrap();
    assert!(output.status.success());
    assert!(!data.exists());
}

#[test]
fn an_address_that_is_taken_is_named_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let text = refused(dir.path(), &[("API__LISTEN", &address)]);
    assert!(text.contains(&format!("api.listen = {address}")), "{text}");
}

#[test]
fn a_first_start_that_fails_does_not_use_up_the_password() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let legacy = [
        ("LEGACY__ENABLED", "true"),
        ("WAMP__LISTEN", "127.0.0.1:0"),
        ("WSTUN__LISTEN", address.as_str()),
    ];
    let text = refused(dir.path(), &legacy);
    assert!(text.contains(&format!("wstun.listen = {address}")), "{text}");
    let next = Program::start(dir.path(), &[]);
    assert!(next.lines[0].contains("password of user admin"), "{:?}", next.lines);
}

/// Makes a claim as `s4t` would, but by the store's own door while the cloud is down.
async fn claim(dir: &Path) -> String {
    let store = store::Store::open(dir, store::Options::default()).await.unwrap();
    let secret = base::secret::random_text::<32>();
    let new = store::claims::NewClaim {
        id: model::ClaimId::new(),
        name: "lamp".parse().unwrap(),
        project: model::ProjectId::new(),
        owner: model::UserId::new(),
        secret_hash: model::claim::Claim::hash(&secret),
        uses: 1,
        expires_at: store.now().after(Duration::from_secs(3600)),
        labels: Default::default(),
        fleet: None,
        replaces: None,
        contribution: None,
    };
    let job = store.write(|tx| Box::pin(async move { store::claims::create(tx, new).await }));
    job.await.unwrap();
    store.close().await;
    secret
}

#[tokio::test]
async fn killed_at_any_moment_it_knows_its_boards_and_commands_again() {
    let dir = tempfile::tempdir().unwrap();
    let secret = claim(dir.path()).await;
    let program = Program::start(dir.path(), &[]);
    let key = KeyPair::generate();
    let enrolled = machine::enrol(program.address(), &key, &secret).await.unwrap();
    let board = come_online(program.address(), enrolled.uuid, &key, silent()).await;
    program.signal("-KILL");
    program.wait();
    board.session.closed().await;

    let program = Program::start(dir.path(), &[]);
    assert!(program.lines[0].contains("boards=1"), "{:?}", program.lines);
    // The same claim, the same key: the same answer, although its one use is gone.
    let again = machine::enrol(program.address(), &key, &secret).await.unwrap();
    assert_eq!(again, enrolled);
    let board = come_online(program.address(), enrolled.uuid, &key, obedient()).await;
    program.signal("-TERM");
    let ended = board.session.closed().await;
    assert!(matches!(ended, wamp::Ended::Goodbye { .. }), "{ended}");
    assert!(program.wait().0.success());
}

#[tokio::test]
async fn with_its_own_authority_boards_and_people_come_in_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(dir.path(), &[("TLS__INTERNAL", "true")]);
    assert!(program.url().starts_with("https://127.0.0.1:"), "{}", program.url());
    let connector = trusting(&dir.path().join("authority.pem"));
    let address = program.address();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let io = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = connector.connect(name, io).await.unwrap();
    let chain = io.get_ref().1.peer_certificates().unwrap().len();
    assert_eq!(chain, 2, "the authority's certificate is served too");
    let limits = websocket::Limits::default();
    let subprotocol = wamp::Serialiser::Cbor.subprotocol();
    let upgraded =
        websocket::handshake::client(io, "localhost", "/wamp", &[subprotocol], &[], limits).await;
    let (socket, chosen) = upgraded.unwrap();
    assert_eq!(chosen.as_deref(), Some(subprotocol));
    let session = wamp::connect(
        socket,
        wamp::Serialiser::Cbor,
        rpc::REALM,
        wamp::Roles::default(),
        Proof::new(&KeyPair::generate(), Intent::Enrol),
        wamp::ClientSettings::default(),
    )
    .await
    .unwrap();
    program.signal("-TERM");
    session.closed().await;
    assert!(program.wait().0.success());
}

fn trusting(authority: &Path) -> tokio_rustls::TlsConnector {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(dir.path(), &[]);
    let address = program.address();
    let status = eventually("an answer", || async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut io = tokio::net::TcpStream::connect(address).await?;
        io.write_all(b"GET /wamp HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        io.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    })
    .await;
    assert!(status.starts_with("HTTP/1.1 426"), "{status}");
    program.signal("-TERM");
    assert!(program.wait().0.success());
}
