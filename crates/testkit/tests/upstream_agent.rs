//! Our agent as a board of an upstream cloud, on the router that such clouds run: the whole life of a board.

#[path = "../../lightning-rod/tests/component/upstream/script.rs"]
#[allow(dead_code, reason = "the agent's own tests use the rest")]
mod script;

use script::{CODE, Script};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use testkit::upstream::crossbar::Crossbar;
use testkit::{PackageManagers, Program, program_path};

const PLUGIN: &str = "0192a5b0-0000-7000-8000-000000000001";
/// Longest restart of the agent.
const RESTART: Duration = Duration::from_secs(60);

fn agent(home: &Path) -> Program {
    agent_with(home, |_| {})
}

fn agent_with(home: &Path, change: impl FnOnce(&mut Command)) -> Program {
    let mut command = Command::new(program_path("lightning-rod"));
    command.args(["run", "--home"]).arg(home);
    command.env("LIGHTNING_ROD__UPSTREAM__ALLOW_ANONYMOUS", "true");
    change(&mut command);
    Program::start("lightning-rod", &mut command, &home.join("log"))
}

/// A home with upstream's settings for a first registration.
fn home(url: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let settings = json!({"iotronic": {
        "board": {"code": CODE},
        "wamp": {"registration-agent": {"url": url, "realm": "s4t"}}
    }});
    std::fs::write(home.path().join("settings.json"), settings.to_string()).unwrap();
    home
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_lives_on_crossbar_from_its_code_to_its_removal() {
    let mut crossbar = tokio::task::spawn_blocking(Crossbar::start).await.unwrap();
    let script = Script::join(&crossbar.address()).await;
    let home = home(&script.url);
    let mut rod = agent(home.path());
    let session = script.online(1).await;
    assert_eq!(script.heard().registrations.len(), 1);
    script.until("a sign of life", |heard| heard.alive.first().cloned()).await;

    every_procedure(&script, session).await;
    plugin(&script, session).await;
    let asked = json!({"url": "http://127.0.0.1:9/", "method": "GET"});
    let said = script.call(session, "DeviceRestSubmit", &[asked]).await;
    assert!(said.result == "ERROR" && said.text().contains("upstream.rest_prefixes"), "{said:?}");
    let asked = json!({"manager": "apt", "command": "install", "package": "$(touch /tmp/x)"});
    let said = script.call(session, "DevicePkgOperation", &[asked]).await;
    assert!(
        said.result == "ERROR" && said.text().contains("upstream.package_managers"),
        "{said:?}"
    );
    let said = script.call_in(session, "DevicePing", &[json!({})], json!(PLUGIN)).await;
    assert_eq!(said.result, "RUNNING");
    assert_eq!(script.told(&said.req_id.unwrap()).await.result, "SUCCESS");

    // The cloud restarts the agent: the same process, a new session.
    script.call(session, "DeviceRestartLR", &[json!({"delay": 3})]).await;
    let session = script.online(2).await;
    assert!(rod.is_alive());
    let said = script.call(session, "PluginCall", &[json!(PLUGIN), json!({"say": "again"})]).await;
    assert_eq!(said.text(), "è again");

    // The router goes and comes back.
    let memory = script.memory();
    let crossbar = tokio::task::spawn_blocking(move || {
        crossbar.stop();
        crossbar.start_again();
        crossbar
    });
    let crossbar = crossbar.await.unwrap();
    drop(script);
    let script = Script::join_again(&crossbar.address(), memory).await;
    let session = script.online(3).await;
    assert_eq!(script.heard().registrations.len(), 1, "it registers once in its life");

    // Its cloud deletes it.
    let said = script.call(session, "DeviceFactoryReset", &[json!([{}])]).await;
    assert_eq!(said.text(), "Device reset completed");
    let is_nobodys = |line: &str| line.contains("not enrolled yet").then_some(());
    tokio::task::spawn_blocking(move || {
        rod.line(RESTART, is_nobodys);
        drop(crossbar);
    })
    .await
    .unwrap();
    let settings = std::fs::read(home.path().join("settings.json")).unwrap();
    let settings: Value = serde_json::from_slice(&settings).unwrap();
    assert_eq!(settings["iotronic"]["board"], json!({"code": "<REGISTRATION-TOKEN>"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_crossbar_is_joined_when_its_certificate_holds_and_packages_are_installed() {
    let crossbar = tokio::task::spawn_blocking(Crossbar::start).await.unwrap();
    let url = crossbar.encrypted_url();
    let script = Script::join_as(&crossbar.address(), &url, Default::default()).await;
    let home = home(&url);

    // Nobody that this machine knows has signed the certificate.
    let mut stranger = agent(home.path());
    let said = |line: &str| line.contains("ertificate").then_some(());
    tokio::task::spawn_blocking(move || stranger.line(RESTART, said)).await.unwrap();
    assert!(script.heard().registrations.is_empty());

    let managers = PackageManagers::new();
    let _rod = agent_with(home.path(), |command| {
        command.env("LIGHTNING_ROD__CLOUD__AUTHORITIES", crossbar.authority());
        command.env("PATH", managers.path()).arg("--config").arg(managers.settings());
    });
    let session = script.online(1).await;
    let done = async |package: &str| {
        let asked = json!({
            "manager": "npm", "command": "install", "package": package, "options": "-g", "version": "1.0",
        });
        let said = script.call(session, "DevicePkgOperation", &[asked]).await;
        assert_eq!(said.result, "RUNNING", "{said:?}");
        script.told(&said.req_id.unwrap()).await
    };
    let told = done("@mdslab/wstun").await;
    assert_eq!((told.result.as_str(), told.text()), ("SUCCESS", "Package operation completed!"));
    let told = done(PackageManagers::MISSING).await;
    assert_eq!(told.result, "ERROR");
    assert!(told.text().contains(PackageManagers::COMPLAINT), "{told:?}");
    let missing = format!("npm <-g> <install> <{}@1.0>", PackageManagers::MISSING);
    assert_eq!(managers.done(), ["npm <-g> <install> <@mdslab/wstun@1.0>", missing.as_str()]);
}

/// Upstream's procedures that have no meaning here, and those that a board answers without arguments.
async fn every_procedure(script: &Script, session: u64) {
    for method in [
        "Create_VIF",
        "Configure_VIF",
        "Remove_VIF",
        "EnableWebService",
        "DisableWebService",
        "ExposeWebservice",
        "UnexposeWebservice",
        "RenewWebservice",
        "NginxInfo",
        "NginxStatus",
        "NginxReload",
        "NginxRestart",
        "NginxIotronicConf",
        "hello",
        "plug_and_play",
        "changeConf",
        "destroyNode",
    ] {
        let said = script.raw(session, method, Vec::new()).await;
        assert_eq!(said.result, "WARNING", "{method}");
    }
    for method in [
        "DeviceReboot",
        "DeviceUpgradeLR",
        "DevicePkgOperation",
        "DeviceMountFs",
        "DeviceRestSubmit",
        "PluginInject",
        "PluginCall",
        "PluginStart",
        "PluginStop",
        "PluginStatus",
        "PluginReboot",
        "PluginRemove",
        "ServiceEnable",
        "ServiceDisable",
        "ServiceRestore",
    ] {
        let said = script.call(session, method, &[json!(null), json!(null)]).await;
        assert_eq!(said.result, "ERROR", "{method}: {said:?}");
    }
    for method in ["DevicePing", "DeviceEcho", "DeviceNetConfig", "ServicesStatus"] {
        let said = script.call(session, method, &[json!({})]).await;
        assert_eq!(said.result, "SUCCESS", "{method}: {said:?}");
    }
    // DeviceRestartLR and DeviceFactoryReset come last in the life above: that makes 38.
}

async fn plugin(script: &Script, session: u64) {
    let source = "def main(name, params, api):\n    return 'è ' + params['say']\n";
    let plugin = json!({
        "uuid": PLUGIN, "name": "p", "code": rpc::pickle::emit(source), "callable": true, "parameters": {},
    });
    let said = script.call(session, "PluginInject", &[plugin, json!(false)]).await;
    assert_eq!(said.text(), "PluginInject result: INJECTED");
    let said = script.call(session, "PluginCall", &[json!(PLUGIN), json!({"say": "once"})]).await;
    assert_eq!(said.text(), "è once");
}
