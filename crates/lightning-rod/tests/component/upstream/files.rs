//! Homes that upstream's agent has left behind: what it wrote is read, and what is written it could read.

use super::script::{CODE, UUID, configuration};
use super::{anonymous, cloud, file, read, with_code};
use crate::eventually;
use crate::rod::Rod;
use lightning_rod::State;
use serde_json::json;

const PLUGIN: &str = "0192a5b0-0000-4000-8000-000000000001";
const NODE: &str = "0192a5b0-0000-4000-8000-000000000002";

#[tokio::test]
async fn a_registered_home_is_taken_over_with_its_plugins() {
    let (_crossroads, script) = cloud().await;
    let rod = Rod::new();
    let (elsewhere, mark) = (tempfile::tempdir().unwrap(), file(&rod, "mark"));
    let mut value = configuration(&script.url);
    value["iotronic"]["board"]["status"] = "operative".into();
    value["iotronic"]["board"]["odd"] = json!([1, 2]);
    let path = elsewhere.path().join("settings.json");
    std::fs::write(&path, value.to_string()).unwrap();
    let row = |name: &str, callable: bool| {
        json!({
            "name": name, "onboot": true, "callable": callable, "injected_at": "2026-01-01T00:00:00.000000",
            "updated_at": "", "status": "operative"
        })
    };
    let book = json!({"plugins": {PLUGIN: row("old", false), NODE: row("legacy", true)}});
    std::fs::write(file(&rod, "plugins.json"), book.to_string()).unwrap();
    for (uuid, ending, source) in [
        (PLUGIN, "py", format!("import time\ndef main(name, params, api):\n    open({mark:?}, 'w').write(name + params['x'])\n    time.sleep(60)\n")),
        (NODE, "js", "exports.main = function (name, args, api, callback) { callback('OK', name + args.x); };".into()),
    ] {
        std::fs::create_dir_all(file(&rod, &format!("plugins/{uuid}"))).unwrap();
        std::fs::write(file(&rod, &format!("plugins/{uuid}/{uuid}.{ending}")), source).unwrap();
    }
    std::fs::write(file(&rod, &format!("plugins/{PLUGIN}/{PLUGIN}.json")), r#"{"x": "!"}"#)
        .unwrap();
    let mut settings = anonymous();
    settings.upstream.settings = Some(path.clone());
    let running = rod.run_with(settings);
    let session = script.online(1).await;
    assert!(script.heard().registrations.is_empty());
    eventually("the plugin that was running runs", async || {
        let said = std::fs::read_to_string(&mark).unwrap_or_default();
        if said == "old!" { Ok(()) } else { Err(said) }
    })
    .await;
    let said = script.call(session, "PluginCall", &[json!(NODE), json!({"x": "?"})]).await;
    assert_eq!((said.result.as_str(), said.text()), ("SUCCESS", "legacy?"));
    let after: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(after, value, "what was not understood is kept");
    running.stop().await;
}

#[tokio::test]
async fn a_damaged_book_is_read_from_upstreams_copy_and_without_one_named() {
    let (_crossroads, script) = cloud().await;
    let rod = with_code(&script, CODE);
    std::fs::write(file(&rod, "services.json"), "{").unwrap();
    std::fs::write(file(&rod, "services.json.bkp"), r#"{"services": {}}"#).unwrap();
    let running = rod.run_with(anonymous());
    script.online(1).await;
    running.stop().await;
    std::fs::remove_file(file(&rod, "services.json.bkp")).unwrap();
    let agent = lightning_rod::Agent::new(
        rod.home(),
        anonymous(),
        Default::default(),
        crate::rod::BINARY.into(),
    );
    let error = agent.unwrap().run(Default::default()).await.unwrap_err();
    assert!(error.to_string().contains("services.json is damaged"), "{error}");
}

#[tokio::test]
async fn settings_that_nobody_can_use_are_named() {
    let (_crossroads, script) = cloud().await;
    let rod = with_code(&script, CODE);
    let mut value = configuration(&script.url);
    value["iotronic"]["board"]["status"] = "stolen".into();
    std::fs::write(file(&rod, "settings.json"), value.to_string()).unwrap();
    let agent = lightning_rod::Agent::new(
        rod.home(),
        anonymous(),
        Default::default(),
        crate::rod::BINARY.into(),
    );
    let error = agent.unwrap().run(Default::default()).await.unwrap_err();
    assert!(error.to_string().contains("iotronic.board.status"), "{error}");
}

#[tokio::test]
async fn a_first_boot_waits_for_its_settings_and_goes_on_by_itself() {
    let (_crossroads, script) = cloud().await;
    let rod = Rod::new();
    let mut running = rod.run_with(anonymous());
    running.state.wait_for(|state| *state == State::Unenrolled).await.unwrap();
    std::fs::write(file(&rod, "settings.json"), configuration(&script.url).to_string()).unwrap();
    script.online(1).await;
    assert_eq!(read(&rod, "settings.json")["iotronic"]["board"]["uuid"], UUID);
    running.stop().await;
}

#[tokio::test]
async fn the_program_tells_who_the_board_is_and_moves_it_to_another_folder() {
    let (_crossroads, script) = cloud().await;
    let (rod, other) = (Rod::new(), Rod::new());
    let settings = configuration(&script.url);
    std::fs::write(file(&rod, "settings.json"), settings.to_string()).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let archive = outside.path().join("rod.tar.gz");
    let run = async |word: &str, rod: &Rod, archive: Option<&std::path::Path>| {
        let mut command = tokio::process::Command::new(crate::rod::BINARY);
        command.arg(word).arg("--home").arg(rod.dir.path()).args(archive);
        let output = command.output().await.unwrap();
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = run("status", &rod, None).await;
    assert!(code == Some(0) && text.contains(UUID) && text.contains(&script.url), "{text}");
    let (code, text) = run("backup", &rod, Some(&archive)).await;
    assert!(code == Some(0) && text.contains("files:   1"), "{text}");
    assert_eq!(run("backup", &rod, Some(&archive)).await.0, Some(7), "it is not overwritten");
    let (code, text) = run("restore", &other, Some(&archive)).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(read(&other, "settings.json"), settings);
    let (code, text) = run("restore", &other, Some(&archive)).await;
    assert!(code == Some(7) && text.contains("holds a board already"), "{text}");
}
