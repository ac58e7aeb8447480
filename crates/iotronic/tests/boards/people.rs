//! A person with a program: as much HTTP as these tests need.

use model::ProjectId;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Signed in by `admin.json`.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) address: SocketAddr,
    token: String,
}

/// Head and JSON body of an answer.
async fn exchange(
    address: SocketAddr,
    request: &str,
    token: &str,
    body: &Value,
) -> io::Result<(u16, String, Value)> {
    let body = body.to_string();
    let mut io = TcpStream::connect(address).await?;
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Auth-Token: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    io.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    io.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, head.to_owned(), serde_json::from_str(body).unwrap_or_default()))
}

impl Person {
    pub(crate) async fn sign_in(dir: &Path, address: SocketAddr) -> io::Result<Self> {
        let admin: Value = serde_json::from_str(&std::fs::read_to_string(dir.join("admin.json"))?)?;
        let body = json!({ "auth": { "identity": {
            "methods": ["application_credential"],
            "application_credential": {
                "id": admin["application_credential_id"],
                "secret": admin["application_credential_secret"],
            },
        } } });
        let (status, head, answer) =
            exchange(address, "POST /identity/v3/auth/tokens", "", &body).await?;
        assert_eq!(status, 201, "{answer}");
        let is_it = |line: &&str| line.to_ascii_lowercase().starts_with("x-subject-token:");
        let line = head.lines().find(is_it).unwrap();
        let token = line.split_once(':').unwrap().1.trim().to_owned();
        Ok(Self { address, token })
    }

    /// The project it signs in to.
    pub(crate) async fn project(&self) -> ProjectId {
        let (_, own) = self.ask("GET /identity/v3/auth/projects", json!({})).await.unwrap();
        own["projects"][0]["id"].as_str().unwrap().parse().unwrap()
    }

    /// A request without a body, for a connection that stays.
    pub(crate) fn head(&self, request: &str, more: &str) -> String {
        let Self { address, token } = self;
        format!("{request} HTTP/1.1\r\nHost: {address}\r\nX-Auth-Token: {token}\r\n{more}\r\n")
    }

    /// Status and body; an error when the cloud was not there to answer.
    pub(crate) async fn ask(&self, request: &str, body: Value) -> io::Result<(u16, Value)> {
        let (status, _, answer) = exchange(self.address, request, &self.token, &body).await?;
        Ok((status, answer))
    }
}
