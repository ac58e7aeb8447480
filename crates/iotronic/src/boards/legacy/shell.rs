//! What upstream's agents put into a line for a shell, checked before it goes out to one.
//!
//! Invariant: no word that reaches an upstream agent's shell means anything to that shell, or is an option where a name is
//! wanted. Our own agents know no shell and judge these words themselves. Pure.

use model::Kind;
use rpc::device::{PackageOperation, Upgrade};
use rpc::{Call, Fault};

/// Longest word.
const MAX_WORD: usize = 128;

/// Whether an upstream board may be sent this.
///
/// # Errors
/// A word of it would mean something to its shell.
pub(crate) fn check(call: &Call) -> Result<(), Fault> {
    match call {
        Call::DeviceUpgradeLR(Upgrade { version, .. }) => word("version", version, "._+~-"),
        Call::DevicePkgOperation(operation) => {
            let PackageOperation { manager, command, package, options, version } = operation;
            word("manager", manager, "-")?;
            word("command", command, "")?;
            // npm's names may begin with a scope.
            word("package", package.strip_prefix('@').unwrap_or(package), "._+-/")?;
            word("version", version, "._+~:-")?;
            options
                .split(' ')
                .try_for_each(|option| word("options", option.trim_start_matches('-'), "-"))
        }
        _ => Ok(()),
    }
}

/// Nothing, or a letter or digit followed by those and `more`.
fn word(field: &str, text: &str, more: &str) -> Result<(), Fault> {
    let is_first = |c: char| c.is_ascii_alphanumeric();
    let is_plain = text.len() <= MAX_WORD
        && text.chars().next().is_none_or(is_first)
        && text.chars().all(|c| is_first(c) || more.contains(c));
    if is_plain {
        return Ok(());
    }
    let text = format!(
        "{field} {text:?} has characters that an upstream agent would give to a shell; use plain names, or replace the \
         agent by lightning-rod"
    );
    Err(Fault::new(Kind::Invalid, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operation(words: [&str; 5]) -> Call {
        let [manager, command, package, options, version] = words.map(str::to_owned);
        Call::DevicePkgOperation(PackageOperation { manager, command, package, options, version })
    }

    #[test]
    fn what_people_ask_for_passes() {
        for words in [
            ["apt", "install", "libc++1", "-y --no-install-recommends", "1:2.3~rc+b1"],
            ["apt-get", "update", "", "", ""],
            ["pip3", "install", "paho-mqtt", "--upgrade", "1.6.1"],
            ["npm", "install", "@mdslab/wstun", "-g", "1.0.11"],
        ] {
            assert_eq!(check(&operation(words)), Ok(()), "{words:?}");
        }
        let upgrade = Upgrade { version: "0.5.0.dev3".into(), update_conf: true };
        assert_eq!(check(&Call::DeviceUpgradeLR(upgrade)), Ok(()));
    }

    #[test]
    fn what_a_shell_would_run_is_refused_in_every_field() {
        let good = ["apt", "install", "vim", "-y", "1"];
        let evil = [
            "x; reboot",
            "x && reboot",
            "$(reboot)",
            "`reboot`",
            "x|reboot",
            "x\nreboot",
            "x > /y",
            "x'",
            "x\"",
            "x\\",
            "{a,b}",
            "~root",
            "x*",
            "é",
            "x\0",
            "-o=DPkg::Pre-Invoke::=reboot",
            "http://evil/x",
            "!x",
            "#x",
        ];
        for text in evil {
            for field in 0..good.len() {
                let mut words = good;
                words[field] = text;
                assert_eq!(check(&operation(words)).unwrap_err().kind, Kind::Invalid, "{words:?}");
            }
            let upgrade = Upgrade { version: text.into(), update_conf: false };
            assert!(check(&Call::DeviceUpgradeLR(upgrade)).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_has_no_sign_of_a_shell(text in ".{0,20}") {
            let passes = check(&operation([&text, &text, &text, &text, &text])).is_ok();
            let has_sign = text.contains(|c: char| " ;&|$`<>()[]{}\\'\"*?!#\n\t~=".contains(c));
            prop_assert!(!passes || !has_sign);
        }
    }
}
