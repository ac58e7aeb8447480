//! Load reports of the last day.

use crate::world::World;
use model::BoardId;
use model::facts::Load;
use std::time::Duration;
use store::load;

fn report(number: u64) -> Load {
    Load {
        uptime_s: number,
        load_1m: 0.25,
        cpu: 0.5,
        memory_used_bytes: 1 << 30,
        disk_used_bytes: 1 << 40,
        temperature_c: number.is_multiple_of(2).then_some(48.5),
        sensors: [("light".to_owned(), 7.25)].into(),
        agent_memory_bytes: 4 << 20,
    }
}

impl World {
    async fn uptimes(&self, board: BoardId, hours: u64) -> Vec<u64> {
        let now = self.now();
        let back = i64::try_from(hours * 3_600_000_000).unwrap();
        let since = model::Timestamp::from_micros(now.micros() - back);
        let samples = load::since(&self.store, board, since, now).await.unwrap();
        samples.into_iter().map(|sample| sample.load.uptime_s).collect()
    }

    /// One report every ten minutes, the last one now.
    async fn report_for(&self, board: BoardId, hours: u64) {
        for number in 0..hours * 6 {
            self.clock.advance(Duration::from_secs(600));
            load::append(&self.store, board, &report(number), self.now());
        }
        self.store.flush().await.unwrap();
    }
}

#[tokio::test]
async fn reports_come_back_as_they_were_oldest_first_and_each_boards_own() {
    let world = World::new().await;
    let (board, other) = (BoardId::new(), BoardId::new());
    world.report_for(board, 3).await;
    load::append(&world.store, other, &report(99), world.now());
    world.store.flush().await.unwrap();
    assert_eq!(world.uptimes(board, 24).await, (0..18).collect::<Vec<_>>());
    assert_eq!(world.uptimes(board, 1).await, (11..18).collect::<Vec<_>>());
    assert_eq!(world.uptimes(other, 24).await, [99]);
    let samples = load::since(&world.store, board, world.now(), world.now()).await.unwrap();
    assert_eq!(samples.len(), 1);
    assert_eq!((samples[0].at, &samples[0].load), (world.now(), &report(17)));
}

#[tokio::test]
async fn what_is_older_than_a_day_is_removed_in_batches_and_never_shown() {
    let world = World::new().await;
    let board = BoardId::new();
    world.report_for(board, 30).await;
    let shown = world.uptimes(board, 1000).await;
    assert!((24 * 6..=25 * 6).contains(&shown.len()), "{}", shown.len());
    let now = world.now();
    let trim = || world.write(move |tx| Box::pin(load::trim(tx, now)));
    let removed = trim().await.unwrap();
    assert!((5..=6).contains(&removed), "{removed}");
    assert_eq!(trim().await.unwrap(), 0);
    assert_eq!(world.uptimes(board, 1000).await, shown);
}

#[tokio::test]
async fn a_board_that_reports_without_end_fills_no_more_than_its_row() {
    let world = World::new().await;
    let board = BoardId::new();
    for number in 0..3000 {
        load::append(&world.store, board, &report(number), world.now());
        if number % 500 == 0 {
            world.store.flush().await.unwrap();
        }
    }
    world.store.flush().await.unwrap();
    let kept = world.uptimes(board, 1).await;
    assert!((500..1500).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
}
