//! A real Keystone in the place of our identity service: its tokens, its passwords in pages, `clouds.yaml` and `s4t login`,
//! roles taken away there, and the time in which it is away.

use api::client::{Client, Method};
use model::Kind;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::upstream::keystone::Keystone;
use testkit::upstream::openstack::OpenStack;
use testkit::{World, WorldOptions, until};

struct Scene {
    keystone: Keystone,
    world: World,
    desk: OpenStack,
}

const PASSWORD: &str = "correct horse";
/// A minute of belief, and some for a busy machine.
const BELIEF: Duration = Duration::from_secs(100);

impl Scene {
    /// Ada is a member of the project city, and the cloud stands in the catalog.
    fn new() -> Self {
        let keystone = Keystone::start();
        let options = WorldOptions::default().set("identity.keystone_url", &keystone.url());
        let (world, desk) = (World::start(options), OpenStack::start());
        desk.clouds(&[("root", keystone.admin()), ("ada", keystone.auth("ada", PASSWORD, "city"))]);
        let mut scene = Self { keystone, world, desk };
        let desk = &mut scene.desk;
        desk.json("root", &["project", "create", "city"]);
        desk.json("root", &["user", "create", "--password", PASSWORD, "ada"]);
        desk.done("root", &["role", "add", "--project", "city", "--user", "ada", "member"]);
        desk.json("root", &["service", "create", "--name", "iotronic", "iot"]);
        let url = scene.world.url().to_owned();
        let make = ["endpoint", "create", "--region", "RegionOne", "iot", "public", &url];
        desk.json("root", &make);
        scene
    }

    /// The cloud with a token of Keystone's.
    fn client(&mut self, cloud: &str) -> Client {
        let token = self.desk.json(cloud, &["token", "issue"])["id"].as_str().unwrap().to_owned();
        Client::new(self.world.url(), &self.world.trust()).unwrap().with_token(token)
    }
}

#[test]
fn a_real_keystone_says_who_people_are_and_what_it_takes_away_is_gone_within_a_minute() {
    let mut scene = Scene::new();
    let ada = scene.client("ada");
    ada.get::<Value>("/v2/boards").unwrap();
    ada.post::<Value>("/v2/fleets", &json!({ "name": "f" })).unwrap();
    let claim = ada.post::<Value>("/v2/claims", &json!({ "name": "c" }));
    assert_eq!(claim.unwrap_err().kind(), Kind::Forbidden);
    let root = scene.client("root");
    root.post::<Value>("/v2/claims", &json!({ "name": "c" })).unwrap();
    let session: Value = ada.get("/v2/session").unwrap();
    assert_eq!(
        (&session["user"]["name"], &session["project"]["name"]),
        (&json!("ada"), &json!("city"))
    );

    // An application credential with access rules, made by Keystone.
    let rules = r#"[{"path": "/v2/boards", "method": "GET", "service": "iot"}]"#;
    let make = ["application", "credential", "create", "--access-rules", rules, "ci"];
    let made = scene.desk.json("ada", &make);
    let program = json!({
        "auth_url": scene.keystone.url(), "application_credential_id": made["ID"],
        "application_credential_secret": made["Secret"],
    });
    let (admin, person) = (scene.keystone.admin(), scene.keystone.auth("ada", PASSWORD, "city"));
    scene.desk.clouds(&[("root", admin), ("ada", person), ("ci", program)]);
    let ci = scene.client("ci");
    ci.get::<Value>("/v2/boards").unwrap();
    assert_eq!(ci.get::<Value>("/v2/fleets").unwrap_err().kind(), Kind::Forbidden);

    // A page, through the same door.
    let body = json!({ "user": "ada", "password": PASSWORD }).to_string();
    let page = scene.world.raw_stranger().ask("POST", "/v2/session", &[], Some(&body));
    assert_eq!(page.status, 201);
    let body = json!({ "user": "ada", "password": "wrong horse" }).to_string();
    let page = scene.world.raw_stranger().ask("POST", "/v2/session", &[], Some(&body));
    assert_eq!(page.status, 401);

    // Away: known tokens go on, others wait.
    scene.keystone.away();
    ada.get::<Value>("/v2/boards").unwrap();
    let strange = Client::new(scene.world.url(), &scene.world.trust()).unwrap();
    let strange = strange.with_token("gAAAAABstrange".into());
    assert_eq!(strange.get::<Value>("/v2/boards").unwrap_err().kind(), Kind::Unreachable);
    scene.keystone.back();
    assert_eq!(strange.get::<Value>("/v2/boards").unwrap_err().kind(), Kind::Unauthenticated);

    scene.desk.done("root", &["role", "remove", "--project", "city", "--user", "ada", "member"]);
    until("the role that was taken away is gone here", BELIEF, || {
        match ada.get::<Value>("/v2/boards") {
            Err(error) if error.kind() == Kind::Unauthenticated => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

#[test]
fn clients_find_keystone_through_the_cloud_and_the_cloud_through_keystone() {
    let mut scene = Scene::new();
    // The cloud's own address leads there.
    let mut through = scene.keystone.auth("ada", PASSWORD, "city");
    through["auth_url"] = format!("{}/identity/v3", scene.world.url()).into();
    scene.desk.clouds(&[("through", through)]);
    let ada = scene.client("through");
    ada.get::<Value>("/v2/boards").unwrap();

    let mut command = scene.world.s4t_command();
    command.env_remove("S4T_ADMIN_FILE").env("OS_PASSWORD", PASSWORD);
    command.args(["--url", scene.world.url(), "login", "--user", "ada", "--project", "city"]);
    let _ = testkit::Said::of(&mut command).ok();
    let mut command = scene.world.s4t_command();
    command.env_remove("S4T_ADMIN_FILE").args(["fleet", "create", "lamps"]);
    let _ = testkit::Said::of(&mut command).ok();
    let fleets: Value = ada.get("/v2/fleets").unwrap();
    assert_eq!(fleets["items"][0]["name"], "lamps");

    // And `s4t` by a clouds.yaml that names Keystone.
    let file = scene.world.folder().join("clouds.yaml");
    let auth = scene.keystone.auth("ada", PASSWORD, "city");
    std::fs::write(&file, json!({ "clouds": { "k": { "auth": auth } } }).to_string()).unwrap();
    let mut command = scene.world.s4t_command();
    command.env_remove("S4T_ADMIN_FILE").env("OS_CLIENT_CONFIG_FILE", &file);
    command.args(["--os-cloud", "k", "fleet", "list"]);
    let said = testkit::Said::of(&mut command).ok();
    assert!(said.contains("lamps"), "{said}");

    // Ending a token here ends it there.
    let session = ada.request::<Value>(&Method::DELETE, "/v2/session", None::<&()>, &[]);
    session.unwrap();
    assert_eq!(ada.get::<Value>("/v2/boards").unwrap_err().kind(), Kind::Unauthenticated);
}
