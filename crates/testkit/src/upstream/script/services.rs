//! Requests about services and services on boards: routes 14 to 17 and 34 to 40.

use super::{Step, Who, unknown};

pub(super) fn steps() -> Vec<Step> {
    [creation(), reading(), changes(), exposure(), ends()].concat()
}

fn creation() -> Vec<Step> {
    let post = |name| Step::http(name, 37, "POST", "/v1/services");
    vec![
        post("create a service")
            .body(r#"{"name": "ssh", "port": 22, "protocol": "TCP", "extra": {"a": 1}}"#)
            .take("service", "/uuid"),
        post("create a service with its port as text")
            .body(r#"{"name": "web", "port": "80", "protocol": "TCP"}"#)
            .take("web", "/uuid"),
        post("create a service with little")
            .body(r#"{"name": "bare", "port": 7, "protocol": "UDP"}"#)
            .take("bare", "/uuid"),
        post("create a service without a name").body(r#"{"port": 1, "protocol": "TCP"}"#),
        post("create a service with a port that is none")
            .body(r#"{"name": "x", "port": "many", "protocol": "TCP"}"#),
        post("create a service with a long protocol")
            .body(r#"{"name": "x", "port": 1, "protocol": "SCTP/IP"}"#)
            .take("long", "/uuid"),
        post("create a service with an unknown attribute")
            .body(r#"{"name": "x", "colour": "red"}"#),
        post("create a service as somebody without a role")
            .body(r#"{"name": "x", "port": 1, "protocol": "TCP"}"#)
            .by(Who::Roleless),
        post("create a service as nobody").body(r#"{"name": "x"}"#).by(Who::Nobody),
    ]
}

fn reading() -> Vec<Step> {
    let list = |name, path: &str| Step::http(name, 34, "GET", unknown(path));
    let get = |name, path: &str| Step::http(name, 38, "GET", unknown(path));
    vec![
        list("services", "/v1/services"),
        list("services, one a page", "/v1/services?limit=1"),
        list("services after a marker", "/v1/services?marker=<service>"),
        list("services after an unknown marker", "/v1/services?marker=<unknown>"),
        list("services with fields", "/v1/services?fields=name,port"),
        list("services by name, downwards", "/v1/services?sort_key=name&sort_dir=desc"),
        list("services of all", "/v1/services?all_services=true"),
        list("services as a stranger", "/v1/services").by(Who::Stranger),
        list("services as nobody", "/v1/services").by(Who::Nobody),
        Step::http("public services", 35, "GET", "/v1/services/public"),
        Step::http("services in detail", 36, "GET", "/v1/services/detail"),
        get("a service by id", "/v1/services/<service>"),
        get("a service by name", "/v1/services/ssh"),
        get("a service with fields", "/v1/services/<service>?fields=name"),
        get("a service that is not there", "/v1/services/<unknown>"),
        get("a service as a stranger", "/v1/services/<service>").by(Who::Stranger),
    ]
}

fn changes() -> Vec<Step> {
    let patch = |name, path: &str| Step::http(name, 39, "PATCH", unknown(path));
    vec![
        patch("change a service", "/v1/services/<web>")
            .body(r#"{"port": 8080, "extra": {"b": 2}}"#),
        patch("change a service's port to text", "/v1/services/<web>").body(r#"{"port": "81"}"#),
        patch("change a service with an unknown attribute", "/v1/services/<web>")
            .body(r#"{"colour": "red"}"#),
        patch("change a service that is not there", "/v1/services/<unknown>")
            .body(r#"{"port": 1}"#),
        patch("change a service as a stranger", "/v1/services/<web>")
            .body(r#"{"port": 1}"#)
            .by(Who::Stranger),
    ]
}

fn exposure() -> Vec<Step> {
    let act = |name| Step::http(name, 15, "POST", "/v1/boards/<board>/services/<service>/action");
    let list = |name, path: &str| Step::http(name, 14, "GET", unknown(path));
    let restore = |name, path: &str| Step::http(name, 16, "GET", unknown(path));
    vec![
        list("no services on a board", "/v1/boards/<board>/services"),
        act("disable a service that is not enabled").body(r#"{"action": "ServiceDisable"}"#),
        act("restore a service that is not enabled").body(r#"{"action": "ServiceRestore"}"#),
        act("enable a service").body(r#"{"action": "ServiceEnable"}"#),
        act("enable a service again").body(r#"{"action": "ServiceEnable"}"#),
        act("restore a service").body(r#"{"action": "ServiceRestore"}"#),
        act("an action of a service that is none").body(r#"{"action": "ServiceExplode"}"#),
        act("no action of a service").body("{}"),
        act("an action of a service as a stranger")
            .body(r#"{"action": "ServiceRestore"}"#)
            .by(Who::Stranger),
        Step::http("enable a service by name", 15, "POST", "/v1/boards/lamp/services/web/action")
            .body(r#"{"action": "ServiceEnable"}"#),
        Step::http(
            "enable a service on a board that is offline",
            15,
            "POST",
            "/v1/boards/<pump>/services/<service>/action",
        )
        .body(r#"{"action": "ServiceEnable"}"#),
        Step::http(
            "enable a service that is not there",
            15,
            "POST",
            unknown("/v1/boards/<board>/services/<unknown>/action"),
        )
        .body(r#"{"action": "ServiceEnable"}"#),
        list("services on a board", "/v1/boards/<board>/services"),
        list("services on a board that is not there", "/v1/boards/<unknown>/services"),
        list("services on a board as a stranger", "/v1/boards/<board>/services").by(Who::Stranger),
        restore("restore the services of a board", "/v1/boards/<board>/services/restore"),
        restore(
            "restore the services of a board that is offline",
            "/v1/boards/<pump>/services/restore",
        ),
        Step::http(
            "the sockets and processes of a board",
            17,
            "GET",
            "/v1/boards/<board>/services/status",
        ),
        Step::http("delete a service that is on a board", 40, "DELETE", "/v1/services/<service>"),
        act("disable a service").body(r#"{"action": "ServiceDisable"}"#),
        Step::http("disable a service by name", 15, "POST", "/v1/boards/lamp/services/web/action")
            .body(r#"{"action": "ServiceDisable"}"#),
        list("services on a board when all are disabled", "/v1/boards/<board>/services"),
    ]
}

fn ends() -> Vec<Step> {
    let delete = |name, path: &str| Step::http(name, 40, "DELETE", unknown(path));
    vec![
        delete("delete a service as a stranger", "/v1/services/<web>").by(Who::Stranger),
        delete("delete a service by name", "/v1/services/web"),
        delete("delete a service", "/v1/services/<bare>"),
        delete("delete a service again", "/v1/services/<bare>"),
        delete("delete a service with a long protocol", "/v1/services/<long>"),
    ]
}

/// What upstream crashes on, in part leaving rows that break its lists.
pub(super) fn crashes() -> Vec<Step> {
    vec![
        Step::http("create a service without a port", 37, "POST", "/v1/services")
            .body(r#"{"name": "portless"}"#),
        Step::http("services after crashes", 34, "GET", "/v1/services"),
    ]
}
