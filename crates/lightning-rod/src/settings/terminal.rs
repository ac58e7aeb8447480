//! `[terminal]`: whether people of the cloud may open a shell on the board, and as whom. Off where no user is named.

use crate::error::Error;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Seconds without a byte after which a terminal is ended.
const IDLE_S: u32 = 1800;

/// `[terminal]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terminal {
    /// The local user as whom shells run. Absent: no terminals.
    pub user: Option<String>,
    /// The shell, a path; absent: the user's own.
    pub shell: Option<PathBuf>,
    /// Whether that user may be root.
    pub allow_root: bool,
    /// Seconds without a byte either way after which a terminal is ended.
    pub idle_s: u32,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { user: None, shell: None, allow_root: false, idle_s: IDLE_S }
    }
}

impl Terminal {
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Setting(text.to_owned()));
        if self.user.as_deref() == Some("") {
            return wrong("terminal.user is empty; leave it out to refuse terminals");
        }
        if self.shell.as_ref().is_some_and(|shell| !shell.is_absolute()) {
            return wrong("terminal.shell is an absolute path, such as /bin/sh");
        }
        if self.idle_s == 0 {
            return wrong("terminal.idle_s is at least 1");
        }
        Ok(())
    }

    /// After how much silence a terminal is ended.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_s.into())
    }
}
