//! Claims and their redemption.

use crate::world::{World, labels, name, random_key};
use base::key::PublicKey;
use model::board::Status;
use model::{ClaimId, Kind};
use std::time::Duration;
use store::claims::{self, NewClaim, Redeemed};
use store::{Error, Page, Refusal, boards};

const SECRET: u8 = 7;

async fn claim(world: &World, new: NewClaim) -> ClaimId {
    let row = world.write(move |tx| Box::pin(async move { claims::create(tx, new).await }));
    row.await.unwrap().id
}

async fn redeem(world: &World, secret: u8, key: PublicKey) -> Result<Redeemed, Error> {
    let now = world.now();
    let job = world.write(move |tx| {
        Box::pin(async move { claims::redeem(tx, &[secret; 32], &key, now, Some("pi")).await })
    });
    job.await
}

fn refusal(result: Result<Redeemed, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_claim_makes_a_board_with_its_name_labels_and_owner() {
    let world = World::new().await;
    let id = claim(&world, world.new_claim("lamp-7", SECRET, 1)).await;
    let key = random_key();
    let redeemed = redeem(&world, SECRET, key).await.unwrap();
    assert!(redeemed.fresh);
    let board = redeemed.board;
    assert_eq!((board.name, board.labels), (name("lamp-7"), labels(&[("kind", "lamp")])));
    assert_eq!((board.owner, board.project), (world.user.clone(), world.project.clone()));
    assert_eq!((board.status, board.public_key), (Status::Offline, Some(key)));
    assert_eq!(board.facts.hostname, "pi");
    assert_eq!(claims::get(&world.store, None, id).await.unwrap().uses_left, 0);
}

#[tokio::test]
async fn a_lost_reply_asked_again_gives_the_same_board_even_after_the_claim_ended() {
    let world = World::new().await;
    let id = claim(&world, world.new_claim("lamp", SECRET, 1)).await;
    let key = random_key();
    let first = redeem(&world, SECRET, key).await.unwrap();
    world.clock.advance(Duration::from_secs(7200));
    world
        .write(move |tx| Box::pin(async move { claims::revoke(tx, None, id).await }))
        .await
        .unwrap();
    let again = redeem(&world, SECRET, key).await.unwrap();
    assert_eq!((again.board.id, again.fresh), (first.board.id, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_keys_that_race_for_a_single_use_claim_exactly_one_wins_and_gets_the_same_answer_again()
 {
    let world = std::sync::Arc::new(World::new().await);
    claim(&world, world.new_claim("lamp", SECRET, 1)).await;
    let racers: Vec<_> = (0..1000)
        .map(|_| {
            let world = std::sync::Arc::clone(&world);
            let key = random_key();
            tokio::spawn(async move { (key, redeem(&world, SECRET, key).await) })
        })
        .collect();
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for racer in racers {
        match racer.await.unwrap() {
            (key, Ok(redeemed)) => won.push((key, redeemed)),
            (key, Err(error)) => {
                assert!(matches!(error, Error::Refused(Refusal::UsedUp)), "{error}");
                lost.push(key);
            }
        }
    }
    let [(key, redeemed)] = won.as_slice() else { panic!("{} won", won.len()) };
    assert!(redeemed.fresh);
    let again = redeem(&world, SECRET, *key).await.unwrap();
    assert_eq!((again.board.id, again.fresh), (redeemed.board.id, false));
    assert_eq!(refusal(redeem(&world, SECRET, lost[0]).await), Refusal::UsedUp);
    assert_eq!(world.boards().await.len(), 1);
}

#[tokio::test]
async fn a_claim_for_an_image_enrols_as_many_boards_as_it_says_under_different_names() {
    let world = World::new().await;
    claim(&world, world.new_claim("lamp", SECRET, 3)).await;
    let mut names = std::collections::HashSet::new();
    for _ in 0..3 {
        let board = redeem(&world, SECRET, random_key()).await.unwrap().board;
        assert!(board.name.as_str().starts_with("lamp-"), "{}", board.name);
        names.insert(board.name);
    }
    assert_eq!(names.len(), 3);
    assert_eq!(refusal(redeem(&world, SECRET, random_key()).await), Refusal::UsedUp);
}

#[tokio::test]
async fn a_claim_that_is_unknown_expired_or_revoked_says_so() {
    let world = World::new().await;
    let unknown = redeem(&world, 99, random_key()).await;
    assert_eq!(unknown.as_ref().unwrap_err().kind(), Kind::Unauthenticated);
    assert_eq!(refusal(unknown), Refusal::UnknownClaim);

    let id = claim(&world, world.new_claim("lamp", SECRET, 1)).await;
    world
        .write(move |tx| Box::pin(async move { claims::revoke(tx, None, id).await }))
        .await
        .unwrap();
    assert_eq!(refusal(redeem(&world, SECRET, random_key()).await), Refusal::Revoked);

    claim(&world, world.new_claim("lamp2", SECRET + 1, 1)).await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(refusal(redeem(&world, SECRET + 1, random_key()).await), Refusal::Expired);
}

#[tokio::test]
async fn a_key_that_is_another_boards_gets_nothing_and_uses_nothing_up() {
    let world = World::new().await;
    claim(&world, world.new_claim("first", SECRET, 1)).await;
    let second = claim(&world, world.new_claim("second", SECRET + 1, 1)).await;
    let key = random_key();
    redeem(&world, SECRET, key).await.unwrap();
    let stolen = redeem(&world, SECRET + 1, key).await;
    assert_eq!(stolen.as_ref().unwrap_err().kind(), Kind::Conflict);
    assert_eq!(refusal(stolen), Refusal::KeyOfAnotherBoard);
    assert_eq!(claims::get(&world.store, None, second).await.unwrap().uses_left, 1);
}

#[tokio::test]
async fn a_replacement_keeps_the_board_and_refuses_the_old_key_for_good() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await;
    let old = board.public_key.unwrap();
    claim(&world, NewClaim { replaces: Some(board.id), ..world.new_claim("r", SECRET, 1) }).await;
    let waiting = boards::by_id(&world.store, None, board.id).await.unwrap();
    assert_eq!(waiting.status, Status::Replacing);

    let key = random_key();
    let redeemed = redeem(&world, SECRET, key).await.unwrap();
    assert_eq!((redeemed.board.id, redeemed.board.public_key), (board.id, Some(key)));
    assert_eq!((redeemed.board.status, redeemed.board.name), (Status::Offline, board.name));
    assert!(boards::by_key(&world.store, &old).await.unwrap().is_none());
    let refused = boards::refused_key(&world.store, &old).await.unwrap().unwrap();
    assert_eq!((refused.board, refused.reason.as_str()), (board.id, "replaced"));
    assert_eq!(refusal(redeem(&world, SECRET, old).await), Refusal::KeyRefused);
    assert!(!redeem(&world, SECRET, key).await.unwrap().fresh);
}

#[tokio::test]
async fn a_claim_needs_a_free_name_a_sane_count_and_a_board_that_can_be_replaced() {
    let world = World::new().await;
    let never_seen = world.board("taken").await;
    let expect = async |new: NewClaim, kind: Kind| {
        let made = world.write(move |tx| Box::pin(async move { claims::create(tx, new).await }));
        assert_eq!(made.await.unwrap_err().kind(), kind);
    };
    expect(world.new_claim("taken", 1, 1), Kind::Conflict).await;
    expect(world.new_claim("many", 1, 0), Kind::Invalid).await;
    let replacing = Some(never_seen.id);
    expect(NewClaim { replaces: replacing, ..world.new_claim("r", 1, 2) }, Kind::Invalid).await;
    expect(NewClaim { replaces: replacing, ..world.new_claim("r", 1, 1) }, Kind::Conflict).await;
    let stranger = Some(model::BoardId::new());
    expect(NewClaim { replaces: stranger, ..world.new_claim("r", 1, 1) }, Kind::NotFound).await;
    assert!(claims::list(&world.store, None, Page::default()).await.unwrap().is_empty());
}
