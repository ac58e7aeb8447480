//! `cargo xtask package --try`: installs the packages in a scratch root and looks at what they did.
//!
//! Invariant: nothing outside the scratch root changes, and after a purge nothing of ours is left in it. Deliberately not
//! here: running the services; that needs a machine of its own with systemd.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::scratch::Scratch;
use super::target::Target;
use crate::command::{Fallible, capture, shown};
use crate::needs;
use crate::process::Process;
use crate::workspace::Workspace;

/// The programs inside and the word that must make each name its version.
const PROGRAMS: [&str; 3] = ["iotronic", "lightning-rod", "s4t"];
/// The services inside: user, unit, state folder and settings share the name.
const SERVICES: [&str; 2] = ["iotronic", "lightning-rod"];

/// How long the cloud may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most that `systemd-analyze security` may rate a unit, in tenths; 100 is the worst.
const MOST_EXPOSURE: u32 = 25;

/// A trial runs the programs, so it needs root, debootstrap and a target that runs here.
pub(super) fn require(target: &Target) -> Fallible<()> {
    if !target.is_host() {
        return Err(format!("packages for {} cannot be tried on this machine", target.triple()));
    }
    if !needs::is_root() {
        return Err("trying packages needs root (chroot): sudo -E cargo xtask package --try".into());
    }
    needs::prepare(&needs::FOR_TRIAL)
}

/// Installs, looks, removes, looks again.
pub(super) fn run(workspace: &Workspace, products: &[PathBuf]) -> Fallible<()> {
    let scratch = Scratch::create(&workspace.target_dir())?;
    let (tarballs, packages): (Vec<&PathBuf>, Vec<&PathBuf>) =
        products.iter().partition(|file| file.extension().is_some_and(|end| end == "gz"));
    try_packages(&scratch, &packages)?;
    for tarball in tarballs {
        try_tarball(&scratch, tarball)?;
    }
    Ok(())
}

fn try_packages(scratch: &Scratch, packages: &[&PathBuf]) -> Fallible<()> {
    let files = packages.iter().map(|file| scratch.take_in(file)).collect::<Fallible<Vec<_>>>()?;
    let dpkg = |words: &[&str], more: &[String]| {
        capture(scratch.command("dpkg").args(words).args(more)).map(drop)
    };
    step("the packages install", || dpkg(&["--install"], &files))?;
    step("installing them again changes nothing", || dpkg(&["--install"], &files))?;
    step("the programs run and name their version", || versions(scratch, "/usr/bin"))?;
    step("the shipped settings are valid", || settings(scratch))?;
    step("state and settings belong to their users alone", || owners(scratch))?;
    step("systemd accepts the units", || units(scratch))?;
    step("the units stay hardened", || hardened(scratch))?;
    step("each service is enabled", || enabled(scratch))?;
    step("a board enrols and comes online, each service as its user", || services(scratch))?;
    let names = ["stack4things-iotronic", "stack4things-lightning-rod", "stack4things-s4t"];
    let names = names.map(str::to_owned);
    step("the packages are removed and keep the state", || {
        dpkg(&["--remove"], &names)?;
        scratch.expect_present("var/lib/iotronic")
    })?;
    step("a purge leaves nothing behind", || {
        dpkg(&["--purge"], &names)?;
        leftovers(scratch)
    })
}

fn try_tarball(scratch: &Scratch, tarball: &Path) -> Fallible<()> {
    let inside = scratch.take_in(tarball)?;
    let folder = inside.trim_end_matches(".tar.gz").to_owned();
    let unpack = ["--extract", "--gzip", "--directory", "/", "--file", &inside];
    capture(scratch.command("tar").args(unpack))?;
    let installer = format!("{folder}/install.sh");
    let install = |words: &[&str]| capture(scratch.command(&installer).args(words)).map(drop);
    step("the tarball installs, twice", || install(&[]).and_then(|()| install(&[])))?;
    step("its agent runs", || version_of(scratch, "/usr/local/bin/lightning-rod"))?;
    step("its state belongs to its user alone", || owned_by(scratch, "lightning-rod"))?;
    step("the tarball is removed without a trace", || {
        install(&["--uninstall", "--purge"])?;
        scratch.expect_absent("usr/local/bin/lightning-rod")?;
        leftovers(scratch)
    })?;
    step("it prepares an image from outside", || image(scratch, &folder))
}

/// `--root` works from outside the image.
fn image(scratch: &Scratch, folder: &str) -> Fallible<()> {
    let outside = scratch.root().join(folder.trim_start_matches('/'));
    let install = |words: &[&str]| {
        let mut command = Command::new(outside.join("install.sh"));
        capture(command.arg("--root").arg(scratch.root()).args(words)).map(drop)
    };
    install(&["--prefix", "/opt/s4t"])?;
    scratch.expect_present("opt/s4t/bin/lightning-rod")?;
    owned_by(scratch, "lightning-rod")?;
    install(&["--prefix", "/opt/s4t", "--uninstall", "--purge"])?;
    leftovers(scratch)
}

fn versions(scratch: &Scratch, folder: &str) -> Fallible<()> {
    PROGRAMS.iter().try_for_each(|program| version_of(scratch, &format!("{folder}/{program}")))
}

fn version_of(scratch: &Scratch, program: &str) -> Fallible<()> {
    let said = capture(scratch.command(program).arg("--version"))?;
    let named = said.chars().any(|letter| letter.is_ascii_digit());
    if named { Ok(()) } else { Err(format!("`{program} --version` says `{}`", said.trim())) }
}

fn settings(scratch: &Scratch) -> Fallible<()> {
    let cloud = ["serve", "--data", "/var/lib/iotronic", "--check-config", "--config"];
    let agent = ["run", "--home", "/var/lib/lightning-rod", "--check-config", "--config"];
    capture(scratch.command("iotronic").args(cloud).arg("/etc/stack4things/iotronic.toml"))?;
    capture(
        scratch.command("lightning-rod").args(agent).arg("/etc/stack4things/lightning-rod.toml"),
    )?;
    Ok(())
}

fn owners(scratch: &Scratch) -> Fallible<()> {
    SERVICES.iter().try_for_each(|service| {
        owned_by(scratch, service)?;
        let group = scratch.number_of("group", service)?;
        scratch.expect_access(&format!("etc/stack4things/{service}.toml"), (0, group), 0o640)
    })
}

fn owned_by(scratch: &Scratch, service: &str) -> Fallible<()> {
    let owner = (scratch.number_of("passwd", service)?, scratch.number_of("group", service)?);
    scratch.expect_access(&format!("var/lib/{service}"), owner, 0o700)
}

fn units(scratch: &Scratch) -> Fallible<()> {
    SERVICES.iter().try_for_each(|service| {
        let unit = scratch.root().join(format!("usr/lib/systemd/system/{service}.service"));
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no", "--recursive-errors=no"]);
        command.arg(format!("--root={}", scratch.root().display())).arg(&unit);
        let said = everything_said(&mut command)?;
        let about_us = said.lines().find(|line| line.contains(service));
        about_us.map_or(Ok(()), |line| Err(format!("systemd-analyze verify: {line}")))
    })
}

fn hardened(scratch: &Scratch) -> Fallible<()> {
    SERVICES.iter().try_for_each(|service| {
        let unit = scratch.root().join(format!("usr/lib/systemd/system/{service}.service"));
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--no-pager", "--offline=true"]);
        command.arg(format!("--threshold={MOST_EXPOSURE}")).arg(unit);
        capture(&mut command).map(drop)
    })
}

fn enabled(scratch: &Scratch) -> Fallible<()> {
    SERVICES.iter().try_for_each(|service| {
        let link = format!("etc/systemd/system/multi-user.target.wants/{service}.service");
        scratch.expect_present(&link)
    })
}

/// The installed programs, as the units run them but for systemd.
fn services(scratch: &Scratch) -> Fallible<()> {
    let logs = scratch.root().join("tmp");
    let mut serve = scratch.command_of("iotronic", "iotronic");
    serve.args([
        "serve",
        "--data",
        "/var/lib/iotronic",
        "--config",
        "/etc/stack4things/iotronic.toml",
    ]);
    serve.env("IOTRONIC__API__LISTEN", "127.0.0.1:0");
    let mut cloud = Process::start("cloud", &mut serve, &logs)?;
    cloud.line(PATIENCE, |line| line.starts_with("ready").then_some(()))?;

    let say = |words: &[&str]| {
        let mut command = scratch.command("s4t");
        capture(command.env("S4T_ADMIN_FILE", "/var/lib/iotronic/admin.json").args(words))
    };
    let claim = say(&["board", "claim", "trial", "-f", "value"])?;
    let home = ["--home", "/var/lib/lightning-rod"];
    let mut enrol = scratch.command_of("lightning-rod", "lightning-rod");
    capture(enrol.arg("enrol").args(home).args(["--claim", claim.trim()]))?;
    let mut run = scratch.command_of("lightning-rod", "lightning-rod");
    run.arg("run").args(home).args(["--config", "/etc/stack4things/lightning-rod.toml"]);
    let mut agent = Process::start("agent", &mut run, &logs)?;
    say(&["board", "wait", "trial", "--for", "online", "--timeout", "30"])?;
    agent.stop().and_then(|_| cloud.stop()).map(drop)
}

fn leftovers(scratch: &Scratch) -> Fallible<()> {
    for service in SERVICES {
        scratch.expect_absent(&format!("var/lib/{service}"))?;
        scratch.expect_absent(&format!("etc/stack4things/{service}.toml"))?;
        scratch.expect_absent(&format!(
            "etc/systemd/system/multi-user.target.wants/{service}.service"
        ))?;
        if scratch.number_of("passwd", service).is_ok() {
            return Err(format!("the user {service} is left behind"));
        }
    }
    Ok(())
}

/// Units are checked by what is said about them, not by the exit code: the scratch root lacks the targets of a whole system.
fn everything_said(command: &mut Command) -> Fallible<String> {
    let output = command
        .output()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(command)))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn step(what: &str, work: impl FnOnce() -> Fallible<()>) -> Fallible<()> {
    match work() {
        Ok(()) => {
            eprintln!("ok      {what}");
            Ok(())
        }
        Err(reason) => Err(format!("FAILED  {what}: {reason}")),
    }
}
