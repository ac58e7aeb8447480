//! How many boards a second can come in: TCP, TLS, WebSocket, and both sides' proof of their keys.
//!
//! A cloud of its own with TLS; the machines are this process, whose share of the two processors is not the cloud's. Nothing is
//! resumed: each connection is as one after a power failure.

use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use crate::statistics::{ms, processor_time};
use base::key::{KeyPair, from_hex, to_hex};
use rpc::handshake::{HelloExtra, Intent};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;
use testkit::{BoardOptions, World, WorldOptions};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wamp::{ClientSettings, Roles, Serialiser};

/// Machines that come in side by side.
const MACHINES: usize = 8;
/// How often each comes in a round.
const TIMES: usize = 100;
/// Rounds; the best counts.
const ROUNDS: usize = 3;

/// Measures.
pub(crate) fn figures(_: &mut Stage) -> Vec<Figure> {
    let world = World::start(WorldOptions::default().set("tls.internal", "true"));
    let keys: Vec<KeyPair> = (0..MACHINES).map(|number| enrolled(&world, number)).collect();
    let pem = std::fs::read(world.data().join("authority.pem")).unwrap();
    let tls = TlsConnector::from(Arc::new(trusting(&pem)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let pid = world.cloud(|cloud| cloud.pid());
    let rounds = (0..ROUNDS).map(|_| {
        let (before, began) = (processor_time(pid), Instant::now());
        runtime.block_on(async {
            let all = keys.iter().map(|key| come_in(world.at(), tls.clone(), key.clone()));
            let tasks: Vec<_> = all.map(|one| tokio::spawn(one)).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let count = (MACHINES * TIMES) as f64;
        let rate = count / began.elapsed().as_secs_f64();
        (rate, ms(processor_time(pid) - before) / count)
    });
    let rounds: Vec<(f64, f64)> = rounds.collect();
    let rate = rounds.iter().map(|(rate, _)| *rate).fold(0.0, f64::max);
    let cost = rounds.iter().map(|(_, cost)| *cost).fold(f64::MAX, f64::min);
    vec![
        Figure::new("boards that come in by TLS and their key, best round", rate, "1/s")
            .goal(Goal::AtLeast(500.0))
            .beside(format!(
                "CPU of the cloud {} ms each; the machines run on the same processors",
                short(cost)
            )),
    ]
}

/// The key of a machine that has enrolled.
fn enrolled(world: &World, number: usize) -> KeyPair {
    let name = format!("bench-comes-in-{number}");
    let machine = world.machine(&name, BoardOptions::default());
    let _ = machine.enrol(&world.claim(&name)).ok();
    KeyPair::load(&machine.home().join("board.key")).unwrap()
}

fn trusting(pem: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

async fn come_in(at: String, tls: TlsConnector, key: KeyPair) {
    for _ in 0..TIMES {
        let tcp = TcpStream::connect(&at).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = tls.connect(name, tcp).await.unwrap();
        let serialiser = Serialiser::MessagePack;
        let limits = websocket::Limits { max_message: 1 << 16 };
        let protocols = [serialiser.subprotocol()];
        let opened =
            websocket::handshake::client(stream, &at, "/wamp", &protocols, &[], limits).await;
        let (socket, settings) = (opened.unwrap().0, ClientSettings::default());
        let roles = Roles::default();
        let proof = Proof(key.clone());
        let session =
            wamp::connect(socket, serialiser, rpc::REALM, roles, proof, settings).await.unwrap();
        session.close();
        let _ = session.closed().await;
    }
}

/// Proves a key, and checks nothing: the machines' side is not what is measured.
struct Proof(KeyPair);

impl wamp::Credentials for Proof {
    fn methods(&self) -> Vec<String> {
        vec![wamp::auth::cryptosign::METHOD.to_owned()]
    }

    fn hello_extra(&mut self) -> Map<String, Value> {
        let public = to_hex(self.0.public().as_bytes());
        let extra = HelloExtra {
            s4t_instance: public.clone(),
            pubkey: public,
            s4t_nonce: to_hex(&[7; 32]),
            s4t_intent: Intent::Work,
            // As an agent of today, so that the time is signed.
            s4t_pin: "any".into(),
        };
        json!(extra).as_object().cloned().unwrap()
    }

    fn answer(
        &mut self,
        _: &str,
        challenge: &Map<String, Value>,
    ) -> Result<(String, Map<String, Value>), String> {
        let text = challenge.get("challenge").and_then(Value::as_str).ok_or("no challenge")?;
        let bytes = from_hex::<32>(text).ok_or("no challenge")?;
        Ok((to_hex(&self.0.sign(&bytes)) + text, Map::new()))
    }
}
