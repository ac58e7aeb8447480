//! Every route in one table: method, path, and what one must be allowed to do. The router is made from it, and so is the test
//! that calls each route as everybody.

use crate::cloud::Cloud;
use crate::http::{
    audit, boards, bookings, claims, contributions, delegations, docs, events, fleets, forwards,
    identity, injections, load, logs, map, metrics, offers, operations, plugins, quotas,
    recordings, rights, services, session, system, terminals, transfers, ui, v1, versions,
};
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};
use model::access::{Action, Reach};
use std::sync::OnceLock;

/// Who may ask at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Who may do this; on things of which project is decided when the thing is known.
    May(Action),
}

/// One route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{names}` for what varies.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    handler: MethodRouter<Cloud>,
}

/// The routes of all people.
pub fn table() -> Vec<Route> {
    let all = [
        public(),
        identity::routes::all(),
        things(),
        one_board(),
        on_boards(),
        on_operations(),
        history(),
        audit_routes(),
        recording_routes(),
        v1::routes::all(),
    ];
    all.into_iter().flatten().collect()
}

/// What can be delegated: looking at boards, plugins and services, and whatever is done with one that is not its owner's to do
/// alone.
pub fn delegable() -> &'static [Action] {
    static ALL: OnceLock<Vec<Action>> = OnceLock::new();
    ALL.get_or_init(|| {
        let is_lent = |route: &Route| {
            route.path.starts_with("/v2/boards/{board}") || route.path.contains("{operation}")
        };
        let actions = table().into_iter().filter(is_lent).filter_map(|route| match route.access {
            Access::May(action) => Some(action),
            Access::Public => None,
        });
        let mut all: Vec<Action> =
            actions.filter(|action| matches!(action.reach, Reach::Read | Reach::Write)).collect();
        for name in ["board:get", "plugin:get", "plugin:get_one", "service:get", "service:get_one"]
        {
            all.push(Action::read(name));
        }
        all.sort_by_key(|action| action.name);
        all.dedup();
        all
    })
}

/// A router of the whole table.
pub fn router() -> Router<Cloud> {
    table().into_iter().fold(Router::new(), |router, route| {
        let handler = route.handler.layer(Extension(route.access));
        let paths = v1::paths(route.path).into_iter();
        paths.fold(router, |router, path| router.route(&path, handler.clone()))
    })
}

fn public() -> Vec<Route> {
    vec![
        get("/", OPEN, versions::root),
        get("/v2", OPEN, versions::v2),
        get("/ui", OPEN, ui::lead),
        get("/ui/", OPEN, ui::home),
        get(map::PATH, OPEN, map::part),
        get("/ui/{*path}", OPEN, ui::any),
        get(api::ui::PATH, OPEN, ui::settings),
        get("/v2/openapi.json", OPEN, docs::document),
        get("/v2/docs", OPEN, docs::page),
        get("/v2/docs/docs.js", OPEN, docs::script),
        get("/v2/docs/docs.css", OPEN, docs::style),
        get("/livez", OPEN, versions::livez),
        get("/readyz", OPEN, versions::readyz),
        get("/metrics", OPEN, metrics::show),
        post(api::session::PATH, OPEN, session::create),
        delete(api::session::PATH, OPEN, session::end),
    ]
}

fn things() -> Vec<Route> {
    const CONTRIBUTION: &str = "/v2/boards/{board}/contribution";
    const QUOTA: &str = "/v2/projects/{project}/quota";
    vec![
        get(api::session::PATH, read("session:get"), session::show),
        put(api::session::PATH, read("session:switch"), session::switch),
        get(api::system::PATH, operate("system:get"), system::show),
        get("/v2/boards", read("board:get"), boards::list),
        delete("/v2/boards/{board}", own("board:delete"), boards::decommission),
        post("/v2/boards/{board}/replace", own("board:replace"), boards::replace),
        post("/v2/boards/{board}/unpark", own("board:unpark"), boards::unpark),
        post("/v2/boards/{board}/transfer", own("board:transfer"), transfers::give),
        get(api::transfers::PATH, read("transfer:get"), transfers::list),
        post("/v2/transfers/{transfer}/accept", own("transfer:accept"), transfers::accept),
        delete("/v2/transfers/{transfer}", own("transfer:delete"), transfers::delete),
        post("/v2/boards/{board}/rotate-key", own("board:rotate_key"), boards::rotate_key),
        get("/v2/claims", read("claim:get"), claims::list),
        post("/v2/claims", own("claim:create"), claims::create),
        get("/v2/claims/{claim}", read("claim:get_one"), claims::show),
        delete("/v2/claims/{claim}", own("claim:delete"), claims::revoke),
        post("/v2/injections", write("plugin_inject:many"), injections::inject_many),
        get("/v2/delegations", read("delegation:get"), delegations::list),
        post("/v2/delegations", read("delegation:create"), delegations::create),
        get("/v2/delegations/{delegation}", read("delegation:get_one"), delegations::show),
        delete("/v2/delegations/{delegation}", read("delegation:delete"), delegations::revoke),
        get(CONTRIBUTION, read("contribution:get_one"), contributions::show),
        put(CONTRIBUTION, own("contribution:put"), contributions::put),
        delete(CONTRIBUTION, own("contribution:delete"), contributions::delete),
        get(api::bookings::OFFERS, read("offer:get"), offers::list),
        post(api::bookings::PATH, read("booking:create"), bookings::create),
        get(QUOTA, read("quota:get_one"), quotas::show),
        patch(QUOTA, operate("quota:update"), quotas::change),
        get("/v2/plugins", read("plugin:get"), plugins::list),
        post("/v2/plugins", write("plugin:create"), plugins::create),
        get("/v2/plugins/{plugin}", read("plugin:get_one"), plugins::show),
        patch("/v2/plugins/{plugin}", write("plugin:update"), plugins::change),
        delete("/v2/plugins/{plugin}", write("plugin:delete"), plugins::delete),
        get("/v2/services", read("service:get"), services::list),
        post("/v2/services", write("service:create"), services::create),
        get("/v2/services/{service}", read("service:get_one"), services::show),
        patch("/v2/services/{service}", write("service:update"), services::change),
        delete("/v2/services/{service}", write("service:delete"), services::delete),
        get("/v2/fleets", read("fleet:get"), fleets::list),
        post("/v2/fleets", write("fleet:create"), fleets::create),
        get("/v2/fleets/{fleet}", read("fleet:get_one"), fleets::show),
        patch("/v2/fleets/{fleet}", write("fleet:update"), fleets::change),
        delete("/v2/fleets/{fleet}", write("fleet:delete"), fleets::delete),
        get("/v2/fleets/{fleet}/boards", read("fleet:boards"), fleets::members),
    ]
}

fn on_boards() -> Vec<Route> {
    const PLUGIN: &str = "/v2/boards/{board}/plugins/{plugin}";
    const SERVICE: &str = "/v2/boards/{board}/services/{service}";
    vec![
        post("/v2/boards/{board}/ping", read("board_action:ping"), boards::ping),
        post("/v2/boards/{board}/echo", read("board_action:echo"), boards::echo),
        get("/v2/boards/{board}/network", read("board_action:network"), boards::network),
        get("/v2/boards/{board}/logs", read("board_action:logs"), logs::of_agent),
        get("/v2/boards/{board}/load", read("board:load"), load::read),
        post("/v2/boards/{board}/reboot", write("board_action:reboot"), boards::reboot),
        post("/v2/boards/{board}/actions", write("board_action:post"), boards::act),
        post("/v2/boards/{board}/rights", read("board_right:issue"), rights::issue),
        post("/v2/fleets/{fleet}/actions", write("fleet_action:post"), fleets::act),
        post(
            "/v2/boards/{board}/restart-agent",
            write("board_action:restart"),
            boards::restart_agent,
        ),
        get("/v2/boards/{board}/terminal", write("board_action:terminal"), terminals::open),
        get("/v2/boards/{board}/forward", write("board_action:forward"), forwards::forward),
        get("/v2/boards/{board}/plugins", read("plugin_on_board:get"), injections::list),
        get(PLUGIN, read("plugin_on_board:get_one"), injections::status),
        put(PLUGIN, write("plugin_inject:put"), injections::inject),
        delete(PLUGIN, write("plugin_remove:delete"), injections::remove),
        post(
            "/v2/boards/{board}/plugins/{plugin}/call",
            write("plugin_action:call"),
            injections::call,
        ),
        post(
            "/v2/boards/{board}/plugins/{plugin}/start",
            write("plugin_action:start"),
            injections::start,
        ),
        post(
            "/v2/boards/{board}/plugins/{plugin}/stop",
            write("plugin_action:stop"),
            injections::stop,
        ),
        post(
            "/v2/boards/{board}/plugins/{plugin}/restart",
            write("plugin_action:restart"),
            injections::restart,
        ),
        get(
            "/v2/boards/{board}/plugins/{plugin}/logs",
            read("plugin_action:logs"),
            logs::of_plugin,
        ),
        get("/v2/boards/{board}/services", read("service_on_board:get"), services::exposed),
        get(SERVICE, read("service_on_board:get_one"), services::show_exposed),
        put(SERVICE, write("service_action:enable"), services::enable),
        delete(SERVICE, write("service_action:disable"), services::disable),
        post(
            "/v2/boards/{board}/services/{service}/restore",
            write("service_action:restore"),
            services::restore,
        ),
    ]
}

fn one_board() -> Vec<Route> {
    vec![
        get("/v2/boards/{board}", read("board:get_one"), boards::show),
        patch("/v2/boards/{board}", write("board:update"), boards::change),
    ]
}

fn on_operations() -> Vec<Route> {
    vec![
        get("/v2/operations/{operation}", read("operation:get_one"), operations::show),
        post("/v2/operations/{operation}/cancel", write("operation:cancel"), operations::cancel),
    ]
}

fn history() -> Vec<Route> {
    vec![
        get("/v2/operations", read("operation:get"), operations::list),
        get("/v2/events", read("event:get"), events::list),
    ]
}

fn audit_routes() -> Vec<Route> {
    use api::audit::{CONSISTENCY, ERASE, EXPORT, HEADS, PATH, READS};
    vec![
        get(PATH, own("audit:get"), audit::list),
        get(HEADS, read("audit:heads"), audit::heads),
        get(CONSISTENCY, read("audit:consistency"), audit::consistency),
        get(READS, own("audit:reads"), audit::reads),
        get(EXPORT, operate("audit:export"), audit::export),
        post(ERASE, operate("audit:erase"), audit::erase),
        get("/v2/audit/{seq}", own("audit:get_one"), audit::show),
        get("/v2/audit/{seq}/proof", own("audit:proof"), audit::proof),
    ]
}

fn recording_routes() -> Vec<Route> {
    use api::recordings::{PATH, SETTINGS};
    const ONE: &str = "/v2/recordings/{recording}";
    vec![
        get(PATH, own("recording:get"), recordings::list),
        get(ONE, own("recording:get_one"), recordings::show),
        delete(ONE, own("recording:delete"), recordings::erase),
        get("/v2/recordings/{recording}/cast", own("recording:cast"), recordings::cast),
        get(SETTINGS, own("recording_setting:get"), recordings::settings),
        put(SETTINGS, own("recording_setting:put"), recordings::set),
    ]
}

pub(super) const OPEN: Access = Access::Public;

pub(super) const fn read(name: &'static str) -> Access {
    Access::May(Action::read(name))
}

pub(super) const fn write(name: &'static str) -> Access {
    Access::May(Action::write(name))
}

pub(super) const fn own(name: &'static str) -> Access {
    Access::May(Action::own(name))
}

pub(super) const fn operate(name: &'static str) -> Access {
    Access::May(Action::operate(name))
}

macro_rules! methods {
    ($($name:ident $method:ident;)*) => {$(
        pub(super) fn $name<H, T>(path: &'static str, access: Access, handler: H) -> Route
        where
            H: Handler<T, Cloud>,
            T: 'static,
        {
            let handler = on(MethodFilter::$method, handler);
            Route { method: Method::$method, path, access, handler }
        }
    )*};
}

methods! {
    get GET;
    post POST;
    put PUT;
    patch PATCH;
    delete DELETE;
}
