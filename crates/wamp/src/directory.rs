//! A policy out of tables: who there is, how they prove it, and what each role may do. For routers that need no more.
//!
//! Invariants: what no permission names is refused; a client learns the same of an unknown name and of a wrong proof,
//! but for the method it is asked for. Deliberately not here: changing the tables while the router runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::auth::{cryptosign, scram, ticket, wampcra};
use crate::policy::{
    Abort, Action, Authentication, Challenge, Hello, Identity, Policy, Verdict, Welcome,
};
use crate::uri::{self, error};
use crate::{Dict, Match};

/// Who there is and who may do what.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Role of those who prove nothing; without it they may not enter.
    pub anonymous: Option<String>,
    /// Everybody else, by authid.
    pub users: HashMap<String, User>,
    /// What each role may do.
    pub roles: BTreeMap<String, Vec<Permission>>,
}

/// Somebody, with every way to prove it.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// As what it acts.
    pub role: String,
    /// The realms it may join; none means all.
    pub realms: BTreeSet<String>,
    /// Its ticket.
    pub ticket: Option<String>,
    /// Its secret for WAMP-CRA, and how that was derived from a password.
    pub cra: Option<(String, Option<wampcra::Salting>)>,
    /// What is stored of its password for WAMP-SCRAM.
    pub scram: Option<scram::Stored>,
    /// Its public keys for WAMP-cryptosign.
    pub keys: Vec<[u8; 32]>,
}

/// What may be done with some URIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// A URI or pattern; a prefix may be empty and then means all.
    pub uri: String,
    /// How it covers URIs.
    pub pattern: Match,
    /// What may be done.
    pub allow: Vec<Deed>,
}

/// What may be done with a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Call it.
    Call,
    /// Answer its calls.
    Register,
    /// Publish to it.
    Publish,
    /// Receive its events.
    Subscribe,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Call, Self::Register, Self::Publish, Self::Subscribe];

    /// The deed that an action is.
    pub fn of(action: Action) -> Self {
        match action {
            Action::Call => Self::Call,
            Action::Register(_) => Self::Register,
            Action::Publish => Self::Publish,
            Action::Subscribe(_) => Self::Subscribe,
        }
    }
}

impl Permission {
    /// Everything with every URI.
    pub fn everything() -> Self {
        Self { uri: String::new(), pattern: Match::Prefix, allow: Deed::ALL.to_vec() }
    }

    /// Whether it speaks of `wanted`. A pattern that somebody wants must lie within it whole.
    fn covers(&self, wanted: &str, kind: Match) -> bool {
        match self.pattern {
            Match::Exact => kind == Match::Exact && self.uri == wanted,
            Match::Prefix => {
                kind != Match::Wildcard && wanted.starts_with(&self.uri)
                    || kind == Match::Wildcard && lies_below(wanted, &self.uri)
            }
            Match::Wildcard => kind != Match::Prefix && uri::wildcard_covers(&self.uri, wanted),
        }
    }

    /// How particular it is: the most particular permission decides.
    fn rank(&self) -> (u8, usize) {
        let kind = match self.pattern {
            Match::Exact => 2,
            Match::Prefix => 1,
            Match::Wildcard => 0,
        };
        (kind, self.uri.len())
    }
}

/// Whether every URI that the wildcard pattern covers begins with `prefix`.
fn lies_below(pattern: &str, prefix: &str) -> bool {
    let fixed = pattern.split("..").next().unwrap_or_default();
    let fixed = if pattern.starts_with('.') { "" } else { fixed };
    fixed.starts_with(prefix)
}

/// What is remembered between challenge and answer.
#[derive(Debug)]
pub struct Pending {
    authid: String,
    role: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    Ticket(String),
    Cra(wampcra::Pending),
    Scram(Box<scram::Pending>),
    Cryptosign(cryptosign::Pending),
}

impl Directory {
    /// Everybody may enter as `role` and do everything.
    pub fn open(role: &str) -> Self {
        let roles = BTreeMap::from([(role.to_owned(), vec![Permission::everything()])]);
        Self { anonymous: Some(role.to_owned()), users: HashMap::new(), roles }
    }

    /// The first of the client's methods by which this user can be known.
    fn challenge(&self, hello: &Hello) -> Option<Challenge<Pending>> {
        hello.methods.iter().find_map(|method| match method.as_str() {
            cryptosign::METHOD => self.by_key(hello),
            other => self.by_name(other, hello),
        })
    }

    fn by_key(&self, hello: &Hello) -> Option<Challenge<Pending>> {
        let key = cryptosign::public_key(&hello.extra).ok()?;
        let named = |authid: &str| hello.authid.as_ref().is_none_or(|named| named == authid);
        let (authid, user) = self
            .users
            .iter()
            .find(|(authid, user)| named(authid) && user.keys.contains(&key))
            .filter(|(_, user)| user.may_join(&hello.realm))?;
        let (proof, extra) = cryptosign::challenge(key);
        Some(asked(cryptosign::METHOD, extra, authid, user, Proof::Cryptosign(proof)))
    }

    fn by_name(&self, method: &str, hello: &Hello) -> Option<Challenge<Pending>> {
        let authid = hello.authid.as_deref()?;
        let user = self.users.get(authid).filter(|user| user.may_join(&hello.realm))?;
        let (name, extra, proof) = match method {
            ticket::METHOD => {
                let expected = user.ticket.clone()?;
                (ticket::METHOD, ticket::challenge(), Proof::Ticket(expected))
            }
            wampcra::METHOD => {
                let (secret, salting) = user.cra.as_ref()?;
                let (role, realm) = (&*user.role, &*hello.realm);
                let subject = wampcra::Subject { authid, role, realm };
                let (pending, extra) = wampcra::challenge(subject, secret, salting.as_ref());
                (wampcra::METHOD, extra, Proof::Cra(pending))
            }
            scram::METHOD => {
                let nonce = scram::client_nonce(&hello.extra)?;
                let (pending, extra) = scram::challenge(authid, nonce, user.scram.clone()?);
                (scram::METHOD, extra, Proof::Scram(Box::new(pending)))
            }
            _ => return None,
        };
        Some(asked(name, extra, authid, user, proof))
    }

    fn anonymous(&self, hello: &Hello) -> Option<Welcome> {
        let offers = &hello.methods;
        let is_offered = offers.is_empty() || offers.iter().any(|method| method == "anonymous");
        let role = self.anonymous.clone().filter(|_| is_offered)?;
        let authid = random_name();
        Some(Welcome { authid, role, authmethod: "anonymous".into(), ..Welcome::default() })
    }
}

impl User {
    fn may_join(&self, realm: &str) -> bool {
        self.realms.is_empty() || self.realms.contains(realm)
    }
}

/// A name for somebody who has none.
fn random_name() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    cryptosign::to_hex(&bytes)
}

fn asked(method: &str, extra: Dict, authid: &str, user: &User, proof: Proof) -> Challenge<Pending> {
    let state = Pending { authid: authid.to_owned(), role: user.role.clone(), proof };
    Challenge { method: method.to_owned(), extra, state }
}

impl Policy for Directory {
    type Pending = Pending;

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<Pending>, Abort> {
        if let Some(challenge) = self.challenge(&hello) {
            return Ok(Authentication::Challenge(challenge));
        }
        self.anonymous(&hello).map(Authentication::Welcome).ok_or_else(|| {
            let text = "none of the offered methods lets this client in";
            Abort::new(error::NO_AUTH_METHOD, text)
        })
    }

    async fn verify(
        &self,
        pending: Pending,
        signature: &str,
        extra: &Dict,
    ) -> Result<Welcome, Abort> {
        let Pending { authid, role, proof } = pending;
        let mut welcome = Welcome { authid, role, ..Welcome::default() };
        let is_right = match proof {
            Proof::Ticket(expected) => {
                welcome.authmethod = ticket::METHOD.into();
                ticket::verify(&expected, signature)
            }
            Proof::Cra(pending) => {
                welcome.authmethod = wampcra::METHOD.into();
                wampcra::verify(&pending, signature)
            }
            Proof::Scram(pending) => {
                welcome.authmethod = scram::METHOD.into();
                let proof = scram::verify(&pending, signature, extra);
                let is_right = proof.is_some();
                welcome.extra = proof.unwrap_or_default();
                is_right
            }
            Proof::Cryptosign(pending) => {
                welcome.authmethod = cryptosign::METHOD.into();
                welcome.key = Some(pending.public_key);
                cryptosign::verify(&pending, signature).is_ok()
            }
        };
        if is_right { Ok(welcome) } else { Err(Abort::failed("the proof is wrong")) }
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        let kind = match action {
            Action::Register(kind) | Action::Subscribe(kind) => kind,
            Action::Call | Action::Publish => Match::Exact,
        };
        let permissions = self.roles.get(&session.role).map_or(&[][..], Vec::as_slice);
        let covering = permissions.iter().filter(|permission| permission.covers(uri, kind));
        match covering.max_by_key(|permission| permission.rank()) {
            Some(permission) if permission.allow.contains(&Deed::of(action)) => Verdict::Allow,
            _ => Verdict::Deny(format!("the role {} may not do this", session.role)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(permissions: &[Permission], action: Action, uri: &str) -> bool {
        let roles = BTreeMap::from([("r".to_owned(), permissions.to_vec())]);
        let directory = Directory { roles, ..Directory::default() };
        let identity = Identity {
            id: 1,
            authid: "a".into(),
            role: "r".into(),
            method: "m".into(),
            key: None,
            peer: None,
        };
        directory.authorise(&identity, action, uri) == Verdict::Allow
    }

    fn permission(uri: &str, pattern: Match, allow: &[Deed]) -> Permission {
        Permission { uri: uri.into(), pattern, allow: allow.to_vec() }
    }

    #[test]
    fn the_most_particular_permission_decides() {
        let table = [
            Permission::everything(),
            permission("secret.", Match::Prefix, &[]),
            permission("secret.door", Match::Exact, &[Deed::Call]),
        ];
        assert!(may(&table, Action::Call, "a.b"));
        assert!(!may(&table, Action::Call, "secret.x"));
        assert!(may(&table, Action::Call, "secret.door"));
        assert!(!may(&table, Action::Publish, "secret.door"));
        assert!(!may(&[], Action::Call, "a"), "what nothing names is refused");
    }

    #[test]
    fn a_pattern_must_lie_within_what_is_allowed() {
        let table = [permission("a.b", Match::Prefix, &[Deed::Subscribe])];
        for (uri, kind, expected) in [
            ("a.bc", Match::Exact, true),
            ("a.b.", Match::Prefix, true),
            ("a.", Match::Prefix, false),
            ("a.b..d", Match::Wildcard, true),
            ("a..d", Match::Wildcard, false),
            (".b", Match::Wildcard, false),
        ] {
            assert_eq!(may(&table, Action::Subscribe(kind), uri), expected, "{uri} {kind:?}");
        }
        let wild = [permission("a..c", Match::Wildcard, &[Deed::Subscribe])];
        assert!(may(&wild, Action::Subscribe(Match::Exact), "a.b.c"));
        assert!(may(&wild, Action::Subscribe(Match::Wildcard), "a..c"));
        assert!(!may(&wild, Action::Subscribe(Match::Prefix), "a.b.c"));
    }
}
