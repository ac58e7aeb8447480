//! Plugins: routes 27 to 33 of upstream's table.
//!
//! Upstream's plugins are Python, and `callable` is our synchronous mode. Their code travels pickled; it is stored as plain
//! source, pickled again in every answer, and a pickle that is anything but text is refused unread.

use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{about, invalid, translated};
use super::page::{self, Depth, Noun, Pairs, Unknown, Wanted};
use super::view::{Fields, changed, fields, links, time};
use crate::app::access::Caller;
use crate::app::plugins;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{IfMatch, Path, Query};
use api::plugins::{Change, Limits, New};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use model::plugin::{Language, Mode, Visibility};
use serde_json::{Value, json};
use store::plugins::PluginRow;

pub(super) const PLUGIN: &str = "Plugin";

const PLUGINS: Noun = Noun {
    plural: "plugins",
    one: PLUGIN,
    fields: &[
        "uuid",
        "name",
        "owner",
        "code",
        "public",
        "callable",
        "parameters",
        "extra",
        "created_at",
        "updated_at",
    ],
    summary: &["uuid", "name", "owner", "public", "callable"],
    always: &[],
    unknown: Unknown::Refused,
};

const ATTRIBUTES: &[&str] = &[
    "uuid",
    "name",
    "owner",
    "code",
    "public",
    "callable",
    "parameters",
    "extra",
    "created_at",
    "updated_at",
    "links",
];

/// Which plugins a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The caller's own.
    Own,
    /// These and the public ones.
    OwnAndPublic,
    /// The public ones of everybody.
    Public,
    /// All that the caller may see.
    All,
}

/// `GET /v1/plugins`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    listed(&cloud, &asker.0, pairs, Depth::Summary).await
}

/// `GET /v1/plugins/detail`.
pub(super) async fn detail(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    listed(&cloud, &asker.0, pairs, Depth::Detail).await
}

/// `GET /v1/plugins/public`.
pub(super) async fn public(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted =
        Wanted::read(&PLUGINS, Depth::Summary, pairs, &[])?.at("plugins/public".to_owned());
    chosen(&cloud, &asker.0, &wanted, Whose::Public).await
}

async fn listed(cloud: &Cloud, caller: &Caller, pairs: Pairs, depth: Depth) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&PLUGINS, depth, pairs, &["with_public", "all_plugins"])?;
    let whose = match (wanted.flag("all_plugins")?, wanted.flag("with_public")?) {
        (true, _) if !caller.is_operator() => {
            return Err(invalid("all_plugins parameter can only be used by the administrator."));
        }
        (true, _) => Whose::All,
        (false, true) => Whose::OwnAndPublic,
        (false, false) => Whose::Own,
    };
    chosen(cloud, caller, &wanted, whose).await
}

async fn chosen(
    cloud: &Cloud,
    caller: &Caller,
    wanted: &Wanted,
    whose: Whose,
) -> Answer<Json<Value>> {
    let is_shown = |row: &PluginRow| {
        let is_own = row.owner == caller.principal().user && row.project == *caller.project();
        let is_public = row.visibility == Visibility::Public;
        match whose {
            Whose::Own => is_own,
            Whose::OwnAndPublic => is_own || is_public,
            Whose::Public => is_public,
            Whose::All => true,
        }
    };
    let read = |page| plugins::list(cloud, caller, page).boxed();
    let mut rows = page::all(|row: &PluginRow| row.id.uuid(), read).await?;
    rows.retain(is_shown);
    let views = rows.iter().map(|row| view(cloud, row)).collect();
    let mut page = wanted.arranged(&PLUGINS, views)?;
    if wanted.names("code") {
        for view in &mut page {
            add_code(cloud, &rows, view).await?;
        }
    }
    Ok(wanted.body(cloud, &PLUGINS, page))
}

async fn add_code(cloud: &Cloud, rows: &[PluginRow], view: &mut Fields) -> Result<(), Failure> {
    let id = view.get("uuid").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(row) = rows.iter().find(|row| row.id.to_string() == id) {
        view.insert("code".to_owned(), code(cloud, row).await?);
    }
    Ok(())
}

/// `POST /v1/plugins`.
pub(super) async fn create(asker: Asker, State(cloud): State<Cloud>, raw: Raw) -> Answer {
    let body = Attributes::read(&raw, PLUGIN, ATTRIBUTES, Use::Make)?;
    body.wanted("name", "Name")?;
    let new = New {
        name: body.typed("name")?.ok_or_else(|| invalid("Name is not specified."))?,
        language: Language::Python,
        mode: if body.truth("callable")?.unwrap_or_default() { Mode::Sync } else { Mode::Async },
        source: source(&body)?.ok_or_else(|| invalid("Code is not specified."))?,
        visibility: visibility(&body)?,
        parameters: body.object("parameters")?.unwrap_or_default(),
        limits: Limits::default(),
    };
    let extra = body.object("extra")?;
    let row = plugins::create(&cloud, &asker.0, new, extra).await.map_err(translated)?;
    Ok((StatusCode::CREATED, Json(Value::Object(whole(&cloud, &row).await?))).into_response())
}

fn visibility(body: &Attributes) -> Result<Option<Visibility>, Failure> {
    let public = body.truth("public")?;
    Ok(public.map(|public| if public { Visibility::Public } else { Visibility::Private }))
}

/// Source, whether it came plain or pickled, as an answer of ours that is sent back is.
fn source(body: &Attributes) -> Result<Option<String>, Failure> {
    let Some(text) = body.text("code")? else { return Ok(None) };
    let is_pickled = text.starts_with('V') && text.ends_with("\np0\n.");
    if !is_pickled {
        return Ok(Some(text));
    }
    let source = rpc::pickle::parse(text.as_bytes());
    source
        .map(Some)
        .map_err(|why| invalid(format_args!("Invalid input for field/attribute code. {why}")))
}

/// `GET /v1/plugins/{plugin}`.
pub(super) async fn show(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(plugin): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let row = find(&cloud, &asker.0, &plugin).await?;
    page::one(&PLUGINS, pairs, whole(&cloud, &row).await?)
}

/// `PATCH /v1/plugins/{plugin}`.
pub(super) async fn change(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(plugin): Path<String>,
    IfMatch(expected): IfMatch,
    raw: Raw,
) -> Answer {
    let body = Attributes::read(&raw, PLUGIN, ATTRIBUTES, Use::Change)?;
    let old = find(&cloud, &asker.0, &plugin).await?;
    let change = Change {
        name: body.typed("name")?,
        source: source(&body)?,
        visibility: visibility(&body)?,
        parameters: body.object("parameters")?,
        limits: None,
    };
    if body.truth("callable")?.is_some_and(|callable| callable != (old.mode == Mode::Sync)) {
        return Err(invalid(
            "Invalid input for field/attribute callable. It is fixed; create another plugin.",
        ));
    }
    let (id, extra) = (old.id.to_string(), body.object("extra")?);
    let row = plugins::update(&cloud, &asker.0, &id, change, extra, expected).await;
    let row = row.map_err(|error| about(PLUGIN, &plugin, error))?;
    Ok(Json(Value::Object(whole(&cloud, &row).await?)).into_response())
}

/// `DELETE /v1/plugins/{plugin}`.
pub(super) async fn delete(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(plugin): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer<Response> {
    let done = plugins::delete(&cloud, &asker.0, &plugin, expected).await;
    done.map_err(|error| about(PLUGIN, &plugin, error))?;
    Ok(nothing())
}

/// The plugin of this id or name.
pub(super) async fn find(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<PluginRow, Failure> {
    plugins::get(cloud, caller, ident).await.map_err(|error| about(PLUGIN, ident, error))
}

fn view(cloud: &Cloud, row: &PluginRow) -> Fields {
    fields(json!({
        "uuid": row.id,
        "name": row.name,
        "owner": row.owner,
        "public": row.visibility == Visibility::Public,
        "callable": row.mode == Mode::Sync,
        "parameters": row.parameters,
        "extra": row.extra,
        "created_at": time(row.created_at),
        "updated_at": changed(row.created_at, row.updated_at),
        "links": links(cloud, "plugins", row.id),
    }))
}

async fn whole(cloud: &Cloud, row: &PluginRow) -> Result<Fields, Failure> {
    let mut view = view(cloud, row);
    view.insert("code".to_owned(), code(cloud, row).await?);
    Ok(view)
}

async fn code(cloud: &Cloud, row: &PluginRow) -> Result<Value, Failure> {
    let source = plugins::source(cloud, row).await.map_err(translated)?;
    Ok(Value::from(rpc::pickle::emit(&source)))
}
