//! The way to one port of a board: a link to the cloud that is opened again whenever it is lost.
//!
//! Invariant: at most one link at a time; whoever needs a channel while there is none waits for the next one.

use crate::dial::{self, Stream};
use crate::failure::Failure;
use crate::output::harmless;
use api::boards::{Board, PATH};
use api::client::{Client, escape};
use api::forwards::{CHANNEL, SUBPROTOCOL};
use base::backoff::Backoff;
use model::Kind;
use model::service::Port;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tunnel::{Channel, Driver, Link, NotAccepting, ServiceKey, Settings, Side, handshake};

/// A link that stood so long was a good one: waiting starts small again.
const GOOD_LINK: Duration = Duration::from_secs(10);

type Running = Driver<Box<dyn Stream>, NotAccepting>;

/// Keeps the way open.
pub(super) struct Keeper {
    client: Client,
    board: String,
    port: Port,
    link: watch::Sender<Option<Link>>,
    running: Option<Running>,
}

/// Where channels are had. Clones are the same way.
#[derive(Clone)]
pub(super) struct Way {
    port: Port,
    link: watch::Receiver<Option<Link>>,
}

impl Keeper {
    pub(super) fn new(client: Client, board: &str, port: Port) -> (Self, Way) {
        let (link, seen) = watch::channel(None);
        let keeper = Self { client, board: board.to_owned(), port, link, running: None };
        (keeper, Way { port, link: seen })
    }

    /// Opens the way for the first time.
    pub(super) async fn open(&mut self) -> Result<(), Failure> {
        let (link, running) = self.dial().await?;
        self.running = Some(running);
        self.link.send_replace(Some(link));
        Ok(())
    }

    /// Keeps it until it is refused.
    pub(super) async fn keep(&mut self) -> Failure {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));
        loop {
            let started = Instant::now();
            let reason = match self.running.take() {
                Some(running) => {
                    let ended = running.run().await;
                    self.link.send_replace(None);
                    ended.to_string()
                }
                None => match self.open().await {
                    Ok(()) => {
                        eprintln!("port {} can be reached again", self.port);
                        continue;
                    }
                    Err(failure) if failure.may_pass() => failure.to_string(),
                    Err(failure) => return failure,
                },
            };
            if started.elapsed() > GOOD_LINK {
                backoff.reset();
            }
            let wait = backoff.next_delay(base::secret::random_unit());
            eprintln!("port {} cannot be reached: {}; trying again", self.port, harmless(&reason));
            tokio::time::sleep(wait).await;
        }
    }

    async fn dial(&self) -> Result<(Link, Running), Failure> {
        let board = format!("{PATH}/{}", escape(&self.board));
        let (client, path) = (self.client.clone(), board.clone());
        // Renews a token that is refused, which a WebSocket cannot.
        let known = tokio::task::spawn_blocking(move || client.get::<Board>(&path)).await;
        let _ = known.map_err(|error| Failure::new(Kind::Internal, error.to_string()))??;
        let path = format!("{board}/forward?port={}", self.port);
        let socket = dial::dial(&self.client, &path, SUBPROTOCOL, handshake::limits()).await?;
        let connection = handshake::vouched(socket, Side::Dialled, "cloud".to_owned());
        Ok(Link::new(connection, NotAccepting, Settings::default()))
    }
}

impl Way {
    pub(super) fn port(&self) -> Port {
        self.port
    }

    /// A channel to the port, whose first bytes travel with the question.
    ///
    /// # Errors
    /// There is no way for so long.
    pub(super) async fn channel(&self, patience: Duration) -> Result<Channel, String> {
        let mut link = self.link.clone();
        let standing = tokio::time::timeout(patience, link.wait_for(Option::is_some)).await;
        let standing = match standing {
            Ok(Ok(link)) => link.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        let link = standing.ok_or("there is no way to the board now")?;
        let key = ServiceKey::new(CHANNEL).map_err(|error| error.to_string())?;
        link.open_eagerly(key).map_err(|error| error.to_string())
    }
}
