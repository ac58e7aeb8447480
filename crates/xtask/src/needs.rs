//! What chores need from the system: found, installed where we may, or named exactly.
//!
//! Invariant: nothing is installed where everything is there already, and nothing is installed without root on a
//! Debian-like system; then the error is the command to type. Deliberately not here: cargo's own dependencies.

use std::process::Command;

use crate::command::{Fallible, capture, is_installed, run};

/// One need.
pub(crate) struct Need {
    sign: Sign,
    package: &'static str,
    purpose: &'static str,
}

/// By what a need is known to be met.
enum Sign {
    /// Any of these programs.
    Program(&'static [&'static str]),
    /// A module that Python can load.
    PythonModule(&'static str),
}

impl Sign {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(names) => names.iter().any(|name| is_installed(name)),
            Self::PythonModule(name) => {
                let mut python = Command::new("python3");
                python.args(["-c", &format!("import {name}")]);
                capture(&mut python).is_ok()
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Program(names) => format!("program {}", names.join(" or ")),
            Self::PythonModule(name) => format!("Python module {name}"),
        }
    }
}

const PYTHON: Need =
    Need { sign: Sign::Program(&["python3"]), package: "python3", purpose: "Python plugins" };

const NODE: Need = Need {
    sign: Sign::Program(&["node"]),
    package: "nodejs",
    purpose: "Node.js plugins, and building the dashboard",
};
const NPM: Need = Need {
    sign: Sign::Program(&["npm"]),
    package: "npm",
    purpose: "the dashboard's tools, and the reverse tunnel of upstream's boards",
};

const CHROMIUM: Need = Need {
    sign: Sign::Program(&["chromium", "chromium-browser", "google-chrome"]),
    package: "chromium",
    purpose: "a real browser for the dashboard",
};

/// What all tests together need.
pub(crate) const FOR_TESTS: [Need; 10] = [
    PYTHON,
    Need {
        sign: Sign::PythonModule("ensurepip"),
        package: "python3-venv",
        purpose: "upstream's Python programs, each in an environment of its own",
    },
    NODE,
    Need { sign: Sign::Program(&["ip"]), package: "iproute2", purpose: "network namespaces" },
    Need {
        sign: Sign::Program(&["iptables", "nft"]),
        package: "iptables",
        purpose: "links that drop packets without a word",
    },
    Need { sign: Sign::Program(&["curl"]), package: "curl", purpose: "an outside HTTP client" },
    Need {
        sign: Sign::Program(&["openssl"]),
        package: "openssl",
        purpose: "an outside TLS client",
    },
    NPM,
    CHROMIUM,
    Need {
        sign: Sign::Program(&["mariadbd"]),
        package: "mariadb-server",
        purpose: "a real upstream database to import from",
    },
];

/// What the demo needs.
pub(crate) const FOR_DEMO: [Need; 1] = [PYTHON];

/// What the dashboard is built with.
pub(crate) const FOR_DASHBOARD: [Need; 2] = [NODE, NPM];

/// What pictures of the pages are taken with.
pub(crate) const FOR_SCREENSHOTS: [Need; 3] = [NODE, NPM, CHROMIUM];

/// What trying packages needs.
pub(crate) const FOR_TRIAL: [Need; 2] = [
    Need {
        sign: Sign::Program(&["debootstrap"]),
        package: "debootstrap",
        purpose: "a bare system to install in",
    },
    Need {
        sign: Sign::Program(&["systemd-analyze"]),
        package: "systemd",
        purpose: "a second opinion on units",
    },
];

/// Finds or installs every need.
pub(crate) fn prepare(needs: &[Need]) -> Fallible<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_met(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("missing: {} ({})", need.sign.text(), need.purpose);
    }
    if !(is_root() && is_installed("apt-get")) {
        return Err(by_hand(&missing));
    }
    install(&missing)?;
    match missing.into_iter().find(|need| !is_met(need)) {
        None => Ok(()),
        Some(need) => Err(format!(
            "package {} is installed, but there is no {}",
            need.package,
            need.sign.text()
        )),
    }
}

fn is_met(need: &Need) -> bool {
    need.sign.is_there()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn by_hand(missing: &[&Need]) -> String {
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    format!(
        "install what is missing and run again; on a Debian-like system: \
         sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

/// The package lists of a fresh machine may be empty or old, so a failed install is tried once more after an update.
fn install(missing: &[&Need]) -> Fallible<()> {
    let packages = || missing.iter().map(|need| need.package);
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(words);
        command
    };
    let words = ["install", "--yes", "--no-install-recommends", "--quiet"];
    run(apt(&words).args(packages())).or_else(|_| {
        run(&mut apt(&["update"]))?;
        run(apt(&words).args(packages()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: Need =
        Need { sign: Sign::Program(&["no-such-thing", "sh"]), package: "dash", purpose: "" };
    const NONE: Need =
        Need { sign: Sign::Program(&["no-such-thing"]), package: "nothing", purpose: "" };

    #[test]
    fn a_need_is_met_by_any_of_its_programs() {
        assert!(is_met(&SHELL));
        assert!(!is_met(&NONE));
    }

    #[test]
    fn a_module_is_asked_of_python() {
        let module = |name| Need { sign: Sign::PythonModule(name), package: "", purpose: "" };
        assert!(is_met(&module("json")) && !is_met(&module("no_such_module")));
    }

    #[test]
    fn without_root_the_error_is_the_command_to_type() {
        let text = by_hand(&[&SHELL, &NONE]);
        assert!(text.ends_with("apt-get install --no-install-recommends dash nothing"), "{text}");
    }
}
