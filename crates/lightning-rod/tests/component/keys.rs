//! The board's key changes, whatever is lost on the way.

use crate::cloud::{Cloud, Lie, request};
use crate::eventually;
use crate::rod::Rod;
use base::key::{KeyPair, PublicKey};
use model::OperationId;
use serde_json::json;

const METHOD: &str = "DeviceRotateKey";

fn key(rod: &Rod) -> PublicKey {
    KeyPair::load(&rod.home().path("board.key")).unwrap().public()
}

#[tokio::test]
async fn a_changed_key_survives_a_lost_question_a_lost_answer_and_a_restart() {
    for lie in [Lie::None, Lie::LostQuestion, Lie::LostReply] {
        let cloud = Cloud::start().await;
        let (rod, board) = Rod::enrolled(&cloud).await;
        cloud.call_it("rod");
        let before = key(&rod);
        let running = rod.run();
        let first = cloud.online(board).await;
        cloud.lie(lie);
        let operation = OperationId::new();
        let asked = vec![json!(request(operation, board, METHOD)), json!({})];
        let call = cloud.raw(board, METHOD, asked);
        let cut = async {
            eventually("the board to ask", async || {
                let count = cloud.rotations();
                if count > 0 { Ok(()) } else { Err("it did not".to_owned()) }
            })
            .await;
            if lie != Lie::None {
                cloud.cut(first.session);
                cloud.online_again(&first).await;
            }
        };
        let _ = tokio::join!(call, cut);
        // The same command again gets the first one's answer.
        let said = cloud.repeat(operation, board, METHOD, &[json!({})]).await;
        let after = key(&rod);
        assert_eq!(said.into_value().unwrap(), after.fingerprint(), "{lie:?}");
        assert!(after != before && cloud.knows(&after) && !cloud.knows(&before), "{lie:?}");
        assert!(!rod.home().path("board.key.next").exists());
        running.stop().await;
        let running = rod.run();
        cloud.online_fresh(board).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_change_that_died_before_the_cloud_heard_of_it_is_ended_by_the_next_start() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    cloud.call_it("rod");
    let next = KeyPair::create(&rod.home().path("board.key.next")).unwrap().public();
    let running = rod.run();
    eventually("the key that was made before to count", async || {
        if cloud.knows(&next) && key(&rod) == next { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    cloud.online_fresh(board).await;
    assert_eq!(cloud.rotations(), 1);
    running.stop().await;
}
