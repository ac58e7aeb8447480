//! The audit: reading, proving, exporting, erasing, and signing heads.
//!
//! Invariants: a project's administrators see the rows of their project, who operates the cloud sees all; nothing here can
//! change a row. Rows themselves are written by the store, with what they tell of; who their author is comes with the request.

use crate::app::Error;
use crate::app::access::Caller;
use crate::cloud::Cloud;
use base::key::KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::audit::{Digest, Head, Line, Row, Start};
use model::{Invalid, Kind, Timestamp, UserId};
use std::collections::VecDeque;
use store::audit::{self, Erase, Filter, Grown, MAX_ROWS, Unsigned};
use store::identity;
use store::page::Direction;

/// Rows the caller may see.
///
/// # Errors
/// The database failed.
pub async fn list(cloud: &Cloud, caller: &Caller, filter: &Filter) -> Result<Vec<Row>, Error> {
    Ok(audit::rows(&cloud.store, caller.scope(), filter).await?)
}

/// One row.
///
/// # Errors
/// There is none for the caller, or it is not kept any more.
pub async fn get(cloud: &Cloud, caller: &Caller, seq: u64) -> Result<Row, Error> {
    Ok(audit::get(&cloud.store, caller.scope(), seq).await?)
}

/// The row, the head of this size (or the newest) and the hashes that prove that the one is in the other.
///
/// # Errors
/// There is no such row for the caller, no such head, or the head does not cover the row yet.
pub async fn proof(
    cloud: &Cloud,
    caller: &Caller,
    seq: u64,
    size: Option<u64>,
) -> Result<(Row, Head, Vec<Digest>), Error> {
    let row = get(cloud, caller, seq).await?;
    let head = match size {
        Some(size) => Some(audit::head_at(&cloud.store, size).await?),
        None => audit::newest_head(&cloud.store).await?,
    };
    let head = head.filter(|head| head.size >= seq).ok_or_else(|| {
        Error::new(Kind::Conflict, "no head covers this row yet; ask again in a minute")
    })?;
    let path = audit::inclusion(&cloud.store, seq, head.size).await?;
    Ok((row, head, path))
}

/// The hashes that prove that the log of one head is the beginning of that of another.
///
/// # Errors
/// There are no such heads.
pub async fn consistency(cloud: &Cloud, from: u64, to: u64) -> Result<Vec<Digest>, Error> {
    if from > to {
        return Err(Invalid::new("from is larger than to; exchange them").into());
    }
    for size in [from, to] {
        audit::head_at(&cloud.store, size).await?;
    }
    Ok(audit::consistency(&cloud.store, from, to).await?)
}

/// Erases personal values; gives how many.
///
/// # Errors
/// Neither a user nor a value is named, or both are.
pub async fn erase(cloud: &Cloud, wish: api::audit::Erase) -> Result<u64, Error> {
    let what = match (wish.user, wish.value) {
        (Some(user), None) => Erase::Person(person(cloud, &user).await?),
        (None, Some(value)) if !value.is_empty() => Erase::Value(value),
        _ => return Err(Invalid::new("name a user or a value, one of the two").into()),
    };
    let job = cloud.store.write(move |tx| Box::pin(async move { audit::erase(tx, &what).await }));
    Ok(job.await?)
}

/// A user by name or id; one who is not known here any more by id alone.
async fn person(cloud: &Cloud, text: &str) -> Result<UserId, Error> {
    match identity::get_user_by_name(&cloud.store, text).await {
        Ok(user) => Ok(user.id),
        Err(store::Error::NotFound { .. }) => Ok(text.parse::<UserId>()?),
        Err(error) => Err(error.into()),
    }
}

/// Signs what came since the last head; gives whether there was anything.
///
/// # Errors
/// The database failed, or rows are missing.
pub async fn sign(cloud: &Cloud) -> Result<Option<Head>, store::Error> {
    while cloud.store.write(|tx| Box::pin(audit::grow(tx))).await? == Grown::Partly {}
    let Some(unsigned) = audit::unsigned(&cloud.store).await? else { return Ok(None) };
    let head = signed(&cloud.key, unsigned, cloud.now());
    let stored = head.clone();
    let job =
        cloud.store.write(move |tx| Box::pin(async move { audit::put_head(tx, &stored).await }));
    match job.await {
        // Somebody else was faster, with the same rows.
        Ok(()) | Err(store::Error::Duplicate { .. }) => Ok(Some(head)),
        Err(error) => Err(error),
    }
}

fn signed(key: &KeyPair, unsigned: Unsigned, at: Timestamp) -> Head {
    let Unsigned { size, root, chain } = unsigned;
    let (key_text, signature) = (key.public().to_string(), String::new());
    let head = Head { size, at, root, chain, key: key_text, signature };
    let signature = URL_SAFE_NO_PAD.encode(key.sign(&head.message()));
    Head { signature, ..head }
}

/// Hashes as one text.
#[must_use]
pub fn joined(path: &[Digest]) -> String {
    let bytes: Vec<u8> = path.iter().flat_map(|digest| digest.0).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The whole log, line by line.
pub struct Export {
    cloud: Cloud,
    /// Lines that are ready.
    ready: VecDeque<Line>,
    stage: Stage,
}

enum Stage {
    Begin,
    /// The last row and the last head that were read.
    Rows {
        row: u64,
        head: u64,
    },
    End,
}

impl Export {
    /// One that begins. For who sees all projects only: the chain is one.
    #[must_use]
    pub fn new(cloud: Cloud) -> Self {
        Self { cloud, ready: VecDeque::new(), stage: Stage::Begin }
    }

    /// The next lines; none at the end.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next(&mut self) -> Result<Option<Vec<Line>>, store::Error> {
        let store = &self.cloud.store;
        match self.stage {
            Stage::End => return Ok(None),
            Stage::Begin => {
                let (first, base) = audit::start(store).await?;
                let row = first.saturating_sub(1);
                let head = base.as_ref().map_or(row, |base| base.head.size);
                self.stage = Stage::Rows { row, head };
                let key = self.cloud.key.public().to_string();
                self.ready.push_back(Line::Start(Start { first, base, key }));
            }
            Stage::Rows { row, head } => {
                let filter = Filter { after: Some(row), limit: MAX_ROWS, ..Filter::default() };
                let rows = audit::rows(store, None, &filter).await?;
                let Some(last) = rows.last().map(|row| row.seq) else {
                    self.stage = Stage::End;
                    return Ok(None);
                };
                let heads = audit::heads(store, Direction::OldestFirst, Some(head), MAX_ROWS);
                let heads: Vec<Head> =
                    heads.await?.into_iter().filter(|head| head.size <= last).collect();
                let head = heads.last().map_or(head, |head| head.size);
                self.stage = Stage::Rows { row: last, head };
                self.ready.extend(heads.into_iter().map(Line::Head));
                self.ready.extend(rows.into_iter().map(Line::Row));
            }
        }
        Ok(Some(self.ready.drain(..).collect()))
    }
}
