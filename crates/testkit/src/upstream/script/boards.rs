//! Requests about boards: routes 3 to 9.

use super::{Act, Step, Who, unknown};

const LAMP: &str = r#"{"name": "lamp", "code": "CODE-LAMP", "type": "gateway", "mobile": true, "extra": {"room": "cellar"},
    "location": [{"latitude": "38.19", "longitude": "15.55", "altitude": "3"}]}"#;
const PUMP: &str = r#"{"name": "pump", "code": "CODE-PUMP", "location": [{"latitude": "1", "longitude": "2", "altitude": "3"}]}"#;

pub(super) fn steps() -> Vec<Step> {
    [creation(), reading(), lists(), changes(), actions()].concat()
}

fn creation() -> Vec<Step> {
    let post = |name| Step::http(name, 5, "POST", "/v1/boards");
    vec![
        post("create a board").body(LAMP).take("board", "/uuid"),
        post("create a board with the least").body(PUMP).take("pump", "/uuid"),
        post("create a board with a code that is taken").body(LAMP),
        post("create a board without a name").body(r#"{"code": "x", "location": [{}]}"#),
        post("create a board without a code").body(r#"{"name": "x", "location": [{}]}"#),
        post("create a board without a location").body(r#"{"name": "x", "code": "x"}"#),
        post("create a board with an unknown attribute")
            .body(r#"{"name": "x", "code": "x", "colour": "red"}"#),
        post("create a board with a wrong type").body(r#"{"name": "x", "code": "x", "mobile": 7, "location": [{}]}"#),
        post("create a board out of invalid JSON").body("{"),
        post("create a board out of nothing").body(""),
        post("create a board out of a list").body("[]"),
        post("create a board with a name of blanks").body(
            r#"{"name": "a b/c", "code": "blank", "location": [{"latitude": "1", "longitude": "2", "altitude": "3"}]}"#,
        )
        .take("blank", "/uuid"),
        post("create a board as a member").body(PUMP).by(Who::Member),
        post("create a board as nobody").body(PUMP).by(Who::Nobody),
    ]
}

fn reading() -> Vec<Step> {
    let get = |name, path: &str| Step::http(name, 6, "GET", unknown(path));
    vec![
        get("a board by id", "/v1/boards/<board>"),
        get("a board by name", "/v1/boards/lamp"),
        get("a board by its bookmark", "/boards/<board>"),
        get("a board with a trailing slash", "/v1/boards/<board>/"),
        get("a board with fields", "/v1/boards/<board>?fields=name,agent,status"),
        get("a board with fields in capitals", "/v1/boards/<board>?fields=NAME,agent"),
        get("a board with an unknown field", "/v1/boards/<board>?fields=colour,agent"),
        get("a board that is not there", "/v1/boards/<unknown>"),
        get("a board with a name that is not there", "/v1/boards/nobody-has-this-name"),
        get("a board with a name that cannot be", "/v1/boards/a%20b"),
        get("a board as a member", "/v1/boards/<board>").by(Who::Member),
        get("a board as a stranger", "/v1/boards/<board>").by(Who::Stranger),
        get("a board as somebody without a role", "/v1/boards/<board>").by(Who::Roleless),
        get("a board as nobody", "/v1/boards/<board>").by(Who::Nobody),
    ]
}

fn lists() -> Vec<Step> {
    let get = |name, path: &str| Step::http(name, 3, "GET", unknown(path));
    let detail = |name, path: &str| Step::http(name, 4, "GET", unknown(path));
    vec![
        get("boards", "/v1/boards"),
        get("boards with a trailing slash", "/v1/boards/"),
        get("boards, unversioned", "/boards"),
        get("boards by status", "/v1/boards?status=registered"),
        get("boards by a status that none has", "/v1/boards?status=online"),
        get("boards, one a page", "/v1/boards?limit=1"),
        get("boards after a marker", "/v1/boards?marker=<board>"),
        get("boards after an unknown marker", "/v1/boards?marker=<unknown>"),
        get("boards after a marker that is no id", "/v1/boards?marker=x"),
        get("boards by name, downwards", "/v1/boards?sort_key=name&sort_dir=desc"),
        get("boards by a key that is none", "/v1/boards?sort_key=colour"),
        get("boards by extra", "/v1/boards?sort_key=extra"),
        get("boards in no direction", "/v1/boards?sort_dir=up"),
        get("boards with a limit of zero", "/v1/boards?limit=0"),
        get("boards with a negative limit", "/v1/boards?limit=-1"),
        get("boards with a limit that is no number", "/v1/boards?limit=many"),
        get("boards with fields", "/v1/boards?fields=name,code,agent"),
        get("boards with fields without the agent", "/v1/boards?fields=name,code"),
        get("boards of a project as a member", "/v1/boards?project=<unknown>").by(Who::Member),
        get("boards of another project", "/v1/boards?project=<unknown>"),
        get("boards as a stranger", "/v1/boards").by(Who::Stranger),
        get("boards as somebody without a role", "/v1/boards").by(Who::Roleless),
        get("boards as nobody", "/v1/boards").by(Who::Nobody),
        get("boards with a parameter that is unknown", "/v1/boards?colour=red"),
        detail("boards in detail", "/v1/boards/detail"),
        detail("boards in detail, one a page", "/v1/boards/detail?limit=1"),
        detail("boards in detail as nobody", "/v1/boards/detail").by(Who::Nobody),
    ]
}

fn changes() -> Vec<Step> {
    let patch = |name, path: &str| Step::http(name, 7, "PATCH", unknown(path));
    vec![
        patch("change a board", "/v1/boards/<board>").body(r#"{"type": "server", "mobile": false, "extra": {"a": 1}}"#),
        patch("change a board by name", "/v1/boards/lamp").body(r#"{"type": "gateway"}"#),
        patch("rename a board", "/v1/boards/<pump>").body(r#"{"name": "pump-2"}"#),
        patch("change what cannot be changed", "/v1/boards/<board>")
            .body(r#"{"created_at": "2020-01-01T00:00:00+00:00", "uuid": "22222222-2222-4333-8444-555555555555"}"#),
        Step::http("a board after what cannot be changed", 6, "GET", "/v1/boards/lamp").take("board", "/uuid"),
        patch("change a board with an unknown attribute", "/v1/boards/<board>").body(r#"{"colour": "red"}"#),
        patch("change a board out of invalid JSON", "/v1/boards/<board>").body("nonsense"),
        patch("change a board by a JSON patch", "/v1/boards/<board>")
            .body(r#"[{"op": "replace", "path": "/name", "value": "x"}]"#),
        patch("change a board that is not there", "/v1/boards/<unknown>").body(r#"{"type": "server"}"#),
        patch("change a board as a member", "/v1/boards/<board>").body(r#"{"type": "server"}"#).by(Who::Member),
        patch("change a board to a fleet that is not there", "/v1/boards/<pump>").body(r#"{"fleet": "no-such-fleet"}"#),
        patch("change a board to no fleet", "/v1/boards/<pump>").body(r#"{"fleet": null}"#),
    ]
}

fn actions() -> Vec<Step> {
    let act = |name| Step::http(name, 9, "POST", "/v1/boards/<board>/action");
    vec![
        act("an action while offline").body(r#"{"action": "DevicePing"}"#),
        Step::new("the board comes online", Act::Online("<board>")),
        Step::http("a board that is online", 6, "GET", "/v1/boards/<board>"),
        Step::http("boards that are online", 3, "GET", "/v1/boards?status=online"),
        act("an action").body(r#"{"action": "DevicePing"}"#),
        act("an action with parameters")
            .body(r#"{"action": "DeviceEcho", "parameters": {"say": "h\u00e9llo \"you\""}}"#),
        act("an action whose answer is an object").body(r#"{"action": "DeviceNetConfig"}"#),
        act("an action that the board refuses")
            .body(r#"{"action": "DeviceEcho", "parameters": {"say": "fail"}}"#),
        act("an action of which the board warns")
            .body(r#"{"action": "DeviceEcho", "parameters": {"say": "warn"}}"#),
        act("an action that goes on")
            .body(r#"{"action": "DeviceUpgradeLR", "parameters": {"version": "0.5.0"}}"#),
        act("an action that is none").body(r#"{"action": "DeviceExplode"}"#),
        act("no action").body("{}"),
        act("an action with an unknown attribute")
            .body(r#"{"action": "DevicePing", "colour": "red"}"#),
        act("an action as a member").body(r#"{"action": "DevicePing"}"#).by(Who::Member),
        Step::http(
            "an action on a board that is not there",
            9,
            "POST",
            unknown("/v1/boards/<unknown>/action"),
        )
        .body(r#"{"action": "DevicePing"}"#),
        Step::http("an action by GET", 9, "GET", "/v1/boards/<board>/action"),
    ]
}

/// What is done with boards when everything else is over.
pub(super) fn ends() -> Vec<Step> {
    let delete = |name, path: &str| Step::http(name, 8, "DELETE", unknown(path));
    vec![
        delete("delete a board as a member", "/v1/boards/<pump>").by(Who::Member),
        delete("delete a board that was never seen", "/v1/boards/<pump>"),
        delete("delete a board again", "/v1/boards/<pump>"),
        delete("delete a board that is not there", "/v1/boards/<unknown>"),
        delete("delete a board with a name of blanks", "/v1/boards/<blank>"),
        Step::new("the board goes offline", Act::Offline("<board>")),
        delete("delete a board that is offline", "/v1/boards/<board>"),
        Step::http("boards when all are deleted", 3, "GET", "/v1/boards"),
    ]
}
