//! What an import did: created, there already, skipped with the reason, changed with the reason.
//!
//! Invariant: every row of a table that is brought is counted once, as created, present or skipped.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::{self, Write};

/// Longest lists of remarks; more are counted only.
const MAX_REMARKS: usize = 10_000;

/// What is brought, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Noun {
    Project,
    User,
    Fleet,
    Board,
    Location,
    Plugin,
    Service,
    Injection,
    Exposure,
}

impl Noun {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Project, "project"),
        (Self::User, "user"),
        (Self::Fleet, "fleet"),
        (Self::Board, "board"),
        (Self::Location, "location"),
        (Self::Plugin, "plugin"),
        (Self::Service, "service"),
        (Self::Injection, "injection"),
        (Self::Exposure, "exposure"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(noun, _)| *noun == self).map_or("", |(_, word)| word)
    }
}

/// How many of a noun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Made by this run.
    pub created: u64,
    /// There already, and left alone.
    pub present: u64,
    /// Not brought.
    pub skipped: u64,
}

/// A row, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Remark {
    noun: Noun,
    id: String,
    reason: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where it came from; no password is in it.
    pub from: String,
    /// Whether it was rehearsed only.
    #[serde(rename = "dry_run")]
    pub is_dry_run: bool,
    /// How many, by noun.
    counts: BTreeMap<Noun, Count>,
    skipped: Vec<Remark>,
    changed: Vec<Remark>,
    /// Rows of tables that are known and not brought.
    left: BTreeMap<String, u64>,
    /// Names of upstream's agents that boards were told.
    agents: BTreeSet<String>,
    /// Remarks beyond the bound.
    unlisted: u64,
}

impl Report {
    /// Says what a table that is not brought holds.
    pub(super) fn leave(&mut self, table: &str) {
        *self.left.entry(table.to_owned()).or_default() += 1;
    }

    pub(super) fn agent(&mut self, name: &str) {
        if self.agents.len() < MAX_REMARKS {
            self.agents.insert(name.to_owned());
        }
    }

    pub(super) fn created(&mut self, noun: Noun) {
        self.counts.entry(noun).or_default().created += 1;
    }

    pub(super) fn present(&mut self, noun: Noun) {
        self.counts.entry(noun).or_default().present += 1;
    }

    pub(super) fn skip(&mut self, noun: Noun, id: impl Display, reason: impl Display) {
        self.counts.entry(noun).or_default().skipped += 1;
        let remark = Remark { noun, id: id.to_string(), reason: reason.to_string() };
        remember(&mut self.skipped, &mut self.unlisted, remark);
    }

    pub(super) fn change(&mut self, noun: Noun, id: impl Display, reason: impl Display) {
        let remark = Remark { noun, id: id.to_string(), reason: reason.to_string() };
        remember(&mut self.changed, &mut self.unlisted, remark);
    }

    /// Adds what a batch did.
    pub(super) fn add(&mut self, batch: Self) {
        for (noun, count) in batch.counts {
            let sum = self.counts.entry(noun).or_default();
            sum.created += count.created;
            sum.present += count.present;
            sum.skipped += count.skipped;
        }
        for remark in batch.skipped {
            remember(&mut self.skipped, &mut self.unlisted, remark);
        }
        for remark in batch.changed {
            remember(&mut self.changed, &mut self.unlisted, remark);
        }
        self.unlisted += batch.unlisted;
    }

    pub(super) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.is_dry_run {
            true => writeln!(out, "from {}: a dry run, nothing was changed", tame(&self.from))?,
            false => writeln!(out, "imported from {}", tame(&self.from))?,
        }
        writeln!(out, "{:<10} {:>8} {:>8} {:>8}", "", "created", "present", "skipped")?;
        for (noun, word) in Noun::ALL {
            let count = self.counts.get(&noun).copied().unwrap_or_default();
            let Count { created, present, skipped } = count;
            writeln!(out, "{word:<10} {created:>8} {present:>8} {skipped:>8}")?;
        }
        write_remarks(out, "skipped", &self.skipped)?;
        write_remarks(out, "changed", &self.changed)?;
        if self.unlisted > 0 {
            writeln!(out, "and {} remarks more", self.unlisted)?;
        }
        for (table, rows) in &self.left {
            writeln!(out, "left: {rows} rows of {table}")?;
        }
        for agent in &self.agents {
            writeln!(out, "agent that boards were told: {}", tame(agent))?;
        }
        Ok(())
    }
}

fn remember(list: &mut Vec<Remark>, unlisted: &mut u64, remark: Remark) {
    if list.len() < MAX_REMARKS {
        list.push(remark);
    } else {
        *unlisted += 1;
    }
}

fn write_remarks(out: &mut dyn Write, word: &str, remarks: &[Remark]) -> io::Result<()> {
    for remark in remarks {
        let (id, reason) = (tame(&remark.id), tame(&remark.reason));
        writeln!(out, "{word}: {} {id}: {reason}", remark.noun.word())?;
    }
    Ok(())
}

/// What comes from outside does not move a terminal's cursor.
fn tame(text: &str) -> String {
    let tamed = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(tamed).collect()
}
