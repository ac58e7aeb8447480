//! What people see through a port: bytes exactly, whoever speaks first; ends as far as the dialect has words.

use std::io::ErrorKind;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tunnel::wstun::{Client, ClientSettings, Dialer, Served};

use crate::common::{echo, noise, read_to_end, service, soon, tls, write_all};
use crate::support::*;

/// Bytes of a service that speaks first, then echoes.
pub async fn greet(mut stream: TcpStream) {
    stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
    echo(stream).await;
}

pub async fn is_greeted(customer: &mut TcpStream) {
    let mut banner = [0; 14];
    soon("the banner", customer.read_exact(&mut banner)).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-test\r\n");
}

/// Sends bytes and reads as many back, without ending.
pub async fn is_echoed(customer: &mut TcpStream, seed: u64, length: usize) {
    let sent = noise(seed, length);
    let mut got = vec![0; length];
    let (mut read, mut write) = customer.split();
    let (read, ()) =
        tokio::join!(soon("the echo", read.read_exact(&mut got)), write_all(&mut write, &sent));
    read.unwrap();
    assert!(got == sent, "connection {seed} carried other bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_speaks_first_is_heard() {
    let (cloud, _board) = pair(service(greet).await).await;
    let mut customer = cloud.customer().await;
    is_greeted(&mut customer).await;
    is_echoed(&mut customer, 1, 100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_speaks_first_loses_nothing() {
    let (cloud, _board) = pair(service(echo).await).await;
    for seed in 0..20 {
        is_echoed(&mut cloud.customer().await, seed, 1 + 1000 * seed as usize).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_connections_at_once_carry_exactly_their_own_bytes() {
    let (mut cloud, _board) = pair(service(echo).await).await;
    let mut customers = tokio::task::JoinSet::new();
    for seed in 0..50 {
        let mut customer = cloud.customer().await;
        let length = 10_000 + 7_000 * seed as usize;
        customers.spawn(async move { is_echoed(&mut customer, seed, length).await });
    }
    let all = async { while customers.join_next().await.transpose().unwrap().is_some() {} };
    soon("all customers", all).await;
    let mut moved = 0;
    for _ in 0..50 {
        let Ok(Served::Data(connection)) = cloud.outcome().await else { panic!("cut") };
        assert_eq!(connection.sent, connection.received);
        moved += connection.sent;
    }
    assert_eq!(moved, (0..50).map(|seed| 10_000 + 7_000 * seed).sum::<u64>());
    let stats = cloud.server.stats();
    assert_eq!((stats.connections, stats.waiting, stats.controls), (0, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_side_said_before_its_end_is_delivered_whole() {
    let (cloud, _board) = pair(
        service(|mut stream: TcpStream| async move {
            write_all(&mut stream, &noise(3, 5_000_000)).await;
        })
        .await,
    )
    .await;
    assert!(read_to_end(&mut cloud.customer().await).await == noise(3, 5_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn between_ours_an_answer_that_keeps_coming_survives_the_end_of_the_question() {
    let (cloud, _board) = pair(
        service(|mut stream: TcpStream| async move {
            let question = read_to_end(&mut stream).await;
            write_all(&mut stream, &noise(4, 3_000_000)).await;
            write_all(&mut stream, &question).await;
        })
        .await,
    )
    .await;
    let mut customer = cloud.customer().await;
    write_all(&mut customer, b"question").await;
    customer.shutdown().await.unwrap();
    let answer = read_to_end(&mut customer).await;
    assert!(answer == [noise(4, 3_000_000).as_slice(), b"question"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_ends_is_cut_some_time_after_its_client_has() {
    let mut short = settings();
    // Longer than the end of the client is on its way to the service.
    short.linger = std::time::Duration::from_secs(3);
    let mut cloud = cloud(short).await;
    let (seen, mut sees) = tokio::sync::mpsc::channel(1);
    let target = service(move |mut stream: TcpStream| {
        let seen = seen.clone();
        async move {
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
            stream.ready(Interest::ERROR).await.unwrap();
            seen.send(stream.take_error().unwrap().map(|error| error.kind())).await.unwrap();
        }
    })
    .await;
    let _board = Board::up(client(cloud.address, cloud.port(), target)).await;
    let mut customer = cloud.customer().await;
    customer.shutdown().await.unwrap();
    let end = soon("the cut", customer.read(&mut [0; 8])).await;
    assert!(matches!(&end, Err(error) if error.kind() == ErrorKind::ConnectionReset), "{end:?}");
    assert!(cloud.outcome().await.unwrap_err().to_string().contains("silent for too long"));
    let heard = soon("the service's end", sees.recv()).await.unwrap();
    // A reset after an end is told as a broken pipe.
    assert_eq!(heard, Some(ErrorKind::BrokenPipe));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_the_service_reaches_the_client_as_a_reset() {
    let (cloud, _board) = pair(
        service(|mut stream: TcpStream| async move {
            stream.read_exact(&mut [0]).await.unwrap();
            stream.set_zero_linger().unwrap();
        })
        .await,
    )
    .await;
    let mut customer = cloud.customer().await;
    write_all(&mut customer, b"x").await;
    let error = soon("the reset", customer.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_service_that_is_down() {
    let (cloud, _board) = pair(free_address().await).await;
    // The reset may be so quick that connecting already reports it.
    let outcome = match TcpStream::connect(cloud.public).await {
        Ok(mut customer) => soon("the reset", customer.read(&mut [0; 8])).await,
        Err(error) => Err(error),
    };
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_only_itself() {
    let (cloud, _board) = pair(service(echo).await).await;
    let stuck = cloud.customer().await;
    let sent = async {
        loop {
            stuck.writable().await.unwrap();
            match stuck.try_write(&[7; 65536]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let idle = stuck.writable();
                    let wait = std::time::Duration::from_millis(300);
                    if tokio::time::timeout(wait, idle).await.is_err() {
                        return;
                    }
                }
                outcome => assert!(outcome.unwrap() > 0),
            }
        }
    };
    soon("back-pressure", sent).await;
    is_echoed(&mut cloud.customer().await, 5, 200_000).await;
}

/// A cloud behind TLS.
pub async fn tls_cloud(acceptor: TlsAcceptor) -> Cloud {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let public = listener.local_addr().unwrap();
    serve(settings(), OnePort(listener), public, move |stream| acceptor.accept(stream)).await
}

struct Tls {
    plain: Plain,
    connector: TlsConnector,
}

impl Dialer for Tls {
    type Cloud = tokio_rustls::client::TlsStream<TcpStream>;
    type Target = TcpStream;

    async fn cloud(&self) -> std::io::Result<Self::Cloud> {
        let name = ServerName::try_from("localhost").unwrap();
        self.connector.connect(name, self.plain.cloud().await?).await
    }

    async fn target(&self) -> std::io::Result<TcpStream> {
        self.plain.target().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_around_it_changes_nothing() {
    let (acceptor, connector) = tls();
    let cloud = tls_cloud(acceptor).await;
    let plain = Plain { cloud: cloud.address, target: service(greet).await };
    let dialer = Tls { plain, connector };
    let asked = asked(cloud.address, cloud.port());
    let _board = Board::up(Client::new(asked, dialer, ClientSettings::default())).await;
    let mut customer = cloud.customer().await;
    is_greeted(&mut customer).await;
    is_echoed(&mut customer, 6, 500_000).await;
    customer.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut customer).await, b"");
}
