//! Quotas: how much a project may have.
//!
//! Invariant: a limit that is lowered takes nothing away; it refuses what would add to what is counted. Deliberately not
//! here: counting, which the store does in the transaction that adds.

use crate::Invalid;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

const UNLIMITED: &str = "unlimited";
const DEFAULT: &str = "default";

/// What is counted for each project.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Boards that are not decommissioned, connected or not.
    Boards,
    /// Services, enabled or not.
    Services,
    /// Plugins, on boards or not.
    Plugins,
    /// Bytes of the plugins' sources and parameters.
    PluginBytes,
}

impl Counted {
    /// All that is counted.
    pub const ALL: [Self; 4] = [Self::Boards, Self::Services, Self::Plugins, Self::PluginBytes];

    /// The word in settings, answers and options.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Boards => "boards",
            Self::Services => "services",
            Self::Plugins => "plugins",
            Self::PluginBytes => "plugin_bytes",
        }
    }

    /// As it stands behind a number.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::PluginBytes => "bytes of plugins",
            other => other.word(),
        }
    }

    /// What makes room.
    #[must_use]
    pub fn cure(self) -> &'static str {
        match self {
            Self::Boards => "decommission one that is not needed",
            Self::Services => "delete one that is not needed",
            Self::Plugins | Self::PluginBytes => "delete a plugin that is not needed",
        }
    }
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// As many as there is room for.
    Unlimited,
    /// So many and no more.
    AtMost(u64),
}

impl Limit {
    /// Whether `added` more may be had beside those that are `used`. Nothing added is always fine.
    #[must_use]
    pub fn admits(self, used: u64, added: u64) -> bool {
        match self {
            Self::Unlimited => true,
            Self::AtMost(most) => added == 0 || used.saturating_add(added) <= most,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str(UNLIMITED),
            Self::AtMost(most) => most.fmt(f),
        }
    }
}

impl FromStr for Limit {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == UNLIMITED {
            return Ok(Self::Unlimited);
        }
        // What a database can count.
        let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        let wrong = || Invalid::new(format!("{text:?} is no limit: a number, or {UNLIMITED}"));
        number.map(Self::AtMost).ok_or_else(wrong)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_str(UNLIMITED),
            Self::AtMost(most) => serializer.serialize_u64(*most),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrWord)?.parse().map_err(de::Error::custom)
    }
}

/// What an operator says about one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// That of the cloud's configuration.
    Default,
    /// This one.
    Own(Limit),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str(DEFAULT),
            Self::Own(limit) => limit.fmt(f),
        }
    }
}

impl FromStr for Setting {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == DEFAULT {
            return Ok(Self::Default);
        }
        let wrong =
            |_| Invalid::new(format!("{text:?} is no limit: a number, {UNLIMITED}, or {DEFAULT}"));
        text.parse().map(Self::Own).map_err(wrong)
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Default => serializer.serialize_str(DEFAULT),
            Self::Own(limit) => limit.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrWord)?.parse().map_err(de::Error::custom)
    }
}

/// A number or a word, as text.
struct NumberOrWord;

impl Visitor<'_> for NumberOrWord {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number that is not negative, or {UNLIMITED:?}")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<String, E> {
        Ok(word.to_owned())
    }
}

/// The limits of projects that nothing else was said about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// Boards.
    pub boards: Limit,
    /// Services.
    pub services: Limit,
    /// Plugins.
    pub plugins: Limit,
    /// Bytes of plugins.
    pub plugin_bytes: Limit,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            boards: Limit::AtMost(20_000),
            services: Limit::AtMost(1000),
            plugins: Limit::AtMost(1000),
            plugin_bytes: Limit::AtMost(256 << 20),
        }
    }
}

impl Defaults {
    /// No limit at all: for programs of whoever operates the cloud.
    pub const UNLIMITED: Self = Self {
        boards: Limit::Unlimited,
        services: Limit::Unlimited,
        plugins: Limit::Unlimited,
        plugin_bytes: Limit::Unlimited,
    };

    /// That of one count.
    #[must_use]
    pub fn of(&self, counted: Counted) -> Limit {
        match counted {
            Counted::Boards => self.boards,
            Counted::Services => self.services,
            Counted::Plugins => self.plugins,
            Counted::PluginBytes => self.plugin_bytes,
        }
    }
}

/// What is said of one project; what is not is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Own(BTreeMap<Counted, Limit>);

impl Own {
    /// The limit, and whether it is the project's own.
    #[must_use]
    pub fn limit(&self, counted: Counted, defaults: &Defaults) -> (Limit, bool) {
        match self.0.get(&counted) {
            Some(limit) => (*limit, true),
            None => (defaults.of(counted), false),
        }
    }

    /// Says something else about one count.
    pub fn set(&mut self, counted: Counted, setting: Setting) {
        match setting {
            Setting::Default => self.0.remove(&counted),
            Setting::Own(limit) => self.0.insert(counted, limit),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_limit_is_a_number_or_a_word_in_text_and_in_json() {
        for (text, value, limit) in [
            ("0", json!(0), Limit::AtMost(0)),
            ("12", json!(12), Limit::AtMost(12)),
            ("unlimited", json!("unlimited"), Limit::Unlimited),
        ] {
            assert_eq!(text.parse(), Ok(limit));
            assert_eq!(serde_json::to_value(limit).unwrap(), value);
            assert_eq!(serde_json::from_value::<Limit>(value).unwrap(), limit);
            assert_eq!(serde_json::from_value::<Limit>(json!(text)).unwrap(), limit);
        }
        for wrong in [json!(-1), json!(1.5), json!(""), json!("many"), json!(null), json!(u64::MAX)]
        {
            assert!(serde_json::from_value::<Limit>(wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!("default".parse(), Ok(Setting::Default));
        assert!("default".parse::<Limit>().is_err());
    }

    #[test]
    fn nothing_more_is_admitted_at_the_limit_and_nothing_is_always_admitted() {
        let limit = Limit::AtMost(5);
        assert!(limit.admits(4, 1) && !limit.admits(5, 1) && !limit.admits(0, 6));
        assert!(limit.admits(9, 0) && !limit.admits(u64::MAX, 1));
        assert!(Limit::Unlimited.admits(u64::MAX, 1));
    }

    #[test]
    fn what_is_said_of_a_project_wins_until_it_is_taken_back() {
        let (defaults, mut own) = (Defaults::default(), Own::default());
        own.set(Counted::Boards, Setting::Own(Limit::AtMost(1)));
        assert_eq!(own.limit(Counted::Boards, &defaults), (Limit::AtMost(1), true));
        assert_eq!(own.limit(Counted::Plugins, &defaults), (Limit::AtMost(1000), false));
        own.set(Counted::Boards, Setting::Default);
        assert_eq!(own, Own::default());
    }
}
