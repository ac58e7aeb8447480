//! Runs a command of the machine for the cloud: an argument vector, never a shell.
//!
//! Invariant: it ends in bounded time, what it says is bounded, and it ends with the one who waits for it.

use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// What a command says beyond this is dropped.
const MAX_OUTPUT: usize = 64 * 1024;

/// Runs a program with its arguments; what it said on both outputs.
///
/// # Errors
/// It cannot be started, fails or does not end in time; the text says which and what it said.
pub(super) async fn run(words: &[String], patience: Duration) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("there is no command".into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let (out, err) = tokio::join!(read(out), read(err));
        (child.wait().await, out + &err)
    };
    match tokio::time::timeout(patience, ended).await {
        Ok((Ok(status), said)) if status.success() => Ok(said),
        Ok((Ok(status), said)) => Err(format!("{program} failed ({status}): {}", said.trim())),
        Ok((Err(error), _)) => Err(format!("{program} was lost: {error}")),
        Err(_) => Err(format!("{program} did not end within {} s", patience.as_secs())),
    }
}

/// A configured command, words separated by spaces.
pub(super) fn words(command: &str) -> Vec<String> {
    command.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Reads to the end and keeps the beginning.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        let room = MAX_OUTPUT.saturating_sub(kept.len()).min(count);
        kept.extend(chunk.iter().take(room));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn vector(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn no_shell_reads_the_words() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let evil = format!("$(touch {0}); touch {0} | `touch {0}` && touch {0}", mark.display());
        assert_eq!(run(&vector(&["echo", &evil]), SOON).await.unwrap().trim(), evil);
        assert!(!mark.exists());
    }

    #[tokio::test]
    async fn failure_absence_and_hanging_are_told_apart() {
        let failed = run(&vector(&["ls", "/does/not/exist"]), SOON).await.unwrap_err();
        assert!(failed.contains("failed") && failed.contains("/does/not/exist"), "{failed}");
        assert!(run(&vector(&["no-such-program"]), SOON).await.unwrap_err().contains("started"));
        let hung = run(&vector(&["sleep", "600"]), Duration::from_millis(50)).await.unwrap_err();
        assert!(hung.contains("did not end"), "{hung}");
        assert!(run(&[], SOON).await.is_err());
    }

    #[tokio::test]
    async fn much_output_is_cut() {
        let said = run(&vector(&["head", "-c", "1000000", "/dev/zero"]), SOON).await.unwrap();
        assert_eq!(said.len(), MAX_OUTPUT);
    }
}
