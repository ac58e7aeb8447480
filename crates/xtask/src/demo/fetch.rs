//! Looking from outside: plain TCP and the smallest HTTP client, neither of them ours in the product.
//!
//! Invariant: every wait ends and every answer is bounded. Deliberately not here: TLS; the demo stays on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::command::Fallible;

const PATIENCE: Duration = Duration::from_secs(10);
/// More than any page of the demo.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// RFC 4253 section 4.2 allows 255 characters.
const LONGEST_GREETING: u64 = 256;

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// GET from an `http://` URL.
pub(super) fn get(url: &str) -> Fallible<Answer> {
    let (place, path) = split(url)?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    let mut stream = connect(address(place)?)?;
    let failed = |error: std::io::Error| format!("{url} cannot be fetched: {error}");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut bytes).map_err(failed)?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| format!("{url} answers no HTTP"))
}

/// What a server says first, up to the end of a line.
pub(super) fn greeting(address: SocketAddr) -> Fallible<String> {
    let stream = connect(address)?;
    let failed = |error| format!("{address} says nothing: {error}");
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST_GREETING)).read_until(b'\n', &mut line).map_err(failed)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Host and port of an `http://` URL, and the path.
fn split(url: &str) -> Fallible<(&str, &str)> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} is no http:// URL"))?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (place, path) = rest.split_at(at);
    Ok((place, if path.is_empty() { "/" } else { path }))
}

/// The socket address of an `http://` URL.
pub(super) fn address_of(url: &str) -> Fallible<SocketAddr> {
    address(split(url)?.0)
}

fn address(place: &str) -> Fallible<SocketAddr> {
    place.parse().map_err(|_| format!("`{place}` is no address and port"))
}

fn connect(address: SocketAddr) -> Fallible<TcpStream> {
    let failed = |error| format!("{address} cannot be reached: {error}");
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    Ok(stream)
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Answers one connection with fixed bytes.
    fn server(bytes: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(bytes).unwrap();
        });
        address
    }

    #[test]
    fn status_and_body_are_read() {
        let answer = parse("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nno\r\n\r\nsuch").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, "no\r\n\r\nsuch"));
    }

    #[test]
    fn a_greeting_ends_with_its_line() {
        assert_eq!(greeting(server(b"SSH-2.0-x\r\nmore")).unwrap(), "SSH-2.0-x");
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        let url = format!("http://{}", server(b"hello"));
        assert!(get(&url).is_err());
        assert!(get("ftp://x").unwrap_err().contains("no http:// URL"));
        assert_eq!(address_of("http://127.0.0.1:80/x").unwrap().port(), 80);
    }
}
