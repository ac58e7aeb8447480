//! `DevicePkgOperation`: from the cloud's words to an argument vector, or to a refusal.
//!
//! Invariants: only managers and commands that the board's owner allows; a package is a name of the manager's own repository
//! (no file, no URL, no option); options come from a short list, because options of package managers run programs. Pure.

use serde_json::Value;

/// What upstream knows.
const MANAGERS: [&str; 5] = ["apt", "apt-get", "pip", "pip3", "npm"];
const COMMANDS: [&str; 5] = ["install", "update", "upgrade", "remove", "uninstall"];
/// Options that change what happens to packages and nothing else.
const APT_OPTIONS: [&str; 9] = [
    "-y",
    "--yes",
    "-q",
    "-qq",
    "-f",
    "--fix-broken",
    "--no-install-recommends",
    "--allow-downgrades",
    "--reinstall",
];
const PIP_OPTIONS: [&str; 8] = [
    "-U",
    "--upgrade",
    "--user",
    "--no-deps",
    "--pre",
    "-q",
    "--force-reinstall",
    "--break-system-packages",
];
const NPM_OPTIONS: [&str; 5] = ["-g", "--global", "--save", "--no-save", "--production"];
/// Longest name, version or option list.
const MAX_WORD: usize = 128;

/// What the settings allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed<'a> {
    pub(super) managers: &'a [String],
    pub(super) commands: &'a [String],
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// What the manager does.
    pub(crate) command: String,
    /// With which package.
    pub(crate) package: String,
    /// All words of the command.
    pub(crate) words: Vec<String>,
}

/// Checks the two lists of the settings.
///
/// # Errors
/// A word that is not known, with its key.
pub(crate) fn check_packages(managers: &[String], commands: &[String]) -> Result<(), String> {
    let unknown = |list: &[String], known: &[&str]| {
        list.iter().find(|word| !known.contains(&word.as_str())).cloned()
    };
    if let Some(word) = unknown(managers, &MANAGERS) {
        let known = MANAGERS.join(", ");
        return Err(format!("package_managers: {word:?} is none of {known}"));
    }
    match unknown(commands, &COMMANDS) {
        Some(word) => {
            let known = COMMANDS.join(", ");
            Err(format!("package_commands: {word:?} is none of {known}"))
        }
        None => Ok(()),
    }
}

impl Operation {
    /// Reads upstream's parameters.
    ///
    /// # Errors
    /// Something is missing, malformed or not allowed; the text says what.
    pub(super) fn parse(parameters: &Value, allowed: Allowed<'_>) -> Result<Self, String> {
        let manager = word(parameters, "manager")?.ok_or("the package manager is missing")?;
        one_of(&manager, &MANAGERS, allowed.managers, "package manager")?;
        let command = word(parameters, "command")?.ok_or("the operation is missing")?;
        one_of(&command, &COMMANDS, allowed.commands, "operation")?;
        let package = word(parameters, "package")?.unwrap_or_default();
        let version = word(parameters, "version")?;
        let options = word(parameters, "options")?.unwrap_or_default();
        let mut words = vec![manager.clone()];
        words.extend(options_of(&manager, &options)?);
        words.extend(unattended(&manager, &command, &words));
        words.push(command.clone());
        match target(&manager, &package, version.as_deref())? {
            Some(target) => words.push(target),
            None if manager.starts_with("apt")
                && matches!(command.as_str(), "update" | "upgrade") => {}
            None => return Err("the package is missing".into()),
        }
        Ok(Self { command, package, words })
    }
}

fn word(parameters: &Value, name: &str) -> Result<Option<String>, String> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_WORD => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err(format!("{name} is longer than {MAX_WORD} bytes")),
        Some(_) => Err(format!("{name} is no text")),
    }
}

fn one_of(word: &str, known: &[&str], allowed: &[String], what: &str) -> Result<(), String> {
    if !known.contains(&word) {
        return Err(format!("the {what} {word:?} is none of {}", known.join(", ")));
    }
    if !allowed.iter().any(|one| one == word) {
        return Err(format!("the {what} {word} is not allowed by this board's settings"));
    }
    Ok(())
}

fn options_of(manager: &str, options: &str) -> Result<Vec<String>, String> {
    let known: &[&str] = match manager {
        "npm" => &NPM_OPTIONS,
        "pip" | "pip3" => &PIP_OPTIONS,
        _ => &APT_OPTIONS,
    };
    let words = options.split_ascii_whitespace();
    match words.clone().find(|option| !known.contains(option)) {
        Some(option) => {
            let known = known.join(" ");
            Err(format!("the option {option:?} is not taken for {manager}; these are: {known}"))
        }
        None => Ok(words.map(str::to_owned).collect()),
    }
}

/// Nobody is there to answer questions.
fn unattended(manager: &str, command: &str, words: &[String]) -> Option<String> {
    let asks = match manager {
        "apt" | "apt-get" => command != "update",
        _ => false,
    };
    (asks && !words.iter().any(|word| word == "-y" || word == "--yes")).then(|| "-y".to_owned())
}

/// The package with its version, as the manager writes it.
fn target(manager: &str, package: &str, version: Option<&str>) -> Result<Option<String>, String> {
    if package.is_empty() {
        return match version {
            Some(_) => Err("a version without a package means nothing".into()),
            None => Ok(None),
        };
    }
    if !is_package(manager, package) {
        return Err(format!("{package:?} is no name of a package of {manager}"));
    }
    let Some(version) = version else { return Ok(Some(package.to_owned())) };
    if !is_plain(version, "._+~:-") {
        return Err(format!("{version:?} is no version"));
    }
    let sign = match manager {
        "npm" => "@",
        "pip" | "pip3" => "==",
        _ => "=",
    };
    Ok(Some(format!("{package}{sign}{version}")))
}

fn is_package(manager: &str, package: &str) -> bool {
    match manager {
        "npm" => match package.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
            Some((scope, name)) => is_plain(scope, "._-") && is_plain(name, "._-"),
            None => is_plain(package, "._-"),
        },
        "pip" | "pip3" => is_plain(package, "._-") && !is_file_of_pip(package),
        _ => is_plain(package, "+.-"),
    }
}

/// pip takes a name with such an end for a file in its folder.
fn is_file_of_pip(package: &str) -> bool {
    let lower = package.to_ascii_lowercase();
    [".whl", ".zip", ".gz", ".bz2", ".xz", ".tar", ".egg"].iter().any(|end| lower.ends_with(end))
}

/// Begins with a letter or digit and goes on with those and `more`.
fn is_plain(text: &str, more: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(is_first) && text.chars().all(|c| is_first(c) || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(parameters: Value) -> Result<String, String> {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (managers, commands) = (all(&MANAGERS), all(&COMMANDS));
        let allowed = Allowed { managers: &managers, commands: &commands };
        Operation::parse(&parameters, allowed).map(|operation| operation.words.join(" "))
    }

    #[test]
    fn what_upstream_writes_as_a_line_becomes_a_vector() {
        for (parameters, words) in [
            (
                json!({"manager": "apt-get", "command": "install", "package": "vim", "options": ""}),
                "apt-get -y install vim",
            ),
            (
                json!({"manager": "apt", "command": "remove", "package": "libc++1", "version": "1:2.3~rc+b1", "options": "-y"}),
                "apt -y remove libc++1=1:2.3~rc+b1",
            ),
            (json!({"manager": "apt", "command": "update"}), "apt update"),
            (
                json!({"manager": "pip3", "command": "install", "package": "paho-mqtt", "version": "1.6.1", "options": "--upgrade"}),
                "pip3 --upgrade install paho-mqtt==1.6.1",
            ),
            (
                json!({"manager": "npm", "command": "install", "package": "@mdslab/wstun", "options": "-g", "version": "1.0.11"}),
                "npm -g install @mdslab/wstun@1.0.11",
            ),
        ] {
            assert_eq!(parse(parameters).unwrap(), words);
        }
    }

    #[test]
    fn what_could_run_something_else_is_refused() {
        let evil = [
            "a; reboot",
            "$(reboot)",
            "`reboot`",
            "a|b",
            "a&b",
            "a\nb",
            "-o",
            "--root=/x",
            "../x",
            "/etc/passwd",
            "./x.deb",
            "http://evil/x",
            "git+https://evil/x",
            "a b",
            "a'b",
            "a\"b",
            "a>b",
            "é",
            "",
        ];
        for word in evil {
            for name in ["manager", "command", "package", "version", "options"] {
                let mut parameters = json!({"manager": "pip", "command": "install", "package": "p", "version": "1", "options": "-U"});
                parameters[name] = word.into();
                let is_absent = word.is_empty() && (name == "version" || name == "options");
                assert_eq!(parse(parameters).is_ok(), is_absent, "{name} = {word:?}");
            }
        }
        for (manager, option) in [
            ("apt", "-oDPkg::Pre-Invoke=x"),
            ("apt", "-o"),
            ("pip", "-r"),
            ("pip", "-i"),
            ("npm", "--script-shell=x"),
        ] {
            let parameters = json!({"manager": manager, "command": "install", "package": "p", "options": option});
            assert!(parse(parameters).is_err(), "{option}");
        }
        assert!(
            parse(json!({"manager": "pip", "command": "install", "package": "evil.whl"})).is_err()
        );
        assert!(
            parse(json!({"manager": 1})).is_err()
                && parse(json!(null)).is_err()
                && parse(json!([])).is_err()
        );
    }

    #[test]
    fn only_what_the_owner_allows_is_done() {
        let none = Allowed { managers: &[], commands: &[] };
        let asked = json!({"manager": "pip", "command": "install", "package": "p"});
        assert!(Operation::parse(&asked, none).unwrap_err().contains("not allowed"));
        let (managers, commands) = (["apt".to_owned()], ["install".to_owned()]);
        let allowed = Allowed { managers: &managers, commands: &commands };
        assert!(Operation::parse(&asked, allowed).unwrap_err().contains("not allowed"));
        let asked = json!({"manager": "apt", "command": "remove", "package": "p"});
        assert!(Operation::parse(&asked, allowed).is_err());
        assert!(check_packages(&["dnf".to_owned()], &[]).is_err());
        assert!(check_packages(&managers, &["purge".to_owned()]).is_err());
    }

    proptest! {
        #[test]
        fn no_word_of_the_vector_is_an_unknown_option(
            package in ".{0,20}", version in ".{0,20}", options in "[-a-z= ]{0,20}"
        ) {
            let asked = json!({"manager": "apt", "command": "install", "package": package, "version": version, "options": options});
            if let Ok(words) = parse(asked) {
                let has_only_known = words.split(' ').filter(|w| w.starts_with('-')).all(|w| APT_OPTIONS.contains(&w));
                prop_assert!(has_only_known);
            }
        }
    }
}
