//! From an HTTP request to a WebSocket on the bare connection below it.
//!
//! Invariant: a request that is no proper upgrade gets its RFC 6455 status and a text, and no task is started for it.

use crate::serve::{Io, Stream};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::server::TlsStream;
use websocket::handshake::{Refusal, check_upgrade};
use websocket::{Limits, Role, WebSocket};

/// What an address speaks.
pub(super) struct Wanted {
    /// Subprotocols in our order of preference; a client must offer one of them. Empty where there is none.
    pub(super) subprotocols: &'static [&'static str],
    /// What the client may send.
    pub(super) limits: Limits,
    /// Sets the socket up for what is to pass; nodelay is on already. A failure means that it is gone, as the next read tells.
    pub(super) tune: fn(&TcpStream) -> io::Result<()>,
}

/// The connection below: bare where it can be had, because one more layer costs on every byte.
#[allow(clippy::large_enum_variant, reason = "moved once and taken apart at once")]
pub(super) enum Socket {
    Plain(WebSocket<TcpStream>),
    Encrypted(WebSocket<TlsStream<TcpStream>>),
    /// Not made by our own listener (tests that call the router directly).
    Other(WebSocket<TokioIo<Upgraded>>),
}

/// Answers 101 and runs `serve` on the connection, or says why not.
pub(super) fn upgrade<F, S>(mut request: Request, wanted: Wanted, serve: F) -> Response
where
    F: FnOnce(Socket, Option<&'static str>) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let upgrade = match check_upgrade(text) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refused(refusal),
    };
    let chosen = upgrade.choose(wanted.subprotocols);
    if chosen.is_none() && !wanted.subprotocols.is_empty() {
        return refused(Refusal::Subprotocol);
    }
    let Ok(accept) = HeaderValue::from_str(&upgrade.accept) else { return refused(Refusal::Key) };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let (socket, _place) = bare(upgraded, &wanted);
                serve(socket, chosen).await;
            }
            Err(error) => tracing::debug!(%error, "a client vanished while it was upgraded"),
        }
    });
    switching(accept, chosen)
}

fn switching(accept: HeaderValue, subprotocol: Option<&'static str>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

fn refused(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, format!("{refusal}\n")).into_response();
    if status == StatusCode::UPGRADE_REQUIRED {
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

/// The bare connection, and its place among the connections allowed.
fn bare(upgraded: Upgraded, wanted: &Wanted) -> (Socket, Option<OwnedSemaphorePermit>) {
    let (role, limits) = (Role::Server, wanted.limits);
    match upgraded.downcast::<TokioIo<Stream>>() {
        Ok(parts) => {
            let (io, place) = parts.io.into_inner().into_parts();
            let _ = match &io {
                Io::Plain(io) => (wanted.tune)(io),
                Io::Encrypted(io) => (wanted.tune)(io.get_ref().0),
            };
            let socket = match io {
                Io::Plain(io) => Socket::Plain(WebSocket::new(io, role, limits, parts.read_buf)),
                Io::Encrypted(io) => {
                    Socket::Encrypted(WebSocket::new(*io, role, limits, parts.read_buf))
                }
            };
            (socket, Some(place))
        }
        Err(upgraded) => {
            let socket = WebSocket::new(TokioIo::new(upgraded), role, limits, Bytes::new());
            (Socket::Other(socket), None)
        }
    }
}
