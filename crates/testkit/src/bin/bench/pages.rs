//! What open pages of the dashboard cost the cloud: each holds one event stream, and all see each event.
//!
//! Invariant: a page counts once its stream has begun, and an event counts once every page has it.

use crate::figure::{Figure, Goal, short};
use crate::memory::mib;
use crate::stage::Stage;
use crate::statistics::{median, ms};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Pages open at one time.
const PAGES: usize = 1000;
/// Events sent one by one to all of them.
const EVENTS: usize = 10;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let mut kept = stage.connect();
    let mut change = |name: &str| {
        let body = serde_json::json!({ "name": name }).to_string();
        let _ = kept.ask(&stage.asker.request("POST", api::fleets::PATH, &body));
    };
    change("bench-pages-before");
    let before = stage.memory_kib()[0];
    let mut pages: Vec<Page> = (0..PAGES).map(|_| Page::open(stage)).collect();
    let open = stage.memory_kib()[0].saturating_sub(before);
    let mut times = Vec::new();
    let cost = stage.cost(|| {
        for number in 0..EVENTS {
            let name = format!("bench-pages-{number}");
            let begun = Instant::now();
            change(&name);
            pages.iter_mut().for_each(|page| page.wait_for(&name));
            times.push(ms(begun.elapsed()));
        }
    });
    let after = stage.memory_kib()[0].saturating_sub(before);
    let each = ms(cost.cloud) / EVENTS as f64;
    vec![
        Figure::new(format!("memory (RSS) of {PAGES} open pages"), mib(after), "MiB")
            .goal(Goal::AtMost(100.0))
            .beside(format!("before the first event {}", short(mib(open)))),
        Figure::new(format!("an event is on all {PAGES} pages"), median(&times), "ms")
            .goal(Goal::AtMost(500.0))
            .beside(format!(
                "median of {EVENTS}; processor time of the cloud {} ms each",
                short(each)
            )),
    ]
}

/// One event stream.
struct Page {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Page {
    fn open(stage: &Stage) -> Self {
        let (at, token) = (&stage.asker.at, &stage.asker.token);
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = api::events::PATH;
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {at}\r\nx-auth-token: {token}\r\naccept: text/event-stream\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut page = Self { stream, seen: Vec::new() };
        page.wait_for("200 OK");
        page.wait_for("\r\n\r\n");
        page
    }

    fn wait_for(&mut self, wanted: &str) {
        let wanted = wanted.as_bytes();
        let mut piece = [0; 4096];
        while !self.seen.windows(wanted.len()).any(|bytes| bytes == wanted) {
            let read = self.stream.read(&mut piece).unwrap();
            assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(&self.seen));
            self.seen.extend_from_slice(&piece[..read]);
        }
    }
}
