//! Ours with the npm package on the other side. It runs on one thread of a loaded machine: counts are small.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tunnel::wstun::ServeError;

use crate::common::{echo, noise, service, soon, tls, until, write_all};
use crate::forwarding::{greet, is_echoed, is_greeted, tls_cloud};
use crate::node::*;
use crate::support::*;

/// Our cloud and upstream's board.
async fn their_board<F, R>(serve: F) -> (Cloud, Node)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let cloud = cloud(settings()).await;
    let url = format!("ws://{}", cloud.address);
    let node = node_client(&url, cloud.public.port(), service(serve).await);
    until("upstream's board asks for its port", || cloud.server.stats().controls == 1).await;
    (cloud, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn their_board_with_a_service_that_speaks_first() {
    let (cloud, _node) = their_board(greet).await;
    for seed in 0..5 {
        let mut customer = cloud.customer().await;
        is_greeted(&mut customer).await;
        is_echoed(&mut customer, seed, 100_000).await;
    }
}

/// Between two of theirs this hangs.
#[tokio::test(flavor = "multi_thread")]
async fn their_board_with_a_client_that_speaks_first() {
    let (cloud, _node) = their_board(echo).await;
    for seed in 0..20 {
        is_echoed(&mut cloud.customer().await, seed, 10 + 5_000 * seed as usize).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn their_board_with_many_clients_at_once() {
    let (cloud, _node) = their_board(echo).await;
    many(&cloud).await;
}

async fn many(cloud: &Cloud) {
    let mut customers = JoinSet::new();
    for seed in 0..20 {
        let mut customer = cloud.customer().await;
        customers.spawn(async move { is_echoed(&mut customer, seed, 50_000).await });
    }
    let all = async { while customers.join_next().await.transpose().unwrap().is_some() {} };
    soon("all customers", all).await;
}

/// Theirs hangs up when a close is not answered within five seconds, whatever is still unsent, and a busy machine is
/// that slow at times. Then the client must see a reset, never the end of half a download.
#[tokio::test(flavor = "multi_thread")]
async fn their_board_delivers_a_whole_download_and_its_end() {
    let (cloud, _node) = their_board(|mut stream: TcpStream| async move {
        write_all(&mut stream, &noise(3, 3_000_000)).await;
    })
    .await;
    let expected = noise(3, 3_000_000);
    soon("a download that is not cut", async {
        loop {
            let mut got = Vec::new();
            match cloud.customer().await.read_to_end(&mut got).await {
                Ok(_) => return assert!(got == expected, "an end after {} bytes", got.len()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn their_board_hears_that_a_client_has_gone() {
    let (gone, mut goes) = tokio::sync::mpsc::channel(1);
    let (mut cloud, _node) = their_board(move |mut stream: TcpStream| {
        let gone = gone.clone();
        async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let mut customer = cloud.customer().await;
    write_all(&mut customer, b"and goes").await;
    drop(customer);
    soon("the service's end", goes.recv()).await.unwrap();
    cloud.outcome().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn their_board_over_tls() {
    let cloud = tls_cloud(tls().0).await;
    let url = format!("wss://localhost:{}", cloud.address.port());
    let _node = node_client(&url, cloud.public.port(), service(echo).await);
    until("upstream's board asks for its port", || cloud.server.stats().controls == 1).await;
    for seed in 0..5 {
        is_echoed(&mut cloud.customer().await, seed, 50_000).await;
    }
}

/// The agent watches for the end of the process and starts another.
#[tokio::test(flavor = "multi_thread")]
async fn their_board_gives_up_when_its_port_is_busy_or_refused() {
    let mut cloud = binding_cloud().await;
    let _other = tokio::net::TcpListener::bind(cloud.public).await.unwrap();
    let url = format!("ws://{}", cloud.address);
    let mut busy = node_client(&url, cloud.public.port(), cloud.public);
    soon("its end", busy.0.wait()).await.unwrap();
    assert!(matches!(cloud.outcome().await, Err(ServeError::Busy { .. })));

    let mut fenced = crate::support::cloud(settings()).await;
    let mut refused = node_client(&format!("ws://{}", fenced.address), 1, fenced.public);
    soon("its end", refused.0.wait()).await.unwrap();
    assert!(matches!(fenced.outcome().await, Err(ServeError::Refused { status: 403, .. })));
}

/// Connects to what is about to listen: theirs answers before its port is open.
async fn reach(address: SocketAddr) -> TcpStream {
    soon("a listener", async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// Upstream's cloud and our board.
async fn their_cloud<F, R>(serve: F) -> (SocketAddr, Board, Node)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let (address, public) = (free_address().await, free_address().await);
    let node = node_server(address);
    drop(reach(address).await);
    let port = public.port().try_into().unwrap();
    let board = Board::up(client(address, port, service(serve).await)).await;
    (public, board, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn their_cloud_with_a_service_that_speaks_first() {
    let (public, _board, _node) = their_cloud(greet).await;
    for seed in 0..5 {
        let mut customer = reach(public).await;
        is_greeted(&mut customer).await;
        is_echoed(&mut customer, seed, 100_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn their_cloud_with_a_client_that_speaks_first() {
    let (public, _board, _node) = their_cloud(echo).await;
    for seed in 0..20 {
        let mut customer = reach(public).await;
        is_echoed(&mut customer, seed, 10 + 5_000 * seed as usize).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn their_cloud_with_many_clients_at_once_and_bulk() {
    let (public, _board, _node) = their_cloud(echo).await;
    let mut customers = JoinSet::new();
    for seed in 0..20 {
        customers.spawn(async move {
            let mut customer = reach(public).await;
            is_echoed(&mut customer, seed, 200_000).await;
        });
    }
    let all = async { while customers.join_next().await.transpose().unwrap().is_some() {} };
    soon("all customers", all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn their_cloud_with_a_service_that_is_down_lets_nobody_wait() {
    let (public, _board, _node) = their_cloud(|stream: TcpStream| async move {
        stream.set_zero_linger().unwrap();
    })
    .await;
    let mut customer = reach(public).await;
    let mut rest = Vec::new();
    // Theirs ends the client in order whatever happened.
    let _ = soon("the end", customer.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
}
