//! An upstream cloud over `wss://`: its certificate is checked unless the settings say otherwise.

use super::script::{CODE, Script};
use super::{Crossroads, anonymous, with_code};
use crate::tls::encrypted;
use lightning_rod::settings::Certificate;
use lightning_rod::{Settings, State};
use serde_json::json;
use std::path::PathBuf;

/// A cloud behind TLS in the name of `host`, and its authority in a file.
async fn cloud(host: &str) -> (Crossroads, Script, tempfile::TempDir, PathBuf) {
    let crossroads = Crossroads::open().await;
    let (address, authority) = encrypted(crossroads.address, host).await;
    let url = format!("wss://localhost:{}/", address.port());
    let script = Script::join_as(&crossroads.address.to_string(), &url, Default::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    (crossroads, script, folder, file)
}

async fn comes_online(script: &Script, settings: Settings) {
    let rod = with_code(script, CODE);
    let running = rod.run_with(settings);
    let session = script.online(1).await;
    let said = script.call(session, "DeviceEcho", &[json!({"say": "hi"})]).await;
    assert!(said.text().starts_with("hi @ "), "{said:?}");
    running.stop().await;
}

async fn stays_away(script: &Script, settings: Settings) {
    let rod = with_code(script, CODE);
    let mut running = rod.run_with(settings);
    let is_told =
        |state: &State| matches!(state, State::Offline(why) if why.contains("ertificate"));
    running.state.wait_for(is_told).await.unwrap();
    assert!(script.heard().registrations.is_empty());
    assert!(script.heard().connections.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_private_authority_is_believed_when_the_settings_name_it() {
    let (_crossroads, script, _folder, authority) = cloud("localhost").await;
    let mut settings = anonymous();
    settings.cloud.authorities = Some(authority);
    comes_online(&script, settings).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_taken_only_when_the_settings_ignore_it() {
    let (_crossroads, script, _folder, _) = cloud("localhost").await;
    stays_away(&script, anonymous()).await;
    let mut settings = anonymous();
    settings.upstream.certificate = Certificate::Ignore;
    comes_online(&script, settings).await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let (_crossroads, script, _folder, authority) = cloud("elsewhere").await;
    let mut settings = anonymous();
    settings.cloud.authorities = Some(authority);
    stays_away(&script, settings).await;
}
