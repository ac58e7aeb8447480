//! Plugins: code injected into boards.

use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Longest source text, in bytes.
pub const MAX_SOURCE: usize = 256 * 1024;
/// Largest parameters and results, in bytes of JSON.
pub const MAX_VALUE: usize = 1024 * 1024;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The word used everywhere.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Invalid::new(format!(concat!("{:?} is not a ", $what, ": ", $($word, " "),*), text))),
                }
            }
        }
    )*};
}

words! {
    /// What the source is written in.
    Language "plugin language" {
        /// Python 3.
        Python = "python",
        /// Node.js (CommonJS).
        Node = "node",
    }
    /// How it runs.
    Mode "plugin mode" {
        /// Called with parameters, answers with one JSON value (upstream: callable).
        Sync = "sync",
        /// Started, runs on its own, is stopped.
        Async = "async",
    }
    /// Who may use it.
    Visibility "plugin visibility" {
        /// Its project alone.
        Private = "private",
        /// Everybody may read and inject it.
        Public = "public",
    }
    /// What happens to an asynchronous plugin when the board starts.
    OnBoot "boot policy" {
        /// It waits to be started.
        Wait = "wait",
        /// It is started, with its last parameters, whether the cloud is there or not.
        Start = "start",
    }
    /// Where an injection stands.
    InjectionState "injection state" {
        /// The board does not have it yet.
        Injecting = "injecting",
        /// The board has the current source.
        Injected = "injected",
        /// The board refused or failed; the last error says why.
        Failed = "failed",
        /// The board is being told to remove it.
        Removing = "removing",
    }
    /// What an asynchronous plugin is doing on a board.
    RunState "run state" {
        /// Not running.
        Stopped = "stopped",
        /// Running.
        Running = "running",
        /// Ended badly and was not restarted any more.
        Failed = "failed",
    }
}
