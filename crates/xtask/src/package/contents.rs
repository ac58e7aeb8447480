//! What each of the three packages holds.
//!
//! Invariant: settings are the administrator's (conffiles), state is made at installation for its user alone and never
//! part of a package. Deliberately not here: the text of units, scripts and settings (see `packaging/`).

use std::fs;
use std::path::{Path, PathBuf};

use super::payload::{Entry, FILE, PROGRAM};
use crate::command::Fallible;

/// Where the parts come from.
pub(super) struct Sources {
    pub(super) iotronic: PathBuf,
    pub(super) s4t: PathBuf,
    pub(super) lightning_rod: PathBuf,
    /// The text of the completion script.
    pub(super) completion: String,
    /// The folder `packaging/`.
    pub(super) packaging: PathBuf,
    pub(super) license: PathBuf,
}

/// One Debian package, before it is packed.
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    /// Besides the C library, which follows from the program.
    pub(super) depends: &'static [&'static str],
    pub(super) recommends: &'static [&'static str],
    pub(super) suggests: &'static [&'static str],
    pub(super) program: PathBuf,
    pub(super) entries: Vec<Entry>,
    /// Maintainer scripts: name and text.
    pub(super) scripts: Vec<(&'static str, String)>,
}

impl Package {
    /// Every file below `/etc` belongs to the administrator once installed.
    pub(super) fn conffiles(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.path.as_str()).filter(|path| path.starts_with("etc/"))
    }
}

/// A program that runs as a service: its name is also that of its user, unit, state folder and settings.
struct Service<'a> {
    name: &'a str,
    program: &'a Path,
}

/// What maintainer scripts call: users and unit states.
const SERVICE_DEPENDS: &[&str] = &["passwd", "init-system-helpers (>= 1.60)"];

/// All three.
pub(super) fn packages(sources: &Sources) -> Fallible<[Package; 3]> {
    Ok([iotronic(sources)?, lightning_rod(sources)?, s4t(sources)])
}

fn iotronic(sources: &Sources) -> Fallible<Package> {
    let service = Service { name: "iotronic", program: &sources.iotronic };
    let name = "stack4things-iotronic";
    Ok(Package {
        name,
        section: "net",
        summary: "cloud that makes boards behind NAT part of the data centre",
        details: "One program: API, board router, tunnels and identity, with everything it needs inside.",
        depends: SERVICE_DEPENDS,
        recommends: &["ca-certificates"],
        suggests: &["stack4things-s4t"],
        program: sources.iotronic.clone(),
        entries: service.entries(name, &sources.packaging),
        scripts: service.scripts(&sources.packaging)?,
    })
}

fn lightning_rod(sources: &Sources) -> Fallible<Package> {
    let service = Service { name: "lightning-rod", program: &sources.lightning_rod };
    let name = "stack4things-lightning-rod";
    Ok(Package {
        name,
        section: "net",
        summary: "board agent of Stack4Things",
        details: "Makes this machine a board of a Stack4Things cloud: reachable, programmable, within limits.",
        depends: SERVICE_DEPENDS,
        recommends: &["python3-minimal"],
        suggests: &["nodejs"],
        program: sources.lightning_rod.clone(),
        entries: service.entries(name, &sources.packaging),
        scripts: service.scripts(&sources.packaging)?,
    })
}

fn s4t(sources: &Sources) -> Package {
    let name = "stack4things-s4t";
    let completion = "usr/share/bash-completion/completions/s4t";
    Package {
        name,
        section: "admin",
        summary: "command line of Stack4Things",
        details: "Lists, reaches, programs and watches the boards of a Stack4Things cloud.",
        depends: &[],
        recommends: &["ca-certificates"],
        suggests: &["bash-completion"],
        program: sources.s4t.clone(),
        entries: vec![
            Entry::file("usr/bin/s4t", PROGRAM, &sources.s4t),
            Entry::text(completion, FILE, sources.completion.clone()),
            copyright(name, &sources.packaging),
        ],
        scripts: Vec::new(),
    }
}

impl Service<'_> {
    fn entries(&self, package: &str, packaging: &Path) -> Vec<Entry> {
        let name = self.name;
        let folder = packaging.join(name);
        let (unit, settings) = (format!("{name}.service"), format!("{name}.toml"));
        vec![
            Entry::file(&format!("usr/bin/{name}"), PROGRAM, self.program),
            Entry::file(&format!("usr/lib/systemd/system/{unit}"), FILE, &folder.join(unit)),
            Entry::file(&format!("etc/stack4things/{settings}"), 0o640, &folder.join(settings)),
            copyright(package, packaging),
        ]
    }

    fn scripts(&self, packaging: &Path) -> Fallible<Vec<(&'static str, String)>> {
        ["postinst", "prerm", "postrm"]
            .into_iter()
            .map(|script| {
                let path = packaging.join("deb").join(script);
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                Ok((script, self.fill(&text)))
            })
            .collect()
    }

    fn fill(&self, text: &str) -> String {
        text.replace("@CONFIG@", &format!("{}.toml", self.name))
            .replace("@UNIT@", self.name)
            .replace("@USER@", self.name)
            .replace("@STATE@", self.name)
    }
}

fn copyright(package: &str, packaging: &Path) -> Entry {
    let path = format!("usr/share/doc/{package}/copyright");
    Entry::file(&path, FILE, &packaging.join("copyright"))
}

/// Real parts around tiny programs, for the tests of this folder.
#[cfg(test)]
pub(super) fn sample(folder: &Path) -> Sources {
    let program = folder.join("program");
    fs::write(&program, "#!/bin/sh\necho GLIBC_2.31 GLIBC_2.9 GLIBC_2.34\n").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Sources {
        iotronic: program.clone(),
        s4t: program.clone(),
        lightning_rod: program,
        completion: "complete -F _s4t s4t\n".into(),
        packaging: root.join("packaging"),
        license: root.join("LICENSE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::payload::Content;

    #[test]
    fn settings_are_the_administrators_and_state_is_never_packed() {
        let folder = tempfile::tempdir().unwrap();
        let packages = packages(&sample(folder.path())).unwrap();
        let conffiles: Vec<Vec<&str>> =
            packages.iter().map(|one| one.conffiles().collect()).collect();
        assert_eq!(conffiles[0], ["etc/stack4things/iotronic.toml"]);
        assert_eq!(conffiles[1], ["etc/stack4things/lightning-rod.toml"]);
        assert_eq!(conffiles[2], [""; 0]);
        assert!(
            packages.iter().flat_map(|one| &one.entries).all(|one| !one.path.starts_with("var"))
        );
    }

    #[test]
    fn scripts_are_filled_in_for_their_service() {
        let folder = tempfile::tempdir().unwrap();
        for package in packages(&sample(folder.path())).unwrap() {
            for (script, text) in package.scripts {
                assert!(!text.contains('@'), "{} {script}: {text}", package.name);
                assert!(text.starts_with("#!/bin/sh"), "{} {script}", package.name);
            }
        }
    }

    #[test]
    fn units_name_the_program_user_and_settings_of_their_package() {
        let folder = tempfile::tempdir().unwrap();
        for (package, name) in
            packages(&sample(folder.path())).unwrap().iter().zip(["iotronic", "lightning-rod"])
        {
            let unit = package.entries.iter().find(|one| one.path.ends_with(".service")).unwrap();
            let Content::File(path) = &unit.content else { panic!("the unit is no file") };
            let text = fs::read_to_string(path).unwrap();
            for line in [
                format!("User={name}"),
                format!("ReadWritePaths=/var/lib/{name}"),
                "ProtectSystem=strict".into(),
                "NoNewPrivileges=yes".into(),
                "CapabilityBoundingSet=".into(),
            ] {
                assert!(text.lines().any(|other| other == line), "{name}: {line}");
            }
            assert!(text.contains(&format!("ExecStart=/usr/bin/{name} ")), "{name}");
            assert!(text.contains(&format!("/etc/stack4things/{name}.toml")), "{name}");
        }
    }
}
