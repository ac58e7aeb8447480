//! WAMP-SCRAM: both sides prove that they know a password, and the router stores nothing to impersonate a client with
//! (specification section 14.5, RFC 5802), with Argon2id (version 0x13, one lane) or PBKDF2 as key derivation.
//!
//! As the peers in use do, an Argon2id key enters the proof in base64 without padding. Names are taken as they are:
//! there is no SASLprep. Channel binding is none: it is the transport's TLS that binds.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::Value;

use super::digest::{DIGEST, exclusive_or, hmac, pbkdf2, random, same, sha256};
use crate::Dict;

/// The method's name.
pub const METHOD: &str = "scram";

/// Bytes of a salt and of each side's part of the nonce.
const NONCE: usize = 16;
/// Memory in KiB that a client spends for a router at most.
const MAX_MEMORY: u32 = 256 * 1024;
/// Rounds times KiB (Argon2id) or rounds (PBKDF2) that a client spends for a router at most.
const MAX_WORK: u64 = 16 * 1024 * 1024;

/// How a password becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// `argon2id-13`.
    Argon2id {
        /// KiB.
        memory: u32,
        /// Passes.
        iterations: u32,
    },
    /// `pbkdf2`.
    Pbkdf2 {
        /// Rounds.
        iterations: u32,
    },
}

impl Derivation {
    fn iterations(self) -> u32 {
        match self {
            Self::Argon2id { iterations, .. } | Self::Pbkdf2 { iterations } => iterations,
        }
    }

    /// What a challenge asks for, if it is within what a client does.
    fn read(extra: &Dict) -> Option<Self> {
        let number = |name: &str| {
            extra.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
        };
        let iterations = number("iterations").filter(|iterations| *iterations > 0)?;
        let found = match extra.get("kdf").and_then(Value::as_str)? {
            "argon2id-13" => Self::Argon2id { memory: number("memory")?, iterations },
            "pbkdf2" => Self::Pbkdf2 { iterations },
            _ => return None,
        };
        let memory = match found {
            Self::Argon2id { memory, .. } => memory,
            Self::Pbkdf2 { .. } => 1,
        };
        let work = u64::from(iterations) * u64::from(memory);
        (memory <= MAX_MEMORY && work <= MAX_WORK).then_some(found)
    }

    /// The salted password as it enters the proof; `None` for parameters that Argon2 does not take.
    fn salt(self, password: &str, salt: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Pbkdf2 { iterations } => {
                Some(pbkdf2(password.as_bytes(), salt, iterations, DIGEST))
            }
            Self::Argon2id { memory, iterations } => {
                let params = argon2::Params::new(memory, iterations, 1, Some(DIGEST)).ok()?;
                let (kind, version) = (argon2::Algorithm::Argon2id, argon2::Version::V0x13);
                let mut key = [0; DIGEST];
                argon2::Argon2::new(kind, version, params)
                    .hash_password_into(password.as_bytes(), salt, &mut key)
                    .ok()?;
                Some(STANDARD_NO_PAD.encode(key).into_bytes())
            }
        }
    }
}

/// What a router stores of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// How the password became a key.
    pub derivation: Derivation,
    /// Different for each user.
    pub salt: Vec<u8>,
    /// SHA-256 of the client's key.
    pub stored_key: [u8; DIGEST],
    /// What the router proves itself with.
    pub server_key: [u8; DIGEST],
}

/// What is stored of a password, with a fresh salt; `None` for parameters that the derivation does not take.
pub fn store(password: &str, derivation: Derivation) -> Option<Stored> {
    let salt = random::<NONCE>().to_vec();
    let salted = derivation.salt(password, &salt)?;
    let stored_key = sha256(&hmac(&salted, b"Client Key"));
    Some(Stored { derivation, salt, stored_key, server_key: hmac(&salted, b"Server Key") })
}

/// A challenge that was given out and waits for its answer.
#[derive(Debug, Clone)]
pub struct Pending {
    stored: Stored,
    message: String,
    nonce: String,
}

/// The client's nonce in the `authextra` of a HELLO.
pub fn client_nonce(extra: &Dict) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_graphic() && c != ',';
    let nonce = extra.get("nonce").and_then(Value::as_str)?;
    ((8..=128).contains(&nonce.len()) && nonce.chars().all(is_plain)).then_some(nonce)
}

/// A challenge for `authid`, whose HELLO had `client_nonce`, and the extra of the CHALLENGE message.
pub fn challenge(authid: &str, client_nonce: &str, stored: Stored) -> (Pending, Dict) {
    let nonce = client_nonce.to_owned() + &STANDARD.encode(random::<NONCE>());
    let salt = STANDARD.encode(&stored.salt);
    let iterations = stored.derivation.iterations();
    let message = message(authid, client_nonce, &nonce, &salt, iterations);
    let mut extra = Dict::new();
    extra.insert("nonce".into(), nonce.as_str().into());
    extra.insert("salt".into(), salt.into());
    extra.insert("iterations".into(), iterations.into());
    match stored.derivation {
        Derivation::Argon2id { memory, .. } => {
            extra.insert("kdf".into(), "argon2id-13".into());
            extra.insert("memory".into(), memory.into());
        }
        Derivation::Pbkdf2 { .. } => {
            extra.insert("kdf".into(), "pbkdf2".into());
        }
    }
    (Pending { stored, message, nonce }, extra)
}

/// What both sides sign (RFC 5802 section 3).
fn message(authid: &str, client: &str, nonce: &str, salt: &str, iterations: u32) -> String {
    format!("n={authid},r={client},r={nonce},s={salt},i={iterations},c=,r={nonce}")
}

/// Checks an answer; gives back the `authextra` of the WELCOME, with which the router proves itself.
pub fn verify(pending: &Pending, signature: &str, extra: &Dict) -> Option<Dict> {
    let Pending { stored, message, nonce } = pending;
    let echoed = extra.get("nonce").and_then(Value::as_str);
    if echoed.is_some_and(|echoed| echoed != nonce) {
        return None;
    }
    let proof: [u8; DIGEST] = STANDARD.decode(signature).ok()?.try_into().ok()?;
    let expected = hmac(&stored.stored_key, message.as_bytes());
    let client_key = exclusive_or(&proof, &expected);
    if !same(&sha256(&client_key), &stored.stored_key) {
        return None;
    }
    let own = STANDARD.encode(hmac(&stored.server_key, message.as_bytes()));
    let mut welcome = Dict::new();
    welcome.insert("scram_server_signature".into(), own.into());
    Some(welcome)
}

/// The client's side of one joining.
#[derive(Debug)]
pub struct Client {
    authid: String,
    password: String,
    nonce: String,
    expected: Option<String>,
}

impl Client {
    /// A client that will prove that it knows the password of `authid`.
    pub fn new(authid: impl Into<String>, password: impl Into<String>) -> Self {
        let nonce = STANDARD.encode(random::<NONCE>());
        Self { authid: authid.into(), password: password.into(), nonce, expected: None }
    }

    /// The `authextra` of the HELLO.
    pub fn hello_extra(&self) -> Dict {
        let mut extra = Dict::new();
        extra.insert("nonce".into(), self.nonce.as_str().into());
        extra
    }

    /// The answer to a challenge: the signature and the extra of AUTHENTICATE; a text says why there is none.
    pub fn answer(&mut self, extra: &Dict) -> Result<(String, Dict), String> {
        let text = |name: &str| extra.get(name).and_then(Value::as_str);
        let nonce = text("nonce").filter(|nonce| nonce.starts_with(&self.nonce));
        let nonce = nonce.ok_or("the router's nonce does not begin with the client's")?;
        let encoded = text("salt").ok_or("the challenge has no salt")?;
        let salt = STANDARD.decode(encoded).map_err(|_| "the salt is not base64")?;
        let derivation = Derivation::read(extra)
            .ok_or("the challenge asks for a key derivation that is unknown or too costly")?;
        let salted = derivation.salt(&self.password, &salt);
        let salted = salted.ok_or("the challenge's key derivation cannot be carried out")?;
        let rounds = derivation.iterations();
        let message = message(&self.authid, &self.nonce, nonce, encoded, rounds);
        let client_key = hmac(&salted, b"Client Key");
        let signature = hmac(&sha256(&client_key), message.as_bytes());
        let server_key = hmac(&salted, b"Server Key");
        self.expected = Some(STANDARD.encode(hmac(&server_key, message.as_bytes())));
        let mut answer = Dict::new();
        answer.insert("nonce".into(), nonce.into());
        Ok((STANDARD.encode(exclusive_or(&client_key, &signature)), answer))
    }

    /// Whether the `authextra` of the WELCOME shows that the router knows the password's keys.
    pub fn trusts(&self, welcome_extra: &Dict) -> bool {
        let shown = welcome_extra.get("scram_server_signature").and_then(Value::as_str);
        match (shown, &self.expected) {
            (Some(shown), Some(expected)) => same(shown.as_bytes(), expected.as_bytes()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Derivation; 2] = [
        Derivation::Argon2id { memory: 64, iterations: 2 },
        Derivation::Pbkdf2 { iterations: 100 },
    ];

    #[test]
    fn both_sides_prove_that_they_know_the_password() {
        for kind in KINDS {
            let stored = store("pencil", kind).unwrap();
            let mut client = Client::new("user", "pencil");
            let hello = client.hello_extra();
            let (pending, extra) = challenge("user", client_nonce(&hello).unwrap(), stored);
            let (signature, answer) = client.answer(&extra).unwrap();
            let welcome = verify(&pending, &signature, &answer).unwrap();
            assert!(client.trusts(&welcome));
            assert!(!client.trusts(&Dict::new()), "a router that proves nothing");
            assert!(!Client::new("user", "pencil").trusts(&welcome), "another joining");
        }
    }

    #[test]
    fn a_wrong_password_another_name_and_an_old_answer_are_refused() {
        let stored = store("pencil", KINDS[0]).unwrap();
        let mut right = Client::new("user", "pencil");
        let nonce = right.nonce.clone();
        let (pending, extra) = challenge("user", &nonce, stored.clone());
        let (signature, answer) = right.answer(&extra).unwrap();
        let mut wrong = Client { password: "pen".into(), ..Client::new("user", "") };
        wrong.nonce.clone_from(&nonce);
        let (forged, _) = wrong.answer(&extra).unwrap();
        assert!(verify(&pending, &forged, &answer).is_none());
        let (other, _) = challenge("resu", &nonce, stored.clone());
        assert!(verify(&other, &signature, &answer).is_none());
        let (later, _) = challenge("user", &nonce, stored);
        assert!(verify(&later, &signature, &Dict::new()).is_none());
        assert!(verify(&pending, "", &Dict::new()).is_none());
        assert!(verify(&pending, &signature, &Dict::new()).is_some());
    }

    #[test]
    fn endless_work_and_foreign_nonces_are_refused() {
        let mut client = Client::new("user", "pencil");
        let stored = store("pencil", KINDS[0]).unwrap();
        let (_, extra) = challenge("user", &client.nonce.clone(), stored);
        for (name, value) in [
            ("memory", Value::from(u32::MAX)),
            ("iterations", Value::from(u32::MAX)),
            ("iterations", Value::from(0)),
            ("kdf", Value::from("rot13")),
            ("nonce", Value::from("mine")),
            ("salt", Value::from("é")),
        ] {
            let mut changed = extra.clone();
            changed.insert(name.into(), value);
            assert!(client.answer(&changed).is_err(), "{name}");
        }
        for nonce in ["", "short", "with,comma,inside", &"x".repeat(200)] {
            let mut hello = Dict::new();
            hello.insert("nonce".into(), nonce.into());
            assert_eq!(client_nonce(&hello), None, "{nonce}");
        }
    }
}
