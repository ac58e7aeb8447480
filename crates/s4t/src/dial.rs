//! From a signed-in client to a WebSocket of its cloud.
//!
//! Invariant: the cloud is believed exactly as far as by every other request of the same client.

use crate::failure::Failure;
use api::Problem;
use api::client::{Client, Trust};
use api::identity::AUTH_TOKEN;
use model::Kind;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use websocket::handshake::{self, HandshakeError};
use websocket::{Limits, WebSocket};

/// How long the connection may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// A cloud's address in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    scheme: Scheme,
    /// Host and port as they stand.
    authority: &'a str,
    host: &'a str,
    port: u16,
    prefix: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Plain,
    Encrypted,
}

/// Opens the WebSocket at `path` of the client's cloud, which must speak `subprotocol`.
pub(crate) async fn dial(
    client: &Client,
    path: &str,
    subprotocol: &str,
    limits: Limits,
) -> Result<WebSocket<Box<dyn Stream>>, Failure> {
    let url = client.url();
    let address =
        parse(url).ok_or_else(|| Failure::invalid(format!("{url} is no address of a cloud")))?;
    let lost = |error: &dyn std::fmt::Display| {
        let text = format!("the cloud at {url} cannot be reached: {error}");
        Failure::new(Kind::Unreachable, text).help("check the address and that it runs")
    };
    let connect = async {
        let stream = connect(&address, client.trust()).await?;
        let path = format!("{}{path}", address.prefix);
        let token = client.token().unwrap_or_default();
        let headers = [(AUTH_TOKEN, token.as_str())];
        handshake::client(stream, address.authority, &path, &[subprotocol], &headers, limits).await
    };
    match tokio::time::timeout(TIMEOUT, connect).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(HandshakeError::Status { status, body })) => Err(refusal(status, &body)),
        Ok(Err(error)) => Err(lost(&error)),
        Err(_) => Err(lost(&"it took too long")),
    }
}

async fn connect(address: &Address<'_>, trust: &Trust) -> std::io::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect((address.host, address.port)).await?;
    tunnel::tune(&tcp)?;
    if address.scheme == Scheme::Plain {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(address.host.to_owned()).map_err(std::io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config(trust).map_err(std::io::Error::other)?));
    Ok(Box::new(connector.connect(name, tcp).await?))
}

fn config(trust: &Trust) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let pem = trust.pem();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
    roots.add_parsable_certificates(certificates);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn parse(url: &str) -> Option<Address<'_>> {
    let (scheme, rest, usual) = match url.split_once("://")? {
        ("http", rest) => (Scheme::Plain, rest, 80),
        ("https", rest) => (Scheme::Encrypted, rest, 443),
        _ => return None,
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, prefix) = rest.split_at_checked(at)?;
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of a bare address in brackets are no port's.
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, usual),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let prefix = prefix.trim_end_matches('/');
    (!host.is_empty()).then_some(Address { scheme, authority, host, port, prefix })
}

/// The problem in the body of a refused upgrade, as far as it came.
fn refusal(status: u16, body: &str) -> Failure {
    if let Ok(problem) = serde_json::from_str::<Problem>(body) {
        return Failure::new(problem.kind, problem.detail);
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.status() == status).unwrap_or(Kind::Internal);
    Failure::new(kind, format!("the cloud answered {status} instead of opening the WebSocket"))
        .help("is this client newer than the cloud?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let read = |url| parse(url).map(|a| (a.scheme, a.authority, a.host, a.port, a.prefix));
        assert_eq!(
            read("http://127.0.0.1:8812"),
            Some((Scheme::Plain, "127.0.0.1:8812", "127.0.0.1", 8812, ""))
        );
        assert_eq!(
            read("https://cloud.example/s4t/"),
            Some((Scheme::Encrypted, "cloud.example", "cloud.example", 443, "/s4t"))
        );
        assert_eq!(read("http://[::1]:80"), Some((Scheme::Plain, "[::1]:80", "::1", 80, "")));
        assert_eq!(read("http://[::1]"), Some((Scheme::Plain, "[::1]", "::1", 80, "")));
        for wrong in ["", "cloud", "ftp://x", "http://", "http://x:port"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
