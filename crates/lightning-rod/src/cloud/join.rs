//! Joining the control channel.

use super::{Cloud, Credentials, Error, MAX_MESSAGE, Who};
use crate::clock::{BoardClock, Word};
use crate::settings::{Serializer, Settings};
use base::key::{KeyPair, PublicKey};
use model::Timestamp;
use rpc::REALM;
use rpc::handshake::WelcomeExtra;
use std::net::IpAddr;
use std::sync::PoisonError;
use wamp::{ClientSettings, ConnectError, Roles, Serialiser, Session};
use websocket::Limits;

/// Where the control channel is, below the cloud's address.
const PATH: &str = "/wamp";
/// Calls that are worked on at one time; the cloud is told to try again beyond.
const MAX_CALLS: usize = 128;
/// Bytes that may wait to be sent.
const QUEUE_BYTES: usize = 8 << 20;

/// A session of which both ends know each other.
#[derive(Debug)]
pub struct Joined {
    /// The session.
    pub session: Session,
    /// What the cloud said about itself.
    pub welcome: WelcomeExtra,
    /// The cloud's key, proven.
    pub cloud: PublicKey,
    /// The cloud's clock, where it signed it.
    pub time: Option<Timestamp>,
    /// The board's own address on the way to the cloud.
    pub local: Option<IpAddr>,
}

impl Joined {
    /// Takes the cloud's time. Writes a file now and then.
    pub fn teach(&self, clock: &BoardClock) {
        match self.time {
            Some(time) => clock.learn(time, Word::Signed),
            None => clock.learn(self.welcome.s4t_time, Word::Said),
        }
    }
}

/// Joins the cloud's realm.
///
/// # Errors
/// The cloud cannot be reached, is not the pinned one, or refuses.
pub async fn join(
    cloud: &Cloud,
    who: Who,
    key: &KeyPair,
    settings: &Settings,
) -> Result<Joined, Error> {
    let serialiser = match settings.cloud.serializer {
        Serializer::Msgpack => Serialiser::MessagePack,
        Serializer::Cbor => Serialiser::Cbor,
        Serializer::Json => Serialiser::Json,
    };
    let limits = Limits { max_message: MAX_MESSAGE };
    let opened = cloud.open(PATH, &[serialiser.subprotocol()], limits).await?;
    if opened.subprotocol.as_deref() != Some(serialiser.subprotocol()) {
        return Err(Error::Garbage(format!("it does not speak {}", serialiser.subprotocol())));
    }
    let credentials = Credentials::new(who, key.clone(), &cloud.pin(), &cloud.instance);
    let learned = credentials.learned();
    let client = ClientSettings {
        liveness: settings.liveness(),
        queue_bytes: QUEUE_BYTES,
        max_running: MAX_CALLS,
    };
    let session =
        wamp::connect(opened.socket, serialiser, REALM, Roles::default(), credentials, client)
            .await
            .map_err(refusal)?;
    let learned = learned.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match (learned.welcome, learned.cloud) {
        (Some(welcome), Some(cloud)) => {
            Ok(Joined { session, welcome, cloud, time: learned.time, local: opened.local })
        }
        _ => Err(Error::Impostor("it did not prove its key".into())),
    }
}

/// A failed join in the agent's words.
pub(crate) fn refusal(error: ConnectError) -> Error {
    match error {
        ConnectError::Refused(abort) => Error::Aborted { uri: abort.reason, text: abort.message },
        ConnectError::Credentials(why) | ConnectError::Distrusted(why) => Error::Impostor(why),
        ConnectError::Timeout => Error::Lost("it did not answer in time".into()),
        ConnectError::Ended(ended) => Error::Lost(ended.to_string()),
    }
}
