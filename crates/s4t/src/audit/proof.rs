//! Proof that a row is in what the cloud signed: asked for, and checked here.

use super::verify::is_signed;
use crate::failure::Failure;
use crate::operation::Query;
use crate::output::Output;
use crate::session::Session;
use api::Page;
use api::audit::{HEADS, Head, PATH, Proof, Row};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Kind;
use model::audit::{Digest, merkle};
use serde::Serialize;

#[derive(Serialize)]
struct Proven {
    row: Row,
    proof: Proof,
    head: Head,
}

pub(super) fn run(
    session: &Session,
    out: &mut Output,
    seq: u64,
    size: Option<u64>,
) -> Result<(), Failure> {
    let row: Row = session.client.get(&format!("{PATH}/{seq}"))?;
    let query = Query::default().add("size", size.map(|size| size.to_string()));
    let proof: Proof = session.client.get(&query.on(&format!("{PATH}/{seq}/proof")))?;
    let head = head(session, proof.size)?;
    check(&row, &proof, &head)?;
    let text = format!("row {seq} is in the head of {} rows, signed at {}", head.size, head.at);
    out.one(&Proven { row, proof, head }, &["row.seq", "row.hash", "proof.path", "head.root"])?;
    out.remark(&text);
    Ok(())
}

fn head(session: &Session, size: u64) -> Result<Head, Failure> {
    let before = Some(size.saturating_sub(1).to_string());
    let query = Query::default().add("marker", before).add("limit", Some("1".to_owned()));
    let page: Page<Head> = session.client.get(&query.on(HEADS))?;
    let head = page.items.into_iter().find(|head| head.size == size);
    head.ok_or_else(|| Failure::new(Kind::NotFound, format!("there is no head of {size} rows")))
}

fn check(row: &Row, proof: &Proof, head: &Head) -> Result<(), Failure> {
    let wrong = |text: &str| Err(Failure::new(Kind::Conflict, format!("not proven: {text}")));
    let hash = row.previous.parse().map(|previous| row.fields().hash(&previous));
    let Some(hash) = hash.ok().filter(|hash| hash.to_string() == row.hash) else {
        return wrong("the row was changed: its hash is another");
    };
    let Some(path) = path(&proof.path) else { return wrong("the proof is not one") };
    let leaf = row.seq.saturating_sub(1);
    if proof.seq != row.seq || !merkle::includes(&head.root, head.size, leaf, &hash, &path) {
        return wrong("the path does not lead from the row to the root that was signed");
    }
    if !is_signed(head) {
        return wrong("the signature of the head is not good");
    }
    Ok(())
}

fn path(text: &str) -> Option<Vec<Digest>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.iter().copied().map(Digest).collect())
}
