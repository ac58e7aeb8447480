//! Finds the interpreters.
//!
//! Invariant: what is used is the real interpreter, not a wrapper script: version managers put scripts
//! into PATH that need an environment guests do not get and cost a multiple of the interpreter's start.
//! So each is asked once for its own path. Not here: what is executed in it (`runner`).

use crate::failure::Failure;
use crate::guest::Language;
use crate::settings::Settings;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::OnceCell;

/// An interpreter that does not name itself in this time is taken for broken.
const ASK_WITHIN: Duration = Duration::from_secs(20);
/// Used when the agent itself has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The interpreters found so far; a failed search is repeated at the next use.
#[derive(Debug, Default)]
pub(crate) struct Interpreters {
    python: OnceCell<PathBuf>,
    node: OnceCell<PathBuf>,
}

impl Interpreters {
    pub(crate) async fn find(
        &self,
        language: Language,
        settings: &Settings,
    ) -> Result<&Path, Failure> {
        let found = match language {
            Language::Python => {
                let ask = ["-I", "-S", "-c", "import sys; print(sys.executable)"];
                self.python
                    .get_or_try_init(|| search(&settings.python, "runtime.python", &ask))
                    .await
            }
            Language::Node => {
                let ask = ["-p", "process.execPath"];
                self.node.get_or_try_init(|| search(&settings.node, "runtime.node", &ask)).await
            }
        };
        found.map(PathBuf::as_path)
    }
}

/// The PATH that interpreters are searched in and that guests get.
pub(crate) fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned())
}

async fn search(program: &str, setting: &str, ask: &[&str]) -> Result<PathBuf, Failure> {
    let missing = |reason: String| Failure::Interpreter {
        program: program.to_owned(),
        setting: setting.to_owned(),
        reason,
    };
    let path = look_up(program, &search_path())
        .ok_or_else(|| missing("no executable file of this name in PATH".to_owned()))?;
    let asked = tokio::process::Command::new(&path)
        .args(ask)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(ASK_WITHIN, asked).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(missing(error.to_string())),
        Err(_) => return Err(missing("it does not answer".to_owned())),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let named = Path::new(text.trim());
    if output.status.success() && is_executable(named) {
        return Ok(named.to_owned());
    }
    Err(missing(format!("{} does not work: {}", path.display(), output.status)))
}

fn look_up(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|file| is_executable(file));
    }
    std::env::split_paths(OsStr::new(path))
        .map(|dir| dir.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_absolute()
        && file
            .metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_files_count_as_interpreters() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("python3"), "").unwrap();
        let path = dir.path().to_str().unwrap();
        assert_eq!(look_up("python3", path), None);
        assert_eq!(look_up("sh", DEFAULT_PATH).map(|sh| sh.is_absolute()), Some(true));
    }
}
