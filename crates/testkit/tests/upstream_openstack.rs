//! The real python-openstackclient, unchanged, with a `clouds.yaml`: people, projects, roles, application credentials and
//! tokens of our identity service.

use serde_json::{Value, json};
use testkit::World;
use testkit::upstream::openstack::OpenStack;

struct Desk {
    world: World,
    client: OpenStack,
}

impl Desk {
    fn new() -> Self {
        let (world, client) = (World::new(), OpenStack::start());
        let desk = Self { world, client };
        desk.clouds(&[]);
        desk
    }

    /// The administrator by application credential as `s4t`, and more.
    fn clouds(&self, more: &[(&str, Value)]) {
        let text = std::fs::read(self.world.admin_file()).unwrap();
        let file: api::identity::AdminFile = serde_json::from_slice(&text).unwrap();
        let admin = json!({
            "auth_url": self.url(), "application_credential_id": file.application_credential_id,
            "application_credential_secret": file.application_credential_secret,
        });
        let mut clouds = vec![("s4t", admin)];
        clouds.extend_from_slice(more);
        self.client.clouds(&clouds);
    }

    fn url(&self) -> String {
        format!("{}/identity/v3", self.world.url())
    }

    fn auth(&self, user: &str, password: &str, project: &str) -> Value {
        json!({
            "auth_url": self.url(), "username": user, "password": password, "project_name": project,
            "user_domain_name": "Default", "project_domain_name": "Default",
        })
    }

    /// Ada with a role in the project city.
    fn ada(&mut self) {
        let client = &mut self.client;
        client.json("s4t", &["project", "create", "--description", "lamps", "city"]);
        let make =
            ["user", "create", "--password", "correct horse", "--email", "ada@example", "ada"];
        client.json("s4t", &make);
        client.json("s4t", &["role", "create", "member"]);
        client.done("s4t", &["role", "add", "--project", "city", "--user", "ada", "member"]);
        let ada = self.auth("ada", "correct horse", "city");
        self.clouds(&[("ada", ada)]);
    }
}

fn names(list: &Value, member: &str) -> Vec<String> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row[member].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_administrator_works_with_users_projects_and_roles() {
    let mut desk = Desk::new();
    desk.ada();
    let client = &mut desk.client;
    let shown = client.json("s4t", &["user", "show", "ada"]);
    assert_eq!((&shown["email"], &shown["enabled"]), (&json!("ada@example"), &json!(true)));
    client.done("s4t", &["user", "set", "--email", "a@example", "--description", "counts", "ada"]);
    assert_eq!(client.json("s4t", &["user", "show", "ada"])["description"], "counts");
    assert_eq!(names(&client.json("s4t", &["user", "list", "--long"]), "Name"), ["ada", "admin"]);
    let in_city = client.json("s4t", &["user", "list", "--project", "city"]);
    assert_eq!(names(&in_city, "Name"), ["ada"]);

    client.done("s4t", &["project", "set", "--name", "town", "city"]);
    assert_eq!(client.json("s4t", &["project", "show", "town"])["description"], "lamps");
    assert_eq!(names(&client.json("s4t", &["project", "list"]), "Name"), ["admin", "town"]);

    let roles = names(&client.json("s4t", &["role", "list"]), "Name");
    assert_eq!(roles, ["admin", "admin_iot_project", "manager_iot_project", "user_iot", "member"]);
    let list = ["role", "assignment", "list", "--names", "--user", "ada", "--project", "town"];
    let rows = client.json("s4t", &list);
    assert_eq!(rows[0]["User"], "ada@Default");
    assert_eq!(
        (names(&rows, "Role"), &rows[0]["Project"]),
        (vec!["member".into()], &"town@Default".into())
    );
    client.done("s4t", &["role", "remove", "--project", "town", "--user", "ada", "member"]);
    assert_eq!(client.json("s4t", &list), json!([]));

    let services = client.json("s4t", &["catalog", "list"]);
    assert_eq!(names(&services, "Type"), ["iot", "network", "identity"]);
    for delete in
        [["role", "delete", "member"], ["user", "delete", "ada"], ["project", "delete", "town"]]
    {
        client.done("s4t", &delete);
    }
    assert!(client.refused("s4t", &["user", "show", "ada"]).contains("No User found"));
    client.refused("s4t", &["user", "show", "nobody"]);
    client.refused("s4t", &["project", "show", "nothing"]);
    let made_twice = ["project", "create", "admin"];
    assert!(client.refused("s4t", &made_twice).contains("409"));
}

#[test]
fn a_user_issues_and_revokes_tokens_and_is_refused_as_keystone_refuses() {
    let mut desk = Desk::new();
    desk.ada();
    let (wrong, nowhere) =
        (desk.auth("ada", "wrong horse", "city"), desk.auth("ada", "correct horse", "x"));
    let ada = desk.auth("ada", "correct horse", "city");
    desk.clouds(&[("ada", ada), ("wrong", wrong), ("nowhere", nowhere)]);
    let client = &mut desk.client;
    let issued = client.json("ada", &["token", "issue"]);
    let token = issued["id"].as_str().unwrap().to_owned();
    client.done("ada", &["token", "revoke", &token]);
    assert!(client.refused("ada", &["token", "revoke", &token]).contains("404"));
    assert_eq!(names(&client.json("ada", &["project", "list"]), "Name"), ["city"]);
    assert!(client.refused("ada", &["user", "list"]).contains("403"));
    for cloud in ["wrong", "nowhere"] {
        assert!(client.refused(cloud, &["token", "issue"]).contains("401"), "{cloud}");
    }
    client.done("s4t", &["user", "set", "--disable", "ada"]);
    assert!(client.refused("ada", &["token", "issue"]).contains("401"));
    client.done("s4t", &["user", "set", "--enable", "ada"]);
    let change = [
        "user",
        "password",
        "set",
        "--original-password",
        "correct horse",
        "--password",
        "better horse",
    ];
    client.done("ada", &change);
    assert!(client.refused("ada", &["token", "issue"]).contains("401"));
}

#[test]
fn an_application_credential_signs_in_by_the_same_file_and_opens_what_its_rules_name() {
    let mut desk = Desk::new();
    desk.ada();
    let client = &mut desk.client;
    let rules =
        r#"[{"path": "/identity/v3/auth/projects", "method": "GET", "service": "identity"}]"#;
    let create = [
        "application",
        "credential",
        "create",
        "--description",
        "reads",
        "--expiration",
        "2999-01-01T00:00:00",
        "--access-rules",
        rules,
        "ci",
    ];
    let made = client.json("ada", &create);
    assert_eq!(made["Unrestricted"], false, "{made}");
    let list = ["application", "credential", "list"];
    assert_eq!(names(&client.json("ada", &list), "Name"), ["ci"]);
    assert_eq!(names(&client.json("ada", &["access", "rule", "list"]), "Service"), ["identity"]);
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    let program = json!({
        "auth_url": desk.url(), "application_credential_id": text("ID"),
        "application_credential_secret": text("Secret"),
    });
    let ada = desk.auth("ada", "correct horse", "city");
    desk.clouds(&[("ada", ada), ("ci", program)]);
    let client = &mut desk.client;
    client.json("ci", &["token", "issue"]);
    assert!(client.refused("ci", &list).contains("403"));
    assert!(
        client.refused("ci", &["application", "credential", "create", "child"]).contains("403")
    );
    assert_eq!(
        client.json("ada", &["application", "credential", "show", "ci"])["Description"],
        "reads"
    );
    client.done("ada", &["application", "credential", "delete", "ci"]);
    assert!(client.refused("ci", &["token", "issue"]).contains("401"));
}
