//! WAMP-CRA: a challenge is signed with a shared secret, which may be derived from a password (specification section
//! 14.4): HMAC-SHA-256, PBKDF2, base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::digest::{hmac, pbkdf2, random, same};
use crate::Dict;

/// The method's name.
pub const METHOD: &str = "wampcra";

/// Rounds of PBKDF2 that a client carries out for a router at most.
const MAX_ITERATIONS: u32 = 1_000_000;
/// Longest key that a client derives.
const MAX_KEY: usize = 128;

/// How a password becomes the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salting {
    /// Any text, different for each user.
    pub salt: String,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// Bytes of the key.
    pub length: usize,
}

/// The secret that stands for a password: what the router stores.
pub fn derive(password: &str, salting: &Salting) -> String {
    let Salting { salt, iterations, length } = salting;
    STANDARD.encode(pbkdf2(password.as_bytes(), salt.as_bytes(), *iterations, *length))
}

/// A challenge that was given out and waits for its answer.
#[derive(Debug, Clone)]
pub struct Pending {
    expected: String,
}

/// Who is asked, for the text that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Who it says it is.
    pub authid: &'a str,
    /// As what it would act.
    pub role: &'a str,
    /// The realm it wants to join.
    pub realm: &'a str,
}

/// A fresh challenge for the holder of `secret`, and the extra of the CHALLENGE message.
pub fn challenge(subject: Subject<'_>, secret: &str, salting: Option<&Salting>) -> (Pending, Dict) {
    let nonce = STANDARD.encode(random::<32>());
    let text = json!({
        "authid": subject.authid,
        "authrole": subject.role,
        "authmethod": METHOD,
        "realm": subject.realm,
        "nonce": nonce,
    })
    .to_string();
    let pending = Pending { expected: sign(secret, &text) };
    let mut extra = Dict::new();
    extra.insert("challenge".into(), text.into());
    if let Some(Salting { salt, iterations, length }) = salting {
        extra.insert("salt".into(), salt.as_str().into());
        extra.insert("iterations".into(), (*iterations).into());
        extra.insert("keylen".into(), (*length).into());
    }
    (pending, extra)
}

fn sign(secret: &str, text: &str) -> String {
    STANDARD.encode(hmac(secret.as_bytes(), text.as_bytes()))
}

/// Checks an answer against what was asked.
pub fn verify(pending: &Pending, signature: &str) -> bool {
    same(pending.expected.as_bytes(), signature.as_bytes())
}

/// The client's answer; a text says why there is none.
pub fn answer(password: &str, extra: &Dict) -> Result<String, String> {
    let text = extra.get("challenge").and_then(Value::as_str);
    let text = text.ok_or("the challenge has no text to sign")?;
    match extra.get("salt").and_then(Value::as_str) {
        None => Ok(sign(password, text)),
        Some(salt) => {
            let number = |name: &str| extra.get(name).and_then(Value::as_u64);
            let salting = Salting {
                salt: salt.to_owned(),
                iterations: number("iterations")
                    .and_then(|rounds| u32::try_from(rounds).ok())
                    .filter(|rounds| (1..=MAX_ITERATIONS).contains(rounds))
                    .ok_or("the challenge asks for too many rounds, or for none")?,
                length: number("keylen")
                    .and_then(|length| usize::try_from(length).ok())
                    .filter(|length| (1..=MAX_KEY).contains(length))
                    .ok_or("the challenge asks for too long a key, or for none")?,
            };
            Ok(sign(&derive(password, &salting), text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'static> = Subject { authid: "ann", role: "user", realm: "r" };

    #[test]
    fn the_holder_of_the_secret_passes_and_nobody_else() {
        let (pending, extra) = challenge(SUBJECT, "secret", None);
        assert!(verify(&pending, &answer("secret", &extra).unwrap()));
        assert!(!verify(&pending, &answer("Secret", &extra).unwrap()));
        assert!(!verify(&challenge(SUBJECT, "secret", None).0, &answer("secret", &extra).unwrap()));
    }

    #[test]
    fn a_password_is_salted_on_both_sides_alike() {
        let salting = Salting { salt: "pepper".into(), iterations: 100, length: 16 };
        let stored = derive("password", &salting);
        let (pending, extra) = challenge(SUBJECT, &stored, Some(&salting));
        assert!(verify(&pending, &answer("password", &extra).unwrap()));
        assert!(!verify(&pending, &answer("other", &extra).unwrap()));
    }

    #[test]
    fn a_router_that_asks_for_endless_work_gets_none() {
        let (_, mut extra) = challenge(SUBJECT, "s", None);
        for (iterations, length) in [(0u64, 32u64), (u64::MAX, 32), (1000, 0), (1000, 1 << 40)] {
            extra.insert("salt".into(), "x".into());
            extra.insert("iterations".into(), iterations.into());
            extra.insert("keylen".into(), length.into());
            assert!(answer("s", &extra).is_err(), "{iterations} {length}");
        }
        assert!(answer("s", &Dict::new()).is_err());
    }
}
