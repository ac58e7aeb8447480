//! The upstream client signing in with a password, as people have it in their shells: `OS_*` variables and nothing else. It
//! asks our Keystone for a token, and finds `/v1` in the catalog under the service type `iot`.
//!
//! Deliberately not here: what the commands answer in detail, which the script compares with upstream.

use model::access::Role;
use serde_json::Value;
use testkit::World;
use testkit::upstream::client::{Client, Said};

struct Shell {
    client: Client,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// Of a new user of a new project.
    fn new(world: &World) -> Self {
        let _ = world.tenant("city", Role::AdminIotProject);
        let variable = |(name, value): (&'static str, &str)| (name, value.to_owned());
        let auth_url = format!("{}/identity/v3", world.url());
        let variables = [
            ("OS_AUTH_URL", auth_url.as_str()),
            ("OS_USERNAME", "city-admin_iot_project"),
            ("OS_PASSWORD", "correct horse"),
            ("OS_PROJECT_NAME", "city"),
            ("OS_USER_DOMAIN_NAME", "Default"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
            ("OS_REGION_NAME", "RegionOne"),
            ("OS_IDENTITY_API_VERSION", "3"),
        ];
        Self { client: Client::start(), variables: variables.map(variable).to_vec() }
    }

    fn run(&mut self, args: &[&str]) -> Said {
        let variables: Vec<_> =
            self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.client.run(args, &variables)
    }

    #[track_caller]
    fn done(&mut self, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said
    }

    #[track_caller]
    fn made(&mut self, args: &[&str]) -> Value {
        let args = [&["--json"], args].concat();
        let made = self.done(&args).json();
        assert!(made["uuid"].is_string(), "{made}");
        made
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
    }
}

#[test]
fn the_upstream_client_works_with_a_password_in_its_environment() {
    let world = World::new();
    let mut shell = Shell::new(&world);
    let source = shell.client.folder().join("plugin.py");
    std::fs::write(&source, "class Worker: pass\n").unwrap();

    let board = shell.made(&["board-create", "fan", "CODE-FAN", "server", "38.1", "15.5", "9"]);
    shell.made(&["plugin-create", "say", source.to_str().unwrap(), "--callable"]);
    shell.made(&["service-create", "vnc", "5900", "TCP"]);
    shell.made(&["fleet-create", "fans", "--description", "that blow"]);
    for (list, name) in [
        ("board-list", "fan"),
        ("plugin-list", "say"),
        ("service-list", "vnc"),
        ("fleet-list", "fans"),
    ] {
        let table = shell.done(&[list]).out;
        assert!(table.contains(name), "{list}: {table}");
    }
    let shown = shell.done(&["--json", "board-show", "fan"]).json();
    assert_eq!((&shown["uuid"], &shown["code"]), (&board["uuid"], &"CODE-FAN".into()));
    let changed = shell.done(&["--json", "board-update", "fan", "type=gateway"]).json();
    assert_eq!(changed["type"], "gateway");
    shell.done(&["service-delete", "vnc"]);
    let left = shell.done(&["service-list"]).out;
    assert!(!left.contains("vnc"), "{left}");
}

#[test]
fn a_wrong_password_or_a_foreign_project_ends_the_upstream_client_with_an_error() {
    let world = World::new();
    let mut shell = Shell::new(&world);
    let _ = world.tenant("elsewhere", Role::UserIot);
    shell.done(&["board-list"]);
    shell.set("OS_PROJECT_NAME", "elsewhere");
    let said = shell.run(&["board-list"]);
    assert_ne!(said.code, 0, "{said:?}");
    shell.set("OS_PROJECT_NAME", "city");
    shell.set("OS_PASSWORD", "wrong horse");
    let said = shell.run(&["board-list"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.out.is_empty(), "{said:?}");
}
