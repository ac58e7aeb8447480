//! What the shell of a board runs to take or to give. Pure; POSIX shell and any `tar`, BusyBox's included.
//!
//! Invariant: paths are quoted, never read by the shell.

use crate::failure::Failure;
use crate::terminal::quoted;

/// Takes an archive with one entry, `name`, from its input: into `path` if that is a folder, else as `path`.
///
/// What comes stands beside its place until all of it is there; a folder that exists already gets the new files among its own.
pub(super) fn take(path: &str, name: &str) -> String {
    let (path, name) = (quoted(or_home(path)), quoted(name));
    format!(
        "exec 2>&1; d={path}; n={name}; \
         if [ -d \"$d\" ]; then t=$d/$n; p=$d; else t=$d; p=$(dirname -- \"$d\"); fi; \
         if [ -d \"$t\" ]; then exec tar -C \"$p\" -xpf -; fi; \
         w=$(mktemp -d \"$p/.s4t-cp.XXXXXX\") || exit 1; trap 'rm -rf \"$w\"' EXIT; trap 'exit 1' HUP TERM; \
         tar -C \"$w\" -xpf - && mv -f -- \"$w/$n\" \"$t\""
    )
}

/// Gives an archive of `path` as its output, and behind it what went wrong.
pub(super) fn give(path: &str, whole: bool) -> String {
    let path = quoted(or_home(path));
    let folders = match whole {
        true => "",
        false => "if [ -d \"$d\" ]; then echo \"$d is a folder; copy it with -r\"; exit 1; fi; ",
    };
    format!(
        "d={path}; {folders}exec 4>&1; \
         e=$(tar -C \"$(dirname -- \"$d\")\" -cf - -- \"$(basename -- \"$d\")\" 2>&1 >&4); c=$?; \
         printf %s \"$e\"; exit $c"
    )
}

fn or_home(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// The last name of a board's path, under which its archive has it.
///
/// # Errors
/// It has none.
pub(super) fn name(path: &str) -> Result<String, Failure> {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if matches!(name, "" | "." | "..") {
        let text = format!("{path:?} does not end with the name of a file or folder");
        return Err(Failure::invalid(text));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_never_words_for_the_shell() {
        let hostile = "a'; touch /tmp/x; '$(id)";
        let inside = quoted(hostile);
        assert_eq!(inside, r"'a'\''; touch /tmp/x; '\''$(id)'");
        assert!(take(hostile, hostile).contains(&format!("d={inside}; n={inside};")));
        assert!(give(hostile, true).starts_with(&format!("d={inside};")));
    }

    #[test]
    fn a_path_to_copy_ends_with_a_name() {
        assert_eq!(name("/var/log/lamp/").unwrap(), "lamp");
        assert_eq!(name("motd").unwrap(), "motd");
        for wrong in ["", "/", "..", "a/.."] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
