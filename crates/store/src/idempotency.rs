//! Idempotency keys: a request that is repeated with the same key gets the first answer and does nothing again.
//!
//! Invariant: a key belongs to its user and to one request (by hash) for [`LIFETIME`]. When begin and finish share the
//! transaction of the use case, a key and what it did are stored together or not at all.

use crate::sql::{Reader, Row, Statement, first, json};
use crate::{Error, Tx};
use model::{Invalid, Timestamp, UserId};
use std::time::Duration;

/// How long an answer is kept.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Longest key, in bytes.
pub const MAX_KEY: usize = 255;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Nothing: go on, and call [`finish`].
    Fresh,
    /// The first request is being worked on.
    Running,
    /// This was answered.
    Done {
        /// Status of the answer.
        status: u16,
        /// Body of the answer.
        body: String,
        /// Its headers that are kept: name and value.
        headers: Vec<(String, String)>,
    },
}

/// Takes a key for a request, or tells what became of the first one.
///
/// # Errors
/// The key is malformed, or was used for a different request.
pub async fn begin(
    tx: &mut Tx,
    key: &str,
    user: &UserId,
    request_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Begin, Error> {
    check(key)?;
    if let Some(begun) = lookup(&mut *tx, key, user, request_hash, now).await? {
        return Ok(begun);
    }
    let statement = Statement::new(
        "take an idempotency key",
        "INSERT INTO idempotency_keys (user_id, key, request_hash, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, key) DO UPDATE SET request_hash = $3, created_at = $4, status = NULL, body = NULL, headers = NULL",
    )
    .bind(user)
    .bind(key)
    .bind(request_hash)
    .bind(now);
    tx.execute(statement).await?;
    Ok(Begin::Fresh)
}

fn check(key: &str) -> Result<(), Invalid> {
    if key.is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
        return Err(Invalid::new(format!(
            "an idempotency key has 1 to {MAX_KEY} bytes and no control characters"
        )));
    }
    Ok(())
}

/// What became of the request with this key, without taking it; nothing when the key is free.
///
/// # Errors
/// The key was used for a different request.
pub async fn lookup<'e>(
    from: impl Reader<'e>,
    key: &str,
    user: &UserId,
    request_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Begin>, Error> {
    let statement = Statement::new(
        "read an idempotency key",
        "SELECT request_hash, status, body, headers, created_at FROM idempotency_keys WHERE user_id = $1 AND key = $2",
    )
    .bind(user)
    .bind(key);
    let Some(found) = first(from, statement, read).await? else { return Ok(None) };
    if found.created_at.after(LIFETIME) <= now {
        return Ok(None);
    }
    if found.request_hash != *request_hash {
        return Err(Error::Conflict(
            "this idempotency key was used for a different request; take a new one".into(),
        ));
    }
    Ok(Some(found.begun))
}

/// Stores the answer to the request that took the key.
///
/// # Errors
/// The key was not taken.
pub async fn finish(
    tx: &mut Tx,
    key: &str,
    user: &UserId,
    status: u16,
    body: &str,
) -> Result<(), Error> {
    let statement = Statement::new(
        "finish an idempotency key",
        "UPDATE idempotency_keys SET status = $1, body = $2 WHERE user_id = $3 AND key = $4",
    )
    .bind(status)
    .bind(body)
    .bind(user)
    .bind(key);
    match tx.execute(statement).await? {
        0 => Err(Error::NotFound { what: "idempotency key" }),
        _ => Ok(()),
    }
}

/// Keeps headers with an answer that [`finish`] stored.
///
/// # Errors
/// The database failed.
pub async fn keep_headers(
    tx: &mut Tx,
    key: &str,
    user: &UserId,
    headers: &[(String, String)],
) -> Result<(), Error> {
    let text = "UPDATE idempotency_keys SET headers = $1 WHERE user_id = $2 AND key = $3";
    let statement = Statement::new("keep headers of an answer", text);
    tx.execute(statement.bind(json(&headers)?).bind(user).bind(key)).await?;
    Ok(())
}

/// Frees a key whose request failed in a way that may be tried again.
///
/// # Errors
/// The database failed.
pub async fn forget(tx: &mut Tx, key: &str, user: &UserId) -> Result<(), Error> {
    let text = "DELETE FROM idempotency_keys WHERE user_id = $1 AND key = $2";
    tx.execute(Statement::new("free an idempotency key", text).bind(user).bind(key)).await?;
    Ok(())
}

/// Frees the keys whose requests a stop of the cloud interrupted: nobody will finish them.
///
/// # Errors
/// The database failed.
pub async fn forget_interrupted_at_start(tx: &mut Tx) -> Result<u64, Error> {
    let text = "DELETE FROM idempotency_keys WHERE status IS NULL";
    tx.execute(Statement::new("free idempotency keys", text)).await
}

/// Removes answers older than [`LIFETIME`].
///
/// # Errors
/// The database failed.
pub async fn trim(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    let lifetime = i64::try_from(LIFETIME.as_micros()).unwrap_or(i64::MAX);
    let text = "DELETE FROM idempotency_keys WHERE created_at <= $1";
    let oldest = now.micros().saturating_sub(lifetime);
    tx.execute(Statement::new("trim idempotency keys", text).bind(oldest)).await
}

struct Found {
    request_hash: [u8; 32],
    created_at: Timestamp,
    begun: Begin,
}

fn read(row: &Row) -> Result<Found, Error> {
    let status = row.number_optional("status")?;
    let begun = match status {
        None => Begin::Running,
        Some(status) => Begin::Done {
            status,
            body: row.text_optional("body")?.unwrap_or_default(),
            headers: row.json_optional("headers")?.unwrap_or_default(),
        },
    };
    Ok(Found {
        request_hash: row.hash("request_hash")?,
        created_at: row.time("created_at")?,
        begun,
    })
}
