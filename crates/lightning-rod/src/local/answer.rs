//! What the local page says: JSON, text, and one page of HTML without scripts.
//!
//! Invariant: whatever the board's cloud or services are called, it is shown and not obeyed.

use serde_json::Value;
use std::fmt::Write as _;

/// An answer.
pub(super) struct Answer {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, kind: "application/json", body }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: text.as_bytes().to_vec() }
    }

    pub(super) fn html(text: String) -> Self {
        Self { status: 200, kind: "text/html; charset=utf-8", body: text.into_bytes() }
    }

    /// As it goes over the wire.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            409 => "Conflict",
            415 => "Unsupported Media Type",
            429 => "Too Many Requests",
            504 => "Gateway Timeout",
            _ => "Internal Server Error",
        };
        let head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n",
            self.status,
            self.kind,
            self.body.len(),
        );
        [head.as_bytes(), &self.body].concat()
    }
}

/// The members of `/info` and what people call them.
const LINES: [(&str, &str); 12] = [
    ("board_name", "Board"),
    ("board_id", "Identity"),
    ("board_reg_status", "Registration"),
    ("wagent", "Cloud"),
    ("iotronic_status", "Connection"),
    ("session_id", "Session"),
    ("wstun_status", "Tunnels"),
    ("service_list", "Services"),
    ("nic", "Network"),
    ("serial_dev", "Serial number"),
    ("lr_version", "Agent"),
    ("timestamp", "Time"),
];

/// The page for people.
pub(super) fn page(info: &Value) -> String {
    let mut rows = String::new();
    for (member, label) in LINES {
        let _ = writeln!(rows, "<tr><th>{label}</th><td>{}</td></tr>", shown(info.get(member)));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Lightning-Rod</title>\n\
         <style>body{{font:16px sans-serif;margin:2em auto;max-width:44em;padding:0 1em;color:#222}}\
         th{{text-align:left;vertical-align:top;padding:.3em 2em .3em 0;font-weight:600}}\
         td{{overflow-wrap:anywhere}}</style>\n</head>\n<body>\n<h1>Lightning-Rod</h1>\n\
         <table>\n{rows}</table>\n</body>\n</html>\n"
    )
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none yet".into(),
        Some(Value::String(text)) => escape(text),
        Some(Value::Array(list)) => {
            list.iter().map(|one| shown(Some(one))).collect::<Vec<_>>().join("<br>")
        }
        Some(other) => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_shown_and_not_obeyed() {
        let evil = "<script>alert('x')</script>";
        let page = page(&json!({"board_name": evil, "service_list": [evil]}));
        assert!(!page.contains("<script>"));
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;x&#39;)").count(), 2);
    }
}
