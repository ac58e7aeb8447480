//! Control sockets and their ports: who gets one, when it closes, what closes with it.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tunnel::wstun::{ClientEnded, ClientError, ControlEnded, ServeError, Served};
use websocket::handshake::HandshakeError;

use crate::common::{service, soon, until};
use crate::forwarding::{greet, is_echoed, is_greeted};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_open_for_as_long_as_its_control_socket_and_connections_outlive_it() {
    let mut cloud = binding_cloud().await;
    let mut client = client(cloud.address, cloud.port(), service(greet).await);
    let mut control = Some(client.connect().await.unwrap());
    let mut customer = cloud.customer().await;
    {
        let serving = client.serve(control.take().unwrap());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => panic!("{ended}"),
            () = is_greeted(&mut customer) => {}
        }
    }
    let Ok(Served::Control { request, ended }) = cloud.outcome().await else { panic!("refused") };
    assert_eq!((request.port, request.board.as_deref()), (cloud.port(), Some("board-1")));
    assert!(matches!(ended, ControlEnded::Closed | ControlEnded::Socket(_)), "{ended}");
    let error = TcpStream::connect(cloud.public).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    is_echoed(&mut customer, 1, 100_000).await;

    let again = client.connect().await.unwrap();
    assert_eq!(client.connections(), 1);
    let serving = tokio::spawn(async move { client.serve(again).await });
    is_greeted(&mut cloud.customer().await).await;
    is_echoed(&mut customer, 2, 100_000).await;
    serving.abort();
    let cut = soon("the cut", customer.read(&mut [0; 8])).await;
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_closes_the_control_socket_and_says_so() {
    let mut cloud = binding_cloud().await;
    let _other = TcpListener::bind(cloud.public).await.unwrap();
    let board = Board::up(client(cloud.address, cloud.port(), cloud.public)).await;
    let ended = board.ended().await;
    let ClientEnded::Closed { code: 1013, text } = ended else { panic!("{ended}") };
    assert_eq!(text, format!("port {} is in use", cloud.port()));
    assert!(matches!(cloud.outcome().await, Err(ServeError::Busy { .. })));
    assert_eq!(cloud.server.stats().controls, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_whose_control_socket_lives_is_not_given_to_another() {
    let mut short = settings();
    short.liveness.active_ping = Duration::from_millis(50);
    short.liveness.active_dead = Duration::from_secs(20);
    let mut cloud = cloud(short).await;
    let first = Board::up(client(cloud.address, cloud.port(), service(greet).await)).await;
    let second = client(cloud.address, cloud.port(), service(greet).await);
    let second = Board::up(second).await.ended().await;
    assert!(matches!(second, ClientEnded::Closed { code: 1013, .. }), "{second}");
    assert!(matches!(cloud.outcome().await, Err(ServeError::Busy { .. })));
    is_greeted(&mut cloud.customer().await).await;
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_whose_control_socket_is_dead_is_given_to_the_next() {
    let mut short = settings();
    short.liveness.active_ping = Duration::from_millis(50);
    // Longer than a busy machine forgets the next one, who has as much time.
    short.liveness.active_dead = Duration::from_secs(4);
    let mut cloud = cloud(short).await;
    let _silent = raw_control(&cloud).await;
    let _board = Board::up(client(cloud.address, cloud.port(), service(greet).await)).await;
    is_greeted(&mut cloud.customer().await).await;
    let Ok(Served::Control { ended, .. }) = cloud.outcome().await else { panic!("refused") };
    assert!(matches!(ended, ControlEnded::Silent), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_not_allowed_is_refused_with_the_reason() {
    let mut cloud = cloud(settings()).await;
    let port = 1.try_into().unwrap();
    let error = client(cloud.address, port, cloud.public).connect().await.unwrap_err();
    let ClientError::Handshake(HandshakeError::Status { status: 403, body }) = error else {
        panic!("{error}")
    };
    assert_eq!(body, "port 1 is not yours");
    assert!(matches!(cloud.outcome().await, Err(ServeError::Refused { status: 403, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_nobody_fetches_is_dropped_in_time_and_its_place_is_free_again() {
    let mut short = settings();
    short.claim_within = Duration::from_millis(100);
    short.max_waiting = 1;
    let cloud = cloud(short).await;
    let (mut reader, _writer) = raw_control(&cloud).await.split();
    for _ in 0..3 {
        let mut customer = cloud.customer().await;
        let id = notice(&mut reader).await;
        assert_eq!(soon("the end", customer.read(&mut [0; 8])).await.unwrap(), 0);
        let error = raw(cloud.address, &format!("/?id={id}")).await.unwrap_err();
        assert!(matches!(error, HandshakeError::Status { status: 404, .. }), "{error}");
    }
    assert_eq!(cloud.server.stats().unclaimed, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_beyond_the_places_to_wait_are_served_when_one_is_free() {
    let mut narrow = settings();
    narrow.max_waiting = 2;
    let cloud = cloud(narrow).await;
    let mut customers = Vec::new();
    for _ in 0..10 {
        customers.push(cloud.customer().await);
    }
    let _board = Board::up(client(cloud.address, cloud.port(), service(greet).await)).await;
    for customer in &mut customers {
        is_greeted(customer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cutting_a_port_cuts_all_that_hangs_on_it() {
    let (cloud, board) = pair(service(greet).await).await;
    let mut customer = cloud.customer().await;
    is_greeted(&mut customer).await;
    cloud.server.cut(cloud.port());
    let error = soon("the cut", customer.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let ended = board.ended().await;
    assert!(matches!(ended, ClientEnded::Closed { code: 1001, .. }), "{ended}");
    until("everything is forgotten", || {
        let stats = cloud.server.stats();
        stats.controls + stats.waiting + stats.connections == 0
    })
    .await;
    let _board = Board::up(client(cloud.address, cloud.port(), service(greet).await)).await;
    is_greeted(&mut cloud.customer().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_beyond_the_bounds_are_refused() {
    let mut narrow = settings();
    (narrow.max_controls, narrow.max_connections) = (1, 0);
    let cloud = cloud(narrow).await;
    let (mut reader, _writer) = raw_control(&cloud).await.split();
    let path = format!("/?dst=a:{}", cloud.port());
    let error = raw(cloud.address, &path).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Status { status: 503, .. }), "{error}");
    let mut customer = cloud.customer().await;
    let id = notice(&mut reader).await;
    let error = raw(cloud.address, &format!("/?id={id}")).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Status { status: 503, .. }), "{error}");
    assert_eq!(soon("the end", customer.read(&mut [0; 8])).await.unwrap(), 0);
}
