//! `<agent>.stack4things.connection` and `.report`: a board says that it can be called, and how it is.
//!
//! A native board registers its prefix first and calls `connection` afterwards, so "online" means "can be called".

use model::facts::{Facts, Load};
use model::{BoardId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keyword arguments of `connection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// The board.
    pub uuid: BoardId,
    /// Its session on the router.
    pub session: u64,
    /// What it is.
    pub info: Info,
}

/// What a board is; upstream boards send the first two members only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Version of the agent.
    pub lr_version: String,
    /// Upstream's description of the link: `iface`, `local_ip`, `mac`.
    pub connectivity: BTreeMap<String, String>,
    /// Newest native protocol it speaks; 0 for upstream boards.
    pub protocol: u32,
    /// What it can do: names of [`crate::Method`]s, and runtimes as `plugin:python`.
    pub capabilities: Vec<String>,
    /// Facts.
    pub facts: Facts,
    /// Load.
    pub load: Load,
}

/// What the cloud answers (the `message` of the envelope).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The protocol version both speak from now on.
    pub protocol: u32,
    /// What the cloud can do beyond the version: words of [`CloudCapability`], and of later ones. Clouds that were before
    /// the list leave it out.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The cloud's clock; a board without one takes its time from here, and never goes back.
    pub time: Timestamp,
    /// Seconds between reports.
    pub report_every_s: u32,
    /// The board's name, for its logs.
    pub name: String,
    /// Rights that were given out in an earlier epoch than this are void.
    #[serde(default)]
    pub rights_epoch: u32,
}

impl Accepted {
    /// Whether the cloud said that it can do this.
    #[must_use]
    pub fn can(&self, capability: CloudCapability) -> bool {
        self.capabilities.iter().any(|word| word == capability.word())
    }
}

/// What a cloud can do beyond protocol version 1: the whole list. A board does without what its cloud does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloudCapability {
    /// `report` is answered with [`Reported`], so a board hears of its new name without connecting again; clouds without
    /// it answer the text `ok`.
    ReportName,
    /// A board may have another key in place of its own: `rotate_key` ([`crate::rotation`]).
    RotateKey,
}

impl CloudCapability {
    /// Everything that this version's cloud can do.
    pub const ALL: &[Self] = &[Self::ReportName, Self::RotateKey];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ReportName => "report-name",
            Self::RotateKey => "rotate-key",
        }
    }
}

/// What a cloud with [`CloudCapability::ReportName`] answers to `report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The board's name now.
    pub name: String,
}

/// Keyword arguments of `report`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The board.
    pub board_uuid: BoardId,
    /// Load now.
    pub load: Load,
    /// Facts, when they changed since the last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
}

/// The version both sides speak, or none.
#[must_use]
pub fn negotiate(ours: u32, oldest: u32, theirs: u32) -> Option<u32> {
    let common = ours.min(theirs);
    (common >= oldest).then_some(common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_of_both_versions_is_spoken_unless_it_is_too_old() {
        assert_eq!(negotiate(3, 2, 9), Some(3));
        assert_eq!(negotiate(3, 2, 2), Some(2));
        assert_eq!(negotiate(3, 2, 1), None);
    }

    #[test]
    fn a_cloud_that_names_nothing_can_nothing_and_words_of_later_ones_are_passed_over() {
        let said = |capabilities: &str| -> Accepted {
            let text = format!(
                r#"{{"protocol":1,{capabilities}"time":"2026-01-01T00:00:00Z","report_every_s":1,"name":"n"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        assert!(!said("").can(CloudCapability::ReportName));
        assert!(!said(r#""capabilities":["brew-tea"],"#).can(CloudCapability::ReportName));
        let all = said(r#""capabilities":["brew-tea","report-name","rotate-key"],"#);
        assert!(CloudCapability::ALL.iter().all(|capability| all.can(*capability)));
    }

    #[test]
    fn an_upstream_boards_info_is_read() {
        let info: Info =
            serde_json::from_str(r#"{"lr_version":"0.5.0","connectivity":{"mac":"m"}}"#).unwrap();
        assert_eq!((info.protocol, info.lr_version.as_str()), (0, "0.5.0"));
    }
}
