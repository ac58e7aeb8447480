//! Registration, connection, signs of life, restart, loss and return of the router.

use super::script::{CODE, Script, UUID, configuration};
use super::{Crossroads, anonymous, cloud, online, read, with_code};
use crate::rod::{Rod, settings};
use lightning_rod::{Error, Outcome, State};
use serde_json::json;

#[tokio::test]
async fn a_board_registers_with_its_code_and_comes_online_with_what_it_was_given() {
    let (_crossroads, script) = cloud().await;
    let (rod, mut running, session) = online(&script, anonymous()).await;
    let mut expected = configuration(&script.url);
    expected["iotronic"]["board"]["status"] = "operative".into();
    assert_eq!(read(&rod, "settings.json"), expected);
    running.state.wait_for(|state| *state == State::Online(session)).await.unwrap();
    let said = script.until("a sign of life", |heard| heard.alive.first().cloned()).await;
    assert_eq!(said, json!({"board_uuid": UUID, "board_name": "rod"}));
    {
        let heard = script.heard();
        assert_eq!(heard.registrations.len(), 1);
        assert_eq!(heard.registrations[0]["code"], CODE);
        assert!(heard.registrations[0]["session"].is_u64());
        assert_eq!(heard.connections[0]["uuid"], UUID);
        assert_eq!(heard.connections[0]["info"]["lr_version"], "0.5.0");
        assert!(heard.connections[0]["info"]["connectivity"].is_object());
    }
    assert_eq!(running.stop().await, Outcome::Stopped);
    // It never registers twice.
    let running = rod.run_with(anonymous());
    script.online(2).await;
    assert_eq!(script.heard().registrations.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_router_that_asks_nobody_is_joined_only_when_the_settings_allow_it() {
    let (_crossroads, script) = cloud().await;
    let rod = with_code(&script, CODE);
    let agent = lightning_rod::Agent::new(
        rod.home(),
        settings(),
        Default::default(),
        crate::rod::BINARY.into(),
    );
    let error = agent.unwrap().run(Default::default()).await.unwrap_err();
    assert!(matches!(error, Error::Setting(_)), "{error}");
    assert!(error.to_string().contains("upstream.allow_anonymous"), "{error}");
    assert!(script.heard().registrations.is_empty());
}

#[tokio::test]
async fn an_unknown_code_leaves_the_board_as_it_was() {
    let (_crossroads, script) = cloud().await;
    let rod = with_code(&script, "WRONG");
    let before = read(&rod, "settings.json");
    let mut running = rod.run_with(anonymous());
    let offline =
        |state: &State| matches!(state, State::Offline(why) if why.contains("could not be found"));
    running.state.wait_for(offline).await.unwrap();
    assert_eq!(read(&rod, "settings.json"), before);
    running.stop().await;
}

#[tokio::test]
async fn a_board_that_its_cloud_turns_away_says_so_and_asks_again() {
    let (_crossroads, script) = cloud().await;
    script.heard().refuses = true;
    let rod = with_code(&script, CODE);
    let mut running = rod.run_with(anonymous());
    let offline =
        |state: &State| matches!(state, State::Offline(why) if why.contains("not allowed"));
    running.state.wait_for(offline).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_board_comes_back_when_the_router_does_and_under_its_new_session() {
    let (crossroads, script) = cloud().await;
    let (_rod, running, before) = online(&script, anonymous()).await;
    let memory = script.memory();
    let address = crossroads.crash().await;
    drop(script);
    let _crossroads = Crossroads::open_at(address).await;
    let script = Script::join_again(&address.to_string(), memory).await;
    let after = script.online(2).await;
    assert_ne!(before, after);
    let said = script.call(after, "DeviceEcho", &[json!({"say": "hi"})]).await;
    assert!(said.text().starts_with("hi @ "));
    running.stop().await;
}

#[tokio::test]
async fn a_cloud_that_gives_no_sign_of_life_is_left_and_joined_again() {
    let (crossroads, script) = cloud().await;
    let mut settings = anonymous();
    settings.upstream.alive_every_s = 1;
    let (_rod, mut running, _) = online(&script, settings).await;
    script.until("a second sign of life", |heard| heard.alive.get(1).cloned()).await;
    let memory = script.memory();
    // The cloud's agent goes, the router stays.
    script.session.close();
    script.session.closed().await;
    running.state.wait_for(|state| matches!(state, State::Offline(_))).await.unwrap();
    let script = Script::join_again(&crossroads.address.to_string(), memory).await;
    script.online(2).await;
    running.stop().await;
}

#[tokio::test]
async fn the_agent_starts_again_when_the_cloud_asks_for_it() {
    let (_crossroads, script) = cloud().await;
    let (_rod, running, session) = online(&script, anonymous()).await;
    let said = script.call(session, "DeviceRestartLR", &[json!({"delay": 3})]).await;
    assert_eq!(said.result, "SUCCESS");
    assert_eq!(running.ended().await, Outcome::Restart);
}

#[tokio::test]
async fn a_machine_that_is_enrolled_in_a_cloud_of_ours_stays_there() {
    let (_crossroads, script) = cloud().await;
    let cloud = crate::cloud::Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    std::fs::write(rod.dir.path().join("settings.json"), configuration(&script.url).to_string())
        .unwrap();
    // What upstream's agent left behind is put aside.
    std::fs::write(rod.dir.path().join("plugins.json"), r#"{"plugins": {}}"#).unwrap();
    std::fs::write(rod.dir.path().join("services.json"), r#"{"services": {}}"#).unwrap();
    let running = rod.run_with(anonymous());
    cloud.online(board).await;
    assert!(script.heard().connections.is_empty());
    assert!(rod.dir.path().join("plugins.json.upstream").exists());
    running.stop().await;
}
