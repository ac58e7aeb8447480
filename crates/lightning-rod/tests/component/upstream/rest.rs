//! `DeviceRestSubmit` against a small web server: what is sent, what comes back, and where it may not go.

use super::{anonymous, cloud, online};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers every request with what `answer` makes of its first line; keeps the requests.
pub(crate) async fn web(answer: fn(&str) -> String) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let keep = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let is_whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                body.len() >= length.map_or(0, |length| length.parse().unwrap())
            };
            while !is_whole(&request) && stream.read_buf(&mut request).await.is_ok_and(|n| n > 0) {}
            let text = String::from_utf8(request).unwrap();
            let said = answer(text.lines().next().unwrap_or_default());
            keep.lock().unwrap().push(text);
            let _ = stream.write_all(said.as_bytes()).await;
        }
    });
    (address, seen)
}

pub(crate) fn json_answer(value: &Value) -> String {
    let body = value.to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_request_is_submitted_and_the_answers_json_comes_back() {
    let (address, seen) = web(|_| json_answer(&json!({"temperature": 21.5}))).await;
    let (_crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.rest_prefixes = vec![format!("http://{address}/api")];
    let (_rod, running, session) = online(&script, settings).await;
    let asked = json!({
        "url": format!("http://{address}/api/set"), "method": "POST", "params": {"a": "b c"},
        "json": {"on": true}, "headers": {"X-Key": "k"},
    });
    let said = script.call(session, "DeviceRestSubmit", &[asked]).await;
    assert_eq!((said.result.as_str(), &said.message), ("SUCCESS", &json!({"temperature": 21.5})));
    let request = seen.lock().unwrap()[0].clone();
    assert!(request.starts_with("POST /api/set?a=b%20c HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains("X-Key: k\r\n") && request.ends_with("\r\n\r\n{\"on\":true}"),
        "{request}"
    );
    running.stop().await;
}

#[tokio::test]
async fn nothing_outside_the_allowed_prefixes_is_reached_not_even_by_a_redirect() {
    let (elsewhere, touched) = web(|_| json_answer(&json!("secret"))).await;
    // The web server knows the other's port only by the request that leads there.
    let (address, seen) = web(|line| {
        let to = line
            .split(' ')
            .nth(1)
            .and_then(|path| path.split_once("?to="))
            .map_or("", |(_, to)| to);
        format!("HTTP/1.1 302 Found\r\nLocation: http://{to}/secret\r\nContent-Length: 0\r\n\r\n")
    })
    .await;
    let (_crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.rest_prefixes = vec![format!("http://{address}/api")];
    let (_rod, running, session) = online(&script, settings).await;
    for url in [
        format!("http://{elsewhere}/api"),
        format!("http://{address}/"),
        format!("http://{address}/apis"),
        format!("http://{address}/api/../secret"),
        format!("http://{address}/api?to={elsewhere}"),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let said =
            script.call(session, "DeviceRestSubmit", &[json!({"url": url, "method": "GET"})]).await;
        assert_eq!(said.result, "ERROR", "{url}: {said:?}");
    }
    assert!(touched.lock().unwrap().is_empty());
    assert_eq!(seen.lock().unwrap().len(), 1, "only the redirect was asked for");
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_no_json_and_a_server_that_is_not_there_are_clear_errors() {
    let (address, _) = web(|_| "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html".into()).await;
    let gone = crate::ports::NOBODY;
    let (_crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.rest_prefixes = vec![format!("http://{address}"), format!("http://{gone}")];
    let (_rod, running, session) = online(&script, settings).await;
    let ask = async |at: SocketAddr| {
        let asked = json!({"url": format!("http://{at}/"), "method": "GET", "timeout": 5});
        script.call(session, "DeviceRestSubmit", &[asked]).await
    };
    assert!(ask(address).await.text().contains("is not JSON"));
    assert!(ask(gone).await.text().contains("cannot be reached"));
    running.stop().await;
}

#[tokio::test]
async fn without_prefixes_requests_are_refused() {
    let (_crossroads, script) = cloud().await;
    let (_rod, running, session) = online(&script, anonymous()).await;
    let asked = json!({"url": "http://127.0.0.1/", "method": "GET"});
    let said = script.call(session, "DeviceRestSubmit", &[asked]).await;
    assert!(said.result == "ERROR" && said.text().contains("upstream.rest_prefixes"), "{said:?}");
    running.stop().await;
}
