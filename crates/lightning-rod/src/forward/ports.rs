//! Ports that people of the cloud may reach without their being services.
//!
//! The cloud asks for one on the control channel; the board judges by its own settings and answers a key, which channels of
//! the data link present. Invariants: no key, no connection; a key leads to one port of `127.0.0.1`, which the wire cannot
//! change; keys nobody uses are forgotten, and there are never more than [`MAX_KEYS`].

use super::connection::{Connection, Live};
use crate::settings;
use model::Kind;
use model::service::Port;
use rpc::Fault;
use rpc::forward::{KEY_LIFE_S, KEY_PREFIX, Opened};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tunnel::{Refusal, RefusalCode};

/// Keys at one time; further ones are refused.
const MAX_KEYS: usize = 256;

/// The keys that were given out. Clones share them.
#[derive(Debug, Clone)]
pub struct Ports {
    allowed: settings::Forward,
    offers: Arc<Mutex<HashMap<String, Offer>>>,
}

#[derive(Debug)]
struct Offer {
    port: Port,
    live: Live,
    used: Instant,
}

impl Ports {
    /// As the board's settings allow them.
    #[must_use]
    pub fn new(allowed: settings::Forward) -> Self {
        Self { allowed, offers: Arc::default() }
    }

    /// Gives a key to a port.
    ///
    /// # Errors
    /// The board's owner does not let it be reached, or too many keys are in use.
    pub fn offer(&self, port: Port) -> Result<Opened, Fault> {
        if !self.allowed.allows(port) {
            let text = format!(
                "the board's settings do not let port {port} be reached; its owner names ports in forward.ports"
            );
            return Err(Fault::new(Kind::Forbidden, text));
        }
        let mut offers = self.offers();
        if offers.len() >= MAX_KEYS {
            let text = format!("{MAX_KEYS} ports are being forwarded on this board; end one first");
            return Err(Fault::new(Kind::Exhausted, text));
        }
        let key = format!("{KEY_PREFIX}{}", base::secret::random_text::<24>());
        offers.insert(key.clone(), Offer { port, live: Live::default(), used: Instant::now() });
        Ok(Opened { key })
    }

    /// Whether a key of a channel is one of a port.
    pub(super) fn owns(key: &[u8]) -> bool {
        key.starts_with(KEY_PREFIX.as_bytes())
    }

    pub(super) async fn accept(&self, key: &[u8]) -> Result<Connection, Refusal> {
        let (port, live) = self.lookup(key).ok_or_else(|| {
            Refusal::new(RefusalCode::UnknownService, "this forward's key is not good any more")
        })?;
        Connection::connect(port, live).await
    }

    fn lookup(&self, key: &[u8]) -> Option<(Port, Live)> {
        let mut offers = self.offers();
        let offer = offers.get_mut(std::str::from_utf8(key).ok()?)?;
        offer.used = Instant::now();
        Some((offer.port, offer.live.clone()))
    }

    /// What is in use, without what was not used for too long.
    fn offers(&self) -> MutexGuard<'_, HashMap<String, Offer>> {
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let life = Duration::from_secs(KEY_LIFE_S);
        offers.retain(|_, offer| {
            offer.live.count.load(Ordering::Relaxed) > 0 || offer.used.elapsed() < life
        });
        offers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn port(number: u16) -> Port {
        Port::try_from(u32::from(number)).unwrap()
    }

    #[tokio::test]
    async fn a_key_leads_to_its_port_as_often_as_wanted_and_nothing_else_leads_anywhere() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = Ports::new(settings::Forward::default());
        let key = ports.offer(port(listener.local_addr().unwrap().port())).unwrap().key;
        for _ in 0..2 {
            let mut connection = ports.accept(key.as_bytes()).await.unwrap();
            let (mut there, _) = listener.accept().await.unwrap();
            connection.write_all(b"hello").await.unwrap();
            let mut read = [0; 5];
            there.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"hello");
        }
        for wrong in ["forward:", "forward:127.0.0.1:22", "forward:\u{e9}", ""] {
            let refused = ports.accept(wrong.as_bytes()).await.err().unwrap();
            assert_eq!(refused.code, RefusalCode::UnknownService, "{wrong}");
        }
    }

    #[test]
    fn only_ports_of_the_settings_are_offered_and_only_so_many() {
        let some = serde_json::json!({ "ports": ["22", "8000-8002"] });
        let some: settings::Forward = serde_json::from_value(some).unwrap();
        let ports = Ports::new(some);
        for (number, is_allowed) in
            [(22, true), (8000, true), (8002, true), (23, false), (8003, false)]
        {
            assert_eq!(ports.offer(port(number)).is_ok(), is_allowed, "{number}");
        }
        for _ in 3..MAX_KEYS {
            ports.offer(port(22)).unwrap();
        }
        assert_eq!(ports.offer(port(22)).unwrap_err().kind, Kind::Exhausted);
    }
}
