//! Who is who on the control channel: the board proves its key, after the cloud has proven the pinned one.
//!
//! Invariant: nothing is signed for a cloud whose key is not the pinned one, nor one to which a signed chain leads from it, or
//! whose proof does not hold. Pure but for the nonce.

use base::key::{KeyPair, PublicKey, from_hex, to_hex};
use model::{BoardId, Timestamp};
use rpc::handshake::{
    ChallengeExtra, HelloExtra, Intent, WelcomeExtra, cloud_transcript, timed_transcript,
};
use rpc::succession::follow;
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// As whom a machine joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// As this board, to work.
    Board(BoardId),
    /// As nobody yet, to enrol.
    Newcomer,
}

/// One attempt to join.
#[derive(Debug)]
pub struct Credentials {
    who: Who,
    key: KeyPair,
    pin: String,
    instance: String,
    nonce: [u8; 32],
    learned: Arc<Mutex<Learned>>,
}

/// What the handshake taught about the cloud.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// Its key, proven.
    pub cloud: Option<PublicKey>,
    /// Its clock, where its proof covers it.
    pub time: Option<Timestamp>,
    /// What it said in its welcome.
    pub welcome: Option<WelcomeExtra>,
}

impl Credentials {
    /// Credentials for one attempt.
    #[must_use]
    pub fn new(who: Who, key: KeyPair, pin: &str, instance: &str) -> Self {
        let nonce = base::secret::random::<32>();
        let (pin, instance) = (pin.to_owned(), instance.to_owned());
        Self { who, key, pin, instance, nonce, learned: Arc::default() }
    }

    /// Where the handshake leaves what it learned.
    #[must_use]
    pub fn learned(&self) -> Arc<Mutex<Learned>> {
        Arc::clone(&self.learned)
    }

    /// The signature for AUTHENTICATE, for the pinned cloud alone.
    fn sign(&self, challenge: &Map<String, Value>) -> Result<String, String> {
        let extra = ChallengeExtra::deserialize(Value::Object(challenge.clone()))
            .map_err(|_| "its challenge cannot be read")?;
        let cloud = PublicKey::parse(&extra.s4t_cloud).map_err(|_| "it shows no key")?;
        let is_pinned = cloud.fingerprint() == self.pin;
        if !is_pinned && follow(&self.pin, &extra.s4t_chain) != Some(cloud) {
            return Err("its key is not the pinned one, and no signed chain leads to it".into());
        }
        let challenge = from_hex::<32>(&extra.challenge).ok_or("its challenge cannot be read")?;
        let proof = from_hex::<64>(&extra.s4t_proof).ok_or("it does not prove its key")?;
        let (nonce, machine) = (&self.nonce, self.key.public());
        let transcript = match extra.s4t_time {
            Some(time) => timed_transcript(nonce, &challenge, machine.as_bytes(), time),
            None => cloud_transcript(nonce, &challenge, machine.as_bytes()),
        };
        if !cloud.verifies(&transcript, &proof) {
            return Err("its proof of the pinned key is wrong".into());
        }
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        (learned.cloud, learned.time) = (Some(cloud), extra.s4t_time);
        Ok(to_hex(&self.key.sign(&challenge)) + &to_hex(&challenge))
    }
}

impl wamp::Credentials for Credentials {
    fn authid(&self) -> Option<String> {
        match self.who {
            Who::Board(uuid) => Some(uuid.to_string()),
            Who::Newcomer => None,
        }
    }

    fn methods(&self) -> Vec<String> {
        vec![wamp::auth::cryptosign::METHOD.to_owned()]
    }

    fn hello_extra(&mut self) -> Map<String, Value> {
        let extra = HelloExtra {
            pubkey: to_hex(self.key.public().as_bytes()),
            s4t_nonce: to_hex(&self.nonce),
            s4t_intent: match self.who {
                Who::Board(_) => Intent::Work,
                Who::Newcomer => Intent::Enrol,
            },
            s4t_instance: self.instance.clone(),
            s4t_pin: self.pin.clone(),
        };
        let mut members = match serde_json::to_value(extra) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        // WAMP-cryptosign wants it said: the signature is not bound to a TLS channel.
        members.insert("channel_binding".into(), Value::Null);
        members
    }

    fn answer(
        &mut self,
        _method: &str,
        challenge: &Map<String, Value>,
    ) -> Result<(String, Map<String, Value>), String> {
        Ok((self.sign(challenge)?, Map::new()))
    }

    fn welcome(&mut self, details: &Map<String, Value>) -> Result<(), String> {
        let extra = details.get("authextra").unwrap_or(&Value::Null);
        let welcome = WelcomeExtra::deserialize(extra)
            .map_err(|error| format!("its welcome cannot be read: {error}"))?;
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.cloud.is_none() {
            return Err("it did not prove its key".into());
        }
        learned.welcome = Some(welcome);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc::succession::Succession;
    use serde_json::json;
    use wamp::Credentials as _;

    struct Cloud(KeyPair);

    impl Cloud {
        fn challenge(&self, hello: &Map<String, Value>, machine: &KeyPair) -> Map<String, Value> {
            let nonce = from_hex(hello["s4t_nonce"].as_str().unwrap()).unwrap();
            let transcript = cloud_transcript(&nonce, &[7; 32], machine.public().as_bytes());
            object(json!({
                "challenge": to_hex(&[7; 32]),
                "s4t_cloud": to_hex(self.0.public().as_bytes()),
                "s4t_proof": to_hex(&self.0.sign(&transcript)),
                "s4t_chain": [],
            }))
        }
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn pair() -> (Cloud, KeyPair, Credentials) {
        let cloud = Cloud(KeyPair::generate());
        let machine = KeyPair::generate();
        let pin = cloud.0.public().fingerprint();
        let credentials = Credentials::new(Who::Newcomer, machine.clone(), &pin, "one");
        (cloud, machine, credentials)
    }

    #[test]
    fn the_pinned_cloud_gets_a_signature_of_its_challenge() {
        let (cloud, machine, mut credentials) = pair();
        let challenge = cloud.challenge(&credentials.hello_extra(), &machine);
        let (signature, _) = credentials.answer("cryptosign", &challenge).unwrap();
        let signed = from_hex::<96>(&signature).unwrap();
        let signature: &[u8; 64] = signed.first_chunk().unwrap();
        assert!(machine.public().verifies(&[7; 32], signature));
        assert_eq!(credentials.learned().lock().unwrap().cloud, Some(cloud.0.public()));
    }

    #[test]
    fn another_key_a_wrong_proof_and_garbage_get_nothing() {
        let (cloud, machine, mut credentials) = pair();
        let hello = credentials.hello_extra();
        let other = Cloud(KeyPair::generate()).challenge(&hello, &machine);
        let other_machine = cloud.challenge(&hello, &KeyPair::generate());
        let mut mixed = cloud.challenge(&hello, &machine);
        mixed["s4t_proof"] = other["s4t_proof"].clone();
        let garbage = object(json!({"challenge": "x"}));
        for challenge in [other, other_machine, mixed, garbage, Map::new()] {
            assert!(credentials.answer("cryptosign", &challenge).is_err());
        }
        assert_eq!(credentials.learned().lock().unwrap().cloud, None);
    }

    #[test]
    fn a_cloud_with_a_new_key_is_followed_from_the_pinned_one_and_its_signed_time_is_taken() {
        let (old, machine, mut credentials) = pair();
        let (new, time) = (Cloud(KeyPair::generate()), Timestamp::from_micros(5));
        let hello = credentials.hello_extra();
        let nonce = from_hex(hello["s4t_nonce"].as_str().unwrap()).unwrap();
        let mut challenge = new.challenge(&hello, &machine);
        assert!(credentials.answer("cryptosign", &challenge).is_err(), "no chain leads there");
        let chain = [Succession::announce(&old.0, &new.0.public(), time)];
        challenge["s4t_chain"] = json!(chain);
        let transcript = timed_transcript(&nonce, &[7; 32], machine.public().as_bytes(), time);
        challenge.insert("s4t_time".into(), json!(time));
        assert!(credentials.answer("cryptosign", &challenge).is_err(), "the time is not signed");
        challenge["s4t_proof"] = to_hex(&new.0.sign(&transcript)).into();
        credentials.answer("cryptosign", &challenge).unwrap();
        let learned = credentials.learned().lock().unwrap().clone();
        assert_eq!((learned.cloud, learned.time), (Some(new.0.public()), Some(time)));
    }

    #[test]
    fn a_welcome_without_a_proof_is_not_believed() {
        let (_, _, mut credentials) = pair();
        let details = object(json!({"authextra": {
            "s4t_agent": "a", "s4t_protocol": 1, "s4t_time": "2026-01-01T00:00:00Z",
        }}));
        assert!(credentials.welcome(&details).is_err());
    }
}
