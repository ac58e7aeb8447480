//! Pages, for every noun the same.

use crate::world::World;
use store::{Page, boards};

#[tokio::test]
async fn pages_neither_repeat_nor_skip_rows_while_others_are_made_and_removed() {
    let world = World::new().await;
    let mut wanted = Vec::new();
    for index in 0..25 {
        wanted.push(world.board(&format!("board-{index}")).await.id);
    }
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let page = Page::new(10, marker).unwrap();
        let rows =
            boards::list(&world.store, None, &boards::Filter::default(), page).await.unwrap();
        let Some(last) = rows.last() else { break };
        marker = Some(last.id.uuid());
        seen.extend(rows.iter().map(|row| row.id));
        world.board(&format!("late-{}", seen.len())).await;
        let gone = last.id;
        let end = world.write(move |tx| {
            Box::pin(async move { boards::decommission(tx, None, gone, None).await })
        });
        end.await.unwrap();
        if seen.len() > 60 {
            break;
        }
    }
    assert_eq!(seen.get(..25), Some(wanted.as_slice()));
    let mut once = seen.clone();
    once.dedup();
    assert_eq!(once, seen);
}

#[test]
fn a_limit_out_of_range_is_refused_with_the_range() {
    for limit in [0, 1001] {
        assert!(Page::new(limit, None).unwrap_err().0.contains("1 to 1000"));
    }
}
