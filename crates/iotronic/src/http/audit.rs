//! `/v2/audit`.

use crate::app::access::Caller;
use crate::app::audit::{self, Export, joined};
use crate::app::names::{self, Wanted};
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Path, Query, within, wrong};
use api::Page;
use api::audit::{
    Between, Consistency, Erase, Erased, Filter, Head, HeadFilter, In, Proof, ReadFilter, Reads,
    Row,
};
use api::page::{DEFAULT_LIMIT, Direction, MAX_LIMIT};
use axum::Json;
use axum::body::{Body as Stream, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use model::Invalid;
use model::audit::Line;
use store::audit as stored;
use store::names::Noun;

/// List rows of the audit.
#[utoipa::path(get, path = "/v2/audit", tag = "audit", params(Filter), responses((status = 200, body = Page<Row>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<Row>>> {
    let caller = match &filter.project {
        Some(project) => {
            let project: model::ProjectId = project.parse()?;
            if !caller.is_operator() && *caller.project() != project {
                return Err(store::Error::NotFound { what: "project" }.into());
            }
            caller.within(project)
        }
        None => caller,
    };
    let (after, limit) = paging(filter.marker.as_deref(), filter.limit)?;
    let wanted = stored::Filter {
        which: stored::Which {
            actor: filter.actor,
            verb: filter.verb,
            subject: filter.subject,
            since: filter.since,
            until: filter.until,
        },
        order: order(filter.order),
        after,
        limit,
    };
    Ok(Json(page(audit::list(&cloud, &caller, &wanted).await?, limit, |row| row.seq)))
}

fn paging(marker: Option<&str>, limit: Option<u32>) -> Answer<(Option<u64>, u32)> {
    let limit = within("limit", limit, DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let number = |marker: &str| {
        marker.parse().map_err(|_| wrong("marker is not a number; take it from `next`"))
    };
    Ok((marker.map(number).transpose()?, limit))
}

fn order(order: Option<Direction>) -> store::page::Direction {
    match order.unwrap_or_default() {
        Direction::Asc => store::page::Direction::OldestFirst,
        Direction::Desc => store::page::Direction::NewestFirst,
    }
}

fn page<T>(items: Vec<T>, limit: u32, number: fn(&T) -> u64) -> Page<T> {
    let is_full = usize::try_from(limit).is_ok_and(|limit| items.len() >= limit);
    let next = items.last().filter(|_| is_full).map(|last| number(last).to_string());
    Page { items, next }
}

/// Show a row of the audit.
#[utoipa::path(get, path = "/v2/audit/{seq}", tag = "audit", responses((status = 200, body = Row)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(seq): Path<String>,
) -> Answer<Json<Row>> {
    Ok(Json(audit::get(&cloud, &caller, number(&seq)?).await?))
}

fn number(seq: &str) -> Result<u64, Invalid> {
    seq.parse().map_err(|_| Invalid::new("the number of a row is a number from 1 on"))
}

/// Prove that a row is in a signed head.
#[utoipa::path(get, path = "/v2/audit/{seq}/proof", tag = "audit", params(In), responses((status = 200, body = Proof)))]
pub(crate) async fn proof(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(seq): Path<String>,
    Query(head): Query<In>,
) -> Answer<Json<Proof>> {
    let (row, head, path) = audit::proof(&cloud, &caller, number(&seq)?, head.size).await?;
    Ok(Json(Proof { seq: row.seq, size: head.size, hash: row.hash, path: joined(&path) }))
}

/// List signed heads of the audit.
#[utoipa::path(get, path = "/v2/audit/heads", tag = "audit", params(HeadFilter), responses((status = 200, body = Page<Head>)))]
pub(crate) async fn heads(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<HeadFilter>,
) -> Answer<Json<Page<Head>>> {
    let (after, limit) = paging(filter.marker.as_deref(), filter.limit)?;
    let heads = stored::heads(&cloud.store, order(filter.order), after, limit).await?;
    Ok(Json(page(heads, limit, |head| head.size)))
}

/// Prove that the log of one head is the beginning of that of another.
#[utoipa::path(get, path = "/v2/audit/consistency", tag = "audit", params(Between), responses((status = 200, body = Consistency)))]
pub(crate) async fn consistency(
    _: Caller,
    State(cloud): State<Cloud>,
    Query(Between { from, to }): Query<Between>,
) -> Answer<Json<Consistency>> {
    let path = joined(&audit::consistency(&cloud, from, to).await?);
    Ok(Json(Consistency { from, to, path }))
}

/// List how often somebody looked at what, by the hour.
#[utoipa::path(get, path = "/v2/audit/reads", tag = "audit", params(ReadFilter), responses((status = 200, body = Page<Reads>)))]
pub(crate) async fn reads(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<ReadFilter>,
) -> Answer<Json<Page<Reads>>> {
    let limit = within("limit", filter.limit, DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let actor = filter.actor.as_deref();
    let rows = stored::list_reads(&cloud.store, caller.scope(), actor, limit).await?;
    let mut wanted = Wanted::default();
    for row in &rows {
        wanted.add(Noun::User, &row.actor);
    }
    let names = names::of(&cloud, wanted).await?;
    let view = |row: stored::Reads| Reads {
        hour: row.hour,
        project: row.project,
        actor_name: names.get(row.actor.as_str()).cloned(),
        actor: row.actor,
        verb: row.verb,
        times: row.times,
    };
    Ok(Json(Page { items: rows.into_iter().map(view).collect(), next: None }))
}

/// The whole audit as lines of JSON, for `s4t audit verify` and for keeping elsewhere.
#[utoipa::path(get, path = "/v2/audit/export", tag = "audit", responses((status = 200, content((String = "application/x-ndjson")))))]
pub(crate) async fn export(_: Caller, State(cloud): State<Cloud>) -> Answer<Response> {
    let lines = stream::try_unfold(Export::new(cloud), |mut export| async move {
        let lines = export.next().await?;
        Ok::<_, store::Error>(lines.map(|lines| (written(&lines), export)))
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Stream::from_stream(lines)).into_response())
}

fn written(lines: &[Line]) -> Bytes {
    let mut text = Vec::new();
    for line in lines {
        // The shapes of a line can be written, and into memory.
        let _ = serde_json::to_writer(&mut text, line);
        text.push(b'\n');
    }
    text.into()
}

/// Erase personal values from the audit; the chain stays valid.
#[utoipa::path(post, path = "/v2/audit/erase", tag = "audit", request_body = Erase, responses((status = 200, body = Erased)))]
pub(crate) async fn erase(
    _: Caller,
    State(cloud): State<Cloud>,
    Body(wish): Body<Erase>,
) -> Answer<Json<Erased>> {
    Ok(Json(Erased { erased: audit::erase(&cloud, wish).await? }))
}
