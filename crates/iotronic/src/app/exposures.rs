//! Exposures: services of boards, made reachable through the cloud.
//!
//! Order of things: the row and the command are committed, then the port is opened, then the board is told. A port that
//! somebody else on this machine has is found when it is opened; then row and command are taken back.

use crate::app::access::Caller;
use crate::app::operations::{Order, given, submit};
use crate::app::settle::settle;
use crate::app::{Error, boards, services};
use crate::cloud::Cloud;
use model::delegation::Part;
use model::operation::{Fault, Outcome, State};
use model::service::{ExposureState, Port};
use model::{Invalid, Kind};
use rpc::Call;
use rpc::service::{Enable, Service};
use std::ops::RangeInclusive;
use store::boards::BoardRow;
use store::exposures::{self, ExposureRow};
use store::operations::{self, OperationRow};
use store::services::ServiceRow;
use store::{Tx, events};

/// Free ports that are kept in reserve, for those that somebody takes in between.
const ENOUGH: usize = 16;

/// What is exposed of a board.
///
/// # Errors
/// There is no such board.
pub async fn list(cloud: &Cloud, caller: &Caller, board: &str) -> Result<Vec<ExposureRow>, Error> {
    let board = boards::get(cloud, caller, board).await?;
    Ok(exposures::list_for_board(&cloud.store, board.id).await?)
}

/// One service of a board that is exposed.
///
/// # Errors
/// It is not.
pub async fn get(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    service: &str,
) -> Result<ExposureRow, Error> {
    let (board, service) = both(cloud, caller, board, service).await?;
    exposed(cloud, &board, &service).await
}

/// A board and a service of it. The caller may do what it came for by the board, or by the service.
async fn both(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    service: &str,
) -> Result<(BoardRow, ServiceRow), Error> {
    let board = boards::reachable(cloud, caller, board).await?;
    let service = services::of_board(cloud, caller, &board, service).await;
    let part = service.as_ref().ok().map(|service| Part::Service(service.id));
    boards::basis(&cloud.store, caller, (board.id, &board.project, part), "board", cloud.now())
        .await?;
    let service = service?;
    if board.project != service.project {
        let text = "board and service belong to different projects; make a service in the board's";
        return Err(Error::new(Kind::Conflict, text));
    }
    Ok((board, service))
}

async fn exposed(
    cloud: &Cloud,
    board: &BoardRow,
    service: &ServiceRow,
) -> Result<ExposureRow, Error> {
    match exposures::get(&cloud.store, board.id, service.id).await {
        Err(store::Error::NotFound { .. }) => {
            let text = format!("service {} is not enabled on board {}", service.name, board.name);
            Err(Error::new(Kind::NotFound, text))
        }
        other => Ok(other?),
    }
}

/// Makes a service of a board reachable.
///
/// # Errors
/// There is no such board or service, it is enabled already, the wanted port is out of range or taken, or none is free.
pub async fn enable(
    cloud: &Cloud,
    caller: &Caller,
    (board, service): (&str, &str),
    wanted: Option<Port>,
    order: Order,
) -> Result<OperationRow, Error> {
    let (board, service) = both(cloud, caller, board, service).await?;
    let order = order.about(Some(Part::Service(service.id)));
    let ports = cloud.settings.services.ports.range();
    let wanted = wanted.map(Port::number);
    check_wanted(wanted, &ports)?;
    for port in candidates(cloud, wanted, &ports).await? {
        let (order, board, service) = (order.clone(), board.clone(), service.clone());
        let (asked, ports) = (order.clone(), ports.clone());
        let reserved = cloud.store.write(move |tx| {
            Box::pin(async move { reserve(tx, &asked, &board, &service, ports, port).await })
        });
        let (exposure, operation) = match reserved.await {
            // Somebody was faster; there may be others.
            Err(error) if wanted.is_none() && has_taken_port(&error) => continue,
            reserved => reserved.map_err(in_plain_words)?,
        };
        match cloud.ingress.open(&exposure).await {
            Ok(()) => return given(cloud, &order, operation).await,
            Err(fault) => {
                take_back(cloud, &exposure, operation).await?;
                if wanted.is_some() || fault.kind != Kind::Conflict {
                    return Err(fault.into());
                }
            }
        }
    }
    let text = format!(
        "other programs have all of the public ports {}-{} that no service has; set services.ports to free ones",
        ports.start(),
        ports.end()
    );
    Err(Error::new(Kind::Exhausted, text))
}

/// The ports to try: the wanted one, or every one that neither a service nor another program has. When services have them
/// all, none is named, and the store says so.
async fn candidates(
    cloud: &Cloud,
    wanted: Option<u16>,
    ports: &RangeInclusive<u16>,
) -> Result<Vec<Option<u16>>, Error> {
    if wanted.is_some() {
        return Ok(vec![wanted]);
    }
    let free = exposures::free_ports(&cloud.store, ports).await?;
    if free.is_empty() {
        return Ok(vec![None]);
    }
    let mut candidates = Vec::new();
    for port in free {
        // Asked before anything is written, so that trying costs no commit.
        if cloud.ingress.is_free(port).await {
            candidates.push(Some(port));
        }
        if candidates.len() == ENOUGH {
            break;
        }
    }
    Ok(candidates)
}

fn check_wanted(wanted: Option<u16>, ports: &RangeInclusive<u16>) -> Result<(), Fault> {
    match wanted {
        Some(port) if !ports.contains(&port) => {
            let (first, last) = (ports.start(), ports.end());
            let text =
                format!("port {port} is not one of {first}-{last}; choose one of them or none");
            Err(Fault::new(Kind::Invalid, text))
        }
        _ => Ok(()),
    }
}

fn has_taken_port(error: &store::Error) -> bool {
    matches!(error, store::Error::Duplicate { field: "public port", .. })
}

fn in_plain_words(error: store::Error) -> Error {
    let text = match &error {
        store::Error::Duplicate { field: "service", .. } => {
            "the service is enabled on this board already; disable it first, or restore it"
        }
        store::Error::Duplicate { field: "public port", .. } => {
            "another service has this public port; choose another, or none for any free one"
        }
        _ => return error.into(),
    };
    Error::new(Kind::Conflict, text)
}

async fn reserve(
    tx: &mut Tx,
    order: &Order,
    board: &BoardRow,
    service: &ServiceRow,
    ports: RangeInclusive<u16>,
    wanted: Option<u16>,
) -> Result<(ExposureRow, OperationRow), store::Error> {
    exposures::reserve(tx, board.id, service.id, ports, wanted).await?;
    let exposure = exposures::get(&mut *tx, board.id, service.id).await?;
    let call = Call::ServiceEnable(described(&exposure)?);
    let operation = submit(tx, order, board, &call).await?;
    Ok((exposure, operation))
}

/// An exposure as it travels to the board.
pub(super) fn described(exposure: &ExposureRow) -> Result<Enable, Invalid> {
    let public_port = Port::try_from(u32::from(exposure.public_port.unwrap_or_default()))?;
    Ok(Enable { service: service(exposure), public_port })
}

/// Its service as it travels to the board.
pub(super) fn service(exposure: &ExposureRow) -> Service {
    Service {
        uuid: exposure.service,
        name: exposure.service_name.clone(),
        port: exposure.local_port,
        protocol: exposure.protocol,
    }
}

/// As if it had never been asked for.
async fn take_back(
    cloud: &Cloud,
    exposure: &ExposureRow,
    operation: OperationRow,
) -> Result<(), Error> {
    let (board, service) = (exposure.board, exposure.service);
    let undone = cloud.store.write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            let row = operations::request_cancel(tx, None, operation.id, now).await?;
            if row.state == State::Cancelled {
                return settle(tx, &row, &Outcome::Cancelled, now).await;
            }
            exposures::delete(tx, board, service).await
        })
    });
    Ok(undone.await?)
}

/// Closes a service of a board: for people at once, on the board when it hears of it.
///
/// # Errors
/// It is not enabled.
pub async fn disable(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    service: &str,
    order: Order,
) -> Result<OperationRow, Error> {
    let (board, service) = both(cloud, caller, board, service).await?;
    let exposure = exposed(cloud, &board, &service).await?;
    close(cloud, board, exposure, order.about(Some(Part::Service(service.id)))).await
}

/// The same for an exposure that was looked up already.
///
/// # Errors
/// It is not enabled.
pub(super) async fn close(
    cloud: &Cloud,
    board: BoardRow,
    exposure: ExposureRow,
    order: Order,
) -> Result<OperationRow, Error> {
    let service = exposure.service;
    let order = order.at_once(cloud, board.id);
    let wanted = order.clone();
    let row = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                let disabling = ExposureState::Disabling;
                exposures::set_state(tx, board.id, service, disabling).await?;
                let call = Call::ServiceDisable(self::service(&exposure));
                submit(tx, &order, &board, &call).await
            })
        })
        .await?;
    cloud.ingress.close(row.board, service);
    given(cloud, &wanted, row).await
}

/// Tells the board again, with the service's present port, and opens the public port again if it is closed.
///
/// # Errors
/// It is not enabled, or its public port is somebody else's now.
pub async fn restore(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    service: &str,
    order: Order,
) -> Result<OperationRow, Error> {
    let (board, service) = both(cloud, caller, board, service).await?;
    let exposure = exposed(cloud, &board, &service).await?;
    if exposure.state == ExposureState::Disabling {
        return Err(Error::new(Kind::Conflict, "the service is being disabled; enable it anew"));
    }
    cloud.ingress.open(&exposure).await?;
    let ports = cloud.settings.services.ports.range();
    let order = order.about(Some(Part::Service(service.id))).at_once(cloud, board.id);
    let wanted = order.clone();
    let row = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                let exposure = renewed(tx, exposure, &service, ports).await?;
                submit(tx, &order, &board, &Call::ServiceRestore(described(&exposure)?)).await
            })
        })
        .await?;
    given(cloud, &wanted, row).await
}

/// The exposure with the service's present local port, and the public port it had.
async fn renewed(
    tx: &mut Tx,
    old: ExposureRow,
    service: &ServiceRow,
    ports: RangeInclusive<u16>,
) -> Result<ExposureRow, store::Error> {
    if old.local_port == service.port {
        return Ok(old);
    }
    exposures::delete(tx, old.board, old.service).await?;
    exposures::reserve(tx, old.board, old.service, ports, old.public_port).await?;
    exposures::get(&mut *tx, old.board, old.service).await
}

/// Closes the public ports of exposures that were removed, whoever removed them (a board that refused, for one). Runs as long
/// as the store is open.
pub async fn close_removed(cloud: Cloud) {
    let mut commits = cloud.store.watch_events();
    let mut seen = *commits.borrow_and_update();
    while commits.changed().await.is_ok() {
        commits.borrow_and_update();
        while let Ok(batch) = events::after(&cloud.store, None, seen, events::MAX_EVENTS).await {
            let Some(last) = batch.last() else { break };
            seen = last.seq;
            for event in batch.iter().filter(|event| event.kind == "exposure.disabled") {
                close_if_gone(&cloud, &event.subject_id).await;
            }
        }
    }
}

async fn close_if_gone(cloud: &Cloud, subject: &str) {
    let Some((board, service)) = subject.split_once('/') else { return };
    let (Ok(board), Ok(service)) = (board.parse(), service.parse()) else { return };
    // It may have been enabled anew in the meantime.
    let now = exposures::get(&cloud.store, board, service).await;
    if matches!(now, Err(store::Error::NotFound { .. })) {
        cloud.ingress.close(board, service);
    }
}
