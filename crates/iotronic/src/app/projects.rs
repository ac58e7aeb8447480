//! Projects: whether they may have upstream boards.
//!
//! Invariant: when a project may not have them any more, those that are connected are sent away.

use crate::app::Error;
use crate::cloud::Cloud;
use store::boards::{self, Filter};
use store::events::NewEvent;
use store::identity::{self, ProjectRow};
use store::{Page, page};

/// Stores a changed project, and the event that says so.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update(cloud: &Cloud, row: &ProjectRow, event: NewEvent) -> Result<(), Error> {
    let stored = row.clone();
    let job = cloud.store.write(move |tx| {
        Box::pin(async move {
            identity::update_project(tx, &stored).await?;
            tx.event(event).await
        })
    });
    job.await?;
    let allowed = row.allow_legacy || cloud.settings.legacy.projects.allow(&row.name);
    if allowed { Ok(()) } else { send_away(cloud, row).await }
}

async fn send_away(cloud: &Cloud, project: &ProjectRow) -> Result<(), Error> {
    let mut marker = None;
    loop {
        let page = Page { limit: page::MAX_LIMIT, marker };
        let rows = boards::list(&cloud.store, Some(&project.id), &Filter::default(), page).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        marker = Some(last.id.uuid());
        for board in rows.iter().filter(|board| board.legacy && cloud.boards.is_connected(board.id))
        {
            tracing::info!(board = %board.id, name = %board.name, legacy = true, "sent away: its project may have no upstream boards any more");
            cloud.boards.disconnect(board.id, "its project may have no upstream boards").await;
        }
    }
}
