//! Services, and where they are reachable.
//!
//! Invariant: an exposure keeps its public port, because the board opens its tunnel to that one by itself; a port that is
//! taken here skips it.

use super::{in_batches, names, present, remark, settle};
use crate::import::found::{Exposure, Found, Service};
use crate::import::report::{Noun, Report};
use model::service::{ExposureState, Protocol};
use store::exposures;
use store::services::{self, NewService};
use store::{Error, Store, Tx, boards};

pub(super) async fn bring(store: &Store, found: &Found, report: &mut Report) -> Result<(), Error> {
    let mut rows = found.services.clone();
    rows.sort_by_key(|row| row.serial);
    in_batches(store, rows, report, |tx, row, said| Box::pin(service(tx, row, said))).await?;
    let rows = found.exposures.clone();
    in_batches(store, rows, report, |tx, row, said| Box::pin(exposure(tx, row, said))).await
}

async fn service(tx: &mut Tx, row: Service, report: &mut Report) -> Result<(), Error> {
    if present(services::by_id(&mut *tx, None, row.id).await)?.is_some() {
        report.present(Noun::Service);
        return Ok(());
    }
    let mut made = Err(Error::Duplicate { what: "service", field: "name" });
    for name in names::candidates(&row.name, "service", row.id) {
        let new = NewService {
            id: row.id,
            name,
            project: row.project.clone(),
            port: row.port,
            protocol: Protocol::Tcp,
            extra: row.extra.clone(),
        };
        made = services::create(tx, new).await;
        if !matches!(made, Err(Error::Duplicate { field: "name", .. })) {
            break;
        }
    }
    if let Some(service) = settle(made, report, Noun::Service, row.id)? {
        let renamed = names::remark(&row.name, &service.name);
        remark(report, Noun::Service, row.id, row.remarks.into_iter().chain(renamed).collect());
    }
    Ok(())
}

async fn exposure(tx: &mut Tx, row: Exposure, report: &mut Report) -> Result<(), Error> {
    let id = format!("{}/{}", row.board, row.service);
    let board = present(boards::by_id(&mut *tx, None, row.board).await)?;
    let service = present(services::by_id(&mut *tx, None, row.service).await)?;
    let (Some(board), Some(service)) = (board, service) else {
        report.skip(Noun::Exposure, id, "its board or its service is not here");
        return Ok(());
    };
    if service.project != board.project {
        report.skip(Noun::Exposure, id, "its service is of another project");
        return Ok(());
    }
    if present(exposures::get(&mut *tx, row.board, row.service).await)?.is_some() {
        report.present(Noun::Exposure);
        return Ok(());
    }
    let port = row.port.number();
    // The port of a board that is there already may lie outside of what is handed out here.
    let made = exposures::reserve(tx, row.board, row.service, port..=port, Some(port)).await;
    if settle(made, report, Noun::Exposure, id)?.is_some() {
        exposures::set_state(tx, row.board, row.service, ExposureState::Enabled).await?;
    }
    Ok(())
}
