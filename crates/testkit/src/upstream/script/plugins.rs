//! Requests about plugins and plugins on boards: routes 10 to 13 and 27 to 33.

use super::{Step, Who, unknown};

pub(super) fn steps() -> Vec<Step> {
    [creation(), reading(), changes(), injections(), actions(), ends()].concat()
}

fn creation() -> Vec<Step> {
    let post = |name| Step::http(name, 30, "POST", "/v1/plugins");
    vec![
        post("create a plugin")
            .body(r#"{"name": "echo", "code": "print(\"it's \u4f60\\n\")\n", "callable": true, "parameters": {"say": "hi"}, "extra": {"by": "me"}}"#)
            .take("plugin", "/uuid"),
        post("create a public plugin")
            .body(r#"{"name": "open", "code": "x = 'a'\n", "callable": false, "public": true}"#)
            .take("open", "/uuid"),
        post("create a plugin with little").body(r#"{"name": "least", "code": "x"}"#).take("least", "/uuid"),
        post("create a plugin without a name").body(r#"{"code": "x"}"#),
        post("create a plugin with a name that cannot be").body(r#"{"name": "a b", "code": "x"}"#),
        post("create a plugin with a name that is taken").body(r#"{"name": "echo", "code": "x"}"#).take("twin", "/uuid"),
        post("create a plugin with an unknown attribute").body(r#"{"name": "x", "colour": "red"}"#),
        post("create a plugin out of invalid JSON").body("{"),
        post("create a plugin as a stranger").body(r#"{"name": "foreign", "code": "y"}"#).by(Who::Stranger).take("foreign", "/uuid"),
        post("create a plugin as somebody without a role").body(r#"{"name": "x", "code": "x"}"#).by(Who::Roleless),
        post("create a plugin as nobody").body(r#"{"name": "x"}"#).by(Who::Nobody),
    ]
}

fn reading() -> Vec<Step> {
    let list = |name, path: &str| Step::http(name, 27, "GET", unknown(path));
    let get = |name, path: &str| Step::http(name, 31, "GET", unknown(path));
    vec![
        list("plugins", "/v1/plugins"),
        list("plugins, one a page", "/v1/plugins?limit=1"),
        list("plugins after a marker", "/v1/plugins?marker=<plugin>"),
        list("plugins after an unknown marker", "/v1/plugins?marker=<unknown>"),
        list("plugins with public ones", "/v1/plugins?with_public=true"),
        list("plugins of all", "/v1/plugins?all_plugins=true"),
        list("plugins of all as a member", "/v1/plugins?all_plugins=true").by(Who::Member),
        list("plugins with fields", "/v1/plugins?fields=name,callable"),
        list("plugins with an unknown field", "/v1/plugins?fields=colour"),
        list("plugins by name, downwards", "/v1/plugins?sort_key=name&sort_dir=desc"),
        list("plugins by extra", "/v1/plugins?sort_key=extra"),
        list("plugins as a stranger", "/v1/plugins").by(Who::Stranger),
        list("plugins as nobody", "/v1/plugins").by(Who::Nobody),
        Step::http("public plugins", 28, "GET", "/v1/plugins/public"),
        Step::http("plugins in detail", 29, "GET", "/v1/plugins/detail"),
        get("a plugin by id", "/v1/plugins/<plugin>"),
        get("a plugin by name", "/v1/plugins/open"),
        get("a plugin by a name that two have", "/v1/plugins/echo"),
        get("a plugin with fields", "/v1/plugins/<plugin>?fields=name,code"),
        get("a plugin with an unknown field", "/v1/plugins/<plugin>?fields=colour"),
        get("a plugin that is not there", "/v1/plugins/<unknown>"),
        get("a public plugin as a stranger", "/v1/plugins/<open>").by(Who::Stranger),
        get("a private plugin as a stranger", "/v1/plugins/<plugin>").by(Who::Stranger),
    ]
}

fn changes() -> Vec<Step> {
    let patch = |name, path: &str| Step::http(name, 32, "PATCH", unknown(path));
    vec![
        patch("change a plugin", "/v1/plugins/<plugin>")
            .body(r#"{"extra": {"by": "you"}, "public": false}"#),
        patch("change a plugin's code", "/v1/plugins/<least>").body(r#"{"code": "z = 1\n"}"#),
        patch("change a plugin with an unknown attribute", "/v1/plugins/<plugin>")
            .body(r#"{"colour": "red"}"#),
        patch("change a plugin that is not there", "/v1/plugins/<unknown>")
            .body(r#"{"public": true}"#),
        patch("change a plugin as a stranger", "/v1/plugins/<plugin>")
            .body(r#"{"public": true}"#)
            .by(Who::Stranger),
    ]
}

fn injections() -> Vec<Step> {
    let put = |name, path: &str| Step::http(name, 11, "PUT", unknown(path));
    let list = |name, path: &str| Step::http(name, 10, "GET", unknown(path));
    vec![
        list("no plugins on a board", "/v1/boards/<board>/plugins"),
        put("inject a plugin", "/v1/boards/<board>/plugins")
            .body(r#"{"plugin": "<plugin>", "onboot": true}"#),
        put("inject a plugin again", "/v1/boards/<board>/plugins")
            .body(r#"{"plugin": "<plugin>"}"#),
        put("inject a plugin by name", "/v1/boards/lamp/plugins").body(r#"{"plugin": "open"}"#),
        put("inject a plugin that is not there", "/v1/boards/<board>/plugins")
            .body(r#"{"plugin": "nobody-has-this-name"}"#),
        put("inject no plugin", "/v1/boards/<board>/plugins").body("{}"),
        put("inject a plugin into a board that is offline", "/v1/boards/<pump>/plugins")
            .body(r#"{"plugin": "<plugin>"}"#),
        put("inject a plugin into a board that is not there", "/v1/boards/<unknown>/plugins")
            .body(r#"{"plugin": "<plugin>"}"#),
        put("inject a plugin as a stranger", "/v1/boards/<board>/plugins")
            .body(r#"{"plugin": "<open>"}"#)
            .by(Who::Stranger),
        list("plugins on a board", "/v1/boards/<board>/plugins"),
        list("plugins on a board with a trailing slash", "/v1/boards/<board>/plugins/"),
        list("plugins on a board that is not there", "/v1/boards/<unknown>/plugins"),
        list("plugins on a board as a stranger", "/v1/boards/<board>/plugins").by(Who::Stranger),
    ]
}

fn actions() -> Vec<Step> {
    let act = |name| Step::http(name, 12, "POST", "/v1/boards/<board>/plugins/<plugin>");
    vec![
        act("call a plugin")
            .body(r#"{"action": "PluginCall", "parameters": {"say": "you", "more": [1, null]}}"#),
        act("call a plugin without its parameters").body(r#"{"action": "PluginCall"}"#),
        act("start a plugin").body(r#"{"action": "PluginStart", "parameters": {"say": "x"}}"#),
        act("a plugin's status").body(r#"{"action": "PluginStatus"}"#),
        act("stop a plugin").body(r#"{"action": "PluginStop", "parameters": {"delay": 1}}"#),
        act("reboot a plugin").body(r#"{"action": "PluginReboot", "parameters": {"say": "x"}}"#),
        act("an action of a plugin that is none").body(r#"{"action": "PluginExplode"}"#),
        act("no action of a plugin").body("{}"),
        act("an action of a plugin as a stranger")
            .body(r#"{"action": "PluginStatus"}"#)
            .by(Who::Stranger),
        Step::http(
            "an action of a plugin that is not there",
            12,
            "POST",
            unknown("/v1/boards/<board>/plugins/<unknown>"),
        )
        .body(r#"{"action": "PluginStatus"}"#),
        Step::http(
            "an action of a plugin on a board that is offline",
            12,
            "POST",
            "/v1/boards/<pump>/plugins/<plugin>",
        )
        .body(r#"{"action": "PluginStatus"}"#),
        Step::http("delete a plugin that is on a board", 33, "DELETE", "/v1/plugins/<plugin>"),
        Step::http(
            "remove a plugin that is not on the board",
            13,
            "DELETE",
            "/v1/boards/<board>/plugins/<least>",
        ),
        Step::http(
            "remove a plugin that is not there",
            13,
            "DELETE",
            unknown("/v1/boards/<board>/plugins/<unknown>"),
        ),
        Step::http(
            "remove a plugin as a stranger",
            13,
            "DELETE",
            "/v1/boards/<board>/plugins/<plugin>",
        )
        .by(Who::Stranger),
        Step::http("remove a plugin", 13, "DELETE", "/v1/boards/<board>/plugins/<plugin>"),
        Step::http("remove a plugin again", 13, "DELETE", "/v1/boards/<board>/plugins/<plugin>"),
        Step::http("remove a plugin by name", 13, "DELETE", "/v1/boards/lamp/plugins/open"),
        Step::http(
            "plugins on a board when all are removed",
            10,
            "GET",
            "/v1/boards/<board>/plugins",
        ),
    ]
}

fn ends() -> Vec<Step> {
    let delete = |name, path: &str| Step::http(name, 33, "DELETE", unknown(path));
    vec![
        delete("delete a plugin as a stranger", "/v1/plugins/<least>").by(Who::Stranger),
        delete("delete a plugin", "/v1/plugins/<least>"),
        delete("delete a plugin again", "/v1/plugins/<least>"),
        delete("delete a plugin with a twin", "/v1/plugins/<twin>"),
        delete("delete a plugin by name", "/v1/plugins/open"),
        delete("delete a plugin of another", "/v1/plugins/<foreign>"),
    ]
}

/// What upstream crashes on, in part leaving rows that break its lists.
pub(super) fn crashes() -> Vec<Step> {
    let post = |name| Step::http(name, 30, "POST", "/v1/plugins");
    vec![
        post("create a plugin without code").body(r#"{"name": "codeless"}"#),
        post("create a plugin with Latin letters in its code")
            .body(r#"{"name": "latin", "code": "x = 'h\u00e9'"}"#),
        post("create a plugin with parameters that are text")
            .body(r#"{"name": "x", "code": "x", "parameters": "text"}"#),
        Step::http("plugins after crashes", 27, "GET", "/v1/plugins"),
    ]
}
