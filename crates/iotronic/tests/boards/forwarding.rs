//! Public ports: from a client's socket through the board's link to its service and back.

use crate::machine::{Machine, board, dial, obedient};
use crate::world::{World, eventually};
use base::key::{KeyPair, PublicKey};
use model::service::{ExposureState, Port, Protocol};
use model::{BoardId, Kind, ServiceId};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use store::exposures::ExposureRow;
use store::services::NewService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tunnel::handshake::{Credentials, HANDSHAKE_DEADLINE, HandshakeError};
use tunnel::{Acceptor, Link, Refusal, RefusalCode};

/// A board's half of the link.
struct Ours {
    identity: String,
    key: KeyPair,
    cloud: PublicKey,
}

impl Credentials for Ours {
    fn identity(&self) -> &str {
        &self.identity
    }
    fn sign(&self, transcript: &[u8]) -> [u8; 64] {
        self.key.sign(transcript)
    }
    fn check_peer(&self, transcript: &[u8], signature: &[u8; 64]) -> bool {
        self.cloud.verifies(transcript, signature)
    }
}

/// Its table of services.
struct Table(HashMap<String, SocketAddr>);

impl Acceptor for Table {
    type Target = TcpStream;
    async fn accept(&self, key: &[u8]) -> Result<TcpStream, Refusal> {
        let unknown = || Refusal::new(RefusalCode::UnknownService, "not in the table");
        let address = std::str::from_utf8(key).ok().and_then(|key| self.0.get(key));
        let address = address.ok_or_else(unknown)?;
        TcpStream::connect(address).await.map_err(|_| unknown())
    }
}

pub(crate) async fn bring_link(
    world: &World,
    identity: BoardId,
    key: &KeyPair,
    table: HashMap<String, SocketAddr>,
) -> Result<Link, HandshakeError> {
    let socket = dial(world.address, "/tunnel", &[]).await;
    let ours = Ours {
        identity: identity.to_string(),
        key: key.clone(),
        cloud: world.cloud().key.public(),
    };
    let connection = tunnel::handshake::dial(socket, &ours, HANDSHAKE_DEADLINE).await?;
    let (link, driver) = Link::new(connection, Table(table), tunnel::Settings::default());
    tokio::spawn(driver.run());
    Ok(link)
}

/// Sends back what comes, in capitals, and ends when its peer does.
pub(crate) async fn shouting_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0u8; 4096];
                while let Ok(read) = client.read(&mut buffer).await {
                    if read == 0 {
                        break;
                    }
                    let shout = buffer[..read].to_ascii_uppercase();
                    if client.write_all(&shout).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

pub(crate) async fn expose(world: &World, board: BoardId, name: &str) -> ExposureRow {
    let service = ServiceId::new();
    let new = NewService {
        extra: serde_json::json!({}),
        id: service,
        name: name.parse().unwrap(),
        project: world.project.clone(),
        port: Port::try_from(22).unwrap(),
        protocol: Protocol::Tcp,
    };
    let job =
        world.store().write(|tx| Box::pin(async move { store::services::create(tx, new).await }));
    job.await.unwrap();
    // Other tests of this machine may have the port that the store picks.
    eventually("a port is free", || async {
        let ports = world.cloud().settings.services.ports.range();
        let job = world.store().write(move |tx| {
            Box::pin(async move {
                store::exposures::reserve(tx, board, service, ports, None).await?;
                store::exposures::set_state(tx, board, service, ExposureState::Enabled).await
            })
        });
        let exposure = job.await.unwrap();
        let Err(fault) = world.cloud().ingress.open(&exposure).await else { return Ok(exposure) };
        let job = world.store().write(move |tx| {
            Box::pin(async move { store::exposures::delete(tx, board, service).await })
        });
        job.await.unwrap();
        Err(fault)
    })
    .await
}

pub(crate) fn public(exposure: &ExposureRow) -> SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, exposure.public_port.unwrap()).into()
}

pub(crate) async fn shout(address: SocketAddr, text: &str) -> std::io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await?;
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(60), client.read_to_string(&mut answer)).await??;
    Ok(answer)
}

struct Forwarded {
    world: World,
    machine: Machine,
    link: Link,
    exposure: ExposureRow,
    table: HashMap<String, SocketAddr>,
}

async fn forwarded() -> Forwarded {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let exposure = expose(&world, machine.id, "shout").await;
    let service = shouting_service().await;
    let table = HashMap::from([(exposure.service.to_string(), service)]);
    let link = bring_link(&world, machine.id, &machine.key, table.clone()).await.unwrap();
    Forwarded { world, machine, link, exposure, table }
}

#[tokio::test]
async fn a_public_port_reaches_the_service_and_half_closes_are_passed_on() {
    let Forwarded { world, exposure, .. } = forwarded().await;
    assert_eq!(shout(public(&exposure), "hello").await.unwrap(), "HELLO");
    let all = (0..50).map(|n| shout(public(&exposure), ["a", "b", "c"][n % 3]));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.unwrap().len(), 1);
    }
    eventually("connections are counted out", || async {
        let open = world.cloud().ingress.connections(exposure.board, exposure.service);
        (open == 0).then_some(()).ok_or(open)
    })
    .await;
}

#[tokio::test]
async fn closing_a_port_cuts_its_connections_and_it_can_be_opened_again_at_once() {
    let Forwarded { world, exposure, link: _link, .. } = forwarded().await;
    let mut client = TcpStream::connect(public(&exposure)).await.unwrap();
    client.write_all(b"x").await.unwrap();
    let mut byte = [0u8; 1];
    client.read_exact(&mut byte).await.unwrap();
    assert_eq!(world.cloud().ingress.connections(exposure.board, exposure.service), 1);
    world.cloud().ingress.close(exposure.board, exposure.service);
    let end = tokio::time::timeout(Duration::from_secs(60), client.read(&mut byte)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    for _ in 0..5 {
        world.cloud().ingress.open(&exposure).await.unwrap();
        world.cloud().ingress.close(exposure.board, exposure.service);
    }
    world.cloud().ingress.open(&exposure).await.unwrap();
    assert_eq!(shout(public(&exposure), "again").await.unwrap(), "AGAIN");
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_a_conflict_until_it_is_free() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let exposure = expose(&world, machine.id, "shout").await;
    world.cloud().ingress.close(exposure.board, exposure.service);
    let squatter = eventually("the port is free", || async {
        TcpListener::bind(public(&exposure)).await.map_err(|error| error.kind())
    })
    .await;
    let fault = world.cloud().ingress.open(&exposure).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict);
    assert!(fault.message.contains("taken by another program"), "{fault}");
    let problem = world.cloud().ingress.problem(exposure.board, exposure.service);
    assert_eq!(problem, Some(fault.message));
    drop(squatter);
    world.cloud().ingress.retry().await;
    assert_eq!(world.cloud().ingress.problem(exposure.board, exposure.service), None);
}

#[tokio::test]
async fn a_client_waits_for_a_link_that_is_on_its_way_and_is_reset_when_the_board_is_away() {
    let Forwarded { world, machine, link, exposure, table } = forwarded().await;
    link.shutdown(Duration::ZERO).await;
    eventually("the link is gone", || async {
        world.cloud().boards.links().get(machine.id).map_or(Ok(()), |_| Err("stands"))
    })
    .await;
    let waiting = tokio::spawn(shout(public(&exposure), "wait"));
    eventually("the client waits", || async {
        let open = world.cloud().ingress.connections(exposure.board, exposure.service);
        (open == 1).then_some(()).ok_or(open)
    })
    .await;
    let link = bring_link(&world, machine.id, &machine.key, table).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), "WAIT");

    link.shutdown(Duration::ZERO).await;
    let id = machine.id;
    machine.leave().await;
    eventually("the board is away", || async {
        (!world.cloud().boards.is_online(id)).then_some(()).ok_or("online")
    })
    .await;
    let error = shout(public(&exposure), "lost").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}

#[tokio::test]
async fn a_service_that_is_not_in_the_boards_table_resets_the_client() {
    let Forwarded { world, machine, .. } = forwarded().await;
    let other = expose(&world, machine.id, "other").await;
    let error = shout(public(&other), "x").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}

#[tokio::test]
async fn only_the_boards_own_key_brings_its_link_and_a_newer_link_replaces_the_older() {
    let Forwarded { world, machine, link, exposure, table } = forwarded().await;
    for (identity, key) in
        [(machine.id, KeyPair::generate()), (BoardId::new(), machine.key.clone())]
    {
        let refused = bring_link(&world, identity, &key, HashMap::new()).await.unwrap_err();
        assert!(refused.to_string().contains("refused by the peer"), "{refused}");
    }
    let newer = bring_link(&world, machine.id, &machine.key, table).await.unwrap();
    link.closed().await;
    assert_eq!(shout(public(&exposure), "newer").await.unwrap(), "NEWER");
    assert!(newer.ended().is_none());
    assert_eq!(world.cloud().boards.links().count(), 1);
}

#[tokio::test]
async fn a_cloud_that_is_started_again_opens_what_was_enabled() {
    let Forwarded { mut world, machine, link, exposure, table } = forwarded().await;
    world.stop().await;
    link.closed().await;
    assert!(TcpStream::connect(public(&exposure)).await.is_err());
    world.resume().await;
    let key = &machine.key;
    let _machine = crate::machine::come_online(world.address, machine.id, key, obedient()).await;
    let _link = bring_link(&world, machine.id, key, table).await.unwrap();
    assert_eq!(shout(public(&exposure), "back").await.unwrap(), "BACK");
}

#[tokio::test]
async fn connections_beyond_the_bound_of_a_service_are_turned_away() {
    let world = World::with(|settings| settings.limits.connections_per_service = 2).await;
    let machine = board(&world, "lamp", obedient()).await;
    let exposure = expose(&world, machine.id, "shout").await;
    let table = HashMap::from([(exposure.service.to_string(), shouting_service().await)]);
    let _link = bring_link(&world, machine.id, &machine.key, table).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(public(&exposure)).await.unwrap();
        client.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0u8; 1]).await.unwrap();
        held.push(client);
    }
    assert!(shout(public(&exposure), "third").await.is_err());
    drop(held);
    eventually("there is room again", || async {
        shout(public(&exposure), "fourth").await.map_err(|error| error.kind())
    })
    .await;
}

#[tokio::test]
async fn a_link_that_comes_while_another_machine_takes_the_board_over_does_not_stand() {
    let world = World::start().await;
    for round in 0..10 {
        let machine = board(&world, &format!("lamp-{round}"), obedient()).await;
        let id = machine.id;
        let secret = world.claim_of("lamp", 1, Some(id), Duration::from_secs(60)).await;
        let new = KeyPair::generate();
        let old = bring_link(&world, id, &machine.key, HashMap::new());
        let (_old, enrolled) =
            tokio::join!(old, crate::machine::enrol(world.address, &new, &secret));
        enrolled.unwrap();
        eventually("the old machine's link is gone", || async {
            world.cloud().boards.links().get(id).map_or(Ok(()), |_| Err("it stands"))
        })
        .await;
    }
}
