//! Ready-made credentials of a client: one type for each method of authentication.

use ed25519_dalek::SigningKey;
use serde_json::Value;

use crate::Dict;
use crate::auth::{cryptosign, scram, ticket, wampcra};
use crate::client::Credentials;

/// Shows a ticket.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Who it is.
    pub authid: String,
    /// The secret.
    pub ticket: String,
}

impl Credentials for Ticket {
    fn authid(&self) -> Option<String> {
        Some(self.authid.clone())
    }

    fn methods(&self) -> Vec<String> {
        vec![ticket::METHOD.to_owned()]
    }

    fn answer(&mut self, method: &str, _challenge: &Dict) -> Result<(String, Dict), String> {
        expect(method, ticket::METHOD)?;
        Ok((self.ticket.clone(), Dict::new()))
    }
}

/// Signs with a shared secret or a password (WAMP-CRA).
#[derive(Debug, Clone)]
pub struct Cra {
    /// Who it is.
    pub authid: String,
    /// The secret, or the password that it is derived from.
    pub secret: String,
}

impl Credentials for Cra {
    fn authid(&self) -> Option<String> {
        Some(self.authid.clone())
    }

    fn methods(&self) -> Vec<String> {
        vec![wampcra::METHOD.to_owned()]
    }

    fn answer(&mut self, method: &str, challenge: &Dict) -> Result<(String, Dict), String> {
        expect(method, wampcra::METHOD)?;
        Ok((wampcra::answer(&self.secret, challenge)?, Dict::new()))
    }
}

/// Proves a password and has the router prove that it knows its keys (WAMP-SCRAM).
#[derive(Debug)]
pub struct Scram {
    authid: String,
    client: scram::Client,
}

impl Scram {
    /// Credentials for one joining.
    pub fn new(authid: impl Into<String>, password: impl Into<String>) -> Self {
        let authid = authid.into();
        Self { client: scram::Client::new(authid.clone(), password), authid }
    }
}

impl Credentials for Scram {
    fn authid(&self) -> Option<String> {
        Some(self.authid.clone())
    }

    fn methods(&self) -> Vec<String> {
        vec![scram::METHOD.to_owned()]
    }

    fn hello_extra(&mut self) -> Dict {
        self.client.hello_extra()
    }

    fn answer(&mut self, method: &str, challenge: &Dict) -> Result<(String, Dict), String> {
        expect(method, scram::METHOD)?;
        self.client.answer(challenge)
    }

    fn welcome(&mut self, details: &Dict) -> Result<(), String> {
        let proof = details.get("authextra").and_then(Value::as_object);
        match proof.is_some_and(|proof| self.client.trusts(proof)) {
            true => Ok(()),
            false => Err("the router does not know the password's keys".to_owned()),
        }
    }
}

/// Signs with an Ed25519 key (WAMP-cryptosign).
#[derive(Debug, Clone)]
pub struct Cryptosign {
    /// Who it is, where the router does not know by the key.
    pub authid: Option<String>,
    /// The key.
    pub key: SigningKey,
}

impl Credentials for Cryptosign {
    fn authid(&self) -> Option<String> {
        self.authid.clone()
    }

    fn methods(&self) -> Vec<String> {
        vec![cryptosign::METHOD.to_owned()]
    }

    fn hello_extra(&mut self) -> Dict {
        cryptosign::hello_extra(&self.key.verifying_key().to_bytes())
    }

    fn answer(&mut self, method: &str, challenge: &Dict) -> Result<(String, Dict), String> {
        expect(method, cryptosign::METHOD)?;
        let signature = cryptosign::answer(&self.key, challenge);
        Ok((signature.map_err(|error| error.to_string())?, Dict::new()))
    }
}

fn expect(method: &str, known: &str) -> Result<(), String> {
    if method == known {
        return Ok(());
    }
    Err(format!("the router asks for {method}, these credentials are for {known}"))
}
