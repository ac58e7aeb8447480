//! Checking a log line by line: the chain, the tree, the heads. One pass, and no more memory than the heads ahead.
//!
//! Invariant: a log that passes is, up to its last head, exactly what was signed; one byte changed anywhere in it is found.
//! Deliberately not here: the signatures (who calls says whether a head's is good) and where the lines come from.

use super::merkle::Frontier;
use super::{Digest, Head, Line, Row, Start};
use std::collections::BTreeMap;

/// Most troubles that are told.
pub const MAX_TROUBLES: usize = 20;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// At which row, or at which size.
    pub seq: u64,
    /// What is wrong.
    pub text: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows that were checked.
    pub rows: u64,
    /// Heads whose signature, root and chain are good.
    pub heads: u64,
    /// The newest of them.
    pub newest: Option<Head>,
    /// Rows after it, which nobody has signed yet.
    pub unsigned: u64,
    /// Personal values that are still there.
    pub known: u64,
    /// The first things that are wrong; none in a good log.
    pub troubles: Vec<Trouble>,
}

/// A check under way. `signed` says whether a head's signature is good.
pub struct Checker<F> {
    signed: F,
    next: Option<u64>,
    chain: Option<Digest>,
    frontier: Option<Frontier>,
    base: Option<(u64, Frontier)>,
    ahead: BTreeMap<u64, Vec<Head>>,
    report: Report,
}

impl<F: Fn(&Head) -> bool> Checker<F> {
    /// A check that begins.
    pub fn new(signed: F) -> Self {
        let (ahead, report) = (BTreeMap::new(), Report::default());
        Self { signed, next: None, chain: None, frontier: None, base: None, ahead, report }
    }

    /// A head had before, which must be part of the log's past.
    pub fn expect(&mut self, head: Head) {
        self.head(head);
    }

    /// The next line.
    pub fn line(&mut self, line: Line) {
        match line {
            Line::Start(start) => self.start(start),
            Line::Row(row) => self.row(&row),
            Line::Head(head) => self.head(head),
        }
    }

    fn start(&mut self, start: Start) {
        if self.next.is_some() {
            return self.trouble(0, "a second beginning");
        }
        self.next = Some(start.first);
        match start.base {
            None if start.first == 1 => {
                self.chain = Some(Digest::ZERO);
                self.frontier = Some(Frontier::default());
            }
            None => {
                self.trouble(start.first, "rows before it are missing, and no head stands for them")
            }
            Some(base) => {
                let size = base.head.size;
                match Frontier::new(size, base.peaks) {
                    Some(frontier) if frontier.root() == base.head.root => {
                        self.base = Some((size, frontier));
                    }
                    _ => self.trouble(
                        size,
                        "the subtrees at the beginning do not give the root of its head",
                    ),
                }
                if size.checked_add(1).is_none_or(|after| start.first > after) {
                    self.trouble(
                        start.first,
                        "rows between the first head and the first row are missing",
                    );
                }
                self.head(base.head);
                self.begin_after(start.first.saturating_sub(1));
            }
        }
    }

    /// When the last row of the base was seen, the tree goes on from there.
    fn begin_after(&mut self, seq: u64) {
        if self.base.as_ref().is_some_and(|(size, _)| *size == seq) {
            self.frontier = self.base.take().map(|(_, frontier)| frontier);
            self.heads_at(seq);
        }
    }

    fn head(&mut self, head: Head) {
        if !(self.signed)(&head) {
            self.trouble(head.size, "the signature of the head is not the cloud's");
        }
        let seen = self.frontier.as_ref().is_some_and(|frontier| frontier.size() > head.size);
        if seen {
            return self.trouble(head.size, "the head comes after rows that it does not cover");
        }
        self.ahead.entry(head.size).or_default().push(head);
    }

    fn row(&mut self, row: &Row) {
        let Some(next) = self.next else {
            return self.trouble(row.seq, "a row before the beginning");
        };
        if row.seq != next {
            self.trouble(row.seq, format!("row {next} should be here"));
        }
        self.next = row.seq.checked_add(1);
        let Ok(previous) = row.previous.parse::<Digest>() else {
            return self.trouble(row.seq, "the hash of the row before is none");
        };
        if self.chain.is_some_and(|chain| chain != previous) {
            self.trouble(row.seq, "it does not follow from the row before");
        }
        let hash = row.fields().hash(&previous);
        if hash.to_string() != row.hash {
            self.trouble(row.seq, "it was changed: its hash is another");
        }
        if let Some(known) = row.false_value() {
            self.trouble(row.seq, format!("the personal field {:?} was changed", known.field));
        }
        self.report.known += u64::try_from(row.known.len()).unwrap_or(0);
        self.report.rows += 1;
        self.report.unsigned += 1;
        // What was stored, so that one change is one trouble and not one in each row from here on.
        let stored = row.hash.parse().unwrap_or(hash);
        self.chain = Some(stored);
        match &mut self.frontier {
            Some(frontier) => {
                frontier.push(&stored);
                self.heads_at(row.seq);
            }
            None => self.begin_after(row.seq),
        }
    }

    fn heads_at(&mut self, size: u64) {
        for head in self.ahead.remove(&size).unwrap_or_default() {
            let root = self.frontier.as_ref().map(Frontier::root);
            if root != Some(head.root) {
                self.trouble(size, "the rows do not give the root that was signed");
            }
            // Of a log that begins right here the chain is not known yet, and is the head's.
            if *self.chain.get_or_insert(head.chain) != head.chain {
                self.trouble(size, "the chain is not the one that was signed");
            }
            self.report.heads += 1;
            self.report.unsigned = 0;
            self.report.newest = Some(head);
        }
    }

    fn trouble(&mut self, seq: u64, text: impl Into<String>) {
        if self.report.troubles.len() < MAX_TROUBLES {
            self.report.troubles.push(Trouble { seq, text: text.into() });
        }
    }

    /// The end of the log.
    #[must_use]
    pub fn finish(mut self) -> Report {
        if self.next.is_none() {
            self.trouble(0, "there is no beginning");
        }
        let ahead: Vec<u64> = self.ahead.keys().copied().collect();
        for size in ahead {
            self.trouble(size, "a head was signed for rows that are missing");
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::audit::{Base, Known, personal_hash};
    use sha2::{Digest as _, Sha256};

    /// A log of `count` rows with heads after each fifth.
    fn log(count: u64) -> Vec<Line> {
        let start = Start { first: 1, base: None, key: "k".into() };
        let (mut lines, mut previous) = (vec![Line::Start(start)], Digest::ZERO);
        let mut frontier = Frontier::default();
        for seq in 1..=count {
            let row = row(seq, previous);
            previous = row.hash.parse().unwrap();
            frontier.push(&previous);
            if seq % 5 == 0 {
                lines.push(Line::Head(head(&frontier, previous)));
            }
            lines.push(Line::Row(row));
        }
        lines
    }

    fn head(frontier: &Frontier, chain: Digest) -> Head {
        let mut head = Head {
            size: frontier.size(),
            at: Timestamp::from_micros(9),
            root: frontier.root(),
            chain,
            key: "k".into(),
            signature: String::new(),
        };
        head.signature = signature(&head);
        head
    }

    /// Stands for a signature.
    fn signature(head: &Head) -> String {
        Digest(Sha256::digest(head.message()).into()).to_string()
    }

    fn row(seq: u64, previous: Digest) -> Row {
        let salt = "00112233445566778899aabbccddeeff".to_owned();
        let value = format!("192.0.2.{seq}");
        let salt_bytes: Vec<u8> = (0..16).map(|byte| byte * 0x11).collect();
        let hash = personal_hash(&salt_bytes, "address", Some("somebody"), &value);
        let mut row = Row {
            seq,
            at: Timestamp::from_micros(1_767_261_600_000_000 + i64::try_from(seq).unwrap()),
            actor_kind: "user".into(),
            actor: "somebody".into(),
            project: Some("p".into()),
            verb: "board:create".into(),
            subject_type: "board".into(),
            subject: "b".into(),
            outcome: "done".into(),
            detail: "{\"n\":1}".into(),
            personal: format!("address:{hash}"),
            known: vec![Known {
                field: "address".into(),
                person: Some("somebody".into()),
                value,
                salt,
            }],
            previous: previous.to_string(),
            hash: String::new(),
        };
        row.hash = row.fields().hash(&previous).to_string();
        row
    }

    fn check(lines: Vec<Line>) -> Report {
        let mut checker =
            Checker::new(|head: &Head| head.signature == signature(head) && head.key == "k");
        lines.into_iter().for_each(|line| checker.line(line));
        checker.finish()
    }

    #[test]
    fn a_good_log_passes_and_says_how_far_it_is_signed() {
        let report = check(log(13));
        assert_eq!(report.troubles, []);
        assert_eq!((report.rows, report.heads, report.unsigned), (13, 2, 3));
    }

    #[test]
    fn a_byte_changed_anywhere_in_an_export_is_found() {
        let lines: Vec<String> =
            log(5).iter().map(|line| serde_json::to_string(line).unwrap()).collect();
        let text = lines.join("\n");
        let read = |bytes: &[u8]| -> Option<Vec<Line>> {
            let text = std::str::from_utf8(bytes).ok()?;
            text.split('\n').map(|line| serde_json::from_str(line).ok()).collect()
        };
        let good = read(text.as_bytes()).unwrap();
        assert_eq!(check(good.clone()).troubles, []);
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            // What cannot be read, or says the same, is no lie.
            let Some(changed) = read(&bytes) else { continue };
            let is_same = changed == good;
            let is_key_of_start = matches!((&changed[0], &good[0]), (a, b) if a != b);
            assert!(
                is_same || is_key_of_start || !check(changed).troubles.is_empty(),
                "byte {place}: {:?}",
                text.get(place.saturating_sub(20)..place + 20)
            );
        }
    }

    #[test]
    fn rows_left_out_swapped_or_cut_off_are_found() {
        let whole = log(12);
        let mut left_out = whole.clone();
        left_out.remove(4);
        let mut swapped = whole.clone();
        swapped.swap(2, 3);
        let mut cut = whole.clone();
        cut.truncate(whole.len() - 3);
        for lines in [left_out, swapped, cut] {
            assert!(!check(lines).troubles.is_empty());
        }
    }

    #[test]
    fn personal_values_may_be_erased_and_not_changed() {
        let mut lines = log(5);
        let change = |lines: &mut Vec<Line>, change: fn(&mut Row)| {
            lines.iter_mut().for_each(|line| {
                if let Line::Row(row) = line {
                    change(row)
                }
            });
        };
        change(&mut lines, |row| row.known.clear());
        assert_eq!(check(lines.clone()).troubles, []);
        let mut lines = log(5);
        change(&mut lines, |row| row.known[0].value = "192.0.2.99".into());
        assert_eq!(check(lines).troubles.len(), 5);
    }

    #[test]
    fn a_log_without_its_oldest_rows_begins_at_a_signed_head() {
        let whole = log(20);
        let mut frontier = Frontier::default();
        let mut base = None;
        for line in &whole {
            if let Line::Row(row) = line {
                let hash = row.hash.parse().unwrap();
                frontier.push(&hash);
                if row.seq == 10 {
                    base = Some(Base {
                        head: head(&frontier, hash),
                        peaks: frontier.peaks().to_vec(),
                    });
                }
            }
        }
        for first in [9, 10, 11] {
            let start = Start { first, base: base.clone(), key: "k".into() };
            let kept = whole.iter().skip(1).filter(|line| match line {
                Line::Row(row) => row.seq >= first,
                Line::Head(head) => head.size > 10,
                Line::Start(_) => false,
            });
            let lines: Vec<Line> =
                std::iter::once(Line::Start(start)).chain(kept.cloned()).collect();
            let report = check(lines.clone());
            assert_eq!(report.troubles, [], "from {first}");
            assert_eq!((report.heads, report.unsigned), (3, 0), "from {first}");
            let mut without = lines;
            without.remove(1);
            assert!(!check(without).troubles.is_empty(), "without row {first}");
        }
    }

    #[test]
    fn a_head_had_before_must_be_part_of_the_log() {
        let whole = log(20);
        let Some(Line::Head(head)) = whole.iter().find(|line| matches!(line, Line::Head(_))) else {
            panic!("{whole:?}");
        };
        for (size, good) in [(head.size, true), (head.size + 1, false), (100, false)] {
            let mut checker = Checker::new(|_: &Head| true);
            checker.expect(Head { size, ..head.clone() });
            whole.iter().cloned().for_each(|line| checker.line(line));
            assert_eq!(checker.finish().troubles.is_empty(), good, "{size}");
        }
    }
}
