//! The cloud of the demo: `iotronic serve` on free loopback ports.
//!
//! Invariant: it is used only after its own `ready` line. Deliberately not here: its settings beyond ports.

use std::time::Duration;

use super::scene::Scene;
use crate::command::Fallible;
use crate::process::Process;

/// A debug build on a busy machine.
const START: Duration = Duration::from_secs(30);

/// A running cloud.
pub(super) struct Cloud {
    pub(super) process: Process,
    pub(super) url: String,
    pub(super) password: String,
}

impl Cloud {
    pub(super) fn start(scene: &Scene) -> Fallible<Self> {
        let mut command = scene.program("iotronic");
        command.arg("serve").arg("--data").arg(scene.cloud_data());
        command.env("IOTRONIC__API__LISTEN", "127.0.0.1:0");
        let process = Process::start("cloud", &mut command, scene.folder())?;
        let password = process.line(START, password)?;
        let url = process.line(START, url)?;
        Ok(Self { process, url, password })
    }
}

/// The last word of the line that speaks of a password.
fn password(line: &str) -> Option<String> {
    let speaks = line.contains("password");
    speaks.then(|| line.split_whitespace().next_back().map(str::to_owned)).flatten()
}

fn url(line: &str) -> Option<String> {
    let words = line.strip_prefix("ready")?;
    words.split_whitespace().find_map(|word| word.strip_prefix("url=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_and_url_are_read_from_what_the_cloud_prints() {
        assert_eq!(password("one-time password of admin: s3cret").as_deref(), Some("s3cret"));
        assert_eq!(
            url("ready url=http://127.0.0.1:1 pid=7").as_deref(),
            Some("http://127.0.0.1:1")
        );
        assert_eq!(url("already url=x"), None);
    }
}
