//! The commands of the client, with their options.

use super::{Act, Step, Who};

pub(super) fn steps() -> Vec<Step> {
    [boards(), plugins(), services(), fleets(), webservices(), ports(), ends()].concat()
}

fn boards() -> Vec<Step> {
    let run = Step::command;
    vec![
        run("iotronic help", &["help"]),
        run("iotronic help board-list", &["help", "board-list"]),
        run("iotronic help of nothing", &["help", "nothing"]),
        run("iotronic bash-completion", &["bash-completion"]).in_any_order(),
        run("iotronic with a command that is none", &["explode"]),
        run(
            "iotronic board-create",
            &[
                "--json",
                "board-create",
                "fan",
                "CODE-FAN",
                "server",
                "38.1",
                "15.5",
                "9",
                "--mobile",
                "-e",
                "room=attic",
            ],
        )
        .take("fan", "/uuid"),
        run(
            "iotronic board-create as a table",
            &["board-create", "bell", "CODE-BELL", "gateway", "1", "2", "3"],
        ),
        run(
            "iotronic board-create with a code that is taken",
            &["board-create", "fan-2", "CODE-FAN", "server", "1", "2", "3"],
        ),
        run(
            "iotronic board-create as a member",
            &["board-create", "x", "CODE-X", "server", "1", "2", "3"],
        )
        .by(Who::Member),
        run(
            "iotronic board-create as nobody",
            &["board-create", "x", "CODE-X", "server", "1", "2", "3"],
        )
        .by(Who::Nobody),
        run("iotronic board-list", &["board-list"]),
        run("iotronic board-list --json", &["--json", "board-list"]),
        run("iotronic board-list --detail", &["--json", "board-list", "--detail"]),
        run(
            "iotronic board-list by page",
            &["board-list", "--limit", "1", "--sort-key", "name", "--sort-dir", "desc"],
        ),
        run("iotronic board-list without a limit", &["board-list", "--limit", "0"]),
        run("iotronic board-list after a marker", &["board-list", "--marker", "<fan>"]),
        run("iotronic board-list with fields", &["board-list", "--fields", "name", "status"]),
        run("iotronic board-list with an unknown field", &["board-list", "--fields", "colour"]),
        run("iotronic board-list by status", &["board-list", "--status", "registered"]),
        run(
            "iotronic board-list of a project",
            &["board-list", "--project", "11111111222243338444555555555555"],
        ),
        run("iotronic board-show", &["--json", "board-show", "fan"]),
        run(
            "iotronic board-show by id with fields",
            &["board-show", "<fan>", "--fields", "name", "code"],
        ),
        run("iotronic board-show of nothing", &["board-show", "nobody-has-this-name"]),
        run("iotronic board-show of an empty name", &["board-show", ""]),
        run(
            "iotronic board-update",
            &["--json", "board-update", "fan", "type=gateway", "mobile=false"],
        ),
        run(
            "iotronic board-update with an unknown attribute",
            &["board-update", "fan", "colour=red"],
        ),
        run("iotronic board-list in version 1.0", &["--iotronic-api-version", "1.0", "board-list"]),
        run(
            "iotronic board-list in the latest version",
            &["--iotronic-api-version", "latest", "board-list"],
        ),
        run(
            "iotronic board-list in a version that is none",
            &["--iotronic-api-version", "new", "board-list"],
        ),
        Step::new("the commands' board comes online", Act::Online("<fan>")),
        run("iotronic board-show of a board that is online", &["--json", "board-show", "fan"]),
    ]
}

fn plugins() -> Vec<Step> {
    let run = Step::command;
    vec![
        run(
            "iotronic plugin-create",
            &[
                "--json",
                "plugin-create",
                "say",
                "<folder>/plugin.py",
                "--callable",
                "--params",
                "<folder>/parameters.json",
                "-e",
                "by=me",
            ],
        )
        .take("say", "/uuid"),
        run(
            "iotronic plugin-create of a public one",
            &["--json", "plugin-create", "all", "<folder>/plugin.py", "--is-plublic"],
        ),
        run("iotronic plugin-create of no file", &["plugin-create", "x", "<folder>/nothing.py"]),
        run("iotronic plugin-list", &["plugin-list"]),
        run("iotronic plugin-list --detail", &["--json", "plugin-list", "--detail"]),
        run(
            "iotronic plugin-list by page",
            &["plugin-list", "--limit", "1", "--sort-key", "name", "--sort-dir", "desc"],
        ),
        run("iotronic plugin-list after a marker", &["plugin-list", "--marker", "<say>"]),
        run("iotronic plugin-list --with-publics", &["plugin-list", "--with-publics"]),
        run("iotronic plugin-list --public", &["plugin-list", "--public"]),
        run("iotronic plugin-list --all-plugins", &["plugin-list", "--all-plugins"]),
        run("iotronic plugin-list with fields", &["plugin-list", "--fields", "name", "callable"]),
        run("iotronic plugin-show", &["--json", "plugin-show", "say"]),
        run(
            "iotronic plugin-show with fields",
            &["plugin-show", "<say>", "--fields", "name", "public"],
        ),
        run("iotronic plugin-show of nothing", &["plugin-show", "nobody-has-this-name"]),
        run("iotronic plugin-update", &["--json", "plugin-update", "say", "public=true"]),
        run("iotronic plugin-inject", &["plugin-inject", "fan", "say", "--onboot"]),
        run("iotronic plugin-inject again", &["plugin-inject", "fan", "say"]),
        run("iotronic plugin-inject of nothing", &["plugin-inject", "fan", "nobody-has-this-name"]),
        run("iotronic plugins-on-board", &["plugins-on-board", "fan"]),
        run(
            "iotronic plugin-action PluginCall",
            &["plugin-action", "fan", "say", "PluginCall", "--params", "say=hi", "n=3"],
        ),
        run(
            "iotronic plugin-action with a file",
            &[
                "plugin-action",
                "fan",
                "say",
                "PluginStart",
                "--params-file",
                "<folder>/parameters.json",
            ],
        ),
        run(
            "iotronic plugin-action without parameters",
            &["plugin-action", "fan", "say", "PluginCall"],
        ),
        run(
            "iotronic plugin-action PluginStatus",
            &["plugin-action", "fan", "say", "PluginStatus"],
        ),
        run("iotronic plugin-action PluginStop", &["plugin-action", "fan", "say", "PluginStop"]),
        run(
            "iotronic plugin-action that is none",
            &["plugin-action", "fan", "say", "PluginExplode"],
        ),
        run("iotronic plugin-remove", &["plugin-remove", "fan", "say"]),
        run("iotronic plugin-remove again", &["plugin-remove", "fan", "say"]),
        run("iotronic plugin-delete", &["plugin-delete", "say", "all"]),
        run("iotronic plugin-delete of nothing", &["plugin-delete", "nobody-has-this-name"]),
    ]
}

fn services() -> Vec<Step> {
    let run = Step::command;
    vec![
        run("iotronic service-create", &["--json", "service-create", "vnc", "5900", "TCP"])
            .take("vnc", "/uuid"),
        run(
            "iotronic service-create with a port that is none",
            &["service-create", "x", "many", "TCP"],
        ),
        run("iotronic service-list", &["service-list"]),
        run("iotronic service-list --detail", &["--json", "service-list", "--detail"]),
        run(
            "iotronic service-list by page",
            &["service-list", "--limit", "1", "--sort-key", "name", "--sort-dir", "desc"],
        ),
        run("iotronic service-list after a marker", &["service-list", "--marker", "<vnc>"]),
        run("iotronic service-list with fields", &["service-list", "--fields", "name", "port"]),
        run("iotronic service-show", &["--json", "service-show", "vnc"]),
        run(
            "iotronic service-show with fields",
            &["service-show", "<vnc>", "--fields", "name", "protocol"],
        ),
        run("iotronic service-show of nothing", &["service-show", "nobody-has-this-name"]),
        run("iotronic service-update", &["--json", "service-update", "vnc", "port=5901"]),
        run("iotronic enable-service", &["enable-service", "fan", "vnc"]),
        run("iotronic enable-service again", &["enable-service", "fan", "vnc"]),
        run(
            "iotronic enable-service of nothing",
            &["enable-service", "fan", "nobody-has-this-name"],
        ),
        run("iotronic services-on-board", &["--json", "services-on-board", "fan"]),
        run("iotronic restore-service", &["restore-service", "fan", "vnc"]),
        run("iotronic restore-services", &["restore-services", "fan"]),
        run("iotronic disable-service", &["disable-service", "fan", "vnc"]),
        run("iotronic disable-service again", &["disable-service", "fan", "vnc"]),
        run("iotronic services-on-board when none is", &["services-on-board", "fan"]),
        run("iotronic service-delete", &["service-delete", "vnc"]),
        run("iotronic service-delete of nothing", &["service-delete", "nobody-has-this-name"]),
    ]
}

fn fleets() -> Vec<Step> {
    let run = Step::command;
    vec![
        run(
            "iotronic fleet-create",
            &["--json", "fleet-create", "fans", "--description", "that blow"],
        )
        .take("fans", "/uuid"),
        run("iotronic fleet-list", &["fleet-list"]),
        run("iotronic fleet-list --detail", &["fleet-list", "--detail"]),
        run(
            "iotronic fleet-list by page",
            &["fleet-list", "--limit", "1", "--sort-key", "name", "--sort-dir", "desc"],
        ),
        run("iotronic fleet-list with fields", &["fleet-list", "--fields", "name"]),
        run("iotronic fleet-show", &["--json", "fleet-show", "fans"]),
        run(
            "iotronic fleet-show with fields",
            &["fleet-show", "<fans>", "--fields", "name", "description"],
        ),
        run("iotronic fleet-show of nothing", &["fleet-show", "nobody-has-this-name"]),
        run("iotronic fleet-update", &["--json", "fleet-update", "fans", "description=that hum"]),
        run(
            "iotronic board-update into a fleet",
            &["--json", "board-update", "fan", "fleet=<fans>"],
        ),
        run("iotronic boards-in-fleet", &["boards-in-fleet", "<fans>"]),
        run("iotronic boards-in-fleet by name", &["boards-in-fleet", "fans"]),
        run(
            "iotronic boards-in-fleet by page",
            &[
                "boards-in-fleet",
                "<fans>",
                "--limit",
                "1",
                "--sort-key",
                "name",
                "--sort-dir",
                "asc",
            ],
        ),
        run(
            "iotronic boards-in-fleet by status",
            &["boards-in-fleet", "<fans>", "--status", "online"],
        ),
        run("iotronic boards-in-fleet --detail", &["boards-in-fleet", "<fans>", "--detail"]),
        run(
            "iotronic boards-in-fleet with fields",
            &["boards-in-fleet", "<fans>", "--fields", "name", "status"],
        ),
        run("iotronic fleet-delete of nothing", &["fleet-delete", "nobody-has-this-name"]),
    ]
}

fn webservices() -> Vec<Step> {
    let run = Step::command;
    vec![
        run(
            "iotronic service-create of the web",
            &["service-create", "webservice", "50000", "TCP"],
        ),
        run(
            "iotronic service-create of the secure web",
            &["service-create", "webservice_ssl", "60000", "TCP"],
        ),
        run(
            "iotronic enable-webservices",
            &["enable-webservices", "<fan>", "fan", "example.org", "me@example.org"],
        ),
        run("iotronic enabled-webservice-list", &["--json", "enabled-webservice-list"]),
        run(
            "iotronic expose-webservice",
            &["--json", "expose-webservice", "<fan>", "ui", "8080", "--secure"],
        )
        .take("ui", "/uuid"),
        run(
            "iotronic expose-webservice with a port that is taken",
            &["expose-webservice", "<fan>", "ui", "8080"],
        ),
        run("iotronic webservice-list", &["webservice-list"]),
        run(
            "iotronic webservice-list by page",
            &["webservice-list", "--limit", "1", "--sort-key", "name", "--sort-dir", "desc"],
        ),
        run("iotronic webservice-list --detail", &["webservice-list", "--detail"]),
        run("iotronic webservice-show", &["--json", "webservice-show", "<ui>"]),
        run("iotronic webservices-on-board", &["webservices-on-board", "<fan>"]),
        run("iotronic unexpose-webservice", &["unexpose-webservice", "<ui>"]),
        run("iotronic unexpose-webservice again", &["unexpose-webservice", "<ui>"]),
        run("iotronic disable-webservices", &["disable-webservices", "<fan>"]),
        run("iotronic disable-webservices again", &["disable-webservices", "<fan>"]),
        Step::http("requests of web services", 56, "GET", "/v1/requests?sort_dir=desc&limit=3"),
    ]
}

fn ports() -> Vec<Step> {
    let run = Step::command;
    vec![
        run("iotronic port-list", &["port-list"]),
        run("iotronic port-list --detail", &["port-list", "--detail"]),
        run(
            "iotronic port-attach to a board that is offline",
            &["port-attach", "bell", "net", "subnet"],
        ),
        run(
            "iotronic port-detach of nothing",
            &["port-detach", "fan", "11111111-2222-4333-8444-555555555555"],
        ),
    ]
}

fn ends() -> Vec<Step> {
    let run = Step::command;
    vec![
        run("iotronic board-delete of a board that is online", &["board-delete", "fan"]),
        Step::new("the commands' board goes offline", Act::Offline("<fan>")),
        run("iotronic board-delete", &["board-delete", "fan", "bell"]),
        run("iotronic board-delete of nothing", &["board-delete", "nobody-has-this-name"]),
        run("iotronic fleet-delete", &["fleet-delete", "fans"]),
    ]
}
