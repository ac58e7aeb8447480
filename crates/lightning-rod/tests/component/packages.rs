//! Package operations that are really done: programs named like package managers stand first on the agent's path, note their
//! arguments and end as they are told. What became of it travels back, on an upstream cloud and on ours.

use crate::cloud::Cloud;
use crate::rod::{Rod, line_with};
use crate::upstream::script::CODE;
use crate::upstream::{cloud as upstream_cloud, with_code};
use model::Kind;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The managers that upstream knows, and the commands of the other settings.
const PROGRAMS: [&str; 8] =
    ["apt", "apt-get", "pip", "pip3", "npm", "upgrade-agent", "mount-rw", "mount-ro"];
/// A package that no manager finds.
const MISSING: &str = "no-such-package";

/// Programs first on the path that note what they were started with.
pub(crate) struct Programs {
    folder: tempfile::TempDir,
}

impl Programs {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\nline=$(basename \"$0\")\nfor word in \"$@\"; do line=\"$line <$word>\"; done\n\
             printf '%s\\n' \"$line\" >> \"$(dirname \"$0\")/done\"\necho working\n\
             case \"$line\" in *{MISSING}*|upgrade-agent*) echo 'E: not found' >&2; exit 100;; esac\n"
        );
        for program in PROGRAMS {
            let path = folder.path().join(program);
            std::fs::write(&path, &script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    /// What was started, a line for each: the program and its arguments.
    pub(crate) fn done(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("done")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Settings that allow everything these programs do, in both sections.
    fn settings(&self) -> PathBuf {
        let grants = "package_managers = ['apt', 'apt-get', 'pip', 'pip3', 'npm']\n\
            upgrade_command = 'upgrade-agent {version}'\nmount_rw_command = 'mount-rw'\nmount_ro_command = 'mount-ro'\n\
            rest_prefixes = ['http://127.0.0.1:9/api']\nfactory_reset = false\n";
        let text = format!(
            "[sensors]\nsimulated = true\n[device]\n{grants}[upstream]\nallow_anonymous = true\ntunnel_port = 9\n{grants}"
        );
        let path = self.folder.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Lets an agent find them before all others.
    pub(crate) fn allow(&self, command: &mut Command) {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<_> = std::iter::once(self.folder.path().to_owned())
            .chain(std::env::split_paths(&own))
            .collect();
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command.arg("--config").arg(self.settings());
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What is asked, and the line that the manager notes.
fn operations() -> [(Value, &'static str); 6] {
    [
        (
            json!({ "manager": "apt", "command": "install", "package": "vim", "options": "-y", "version": "2:9.0" }),
            "apt <-y> <install> <vim=2:9.0>",
        ),
        (
            json!({ "manager": "apt-get", "command": "remove", "package": "vim" }),
            "apt-get <-y> <remove> <vim>",
        ),
        (json!({ "manager": "apt", "command": "update", "options": "" }), "apt <update>"),
        (
            json!({ "manager": "pip", "command": "install", "package": "paho-mqtt", "options": "-U --user" }),
            "pip <-U> <--user> <install> <paho-mqtt>",
        ),
        (
            json!({ "manager": "pip3", "command": "uninstall", "package": "x", "version": "1.0" }),
            "pip3 <uninstall> <x==1.0>",
        ),
        (
            json!({ "manager": "npm", "command": "install", "package": "@mdslab/wstun", "options": "-g", "version": "1.0" }),
            "npm <-g> <install> <@mdslab/wstun@1.0>",
        ),
    ]
}

fn missing() -> Value {
    json!({ "manager": "apt", "command": "install", "package": MISSING })
}

#[tokio::test]
async fn an_upstream_cloud_has_packages_installed_and_is_told_how_it_ended() {
    let (_crossroads, script) = upstream_cloud().await;
    let (rod, programs) = (with_code(&script, CODE), Programs::new());
    let (_child, mut lines) = rod.spawn_with(|command| programs.allow(command));
    line_with(&mut lines, "online").await;
    let session = script.online(1).await;
    let said = async |asked: Value| {
        let begun = script.call(session, "DevicePkgOperation", std::slice::from_ref(&asked)).await;
        assert_eq!(begun.result, "RUNNING", "{asked}: {begun:?}");
        let package = asked["package"].as_str().unwrap_or_default();
        let word = format!(
            "Executing '{}' operation on package '{package}'",
            asked["command"].as_str().unwrap()
        );
        assert_eq!(begun.text(), word);
        script.told(&begun.req_id.unwrap()).await
    };
    for (asked, line) in operations() {
        let told = said(asked).await;
        assert_eq!(
            (told.result.as_str(), told.text()),
            ("SUCCESS", "Package operation completed!")
        );
        assert_eq!(programs.done().last().map(String::as_str), Some(line));
    }
    let told = said(missing()).await;
    assert_eq!(told.result, "ERROR");
    assert!(
        told.text().contains("exit status: 100") && told.text().contains("E: not found"),
        "{told:?}"
    );
    assert_eq!(programs.done().len(), operations().len() + 1);
}

#[tokio::test]
async fn our_cloud_has_packages_installed_and_is_told_how_it_ended() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let programs = Programs::new();
    let (_child, _lines) = rod.spawn_with(|command| programs.allow(command));
    cloud.online(board).await;
    for (asked, line) in operations() {
        let said = cloud.call(board, "DevicePkgOperation", &[asked]).await.unwrap();
        assert!(said.is_string(), "{said}");
        assert_eq!(programs.done().last().map(String::as_str), Some(line));
    }
    let fault = cloud.call(board, "DevicePkgOperation", &[missing()]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict, "{fault}");
    assert!(
        fault.message.contains("exit status: 100") && fault.message.contains("E: not found"),
        "{fault}"
    );
    assert_eq!(programs.done().len(), operations().len() + 1);
}
