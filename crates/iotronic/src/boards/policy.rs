//! Who may enter the router and what they may do there.
//!
//! Invariants: nobody becomes a board without having signed a fresh challenge with the key that the store knows for it; a
//! board registers nothing but its own prefix and calls nothing but the agent's four procedures; an enrolling machine
//! calls `stack4things.enrol` alone. The cloud proves itself in the CHALLENGE, so a board signs nothing for a stranger.

use super::clones;
use super::registry::{Entry, Origin, Registry};
use super::strangers::Strangers;
use super::{AGENT, Links};
use crate::cloud_keys::CloudKeys;
use base::clock::Clock;
use base::key::{PublicKey, from_hex, to_hex};
use model::board::Status;
use model::{BoardId, Timestamp};
use rpc::handshake::{
    HelloExtra, Intent, REFUSED_KEY, UNKNOWN_KEY, WelcomeExtra, cloud_transcript, timed_transcript,
};
use rpc::uri;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use store::Store;
use store::boards::BoardRow;
use tokio::sync::mpsc;
use wamp::auth::cryptosign;
use wamp::uri::error;
use wamp::{
    Abort, Action, Authentication, Challenge, Dict, Hello, Identity, Match, Policy, Verdict,
    Welcome,
};

/// Role of an enrolled board.
pub(super) const BOARD: &str = "board";
/// Role of a machine that comes with a claim.
pub(super) const ENROLLING: &str = "enrolling";

/// Sessions that must be ended wait here for the one who ends them.
pub(super) type Kicks = mpsc::Sender<Kick>;

/// A session to end, and why.
#[derive(Debug)]
pub(super) struct Kick {
    pub(super) session: u64,
    pub(super) reason: String,
}

/// The policy of the boards' realm.
pub(super) struct Gate {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: CloudKeys,
    pub(super) registry: Arc<Registry>,
    pub(super) kicks: Kicks,
    pub(super) max_enrolling: u32,
    pub(super) max_enrolling_per_address: u32,
    pub(super) strangers: Arc<Strangers>,
    pub(super) links: Links,
    /// The cloud's own session, once there is one.
    pub(super) agent: OnceLock<wamp::Session>,
}

/// What is remembered between challenge and answer.
pub(super) struct Pending {
    proof: cryptosign::Pending,
    intent: Intent,
    peer: Option<SocketAddr>,
    instance: String,
}

/// Whether a machine that enrols is counted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Wanted,
    Taken,
}

impl Policy for Gate {
    type Pending = Pending;

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<Pending>, Abort> {
        if !hello.methods.iter().any(|method| method == cryptosign::METHOD) {
            return Err(Abort::new(
                error::NO_AUTH_METHOD,
                "this cloud knows machines by their key: offer the method cryptosign",
            ));
        }
        let extra: HelloExtra = serde_json::from_value(Value::Object(hello.extra))
            .map_err(|error| Abort::failed(format!("authextra is wrong: {error}")))?;
        let machine = from_hex::<32>(&extra.pubkey)
            .ok_or_else(|| Abort::failed("pubkey is not 64 hexadecimal digits"))?;
        self.admit(&machine, extra.s4t_intent, hello.peer).await?;
        let nonce = from_hex::<32>(&extra.s4t_nonce)
            .ok_or_else(|| Abort::failed("s4t_nonce is not 64 hexadecimal digits"))?;
        let (proof, mut challenge) = cryptosign::challenge(machine);
        self.prove(&nonce, &machine, &extra.s4t_pin, &mut challenge)?;
        Ok(Authentication::Challenge(Challenge {
            method: cryptosign::METHOD.to_owned(),
            extra: challenge,
            state: Pending {
                proof,
                intent: extra.s4t_intent,
                peer: hello.peer,
                instance: clones::instance(extra.s4t_instance),
            },
        }))
    }

    async fn verify(&self, pending: Pending, signature: &str, _: &Dict) -> Result<Welcome, Abort> {
        cryptosign::verify(&pending.proof, signature)?;
        let machine = pending.proof.public_key;
        // Asked again: the board may have been given up since the challenge.
        let board = self.admit(&machine, pending.intent, pending.peer).await?;
        let (authid, role) = match board {
            Some(board) => {
                self.refuse_clone(&board, &pending.instance, pending.peer).await?;
                self.registry.arriving(board.id, pending.instance);
                (board.id.to_string(), BOARD)
            }
            None => (to_hex(&machine), ENROLLING),
        };
        Ok(Welcome {
            authid,
            role: role.to_owned(),
            authmethod: cryptosign::METHOD.to_owned(),
            key: Some(machine),
            extra: self.welcome_extra(),
        })
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        match session.role.as_str() {
            BOARD => self.authorise_board(session, action, uri),
            ENROLLING => authorise_enrolling(action, uri),
            // The cloud's own agent, which no network session can become.
            AGENT => Verdict::Allow,
            _ => Verdict::Deny("this role may do nothing".to_owned()),
        }
    }

    fn joined(&self, session: &Identity) {
        let entry = match (session.role.as_str(), session.authid.parse(), from_hex(&session.authid))
        {
            (BOARD, Ok(board), _) => Entry::Board(board),
            (ENROLLING, _, Some(machine)) => Entry::Enrolling(machine),
            _ => return,
        };
        let address = session.peer.map(|peer| peer.ip());
        let origin = Origin { address, key: session.key };
        let old = self.registry.joined(session.id, entry, origin);
        if let Entry::Enrolling(_) = entry
            && self.is_crowded(address, Place::Taken)
        {
            // Many came in at the same moment, each of which found a place.
            let reason = "too many machines enrol at this moment".to_owned();
            let _ = self.kicks.try_send(Kick { session: session.id, reason });
        }
        let Some(old) = old else { return };
        tracing::warn!(
            board = session.authid,
            old,
            new = session.id,
            "a second session of the board replaces the first"
        );
        let reason = "another session of this board replaces this one".to_owned();
        if self.kicks.try_send(Kick { session: old, reason }).is_err() {
            // The old session holds nothing any more; liveness ends it.
            tracing::warn!(old, "too many sessions to end at once");
        }
    }

    fn left(&self, session: &Identity) {
        self.registry.left(session.id);
    }
}

impl Gate {
    /// The board that this key is, or none for one that may enrol.
    async fn admit(
        &self,
        machine: &[u8; 32],
        intent: Intent,
        peer: Option<SocketAddr>,
    ) -> Result<Option<BoardRow>, Abort> {
        let key = PublicKey::from_bytes(*machine);
        match intent {
            Intent::Work => self.admit_board(&key, peer).await.map(Some),
            Intent::Enrol => self.admit_enrolling(&key, peer).await.map(|()| None),
        }
    }

    async fn admit_board(
        &self,
        key: &PublicKey,
        peer: Option<SocketAddr>,
    ) -> Result<BoardRow, Abort> {
        let board = store::boards::by_key(&self.store, key).await.map_err(storeless)?;
        match board {
            Some(board) if board.status != Status::Decommissioned => {
                clones::check_decided(&board, peer)?;
                Ok(board)
            }
            Some(board) => {
                tracing::warn!(board = %board.id, ?peer, "refused the key of a board that was given up");
                Err(Abort::new(
                    REFUSED_KEY,
                    "this board was given up; enrol with a new claim and a new key",
                ))
            }
            None if self.is_refused(key).await? => {
                tracing::warn!(
                    key = key.fingerprint(),
                    ?peer,
                    "refused a key that was replaced or given up"
                );
                Err(Abort::new(
                    REFUSED_KEY,
                    "this key was replaced or its board given up; enrol with a new claim and a new key",
                ))
            }
            None => {
                if let Some(count) = self.strangers.turned_away(Instant::now()) {
                    tracing::warn!(key = key.fingerprint(), ?peer, count, "refused an unknown key");
                }
                Err(Abort::new(UNKNOWN_KEY, "this key is no board's; enrol with a claim first"))
            }
        }
    }

    async fn admit_enrolling(
        &self,
        key: &PublicKey,
        peer: Option<SocketAddr>,
    ) -> Result<(), Abort> {
        if self.is_crowded(peer.map(|peer| peer.ip()), Place::Wanted) {
            return Err(Abort::new(
                error::UNAVAILABLE,
                "too many machines enrol at this moment; try again",
            ));
        }
        if self.is_refused(key).await? {
            return Err(Abort::new(REFUSED_KEY, "this key is refused for good; make a new one"));
        }
        Ok(())
    }

    /// Whether there is no place for a machine that enrols from there; one that has a place is counted already.
    fn is_crowded(&self, address: Option<IpAddr>, place: Place) -> bool {
        let own = match place {
            Place::Wanted => 1,
            Place::Taken => 0,
        };
        let from_there = address.map_or(0, |address| self.registry.enrolling_from(address));
        self.registry.enrolling().saturating_add(own) > self.max_enrolling
            || from_there.saturating_add(own) > self.max_enrolling_per_address
    }

    async fn is_refused(&self, key: &PublicKey) -> Result<bool, Abort> {
        let refused = store::boards::refused_key(&self.store, key).await.map_err(storeless)?;
        Ok(refused.is_some())
    }

    /// Adds the cloud's proof to a challenge.
    fn prove(
        &self,
        nonce: &[u8; 32],
        machine: &[u8; 32],
        pin: &str,
        extra: &mut Dict,
    ) -> Result<(), Abort> {
        let challenge = extra.get("challenge").and_then(Value::as_str).and_then(from_hex::<32>);
        let challenge = challenge.ok_or_else(|| Abort::failed("no challenge was made"))?;
        let key = self.keys.current();
        let transcript = if pin.is_empty() {
            // An agent before the signed time.
            cloud_transcript(nonce, &challenge, machine)
        } else {
            let time = self.now();
            extra.insert("s4t_time".into(), time.to_string().into());
            timed_transcript(nonce, &challenge, machine, time)
        };
        let chain = self.keys.since(pin);
        if !chain.is_empty() {
            extra.insert("s4t_chain".into(), serde_json::json!(chain));
        }
        let proof = key.sign(&transcript);
        extra.insert("s4t_cloud".into(), to_hex(key.public().as_bytes()).into());
        extra.insert("s4t_proof".into(), to_hex(&proof).into());
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.unix_micros())
    }

    fn welcome_extra(&self) -> Dict {
        let welcome = WelcomeExtra {
            s4t_agent: AGENT.to_owned(),
            s4t_protocol: rpc::PROTOCOL,
            s4t_time: self.now(),
        };
        match serde_json::to_value(welcome) {
            Ok(Value::Object(extra)) => extra,
            _ => Dict::new(),
        }
    }

    fn authorise_board(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        let Ok(board) = session.authid.parse::<BoardId>() else {
            return Verdict::Deny("this session is no board".to_owned());
        };
        match action {
            Action::Register(Match::Prefix) if uri == uri::board_prefix(session.id, board) => {
                self.registry.may_register(board, session.id);
                Verdict::Allow
            }
            Action::Register(_) => Verdict::Deny(format!(
                "a board registers one prefix, iotronic.{}.{board}. and nothing else",
                session.id
            )),
            Action::Call if is_agents(uri) => Verdict::Allow,
            Action::Call => {
                Verdict::Deny("a board calls the procedures of the cloud's agent only".to_owned())
            }
            Action::Publish | Action::Subscribe(_) => {
                Verdict::Deny("a board neither publishes nor subscribes".to_owned())
            }
        }
    }
}

fn is_agents(uri: &str) -> bool {
    let name = uri.strip_prefix(AGENT).and_then(|rest| rest.strip_prefix(".stack4things."));
    matches!(name, Some(uri::CONNECTION | uri::REPORT | uri::ROTATE_KEY | uri::ALIVE))
}

fn authorise_enrolling(action: Action, uri: &str) -> Verdict {
    if action == Action::Call && uri == uri::ENROL {
        return Verdict::Allow;
    }
    Verdict::Deny(format!("a machine that enrols calls {} only", uri::ENROL))
}

pub(super) fn storeless(error: store::Error) -> Abort {
    tracing::error!(%error, "a machine could not be looked up");
    Abort::new(error::UNAVAILABLE, "the cloud cannot look keys up at this moment; try again")
}
