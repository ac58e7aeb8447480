//! The control channel: online, reports, reconnection, silence, refusal, time.

use crate::cloud::{Cloud, Lie};
use crate::eventually;
use crate::proxy::Proxy;
use crate::rod::{Rod, settings};
use lightning_rod::State;
use lightning_rod::settings::Serializer;
use model::claim::Claim;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn an_enrolled_board_comes_online_with_its_facts_and_can_be_called() {
    let cloud = Cloud::start().await;
    for serializer in [Serializer::Msgpack, Serializer::Cbor, Serializer::Json] {
        let (rod, board) = Rod::enrolled(&cloud).await;
        let mut settings = settings();
        settings.cloud.serializer = serializer;
        let mut running = rod.run_with(settings);
        let connection = cloud.online(board).await;
        let info = connection.info;
        assert_eq!(info.protocol, rpc::PROTOCOL);
        assert!(info.capabilities.contains(&"DeviceEcho".to_owned()));
        assert_eq!(info.facts.link.unwrap().interface, "lo");
        assert!(info.facts.sensors.contains(&"temperature".to_owned()));
        assert!(info.load.sensors.contains_key("temperature"));
        let say = "ünï \"quoted\"\n\\";
        let echo = cloud.call(board, "DeviceEcho", &[json!({ "say": say })]).await;
        assert_eq!(echo.unwrap(), say);
        assert!(matches!(*running.state.borrow_and_update(), State::Online(_)));
        running.stop().await;
    }
}

#[tokio::test]
async fn load_is_reported_again_and_again_and_facts_only_when_they_change() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let reports = eventually("two reports", async || {
        let reports = cloud.reports();
        if reports.len() > 1 { Ok(reports) } else { Err(format!("{} came", reports.len())) }
    })
    .await;
    assert!(reports.iter().all(|report| report.board_uuid == board && report.facts.is_none()));
    running.stop().await;
}

#[tokio::test]
async fn what_the_cloud_can_do_is_kept_and_a_new_name_is_heard_with_the_next_report() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    cloud.call_it("rod");
    let running = rod.run();
    cloud.online(board).await;
    let said = eventually("what the cloud said is kept", async || {
        rod.home().cloud_said().ok_or_else(|| "no file".to_owned())
    })
    .await;
    assert_eq!((said.protocol, said.capabilities.len()), (1, 3));
    cloud.call_it("lamp-7");
    eventually("the new name is kept", async || {
        let name = rod.home().identity().unwrap().unwrap().name;
        if name.as_str() == "lamp-7" { Ok(()) } else { Err(format!("it is {name}")) }
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_cloud_that_does_not_say_what_it_can_do_is_worked_with() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    eventually("two reports", async || match cloud.reports().len() {
        0 | 1 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    assert_eq!(rod.home().cloud_said().unwrap().capabilities, [""; 0]);
    cloud.call(board, "DevicePing", &[json!({})]).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_board_comes_back_after_the_cloud_was_restarted() {
    let mut cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let before = cloud.online(board).await;
    cloud.crash().await;
    cloud.restart().await;
    cloud.online_again(&before).await;
    cloud.call(board, "DevicePing", &[json!({})]).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn swallowed_packets_are_noticed_within_seconds_while_a_report_waits() {
    let cloud = Cloud::start().await;
    let proxy = Proxy::start(cloud.address).await;
    let rod = Rod::new();
    let claim = Claim { url: format!("http://{}", proxy.address), ..cloud.claim() };
    let identity =
        lightning_rod::enrol::enrol(&rod.home(), &settings(), &claim.to_string()).await.unwrap();
    let running = rod.run();
    let before = cloud.online(identity.uuid).await;
    proxy.freeze();
    let frozen = Instant::now();
    cloud.online_again(&before).await;
    // One second to the next report, three of silence, one of waiting, on a machine at rest; an idle link has 75.
    assert!(frozen.elapsed() < Duration::from_secs(50), "{:?}", frozen.elapsed());
    running.stop().await;
}

#[tokio::test]
async fn a_refused_key_is_not_presented_again_soon() {
    let cloud = Cloud::start().await;
    let (rod, _) = Rod::enrolled(&cloud).await;
    cloud.refuse_all();
    let mut running = rod.run();
    let offline =
        |state: &State| matches!(state, State::Offline(text) if text.contains("refused_key"));
    tokio::time::timeout(Duration::from_secs(60), running.state.wait_for(offline))
        .await
        .unwrap()
        .unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_board_does_not_work_for_a_cloud_that_lost_its_key() {
    let cloud = Cloud::start().await;
    let (rod, _) = Rod::enrolled(&cloud).await;
    cloud.lie(Lie::WrongProof);
    let mut running = rod.run();
    let offline = |state: &State| matches!(state, State::Offline(text) if text.contains("proof"));
    tokio::time::timeout(Duration::from_secs(60), running.state.wait_for(offline))
        .await
        .unwrap()
        .unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_board_takes_its_time_from_the_cloud_and_keeps_it() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    cloud.tell_time("2090-01-01T00:00:00Z".parse().unwrap());
    for _ in 0..2 {
        let running = rod.run();
        cloud.online_fresh(board).await;
        let ping = eventually("the board believes the cloud", async || {
            let ping = cloud.call(board, "DevicePing", &[]).await.unwrap();
            let text = ping.as_str().unwrap().to_owned();
            if text.starts_with("2090") { Ok(text) } else { Err(text) }
        });
        ping.await;
        running.stop().await;
        cloud.tell_time("2080-01-01T00:00:00Z".parse().unwrap());
    }
}
