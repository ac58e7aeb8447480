//! Tokens: signed statements who somebody is, in which project and until when.
//!
//! A token is base64url of a fixed binary form and HMAC-SHA256 over it with a key of this cloud (a file of mode 0600), so
//! reading one costs a hash and no look-up, and restarting the cloud keeps people signed in. It carries no roles.

use base::secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{CredentialId, ProjectId, Timestamp, UserId};
use sha2::Sha256;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Longest text that is looked at as a token.
const MAX_LENGTH: usize = 512;
/// How far in the future a token may have been made: more means that the cloud's clock was set back, and that the token would
/// live longer than it was given.
const MAX_SKEW: Duration = Duration::from_secs(300);
const VERSION: u8 = 1;
const MAC: usize = 32;

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By password.
    Password,
    /// By application credential.
    Credential,
    /// By a token had before.
    Token,
    /// By password, for a page that holds the token in a cookie.
    Session,
}

impl Method {
    /// Keystone's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Password | Self::Session => "password",
            Self::Credential => "application_credential",
            Self::Token => "token",
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Who.
    pub user: UserId,
    /// In which project.
    pub project: ProjectId,
    /// By which credential, if by one.
    pub credential: Option<CredentialId>,
    /// How.
    pub method: Method,
    /// From when.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Names this token in logs without giving it away.
    pub audit: [u8; 16],
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Nobody here made it, or it was changed or cut on its way.
    #[error("the token is not one of this cloud, or was changed; sign in again")]
    Strange,
    /// It was good once.
    #[error("the token has expired; sign in again")]
    Expired,
    /// It comes from the future.
    #[error(
        "the token was made in the future by the cloud's clock; set the clock right, or sign in again"
    )]
    Early,
    /// It was ended, or its user, project, role or credential is gone.
    #[error("the token is not valid any more; sign in again")]
    Ended,
}

/// Makes and reads tokens. Cloning is cheap.
#[derive(Clone)]
pub struct Tokens(Arc<Hmac<Sha256>>);

impl Tokens {
    /// With the key in `dir`, made there on first use.
    ///
    /// # Errors
    /// The key file cannot be read or written, or others may read it.
    pub fn open(dir: &Path) -> std::io::Result<Self> {
        let path = dir.join("token.key");
        if !path.exists() {
            secret::write_private(&path, secret::random_text::<32>().as_bytes())?;
        }
        if secret::readable_by_others(&path)? {
            return Err(std::io::Error::other(format!(
                "{} can be read by others; restrict it with chmod 600",
                path.display()
            )));
        }
        Ok(Self::with_key(std::fs::read_to_string(&path)?.trim().as_bytes()))
    }

    /// With this key.
    #[must_use]
    pub fn with_key(key: &[u8]) -> Self {
        Self(Arc::new(Hmac::new_from_slice(key).expect("HMAC takes keys of any length")))
    }

    /// The token of a statement.
    #[must_use]
    pub fn make(&self, statement: &Statement) -> String {
        let mut bytes = encode(statement);
        let mut mac = Hmac::clone(&self.0);
        mac.update(&bytes);
        bytes.extend_from_slice(&mac.finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says.
    ///
    /// # Errors
    /// It is not ours, or not good at this moment.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Statement, Bad> {
        let said = self.genuine(token).ok_or(Bad::Strange)?;
        if said.expires_at <= now {
            return Err(Bad::Expired);
        }
        if now.after(MAX_SKEW) < said.issued_at {
            return Err(Bad::Early);
        }
        Ok(said)
    }

    /// What a token of ours says, whenever it was or will be good.
    fn genuine(&self, token: &str) -> Option<Statement> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, signature) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let mut mac = Hmac::clone(&self.0);
        mac.update(body);
        mac.verify_slice(signature).ok()?;
        decode(body)
    }

    /// The word that proves that a change comes from the page whose session this is. Renewals keep it, so requests that are
    /// under way meanwhile stay good.
    #[must_use]
    pub fn csrf(&self, statement: &Statement) -> String {
        let mut mac = Hmac::clone(&self.0);
        // Tokens begin with their version, a number far below these letters.
        mac.update(b"csrf");
        mac.update(&statement.audit);
        for text in [statement.user.as_str(), statement.project.as_str()] {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

fn encode(statement: &Statement) -> Vec<u8> {
    let mut bytes = vec![VERSION, statement.method as u8];
    bytes.extend_from_slice(&statement.issued_at.micros().to_be_bytes());
    bytes.extend_from_slice(&statement.expires_at.micros().to_be_bytes());
    bytes.extend_from_slice(&statement.audit);
    let credential = statement.credential.map_or(Uuid::nil(), CredentialId::uuid);
    bytes.extend_from_slice(credential.as_bytes());
    for text in [statement.user.as_str(), statement.project.as_str()] {
        // Ids have at most 64 bytes.
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Statement> {
    let mut rest = Rest(bytes);
    if rest.array::<1>()? != [VERSION] {
        return None;
    }
    let method = match rest.array::<1>()? {
        [0] => Method::Password,
        [1] => Method::Credential,
        [2] => Method::Token,
        [3] => Method::Session,
        _ => return None,
    };
    let issued_at = Timestamp::from_micros(i64::from_be_bytes(rest.array()?));
    let expires_at = Timestamp::from_micros(i64::from_be_bytes(rest.array()?));
    let audit = rest.array()?;
    let credential = Uuid::from_bytes(rest.array()?);
    let credential = (!credential.is_nil()).then(|| credential.into());
    let (user, project) = (rest.text()?.parse().ok()?, rest.text()?.parse().ok()?);
    Some(Statement { user, project, credential, method, issued_at, expires_at, audit })
}

/// Reads bytes as what stands below a signature, and fails when what reads does not read back; for fuzzing.
#[doc(hidden)]
pub fn check_body(bytes: &[u8]) {
    if let Some(said) = decode(bytes) {
        assert_eq!(decode(&encode(&said)), Some(said), "what reads, reads back");
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn text(&mut self) -> Option<&'a str> {
        let [length] = self.array::<1>()?;
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statement() -> Statement {
        Statement {
            user: UserId::new(),
            project: ProjectId::new(),
            credential: Some(CredentialId::new()),
            method: Method::Credential,
            issued_at: Timestamp::from_micros(1),
            expires_at: Timestamp::from_micros(10),
            audit: [7; 16],
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_of_until_it_expires() {
        let (tokens, said) = (Tokens::with_key(b"key"), statement());
        let token = tokens.make(&said);
        assert_eq!(tokens.read(&token, Timestamp::from_micros(9)), Ok(said));
        assert_eq!(tokens.read(&token, Timestamp::from_micros(10)), Err(Bad::Expired));
    }

    #[test]
    fn a_token_of_another_cloud_or_with_one_bit_changed_says_nothing() {
        let (tokens, now) = (Tokens::with_key(b"key"), Timestamp::from_micros(5));
        let token = tokens.make(&statement());
        assert_eq!(Tokens::with_key(b"yek").read(&token, now), Err(Bad::Strange));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let read = tokens.read(&URL_SAFE_NO_PAD.encode(changed), now);
            assert_eq!(read, Err(Bad::Strange), "byte {index}");
        }
        for length in 0..token.len() {
            let cut: String = token.chars().take(length).collect();
            assert_eq!(tokens.read(&cut, now), Err(Bad::Strange), "{length} letters");
        }
    }

    #[test]
    fn a_clock_that_goes_back_a_little_is_forgiven_and_more_is_not() {
        let tokens = Tokens::with_key(b"key");
        let start = Timestamp::from_micros(0);
        let issued_at = start.after(Duration::from_secs(1000));
        let expires_at = issued_at.after(Duration::from_secs(3600));
        let token = tokens.make(&Statement { issued_at, expires_at, ..statement() });
        assert!(tokens.read(&token, start.after(Duration::from_secs(700))).is_ok());
        assert_eq!(tokens.read(&token, start.after(Duration::from_secs(699))), Err(Bad::Early));
    }

    #[test]
    fn the_word_of_a_session_outlives_renewals_and_differs_between_sessions_and_projects() {
        let (tokens, said) = (Tokens::with_key(b"key"), statement());
        let word = tokens.csrf(&said);
        let renewed = Statement { expires_at: Timestamp::from_micros(20), ..said.clone() };
        assert_eq!(tokens.csrf(&renewed), word);
        let others = [
            Statement { audit: [8; 16], ..said.clone() },
            Statement { project: ProjectId::new(), ..said.clone() },
            Statement { user: UserId::new(), ..said.clone() },
        ];
        assert!(others.iter().all(|other| tokens.csrf(other) != word));
        assert_ne!(Tokens::with_key(b"yek").csrf(&said), word);
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_not(text in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Tokens::with_key(b"key").read(&text, Timestamp::default());
            check_body(&bytes);
        }

        #[test]
        fn any_statement_reads_back(user in "[a-f0-9]{1,64}", project in "[^\\x00-\\x1f\\x7f-\\u{9f}]{1,16}", audit: [u8; 16], method in 0..4_usize) {
            let methods = [Method::Password, Method::Credential, Method::Token, Method::Session];
            let said = Statement {
                user: user.parse().unwrap(),
                project: project.parse().unwrap(),
                method: methods[method],
                audit,
                ..statement()
            };
            let tokens = Tokens::with_key(b"key");
            prop_assert_eq!(tokens.read(&tokens.make(&said), Timestamp::from_micros(5)), Ok(said));
        }
    }
}
