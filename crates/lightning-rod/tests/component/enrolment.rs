//! A machine becomes a board.

use crate::cloud::{Cloud, Lie};
use crate::eventually;
use crate::rod::{Rod, settings};
use lightning_rod::cloud::Error as CloudError;
use lightning_rod::enrol::enrol;
use lightning_rod::{Error, State};
use model::Kind;

#[tokio::test]
async fn the_same_claim_again_gives_the_same_answer_and_another_one_is_refused() {
    let cloud = Cloud::start().await;
    let rod = Rod::new();
    let claim = cloud.claim().to_string();
    let first = enrol(&rod.home(), &settings(), &claim).await.unwrap();
    let again = enrol(&rod.home(), &settings(), &claim).await.unwrap();
    assert_eq!(first, again);
    let other = enrol(&rod.home(), &settings(), &cloud.claim().to_string()).await;
    assert!(matches!(other, Err(Error::Enrolled { .. })));
    for file in ["board.key", "board.json"] {
        assert!(!base::secret::readable_by_others(&rod.home().path(file)).unwrap());
    }
    let files = std::fs::read_dir(rod.dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let secret = claim.parse::<model::claim::Claim>().unwrap().secret;
    for file in files.filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains(&secret), "{} holds the claim", file.display());
    }
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_by_the_same_key() {
    let mut cloud = Cloud::start().await;
    cloud.lie(Lie::LostReply);
    let rod = Rod::new();
    let claim = cloud.claim().to_string();
    let asking = tokio::spawn({
        let home = rod.home();
        async move { enrol(&home, &settings(), &claim).await }
    });
    eventually("the claim is bound", async || {
        if cloud.is_any_claim_bound() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    cloud.crash().await;
    cloud.restart().await;
    let identity = asking.await.unwrap().unwrap();
    assert_eq!(cloud.boards(), [identity.uuid]);
}

#[tokio::test]
async fn a_claim_bound_to_another_key_is_refused_with_the_clouds_words() {
    let cloud = Cloud::start().await;
    let claim = cloud.claim().to_string();
    enrol(&Rod::new().home(), &settings(), &claim).await.unwrap();
    let error = enrol(&Rod::new().home(), &settings(), &claim).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Forbidden);
    assert!(error.to_string().contains("another key"), "{error}");
}

#[tokio::test]
async fn a_machine_that_was_given_up_enrols_anew_with_a_new_key() {
    let cloud = Cloud::start().await;
    let (rod, before) = Rod::enrolled(&cloud).await;
    cloud.refuse_all();
    std::fs::remove_file(rod.home().path("board.json")).unwrap();
    let identity = rod.enrol(&cloud).await.unwrap();
    assert_ne!(identity.uuid, before);
    let running = rod.run();
    cloud.online(identity.uuid).await;
    running.stop().await;
}

#[tokio::test]
async fn a_cloud_that_is_not_the_pinned_one_learns_nothing() {
    let cloud = Cloud::start().await;
    let mut claim = cloud.claim();
    claim.pin = base::key::KeyPair::generate().public().fingerprint();
    for (lie, claim) in
        [(Lie::None, claim), (Lie::WrongProof, cloud.claim()), (Lie::NoChallenge, cloud.claim())]
    {
        cloud.lie(lie);
        let error = enrol(&Rod::new().home(), &settings(), &claim.to_string()).await.unwrap_err();
        assert!(matches!(error, Error::Cloud(CloudError::Impostor(_))), "{lie:?}: {error}");
        assert_eq!(error.kind(), Kind::Unauthenticated);
    }
    assert!(cloud.boards().is_empty());
}

#[tokio::test]
async fn an_agent_that_waits_notices_an_enrolment_beside_it_and_a_dropped_claim() {
    let cloud = Cloud::start().await;
    let rod = Rod::new();
    let running = rod.run();
    assert_eq!(*running.state.borrow(), State::Unenrolled);
    let identity = rod.enrol(&cloud).await.unwrap();
    cloud.online(identity.uuid).await;
    running.stop().await;

    let rod = Rod::new();
    let running = rod.run();
    std::fs::write(rod.home().path("claim"), "garbage").unwrap();
    std::fs::write(rod.home().path("claim"), format!("{}\n", cloud.claim())).unwrap();
    let identity = eventually("the claim is used", async || {
        rod.home().identity().unwrap().ok_or_else(|| "no identity".to_owned())
    })
    .await;
    cloud.online(identity.uuid).await;
    assert!(!rod.home().path("claim").exists());
    running.stop().await;
}
