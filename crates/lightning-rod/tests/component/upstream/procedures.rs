//! All procedures, right and wrong arguments, results that come later.

use super::script::Script;
use super::{anonymous, cloud, file, online, plugin, read};
use crate::eventually;
use lightning_rod::Outcome;
use serde_json::{Value, json};

const PLUGIN: &str = "0192a5b0-0000-7000-8000-000000000001";

/// Upstream's procedures; those that do something come first.
const USEFUL: [&str; 21] = [
    "DevicePing",
    "DeviceEcho",
    "DeviceReboot",
    "DeviceRestartLR",
    "DeviceNetConfig",
    "DeviceUpgradeLR",
    "DevicePkgOperation",
    "DeviceMountFs",
    "DeviceFactoryReset",
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
    "ServicesStatus",
];
const WITHOUT_MEANING: [&str; 17] = [
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
];

#[tokio::test]
async fn every_procedure_of_upstream_is_answered() {
    let (_crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.factory_reset = false;
    let (_rod, running, session) = online(&script, settings).await;
    for method in USEFUL {
        let said = script.call(session, method, &[json!(null), json!(null)]).await;
        assert!(
            ["SUCCESS", "ERROR", "WARNING"].contains(&said.result.as_str()),
            "{method}: {said:?}"
        );
    }
    for method in WITHOUT_MEANING {
        let said = script.raw(session, method, Vec::new()).await;
        assert_eq!(said.result, "WARNING", "{method}: {said:?}");
        assert!(said.text().contains("does nothing here"), "{said:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn wrong_arguments_are_answered_and_change_nothing() {
    let (_crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.factory_reset = false;
    let (rod, running, session) = online(&script, settings).await;
    let mark = file(&rod, "mark");
    let evil = format!("x'; touch {0} #$(touch {0})`touch {0}`\n\"|&../../{0}", mark.display());
    let wrong = [
        json!(null),
        json!(7),
        json!(evil),
        json!([evil]),
        json!({}),
        json!({
            "uuid": evil, "name": evil, "code": evil, "port": evil, "say": evil, "mnt_cmd": evil, "url": evil,
            "method": evil, "manager": evil, "command": evil, "package": evil, "version": evil, "options": evil,
            "delay": evil,
        }),
    ];
    for method in USEFUL {
        for argument in &wrong {
            let said = script.call(session, method, &[argument.clone(), argument.clone()]).await;
            let is_harmless = [
                "DevicePing",
                "DeviceEcho",
                "DeviceNetConfig",
                "ServicesStatus",
                "DeviceRestartLR",
            ];
            assert!(
                said.result == "ERROR" || is_harmless.contains(&method),
                "{method} {argument}: {said:?}"
            );
        }
        // Without the request, and with a broken one.
        script.raw(session, method, Vec::new()).await;
        script.raw(session, method, vec![json!({"uuid": 5, "main_request_uuid": []})]).await;
    }
    assert!(!mark.exists());
    assert!(!file(&rod, "plugins.json").exists() && !file(&rod, "services.json").exists());
    assert_eq!(running.ended().await, Outcome::Restart, "which one of the calls asked for");
}

#[tokio::test]
async fn results_of_larger_requests_come_later_and_are_told_until_they_are_taken() {
    let (_crossroads, script) = cloud().await;
    let (_rod, running, session) = online(&script, anonymous()).await;
    script.heard().loses_results = 1;
    let main = json!("0192a5b0-0000-7000-8000-00000000000f");
    let said = script.call_in(session, "DeviceEcho", &[json!({"say": "later"})], main).await;
    assert_eq!((said.result.as_str(), said.text()), ("RUNNING", "DeviceEcho"));
    let told = script.told(&said.req_id.unwrap()).await;
    assert!(told.result == "SUCCESS" && told.text().starts_with("later @ "), "{told:?}");
    running.stop().await;
}

#[tokio::test]
async fn packages_and_upgrades_are_off_until_the_owner_allows_them_and_then_told_later() {
    let (_crossroads, script) = cloud().await;
    let (_rod, running, session) = online(&script, anonymous()).await;
    let asked = json!({"manager": "npm", "command": "install", "package": "p", "options": "", "version": ""});
    let said = script.call(session, "DevicePkgOperation", std::slice::from_ref(&asked)).await;
    assert!(
        said.result == "ERROR" && said.text().contains("upstream.package_managers"),
        "{said:?}"
    );
    running.stop().await;

    let (_crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.package_managers = vec!["apt-get".into()];
    settings.upstream.upgrade_command = Some("false {version}".into());
    let (_rod, running, session) = online(&script, settings).await;
    // No such package, whether there is such a manager or not: what matters is how the failure is told.
    let asked =
        json!({"manager": "apt-get", "command": "remove", "package": "no-such-package-here"});
    let said = script.call(session, "DevicePkgOperation", &[asked]).await;
    assert_eq!(said.result, "RUNNING", "{said:?}");
    assert_eq!(script.told(&said.req_id.unwrap()).await.result, "ERROR");
    let said = script.call(session, "DeviceUpgradeLR", &[json!({"version": "0.6.0"})]).await;
    assert_eq!(
        (said.result.as_str(), said.text()),
        ("RUNNING", "LR upgrading to 0.6.0 version...")
    );
    let told = script.told(&said.req_id.unwrap()).await;
    assert!(told.result == "ERROR" && told.text().contains("false failed"), "{told:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_factory_reset_leaves_a_board_of_nobody() {
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, anonymous()).await;
    inject(&script, session, "import time\ndef main(params):\n    return 1\n").await;
    let said = script.call(session, "DeviceFactoryReset", &[json!([{}])]).await;
    assert_eq!((said.result.as_str(), said.text()), ("SUCCESS", "Device reset completed"));
    assert_eq!(running.ended().await, Outcome::Restart);
    assert_eq!(
        read(&rod, "settings.json")["iotronic"]["board"],
        json!({"code": "<REGISTRATION-TOKEN>"})
    );
    assert_eq!(read(&rod, "plugins.json"), json!({"plugins": {}}));
    assert!(!file(&rod, &format!("plugins/{PLUGIN}")).exists());
}

async fn inject(script: &Script, session: u64, source: &str) {
    let said =
        script.call(session, "PluginInject", &[plugin(PLUGIN, source, true), json!(false)]).await;
    assert_eq!((said.result.as_str(), said.text()), ("SUCCESS", "PluginInject result: INJECTED"));
}

#[tokio::test]
async fn a_pickled_plugin_arrives_intact_and_answers() {
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, anonymous()).await;
    let source = "from iotronic_lightningrod.modules.plugins import Plugin\n\
                  class Worker(Plugin.Plugin):\n    def run(self):\n        \
                  self.q_result.put('è漢😀 \\\\u0041 \\'\"\\n' + self.params['say'] + self.name)\n";
    inject(&script, session, source).await;
    let path = format!("plugins/{PLUGIN}/{PLUGIN}.py");
    assert_eq!(std::fs::read_to_string(file(&rod, &path)).unwrap(), source);
    let said = script.call(session, "PluginCall", &[json!(PLUGIN), json!({"say": "hey"})]).await;
    assert_eq!((said.result.as_str(), said.text()), ("SUCCESS", "è漢😀 \\u0041 '\"\nheyplugin"));
    assert_eq!(read(&rod, &format!("plugins/{PLUGIN}/{PLUGIN}.json")), json!({"say": "hey"}));
    let row = read(&rod, "plugins.json")["plugins"][PLUGIN].clone();
    assert_eq!(
        (&row["name"], &row["callable"], &row["status"]),
        (&json!("plugin"), &json!(true), &json!("injected"))
    );
    let said = script.call(session, "PluginStart", &[json!(PLUGIN), json!({})]).await;
    assert!(said.result == "ERROR" && said.text().contains("synchronous"), "{said:?}");
    let said = script.call(session, "PluginRemove", &[json!(PLUGIN)]).await;
    assert_eq!(said.text(), format!("PluginRemove result: {PLUGIN} removed!"));
    assert!(!file(&rod, &path).exists());
    let said = script.call(session, "PluginCall", &[json!(PLUGIN), json!({})]).await;
    assert!(said.result == "ERROR" && said.text().contains("does not exist"), "{said:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_pickle_that_is_no_string_is_refused_and_never_done() {
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, anonymous()).await;
    let mark = file(&rod, "mark");
    let touch = format!("cos\nsystem\n(S'touch {}'\ntR.", mark.display());
    for code in [touch.as_str(), "print(1)", "", "I1\n.", "Vcut"] {
        let mut plugin = plugin(PLUGIN, "", true);
        plugin["code"] = code.into();
        let said = script.call(session, "PluginInject", &[plugin, json!(true)]).await;
        assert!(said.result == "ERROR" && said.text().contains("pickle"), "{said:?}");
    }
    assert!(!mark.exists() && !file(&rod, "plugins.json").exists());
    running.stop().await;
}

#[tokio::test]
async fn an_asynchronous_plugin_starts_stops_and_comes_back_on_boot() {
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, anonymous()).await;
    let mark = file(&rod, "mark");
    let source = format!(
        "import time\nfrom iotronic_lightningrod.modules.plugins import Plugin\n\
         class Worker(Plugin.Plugin):\n    def run(self):\n        \
         open({mark:?}, 'a').write(self.params['say'])\n        \
         while self._is_running:\n            time.sleep(0.05)\n"
    );
    let arguments = [plugin(PLUGIN, &source, false), json!(true)];
    script.call(session, "PluginInject", &arguments).await;
    let verdict = async |script: &Script, session, method: &str, parameters: Value| {
        let said = script.call(session, method, &[json!(PLUGIN), parameters]).await;
        (said.result.clone(), said.text().to_owned())
    };
    let pair = |result: &str, text: &str| (result.to_owned(), text.to_owned());
    assert_eq!(
        verdict(&script, session, "PluginStatus", json!(null)).await,
        pair("SUCCESS", "DEAD")
    );
    let started = verdict(&script, session, "PluginStart", json!({"say": "a"})).await;
    assert_eq!(started, pair("SUCCESS", "STARTED"));
    let again = verdict(&script, session, "PluginStart", json!({"say": "b"})).await;
    assert_eq!(again, pair("ERROR", "ALREADY STARTED!"));
    assert_eq!(
        verdict(&script, session, "PluginStatus", json!(null)).await,
        pair("SUCCESS", "ALIVE")
    );
    assert_eq!(
        verdict(&script, session, "PluginReboot", json!(null)).await,
        pair("SUCCESS", "REBOOTED")
    );
    let written = async |wanted: &str| {
        eventually("the plugin ran", async || {
            let said = std::fs::read_to_string(&mark).unwrap_or_default();
            if said == wanted { Ok(()) } else { Err(said) }
        })
        .await;
    };
    written("aa").await;
    assert_eq!(read(&rod, "plugins.json")["plugins"][PLUGIN]["status"], "operative");
    running.stop().await;
    let running = rod.run_with(anonymous());
    let session = script.online(2).await;
    written("aaa").await;
    assert_eq!(
        verdict(&script, session, "PluginStop", json!({"delay": 0})).await,
        pair("SUCCESS", "STOPPED")
    );
    assert_eq!(verdict(&script, session, "PluginStop", json!({})).await.0, "WARNING");
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_takes_long_keeps_no_other_waiting() {
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, anonymous()).await;
    let (begun, go) = (file(&rod, "begun"), file(&rod, "go"));
    let source = format!(
        "import os, time\ndef main(name, params, api):\n    open({begun:?}, 'w').close()\n    \
         while not os.path.exists({go:?}):\n        time.sleep(0.02)\n    return 'done'\n"
    );
    script.call(session, "PluginInject", &[plugin(PLUGIN, &source, true), json!(false)]).await;
    let arguments = [json!(PLUGIN), json!({})];
    let long = script.call(session, "PluginCall", &arguments);
    let meanwhile = async {
        eventually("it runs", async || begun.exists().then_some(()).ok_or("not yet".into())).await;
        let said = script.call(session, "DeviceEcho", &[json!({"say": "here"})]).await;
        assert!(said.text().starts_with("here @ "), "{said:?}");
        std::fs::write(&go, "").unwrap();
    };
    let (said, ()) = tokio::join!(long, meanwhile);
    assert_eq!(said.text(), "done");
    running.stop().await;
}
