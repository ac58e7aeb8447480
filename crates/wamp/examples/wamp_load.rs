//! Loads any WAMP router over WebSocket and says what came of it, as JSON: the load generator of the benchmarks.
//!
//! `wamp_load calls ADDRESS REALM SERIALISER WINDOW SECONDS [PID]`: a caller with so many calls in flight and a callee.
//! `wamp_load fanout ADDRESS REALM SERIALISER SUBSCRIBERS SECONDS [PID]`: each publication waits for all subscribers.
//! `wamp_load sessions ADDRESS REALM SERIALISER COUNT SECONDS PID`: memory of the router before and with idle sessions.
//! `wamp_load bare SUBSCRIBERS SECONDS`: what writing the same bytes to as many sockets costs without a router.
//! With a process id it tells that process's processor time for each call or event. One thread; the router is not here.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use wamp::{Dict, Serialiser, read_value, write_value};
use websocket::{Limits, Message, Reader, WebSocket, Writer, handshake};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Bytes of a call's and an event's one argument.
const PAYLOAD: usize = 32;
/// Time before counting begins.
const WARM_UP: Duration = Duration::from_millis(500);

fn main() -> Fallible<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = runtime.block_on(async {
        match words.as_slice() {
            ["calls", address, realm, serialiser, window, seconds, pid @ ..] => {
                let place = Place::new(address, realm, serialiser)?;
                calls(&place, window.parse()?, seconds.parse()?, pid.first().copied()).await
            }
            ["fanout", address, realm, serialiser, count, seconds, pid @ ..] => {
                let place = Place::new(address, realm, serialiser)?;
                fanout(&place, count.parse()?, seconds.parse()?, pid.first().copied()).await
            }
            ["sessions", address, realm, serialiser, count, seconds, pid] => {
                let place = Place::new(address, realm, serialiser)?;
                sessions(&place, count.parse()?, seconds.parse()?, pid).await
            }
            ["bare", count, seconds] => bare(count.parse()?, seconds.parse()?).await,
            _ => Err("usage: see the head of the source".into()),
        }
    })?;
    println!("{said}");
    Ok(())
}

struct Place {
    address: SocketAddr,
    realm: String,
    serialiser: Serialiser,
}

struct Peer {
    serialiser: Serialiser,
    reader: Reader<tokio::net::tcp::OwnedReadHalf>,
    writer: Writer<tokio::net::tcp::OwnedWriteHalf>,
    scratch: Vec<u8>,
}

impl Place {
    fn new(address: &str, realm: &str, serialiser: &str) -> Fallible<Self> {
        let serialiser = Serialiser::from_subprotocol(&format!("wamp.2.{serialiser}"));
        let serialiser = serialiser.ok_or("serialisers: json, msgpack, cbor")?;
        Ok(Self { address: address.parse()?, realm: realm.to_owned(), serialiser })
    }

    async fn join(&self) -> Fallible<Peer> {
        let io = TcpStream::connect(self.address).await?;
        io.set_nodelay(true)?;
        let offer = [self.serialiser.subprotocol()];
        let limits = Limits { max_message: 1 << 20 };
        let (socket, _): (WebSocket<_>, _) =
            handshake::client(io, "localhost", "/", &offer, &[], limits).await?;
        let (io, role, limits, leftover) = socket.into_parts();
        let (read, write) = io.into_split();
        let mut peer = Peer {
            serialiser: self.serialiser,
            reader: Reader::new(read, role, limits, leftover),
            writer: Writer::new(write, role),
            scratch: Vec::new(),
        };
        let roles = json!({"caller": {}, "callee": {}, "publisher": {}, "subscriber": {}});
        peer.ask(&json!([1, self.realm, {"roles": roles}])).await?;
        Ok(peer)
    }
}

impl Peer {
    fn feed(&mut self, message: &Value) {
        self.scratch.clear();
        write_value(self.serialiser, &mut self.scratch, message);
        match self.serialiser {
            Serialiser::Json => {
                self.writer.feed_text(std::str::from_utf8(&self.scratch).unwrap_or_default());
            }
            Serialiser::MessagePack | Serialiser::Cbor => {
                self.writer.feed_binary_with(&self.scratch, &[]);
            }
        }
    }

    async fn ask(&mut self, message: &Value) -> Fallible<Vec<Value>> {
        self.feed(message);
        self.writer.flush().await?;
        let answer = self.reader.next().await?;
        self.read(&answer)?.ok_or_else(|| "no answer".into())
    }

    fn read(&mut self, message: &Message) -> Fallible<Option<Vec<Value>>> {
        if let Some(reply) = message.reply() {
            self.writer.feed(&reply);
        }
        match message {
            Message::Text(body) | Message::Binary(body) => {
                match read_value(self.serialiser, body)? {
                    Value::Array(list) => Ok(Some(list)),
                    _ => Err("a message is a list".into()),
                }
            }
            Message::Close(_) => Err("the router closed the connection".into()),
            _ => Ok(None),
        }
    }

    /// All messages that are there, at least one.
    async fn read_some(&mut self) -> Fallible<Vec<Vec<Value>>> {
        let mut found = Vec::new();
        let mut next = Some(self.reader.next().await?);
        while let Some(message) = next {
            found.extend(self.read(&message)?);
            next = self.reader.next_buffered()?;
        }
        Ok(found)
    }
}

fn number(message: &[Value], at: usize) -> u64 {
    message.get(at).and_then(Value::as_u64).unwrap_or_default()
}

async fn calls(place: &Place, window: usize, seconds: u64, pid: Option<&str>) -> Fallible<Value> {
    let (mut callee, mut caller) = (place.join().await?, place.join().await?);
    let name = "bench.echo";
    callee.ask(&json!([64, 1, {}, name])).await?;
    tokio::spawn(async move {
        while let Ok(invocations) = callee.read_some().await {
            for mut invocation in invocations {
                let arguments = invocation.pop().unwrap_or_default();
                callee.feed(&json!([70, number(&invocation, 1), {}, arguments]));
            }
            if callee.writer.flush().await.is_err() {
                return;
            }
        }
    });
    let text = "x".repeat(PAYLOAD);
    let call = |request: u64| json!([48, request, {}, name, [text]]);
    let (mut last, mut sent) = (0, vec![Instant::now(); window + 1]);
    for _ in 0..window {
        last += 1;
        caller.feed(&call(last));
    }
    caller.writer.flush().await?;
    let (begin, length) = (Instant::now(), Duration::from_secs(seconds));
    let mut counted = Counted::new(pid, begin + WARM_UP);
    let mut times = Vec::new();
    loop {
        for message in caller.read_some().await? {
            if number(&message, 0) != 50 {
                return Err(format!("no result: {message:?}").into());
            }
            counted.one();
            if window == 1 {
                let now = Instant::now();
                times.push(now.duration_since(sent.pop().unwrap_or(now)));
                sent.push(now);
            }
            last += 1;
            caller.feed(&call(last));
        }
        if begin.elapsed() > WARM_UP + length {
            break;
        }
        caller.writer.flush().await?;
    }
    times.sort_unstable();
    let mut said = counted.said("calls");
    if let Some(p50) = times.get(times.len() / 2) {
        said.insert("p50_us".into(), json!(p50.as_secs_f64() * 1e6));
    }
    Ok(said.into())
}

async fn fanout(place: &Place, count: usize, seconds: u64, pid: Option<&str>) -> Fallible<Value> {
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..count {
        let mut subscriber = place.join().await?;
        subscriber.ask(&json!([32, 1, {}, "bench.topic"])).await?;
        let heard = heard.clone();
        tokio::spawn(async move {
            // Events are counted, not read: what is measured is the router.
            while let Ok(message) = subscriber.reader.next().await {
                if matches!(message, Message::Ping(_)) {
                    if let Some(reply) = message.reply() {
                        subscriber.writer.feed(&reply);
                        drop(subscriber.writer.flush().await);
                    }
                } else if heard.send(()).is_err() {
                    return;
                }
            }
        });
    }
    let mut publisher = place.join().await?;
    let text = "x".repeat(PAYLOAD);
    let (begin, length) = (Instant::now(), Duration::from_secs(seconds));
    let mut counted = Counted::new(pid, begin + WARM_UP);
    let mut request = 0;
    while begin.elapsed() < WARM_UP + length {
        request += 1;
        publisher.feed(&json!([16, request, {}, "bench.topic", [text]]));
        publisher.writer.flush().await?;
        for _ in 0..count {
            hears.recv().await.ok_or("all subscribers are gone")?;
            counted.one();
        }
    }
    Ok(counted.said("events").into())
}

async fn sessions(place: &Place, count: usize, seconds: u64, pid: &str) -> Fallible<Value> {
    let before = resident(pid)?;
    let mut held = Vec::with_capacity(count);
    let begin = Instant::now();
    for _ in 0..count {
        held.push(place.join().await?);
    }
    let joined = begin.elapsed();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let each = (resident(pid)? - before) / count as f64;
    Ok(
        json!({"sessions": held.len(), "kib_each": each, "joins_per_second": count as f64 / joined.as_secs_f64()}),
    )
}

/// One loop that writes the bytes of an event to each of many sockets, in this process; its readers are threads beside it.
async fn bare(count: usize, seconds: u64) -> Fallible<Value> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let frame = [0x82u8; 2 + 24 + PAYLOAD];
    let mut sockets = Vec::new();
    let (heard, hears) = std::sync::mpsc::channel();
    for _ in 0..count {
        let near = std::net::TcpStream::connect(address)?;
        let far = listener.accept().await?.0.into_std()?;
        far.set_nonblocking(false)?;
        far.set_nodelay(true)?;
        sockets.push(far);
        heard.send(near)?;
    }
    drop(heard);
    let reader = std::thread::spawn(move || drain(hears.into_iter().collect()));
    let (begin, length) = (Instant::now(), Duration::from_secs(seconds));
    let (mut events, mut spent) = (0u64, Duration::ZERO);
    while begin.elapsed() < length {
        let before = thread_time();
        for socket in &mut sockets {
            std::io::Write::write_all(socket, &frame)?;
        }
        spent += thread_time() - before;
        events += count as u64;
        tokio::time::sleep(Duration::from_micros(20 * count as u64)).await;
    }
    drop(sockets);
    drop(reader.join());
    Ok(json!({"events": events, "us_each": spent.as_secs_f64() * 1e6 / events as f64}))
}

/// Reads all sockets until they end.
fn drain(sockets: Vec<std::net::TcpStream>) {
    for socket in &sockets {
        drop(socket.set_nonblocking(true));
    }
    let mut buffer = [0; 4096];
    let mut open = sockets;
    while !open.is_empty() {
        open.retain_mut(|socket| match std::io::Read::read(socket, &mut buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Operations after the warm-up, and the router's processor time meanwhile.
struct Counted<'a> {
    pid: Option<&'a str>,
    from: Instant,
    count: u64,
    begun: Option<(Instant, f64)>,
}

impl<'a> Counted<'a> {
    fn new(pid: Option<&'a str>, from: Instant) -> Self {
        Self { pid, from, count: 0, begun: None }
    }

    fn one(&mut self) {
        if self.begun.is_some() {
            self.count += 1;
        } else if Instant::now() >= self.from {
            let spent = self.pid.and_then(processor_seconds).unwrap_or_default();
            self.begun = Some((Instant::now(), spent));
        }
    }

    fn said(&self, what: &str) -> Dict {
        let mut said = Dict::new();
        let Some((begun, spent)) = self.begun else { return said };
        let seconds = begun.elapsed().as_secs_f64();
        said.insert(what.into(), self.count.into());
        said.insert("per_second".into(), json!(self.count as f64 / seconds));
        if let Some(now) = self.pid.and_then(processor_seconds) {
            said.insert("us_each".into(), json!((now - spent) * 1e6 / self.count as f64));
        }
        said
    }
}

/// User and system time of a process, of all its threads.
fn processor_seconds(pid: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// KiB of a process in memory.
fn resident(pid: &str) -> Fallible<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}
