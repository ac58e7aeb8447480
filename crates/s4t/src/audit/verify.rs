//! Checking the whole log, read from the cloud or from an export.

use super::broken;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use api::audit::EXPORT;
use base::key::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use model::Kind;
use model::audit::{Checker, Head, Line, Report};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// What is checked, and against what.
#[derive(Args)]
pub(crate) struct Verify {
    /// An export, instead of the cloud.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Fingerprint of the cloud's key, as it stands in claims; without it any key's signature is taken.
    #[arg(long)]
    pin: Option<String>,
    /// A head that was kept (JSON, one line of `audit heads --output json` or of an export): the log must go on from it.
    #[arg(long, value_name = "FILE")]
    trusted: Option<PathBuf>,
}

/// What was found, for people and programs.
#[derive(Serialize)]
struct Found {
    rows: u64,
    heads: u64,
    signed_rows: Option<u64>,
    signed_at: Option<String>,
    unsigned: u64,
    personal_values: u64,
    keys: Vec<String>,
    troubles: Vec<String>,
}

impl Verify {
    /// Whether no cloud is needed.
    pub(crate) fn is_offline(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn run(self, session: Option<&Session>, out: &mut Output) -> Result<(), Failure> {
        let keys = RefCell::new(BTreeSet::new());
        let signed = |head: &Head| {
            keys.borrow_mut().insert(fingerprint(&head.key));
            is_signed(head)
        };
        let mut checker = Checker::new(signed);
        if let Some(path) = &self.trusted {
            checker.expect(trusted(path)?);
        }
        match (&self.file, session) {
            (Some(path), _) => {
                let file = File::open(path).map_err(|error| unreadable(path, &error))?;
                read(&mut checker, BufReader::new(file).lines())?;
            }
            (None, Some(session)) => read(&mut checker, session.client.lines(EXPORT)?)?,
            (None, None) => return Err(Failure::invalid("name a file, or sign in to a cloud")),
        }
        let report = checker.finish();
        self.judge(out, report, keys.into_inner().into_iter().collect())
    }

    fn judge(&self, out: &mut Output, report: Report, keys: Vec<String>) -> Result<(), Failure> {
        let told =
            |trouble: model::audit::Trouble| format!("row {}: {}", trouble.seq, trouble.text);
        let mut troubles: Vec<String> = report.troubles.into_iter().map(told).collect();
        if let Some(pin) = &self.pin {
            let others = keys.iter().filter(|key| *key != pin);
            troubles.extend(others.map(|key| format!("heads are signed with the key {key}")));
        }
        let newest = report.newest.as_ref();
        let found = Found {
            rows: report.rows,
            heads: report.heads,
            signed_rows: newest.map(|head| head.size),
            signed_at: newest.map(|head| head.at.to_string()),
            unsigned: report.unsigned,
            personal_values: report.known,
            keys,
            troubles,
        };
        if found.troubles.is_empty() {
            out.one(&found, &[])?;
            if self.pin.is_none() && report.heads > 0 {
                out.remark("compare the key with the pin of a claim, or name it with --pin: whoever can write the log could sign it with another");
            }
            return Ok(());
        }
        let text = format!("the log was changed: {}", found.troubles.join("; "));
        Err(Failure::new(Kind::Conflict, text))
    }
}

/// Whether the signature of a head is its key's.
pub(super) fn is_signed(head: &Head) -> bool {
    let signature = URL_SAFE_NO_PAD.decode(&head.signature).ok();
    let signature = signature.and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
    match (PublicKey::parse(&head.key), signature) {
        (Ok(key), Some(signature)) => key.verifies(&head.message(), &signature),
        _ => false,
    }
}

fn fingerprint(key: &str) -> String {
    PublicKey::parse(key).map_or_else(|_| key.to_owned(), |key| key.fingerprint())
}

fn read<F: Fn(&Head) -> bool>(
    checker: &mut Checker<F>,
    lines: impl Iterator<Item = io::Result<String>>,
) -> Result<(), Failure> {
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(broken)?;
        match serde_json::from_str::<Line>(&line) {
            Ok(line) => checker.line(line),
            Err(error) => {
                let text =
                    format!("the log was changed: line {number} is none of an export: {error}");
                return Err(Failure::new(Kind::Conflict, text));
            }
        }
    }
    Ok(())
}

/// A head as `audit heads` or an export gives it: alone, the last of a list, or a line.
fn trusted(path: &Path) -> Result<Head, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    if let Ok(head) = serde_json::from_str::<Head>(&text) {
        return Ok(head);
    }
    if let Ok(Line::Head(head)) = serde_json::from_str(&text) {
        return Ok(head);
    }
    let last = serde_json::from_str::<Vec<Head>>(&text).ok().and_then(|mut heads| heads.pop());
    last.ok_or_else(|| Failure::invalid(format!("{} holds no head", path.display())))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Invalid, format!("{} cannot be read: {error}", path.display()))
}
