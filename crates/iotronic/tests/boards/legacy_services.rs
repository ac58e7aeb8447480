//! Services of upstream boards, by the tunnels that upstream's boards bring.

use crate::forwarding::{expose, public, shout, shouting_service};
use crate::machine::{board as native_board, obedient};
use crate::rod::{Rod, open_world, willing};
use crate::world::{World, eventually};
use model::BoardId;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use store::events;
use store::exposures::ExposureRow;
use tokio::net::TcpStream;
use tunnel::wstun::{Asked, Client, ClientError, ClientSettings, Dialer};

struct Ways {
    cloud: SocketAddr,
    target: SocketAddr,
}

impl Dialer for Ways {
    type Cloud = TcpStream;
    type Target = TcpStream;

    async fn cloud(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.cloud).await
    }

    async fn target(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.target).await
    }
}

fn client(
    cloud: SocketAddr,
    target: SocketAddr,
    port: u16,
    board: Option<BoardId>,
) -> Client<Ways> {
    let asked = Asked {
        host: cloud.to_string(),
        port: NonZeroU16::new(port).unwrap(),
        board: board.map(|board| board.to_string()),
    };
    Client::new(asked, Ways { cloud, target }, ClientSettings::default())
}

/// Connections to the service are counted while they last.
async fn counted(world: &World, exposure: &ExposureRow) {
    let until = async |wanted: u32| {
        eventually(&format!("{wanted} connections"), || async {
            let now = world.cloud().ingress.connections(exposure.board, exposure.service);
            if now == wanted { Ok(()) } else { Err(now) }
        })
        .await;
    };
    until(0).await;
    let first = TcpStream::connect(public(exposure)).await.unwrap();
    let second = TcpStream::connect(public(exposure)).await.unwrap();
    until(2).await;
    drop(first);
    until(1).await;
    drop(second);
    until(0).await;
}

#[tokio::test]
async fn what_happens_to_a_service_of_an_upstream_board_is_marked() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let native = native_board(&world, "native", obedient()).await;
    let exposures = [expose(&world, rod.id, "a").await, expose(&world, native.id, "b").await];
    let all = events::after(world.store(), None, 0, events::MAX_EVENTS).await.unwrap();
    for (exposure, mark) in exposures.iter().zip([json!(true), Value::Null]) {
        let is_it = |event: &&events::EventRow| {
            event.kind.starts_with("exposure.") && event.body["board"] == json!(exposure.board)
        };
        let found: Vec<_> = all.iter().filter(is_it).collect();
        assert!(!found.is_empty());
        assert!(found.iter().all(|event| event.body["legacy"] == mark), "{found:?}");
    }
}

#[tokio::test]
async fn a_board_opens_the_port_of_its_own_service_and_no_other() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let other = Rod::online(&world, "other", willing()).await;
    let exposure = expose(&world, rod.id, "shout").await;
    let (cloud, service) = (world.upstream().wstun, shouting_service().await);
    let port = exposure.public_port.unwrap();
    assert!(TcpStream::connect(public(&exposure)).await.is_err(), "no tunnel, no port");

    for (port, board) in [(port, Some(other.id)), (22, Some(rod.id)), (port - 1, None)] {
        let refused = client(cloud, service, port, board).connect().await.err().unwrap();
        let ClientError::Handshake(refused) = refused else { panic!("{refused}") };
        assert!(refused.to_string().contains("403"), "{port} {board:?}: {refused}");
    }

    for board in [Some(rod.id), None] {
        let mut client = client(cloud, service, port, board);
        // The port of the tunnel before may be on its way out.
        let control = client.connect().await.unwrap();
        let running = tokio::spawn(async move { client.serve(control).await.to_string() });
        eventually("bytes pass", || shout(public(&exposure), "hello")).await;
        assert_eq!(shout(public(&exposure), "again").await.unwrap(), "AGAIN");
        counted(&world, &exposure).await;
        world.cloud().ingress.close(exposure.board, exposure.service);
        running.await.unwrap();
        // The board hears of the end a moment before the port is gone.
        eventually("the port closes with the exposure", || async {
            match TcpStream::connect(public(&exposure)).await {
                Ok(_) => Err("it still answers"),
                Err(_) => Ok(()),
            }
        })
        .await;
        world.cloud().ingress.open(&exposure).await.unwrap();
    }

    rod.session.close();
    world.until_status(rod.id, model::board::Status::Offline).await;
    let refused = client(cloud, service, port, Some(rod.id)).connect().await.err().unwrap();
    assert!(refused.to_string().contains("403"), "the board is away: {refused}");
}

#[tokio::test]
async fn a_session_over_an_upstream_boards_tunnel_is_told_with_its_bytes_and_where_it_came_from() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let exposure = expose(&world, rod.id, "shout").await;
    let (cloud, service) = (world.upstream().wstun, shouting_service().await);
    let mut client = client(cloud, service, exposure.public_port.unwrap(), Some(rod.id));
    let control = client.connect().await.unwrap();
    let running = tokio::spawn(async move { client.serve(control).await.to_string() });
    eventually("bytes pass", || shout(public(&exposure), "hello")).await;
    let rows = async |verb: &str| {
        let which = store::audit::Which { verb: Some(verb.into()), ..Default::default() };
        let filter = store::audit::Filter { which, limit: 100, ..Default::default() };
        store::audit::rows(world.store(), None, &filter).await.unwrap()
    };
    let ended = eventually("the end is told", || async {
        world.store().flush().await.unwrap();
        let done = rows("service:disconnect").await.into_iter().find(|row| row.outcome == "done");
        done.ok_or("not yet")
    })
    .await;
    let detail: Value = serde_json::from_str(&ended.detail).unwrap();
    assert_eq!((&detail["sent"], &detail["received"]), (&json!(5), &json!(5)), "{detail}");
    assert_eq!((&detail["board"], &detail["legacy"]), (&json!(rod.id), &json!(true)), "{detail}");
    assert_eq!(ended.subject, exposure.service.to_string());
    let begun = rows("service:connect").await.into_iter().find(|row| {
        let begun: Value = serde_json::from_str(&row.detail).unwrap();
        begun["session"] == detail["session"]
    });
    let begun = begun.unwrap();
    assert!(begun.known.iter().any(|known| known.field == "address" && known.value == "127.0.0.1"));
    running.abort();
}
