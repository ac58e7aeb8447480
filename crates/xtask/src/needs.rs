//! What chores need from the system: found, installed where we may, or named exactly.
//!
//! Invariant: nothing is installed where everything is there already, and nothing is installed without root on a
//! Debian-like system; then the error is the command to type. Deliberately not here: cargo's own dependencies.

use std::process::Command;

use crate::apt;
use crate::command::{Fallible, capture, is_installed};

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
    /// The headers with which modules of Python in C are compiled.
    PythonHeaders,
}

/// Fails where Python's own compiler flags lead to no headers.
const HEADERS: &str =
    "import os, sysconfig; os.stat(sysconfig.get_paths()['include'] + '/Python.h')";

impl Sign {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(names) => names.iter().any(|name| is_installed(name)),
            Self::PythonModule(name) => {
                capture(Command::new("python3").args(["-c", &format!("import {name}")])).is_ok()
            }
            Self::PythonHeaders => capture(Command::new("python3").args(["-c", HEADERS])).is_ok(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Program(names) => format!("program {}", names.join(" or ")),
            Self::PythonModule(name) => format!("Python module {name}"),
            Self::PythonHeaders => "header Python.h".to_owned(),
        }
    }
}

const PYTHON: Need =
    Need { sign: Sign::Program(&["python3"]), package: "python3", purpose: "Python plugins" };

const PYTHON_PACKAGES: Need = Need {
    sign: Sign::PythonModule("ensurepip"),
    package: "python3-venv",
    purpose: "programs of the Python package index, each in an environment of its own",
};

const CHROMIUM: Need = Need {
    sign: Sign::Program(&["chromium", "chromium-browser", "google-chrome"]),
    package: "chromium",
    purpose: "a real browser for the dashboard",
};

/// What all tests together need, beside Node.js (see `node`).
pub(crate) const FOR_TESTS: [Need; 12] = [
    PYTHON,
    PYTHON_PACKAGES,
    Need {
        sign: Sign::PythonHeaders,
        package: "python3-dev",
        purpose: "modules in C of the upstream programs that are tested beside ours",
    },
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
    CHROMIUM,
    Need {
        sign: Sign::Program(&["mariadbd"]),
        package: "mariadb-server-core",
        purpose: "a real upstream database to import from",
    },
    Need {
        sign: Sign::Program(&["mysqldump"]),
        package: "mariadb-client",
        purpose: "a dump of that database",
    },
    Need {
        sign: Sign::Program(&["sshd"]),
        package: "openssh-server",
        purpose: "a real SSH server to forward, run by the tests themselves on loopback",
    },
    Need {
        sign: Sign::Program(&["ssh"]),
        package: "openssh-client",
        purpose: "an outside SSH client",
    },
];

/// What the demo needs.
pub(crate) const FOR_DEMO: [Need; 1] = [PYTHON];

/// What fetches Node.js where the machine has none.
pub(crate) const FOR_FETCHING: [Need; 2] = [PYTHON, PYTHON_PACKAGES];

/// What pictures of the pages are taken with, beside Node.js.
pub(crate) const FOR_SCREENSHOTS: [Need; 1] = [CHROMIUM];

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
    if !(is_root() && apt::is_there()) {
        return Err(by_hand(&missing));
    }
    apt::install(&missing.iter().map(|need| need.package).collect::<Vec<_>>())?;
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
