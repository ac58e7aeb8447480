//! Upstream's 59 routes, with its names for what they do. Numbers are those of its table.

use super::{
    actions, boards, exposures, fleets, injections, plugins, ports, requests, root, services,
    webservices,
};
use crate::http::routes::{OPEN, Route, delete, get, own, patch, post, put, read, write};

/// All of them but 1, which all versions share.
pub(crate) fn all() -> Vec<Route> {
    let parts = [things(), on_boards(), fleets(), unconfigured(), history()];
    parts.into_iter().flatten().collect()
}

/// 2 to 8, and 27 to 40.
fn things() -> Vec<Route> {
    vec![
        get("/v1", OPEN, root::show),
        get("/v1/boards", read("board:get"), boards::list),
        get("/v1/boards/detail", read("board:get"), boards::detail),
        post("/v1/boards", own("board:create"), boards::create),
        get("/v1/boards/{board}", read("board:get"), boards::show),
        patch("/v1/boards/{board}", write("board:update"), boards::change),
        delete("/v1/boards/{board}", own("board:delete"), boards::delete),
        get("/v1/plugins", read("plugin:get"), plugins::list),
        get("/v1/plugins/public", read("plugin:get"), plugins::public),
        get("/v1/plugins/detail", read("plugin:get"), plugins::detail),
        post("/v1/plugins", write("plugin:create"), plugins::create),
        get("/v1/plugins/{plugin}", read("plugin:get_one"), plugins::show),
        patch("/v1/plugins/{plugin}", write("plugin:update"), plugins::change),
        delete("/v1/plugins/{plugin}", write("plugin:delete"), plugins::delete),
        get("/v1/services", read("service:get"), services::list),
        get("/v1/services/public", read("service:get"), services::public),
        get("/v1/services/detail", read("service:get"), services::detail),
        post("/v1/services", write("service:create"), services::create),
        get("/v1/services/{service}", read("service:get_one"), services::show),
        patch("/v1/services/{service}", write("service:update"), services::change),
        delete("/v1/services/{service}", write("service:delete"), services::delete),
    ]
}

/// 9 to 17.
fn on_boards() -> Vec<Route> {
    const PLUGINS: &str = "/v1/boards/{board}/plugins";
    const PLUGIN: &str = "/v1/boards/{board}/plugins/{plugin}";
    const SERVICE: &str = "/v1/boards/{board}/services/{service}/action";
    vec![
        post("/v1/boards/{board}/action", write("board_action:post"), actions::board),
        get(PLUGINS, read("plugin_on_board:get"), injections::list),
        put(PLUGINS, write("plugin_inject:put"), injections::inject),
        post(PLUGIN, write("plugin_action:post"), injections::act),
        delete(PLUGIN, write("plugin_remove:delete"), injections::remove),
        get("/v1/boards/{board}/services", read("service_on_board:get"), exposures::list),
        post(SERVICE, write("service_action:post"), exposures::act),
        get(
            "/v1/boards/{board}/services/restore",
            write("service_action:post"),
            exposures::restore,
        ),
        get("/v1/boards/{board}/services/status", read("service_on_board:get"), exposures::status),
    ]
}

/// 44 to 50.
fn fleets() -> Vec<Route> {
    vec![
        get("/v1/fleets", read("fleet:get"), fleets::list),
        get("/v1/fleets/detail", read("fleet:get"), fleets::detail),
        post("/v1/fleets", write("fleet:create"), fleets::create),
        get("/v1/fleets/{fleet}", read("fleet:get_one"), fleets::show),
        patch("/v1/fleets/{fleet}", write("fleet:update"), fleets::change),
        delete("/v1/fleets/{fleet}", write("fleet:delete"), fleets::delete),
        get("/v1/fleets/{fleet}/boards", read("board:get"), boards::of_fleet),
        get("/v1/fleets/{fleet}/boards/detail", read("board:get"), boards::of_fleet_detail),
    ]
}

/// 18 to 26, 41 to 43 and 51 to 55: of capabilities that this cloud does not have.
fn unconfigured() -> Vec<Route> {
    const ON: &str = "/v1/boards/{board}/webservices";
    const PORT: &str = "/v1/boards/{board}/ports/{port}";
    vec![
        get(ON, read("webservice:get"), webservices::of_board),
        put(ON, write("webservice:create"), webservices::expose),
        post(
            "/v1/boards/{board}/webservices/enable",
            write("webservice:enable"),
            webservices::enable,
        ),
        delete(
            "/v1/boards/{board}/webservices/disable",
            write("webservice:disable"),
            webservices::without,
        ),
        get(
            "/v1/boards/{board}/webservices/renew",
            write("webservice:renew"),
            webservices::without,
        ),
        get("/v1/webservices", read("webservice:get"), webservices::list),
        get("/v1/webservices/detail", read("webservice:get"), webservices::list),
        get("/v1/webservices/{webservice}", read("webservice:get_one"), webservices::one),
        delete("/v1/webservices/{webservice}", write("webservice:delete"), webservices::one),
        get("/v1/enabledwebservices", read("enabledwebservice:get"), webservices::enabled),
        get("/v1/boards/{board}/ports", read("port_on_board:get"), ports::of_board),
        put("/v1/boards/{board}/ports", write("port_on_board:put"), ports::attach),
        get(PORT, read("port_on_board:get"), ports::one_of_board),
        delete(PORT, write("port_on_board:delete"), ports::one_of_board),
        get("/v1/ports", read("port_on_board:get"), ports::list),
        get("/v1/ports/detail", read("port_on_board:get"), ports::list),
        get("/v1/ports/{port}", read("port_on_board:get"), ports::one),
        delete("/v1/ports/{port}", write("port_on_board:delete"), ports::one),
    ]
}

/// 56 to 59.
fn history() -> Vec<Route> {
    vec![
        get("/v1/requests", read("request:get"), requests::list),
        get("/v1/requests/detail", read("request:get"), requests::detail),
        get("/v1/requests/{request}", read("request:get_one"), requests::show),
        get("/v1/requests/{request}/results", read("result:get"), requests::results),
    ]
}
