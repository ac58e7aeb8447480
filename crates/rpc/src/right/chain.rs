//! A right as a whole: its text, its signatures, and what it allows.
//!
//! Bytes: the number of further blocks (1); the first block, then each further one, as length (1), payload, the key that signs
//! the next (32), signature (64); at the end the secret half of the last key named (32). The text is that in base64url.

use super::act::{Act, Acts, Thing};
use super::block::{Grant, Narrowing, Reader};
use super::{MAX_HOPS, MAX_TEXT, Refusal, SKEW};
use base::key::{KeyPair, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{BoardId, PluginId, Timestamp};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use zeroize::Zeroizing;

/// What its text begins with.
const PREFIX: &str = "s4tr1.";
const ROOT: &[u8] = b"s4t right v1 root";
const HOP: &[u8] = b"s4t right v1 hop";

/// One block as it is signed.
#[derive(Clone, PartialEq, Eq)]
struct Signed {
    payload: Vec<u8>,
    next: [u8; 32],
    signature: [u8; 64],
}

impl Signed {
    fn read(rest: &mut Reader<'_>) -> Result<Self, Refusal> {
        let [length] = rest.take()?;
        let payload = rest.slice(length.into())?.to_vec();
        Ok(Self { payload, next: rest.take()?, signature: rest.take()? })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::try_from(self.payload.len()).unwrap_or(u8::MAX));
        bytes.extend(&self.payload);
        bytes.extend(self.next);
        bytes.extend(self.signature);
    }
}

/// A right. Whoever has it may use it and narrow it, so it is not shown in logs.
#[derive(Clone)]
pub struct Right {
    root: Signed,
    hops: Vec<Signed>,
    grant: Grant,
    narrowings: Vec<Narrowing>,
    secret: Zeroizing<[u8; 32]>,
}

/// What a right allows, all its blocks together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The board.
    pub board: BoardId,
    /// Who was given it by the cloud.
    pub holder: String,
    /// The acts.
    pub acts: Acts,
    /// With what; none when its blocks have nothing in common.
    pub thing: Option<Thing>,
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub until: Timestamp,
    /// The epoch it was given out in.
    pub epoch: u32,
    /// How often it may still be passed on.
    pub depth: u8,
    /// How often it was.
    pub hops: usize,
}

impl Allowed {
    /// Whether it allows this, with this plugin where it is about one.
    ///
    /// # Errors
    /// It does not.
    pub fn may(&self, act: Act, plugin: Option<PluginId>) -> Result<(), Refusal> {
        let covers = match (self.thing, plugin) {
            (None, _) => false,
            (Some(thing), Some(plugin)) => thing.covers(plugin),
            (Some(thing), None) => thing == Thing::Board,
        };
        if self.acts.contains(act) && covers {
            return Ok(());
        }
        Err(Refusal::Beyond(match plugin {
            Some(plugin) => format!("{act} of plugin {plugin}"),
            None => format!("{act} of the whole board"),
        }))
    }
}

impl Right {
    /// Gives a right out, signed by the cloud's key.
    #[must_use]
    pub fn issue(cloud: &KeyPair, grant: &Grant) -> Self {
        let (secret, next) = fresh();
        let payload = grant.encode();
        let signature = cloud.sign(&root_message(&payload, &next));
        // As the board will read it: times in whole seconds, bounds applied.
        let grant = Grant::decode(&payload).unwrap_or_else(|_| grant.clone());
        let root = Signed { payload, next, signature };
        Self { root, hops: Vec::new(), grant, narrowings: Vec::new(), secret }
    }

    /// The same right with less in it; it needs no cloud.
    ///
    /// # Errors
    /// It may not be passed on any more.
    pub fn narrow(&self, narrowing: Narrowing) -> Result<Self, Refusal> {
        if self.hops.len() >= MAX_HOPS || self.says()?.depth == 0 {
            return Err(Refusal::TooDeep);
        }
        let (secret, next) = fresh();
        let payload = narrowing.encode();
        let before = self.last().signature;
        let signature =
            KeyPair::from_seed(&self.secret).sign(&hop_message(&before, &payload, &next));
        let mut narrowed = self.clone();
        narrowed.hops.push(Signed { payload, next, signature });
        narrowed.narrowings.push(narrowing);
        narrowed.secret = secret;
        Ok(narrowed)
    }

    /// What it says that it allows; worth nothing before [`Self::verify`].
    ///
    /// # Errors
    /// It was passed on more often than it may be.
    pub fn says(&self) -> Result<Allowed, Refusal> {
        let grant = &self.grant;
        let mut allowed = Allowed {
            board: grant.board,
            holder: grant.holder.clone(),
            acts: grant.acts,
            thing: Some(grant.thing),
            from: grant.issued_at,
            until: grant.issued_at.after(grant.life),
            epoch: grant.epoch,
            depth: grant.depth,
            hops: self.narrowings.len(),
        };
        for narrowing in &self.narrowings {
            allowed.depth = allowed.depth.checked_sub(1).ok_or(Refusal::TooDeep)?;
            take_away(&mut allowed, narrowing, grant.issued_at);
        }
        Ok(allowed)
    }

    /// What it allows on this board at this moment, when it holds; `root` is the cloud's key and `epoch` the oldest that counts.
    ///
    /// # Errors
    /// It does not hold; the refusal says why.
    pub fn verify(
        &self,
        root: &PublicKey,
        board: BoardId,
        epoch: u32,
        now: Timestamp,
    ) -> Result<Allowed, Refusal> {
        // What costs nothing first; none of it is a secret.
        let allowed = self.says()?;
        if allowed.board != board {
            return Err(Refusal::OtherBoard);
        }
        self.check_signatures(root)?;
        if allowed.epoch < epoch {
            return Err(Refusal::Revoked);
        }
        if now.after(SKEW) < allowed.from {
            return Err(Refusal::NotYet);
        }
        if now >= allowed.until {
            return Err(Refusal::Over);
        }
        Ok(allowed)
    }

    fn check_signatures(&self, root: &PublicKey) -> Result<(), Refusal> {
        let Signed { payload, next, signature } = &self.root;
        if !root.verifies(&root_message(payload, next), signature) {
            return Err(Refusal::Forged);
        }
        let (mut signer, mut before) = (*next, *signature);
        for Signed { payload, next, signature } in &self.hops {
            let message = hop_message(&before, payload, next);
            if !PublicKey::from_bytes(signer).verifies(&message, signature) {
                return Err(Refusal::Forged);
            }
            (signer, before) = (*next, *signature);
        }
        // Who took blocks off does not know the secret of the key before them.
        let is_whole = KeyPair::from_seed(&self.secret).public().as_bytes() == &signer;
        if is_whole { Ok(()) } else { Err(Refusal::Forged) }
    }

    fn last(&self) -> &Signed {
        self.hops.last().unwrap_or(&self.root)
    }

    /// The bytes that its text stands for.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(256 + 128 * self.hops.len()));
        bytes.push(u8::try_from(self.hops.len()).unwrap_or(u8::MAX));
        self.root.write(&mut bytes);
        self.hops.iter().for_each(|hop| hop.write(&mut bytes));
        bytes.extend(self.secret.iter());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are no right.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut rest = Reader(bytes);
        let [count] = rest.take()?;
        if usize::from(count) > MAX_HOPS {
            return Err(Refusal::TooDeep);
        }
        let root = Signed::read(&mut rest)?;
        let grant = Grant::decode(&root.payload)?;
        let mut hops = Vec::with_capacity(count.into());
        let mut narrowings = Vec::with_capacity(count.into());
        for _ in 0..count {
            let hop = Signed::read(&mut rest)?;
            narrowings.push(Narrowing::decode(&hop.payload)?);
            hops.push(hop);
        }
        let secret = Zeroizing::new(rest.take()?);
        if !rest.0.is_empty() {
            return Err(Refusal::Malformed("something follows it"));
        }
        Ok(Self { root, hops, grant, narrowings, secret })
    }
}

fn take_away(allowed: &mut Allowed, narrowing: &Narrowing, issued_at: Timestamp) {
    let at = |seconds: u16| issued_at.after(Duration::from_secs(seconds.into()));
    if let Some(acts) = narrowing.acts {
        allowed.acts = allowed.acts.and(acts);
    }
    if let Some(seconds) = narrowing.from_s {
        allowed.from = allowed.from.max(at(seconds));
    }
    if let Some(seconds) = narrowing.until_s {
        allowed.until = allowed.until.min(at(seconds));
    }
    if let Some(depth) = narrowing.depth {
        allowed.depth = allowed.depth.min(depth);
    }
    if let Some(thing) = narrowing.thing {
        allowed.thing = allowed.thing.and_then(|so_far| so_far.and(thing));
    }
}

/// A key for one block: its secret, and its public half.
fn fresh() -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let secret = Zeroizing::new(base::secret::random::<32>());
    let public = *KeyPair::from_seed(&secret).public().as_bytes();
    (secret, public)
}

fn root_message(payload: &[u8], next: &[u8; 32]) -> Vec<u8> {
    [ROOT, payload, next].concat()
}

fn hop_message(before: &[u8; 64], payload: &[u8], next: &[u8; 32]) -> Vec<u8> {
    [HOP, before, payload, next].concat()
}

/// `s4tr1.…`
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*self.to_bytes()))
    }
}

impl fmt::Debug for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Right({}, {} hops)", self.grant.board, self.hops.len())
    }
}

impl FromStr for Right {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(Refusal::Malformed("it is too long"));
        }
        let body =
            text.strip_prefix(PREFIX).ok_or(Refusal::Malformed("it does not start with s4tr1."))?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map(Zeroizing::new);
        Self::from_bytes(&bytes.map_err(|_| Refusal::Malformed("it is cut or altered"))?)
    }
}
