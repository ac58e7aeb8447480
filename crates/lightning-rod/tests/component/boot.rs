//! What starts with the agent, whether the cloud is there or not.

use crate::cloud::Cloud;
use crate::eventually;
use crate::rod::Rod;
use model::PluginId;
use serde_json::json;

#[tokio::test]
async fn a_plugin_that_starts_on_boot_starts_without_the_cloud() {
    let mut cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let mark = rod.dir.path().join("mark");
    let code = format!(
        "import time\ndef main(params):\n    open({mark:?}, 'w').write(params['say'])\n    time.sleep(60)\n"
    );
    let plugin = json!({
        "uuid": PluginId::new(), "name": "p", "code": code, "callable": false, "revision": 1,
        "parameters": { "say": "default" },
    });
    cloud.call(board, "PluginInject", &[plugin, json!(true)]).await.unwrap();
    running.stop().await;
    assert!(!mark.exists());
    cloud.crash().await;

    let running = rod.run();
    eventually("the plugin ran", async || {
        let said = std::fs::read_to_string(&mark).unwrap_or_default();
        if said == "default" { Ok(()) } else { Err(said) }
    })
    .await;
    running.stop().await;
}
