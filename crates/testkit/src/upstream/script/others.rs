//! Requests about the API itself, fleets, web services, ports and requests: routes 1, 2, 18 to 26 and 41 to 59.

use super::{Step, Who, unknown};

const VERSION: &str = "x-openstack-iotronic-api-version";

pub(super) fn root() -> Vec<Step> {
    let versions = |name| Step::http(name, 1, "GET", "/");
    let v1 = |name| Step::http(name, 2, "GET", "/v1");
    vec![
        versions("the versions").by(Who::Nobody),
        v1("version 1").by(Who::Nobody),
        Step::http("version 1 with a trailing slash", 2, "GET", "/v1/").by(Who::Nobody),
        v1("version 1.0 by header").header(VERSION, "1.0"),
        v1("the latest version by header").header(VERSION, "latest"),
        v1("a version that is too new").header(VERSION, "1.9"),
        v1("another major version").header(VERSION, "2.0"),
        v1("a version that is none").header(VERSION, "new"),
        Step::http("a version that is too new, at a resource", 2, "GET", "/v1/boards")
            .header(VERSION, "1.9"),
        Step::http("a resource that is not there", 2, "GET", "/v1/nothing"),
        Step::http("a resource that is not there, unversioned", 2, "GET", "/nothing"),
        Step::http("a method that is not there", 2, "PUT", "/v1/boards"),
        Step::http("a question of another origin", 2, "GET", "/v1")
            .header("origin", "http://elsewhere.example"),
    ]
}

pub(super) fn fleets() -> Vec<Step> {
    let post = |name| Step::http(name, 46, "POST", "/v1/fleets");
    let list = |name, path: &str| Step::http(name, 44, "GET", unknown(path));
    let get = |name, path: &str| Step::http(name, 47, "GET", unknown(path));
    let patch = |name, path: &str| Step::http(name, 48, "PATCH", unknown(path));
    let members = |name, path: &str| Step::http(name, 50, "GET", unknown(path));
    let delete = |name, path: &str| Step::http(name, 49, "DELETE", unknown(path));
    vec![
        post("create a fleet")
            .body(r#"{"name": "lamps", "description": "all of them", "extra": {"a": 1}}"#)
            .take("fleet", "/uuid"),
        post("create a fleet with the least").body(r#"{"name": "few"}"#).take("few", "/uuid"),
        post("create a fleet without a name").body("{}"),
        post("create a fleet with an unknown attribute").body(r#"{"name": "x", "colour": "red"}"#),
        post("create a fleet as somebody without a role")
            .body(r#"{"name": "x"}"#)
            .by(Who::Roleless),
        list("fleets", "/v1/fleets"),
        list("fleets, one a page", "/v1/fleets?limit=1"),
        list("fleets after an unknown marker", "/v1/fleets?marker=<unknown>"),
        list("fleets with fields", "/v1/fleets?fields=name"),
        list("fleets as a stranger", "/v1/fleets").by(Who::Stranger),
        Step::http("fleets in detail", 45, "GET", "/v1/fleets/detail"),
        get("a fleet by id", "/v1/fleets/<fleet>"),
        get("a fleet by name", "/v1/fleets/lamps"),
        get("a fleet that is not there", "/v1/fleets/<unknown>"),
        get("a fleet as a stranger", "/v1/fleets/<fleet>").by(Who::Stranger),
        patch("change a fleet", "/v1/fleets/<fleet>").body(r#"{"description": "some of them"}"#),
        patch("change a fleet with an unknown attribute", "/v1/fleets/<fleet>")
            .body(r#"{"colour": "red"}"#),
        patch("change a fleet that is not there", "/v1/fleets/<unknown>")
            .body(r#"{"description": "x"}"#),
        Step::http("put a board into a fleet", 7, "PATCH", "/v1/boards/<board>")
            .body(r#"{"fleet": "<fleet>"}"#),
        members("boards of a fleet", "/v1/fleets/<fleet>/boards"),
        members("boards of a fleet with a trailing slash", "/v1/fleets/<fleet>/boards/"),
        members("boards of a fleet by name", "/v1/fleets/lamps/boards"),
        members("boards of an empty fleet", "/v1/fleets/<few>/boards"),
        members("boards of a fleet that is not there", "/v1/fleets/<unknown>/boards"),
        delete("delete a fleet with a board in it", "/v1/fleets/<fleet>"),
        Step::http("take a board out of its fleet", 7, "PATCH", "/v1/boards/<board>")
            .body(r#"{"fleet": null}"#),
        Step::http("a board after its fleet", 6, "GET", "/v1/boards/<board>"),
        delete("delete an empty fleet as a stranger", "/v1/fleets/<few>").by(Who::Stranger),
        delete("delete an empty fleet", "/v1/fleets/<few>"),
        delete("delete a fleet again", "/v1/fleets/<few>"),
    ]
}

pub(super) fn webservices() -> Vec<Step> {
    let enable = |name, path: &str| Step::http(name, 20, "POST", unknown(path));
    let on_board = |name, path: &str| Step::http(name, 18, "GET", unknown(path));
    let expose = |name, path: &str| Step::http(name, 19, "PUT", unknown(path));
    let disable = |name, path: &str| Step::http(name, 21, "DELETE", unknown(path));
    let get = |name, path: &str| Step::http(name, 53, "GET", unknown(path));
    let delete = |name, path: &str| Step::http(name, 54, "DELETE", unknown(path));
    let whole = r#"{"dns": "lamp", "zone": "example.org", "email": "me@example.org"}"#;
    vec![
        disable(
            "disable web services that are not enabled",
            "/v1/boards/<board>/webservices/disable",
        ),
        expose("expose a web service that is not enabled", "/v1/boards/<board>/webservices")
            .body(r#"{"name": "ui", "port": 80, "secure": true}"#),
        enable("enable web services without a zone", "/v1/boards/<board>/webservices/enable")
            .body(r#"{"dns": "lamp"}"#),
        enable(
            "enable web services on a board that is offline",
            "/v1/boards/<pump>/webservices/enable",
        )
        .body(whole),
        enable(
            "enable web services without the services they need",
            "/v1/boards/<board>/webservices/enable",
        )
        .body(whole),
        Step::http("enabled web services", 55, "GET", "/v1/enabledwebservices"),
        on_board("web services of a board", "/v1/boards/<board>/webservices"),
        Step::http("web services", 51, "GET", "/v1/webservices"),
        Step::http("web services in detail", 52, "GET", "/v1/webservices/detail"),
        get("a web service that is not there", "/v1/webservices/<unknown>"),
        get("a web service by name", "/v1/webservices/ui"),
        delete("delete a web service that is not there", "/v1/webservices/<unknown>"),
        Step::http(
            "renew the certificates of a board",
            22,
            "GET",
            "/v1/boards/<board>/webservices/renew",
        ),
    ]
}

pub(super) fn ports() -> Vec<Step> {
    let on_board = |name, path: &str| Step::http(name, 23, "GET", unknown(path));
    vec![
        on_board("ports of a board", "/v1/boards/<board>/ports"),
        on_board("ports of a board that is not there", "/v1/boards/<unknown>/ports"),
        Step::http(
            "a port of a board that is not there",
            24,
            "GET",
            unknown("/v1/boards/<board>/ports/<unknown>"),
        ),
        Step::http("attach a port without a network", 25, "PUT", "/v1/boards/<board>/ports")
            .body("{}"),
        Step::http(
            "attach a port to a board that is offline",
            25,
            "PUT",
            "/v1/boards/<pump>/ports",
        )
        .body(r#"{"network": "n", "subnet": "s"}"#),
        Step::http(
            "detach a port that is not there",
            26,
            "DELETE",
            unknown("/v1/boards/<board>/ports/<unknown>"),
        ),
        Step::http("ports", 41, "GET", "/v1/ports"),
        Step::http("ports in detail", 42, "GET", "/v1/ports/detail"),
        Step::http("a port that is not there", 42, "GET", unknown("/v1/ports/<unknown>")),
        Step::http("delete a port that is not there", 43, "DELETE", unknown("/v1/ports/<unknown>")),
    ]
}

pub(super) fn requests() -> Vec<Step> {
    let list = |name, path: &str| Step::http(name, 56, "GET", unknown(path));
    vec![
        list("requests, one a page", "/v1/requests?limit=1").take("request", "/requests/0/uuid"),
        list("requests after a marker", "/v1/requests?limit=1&marker=<request>"),
        list("requests after an unknown marker", "/v1/requests?marker=<unknown>"),
        list("requests as a stranger", "/v1/requests").by(Who::Stranger),
        list("requests as nobody", "/v1/requests").by(Who::Nobody),
        Step::http("requests in detail", 57, "GET", "/v1/requests/detail"),
        Step::http("a request", 58, "GET", "/v1/requests/<request>"),
        Step::http("a request that is not there", 58, "GET", unknown("/v1/requests/<unknown>")),
        Step::http("a request by name", 58, "GET", "/v1/requests/ping"),
        Step::http("the results of a request", 59, "GET", "/v1/requests/<request>/results"),
        Step::http(
            "the results of a request that is not there",
            59,
            "GET",
            unknown("/v1/requests/<unknown>/results"),
        ),
    ]
}
