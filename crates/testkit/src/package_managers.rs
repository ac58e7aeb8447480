//! Programs named like package managers that note what they were started with and end as they are told.
//!
//! Invariant: they install nothing. They are real programs all the same, found by the path as the real ones are, so that what a
//! board says about them has gone the whole way.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What upstream's agents and ours know.
const MANAGERS: [&str; 5] = ["apt", "apt-get", "pip", "pip3", "npm"];
/// A package that none of them finds: it ends with [`PackageManagers::NOT_FOUND`].
const MISSING: &str = "no-such-package";
/// A package that takes until [`PackageManagers::go_on_in`].
const SLOW: &str = "slow-package";

/// A folder with all of them.
#[derive(Debug)]
pub struct PackageManagers {
    folder: TempDir,
}

impl PackageManagers {
    /// A package that is not done before [`PackageManagers::go_on_in`].
    pub const SLOW: &str = SLOW;
    /// A package that is not found.
    pub const MISSING: &str = MISSING;
    /// The exit code for that.
    pub const NOT_FOUND: i32 = 100;
    /// What is said about that.
    pub const COMPLAINT: &str = "E: unable to locate it";

    /// All managers, in a new folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::put_into(folder.path());
        Self { folder }
    }

    /// All managers, in a folder of somebody else's: a machine of its own that has it on its path.
    ///
    /// # Panics
    /// The folder cannot be written.
    pub fn put_into(folder: &Path) {
        let script = format!(
            "#!/bin/sh\nline=$(basename \"$0\")\nfor word in \"$@\"; do line=\"$line <$word>\"; done\n\
             printf '%s\\n' \"$line\" >> \"$(dirname \"$0\")/done\"\necho working\n\
             case \"$line\" in *{SLOW}*) while [ ! -e \"$(dirname \"$0\")/go\" ]; do sleep 0.05; done;; esac\n\
             case \"$line\" in *{MISSING}*) echo '{}' >&2; exit {};; esac\n",
            Self::COMPLAINT,
            Self::NOT_FOUND,
        );
        for manager in MANAGERS {
            let path = folder.join(manager);
            std::fs::write(&path, &script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Lets what is slow end.
    ///
    /// # Panics
    /// The folder cannot be written.
    pub fn go_on_in(folder: &Path) {
        std::fs::write(folder.join("go"), "").unwrap();
    }

    /// What was started from that folder, a line for each: the program and its arguments.
    #[must_use]
    pub fn done_in(folder: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("done")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What was started, a line for each: the program and its arguments.
    #[must_use]
    pub fn done(&self) -> Vec<String> {
        Self::done_in(self.folder.path())
    }

    /// A path with these before all others.
    ///
    /// # Panics
    /// The path of the tests is none.
    #[must_use]
    pub fn path(&self) -> OsString {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let first = std::iter::once(self.folder.path().to_owned());
        std::env::join_paths(first.chain(std::env::split_paths(&own))).unwrap()
    }

    /// A file of settings with which an agent may use them, for either kind of cloud.
    ///
    /// # Panics
    /// The file cannot be written.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        let all = format!("package_managers = {MANAGERS:?}\n");
        let text = format!("[device]\n{all}[upstream]\nallow_anonymous = true\n{all}");
        let path = self.folder.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Default for PackageManagers {
    fn default() -> Self {
        Self::new()
    }
}
