//! TLS: the cloud's own authority, a certificate from elsewhere, and what is refused.

use api::client::{Client, Trust};
use serde_json::{Value, json};
use std::process::Command;
use testkit::{BoardOptions, LocalService, Need, Program, Said, Talk, World, WorldOptions, lacks};

fn internal() -> World {
    World::start(WorldOptions::default().set("tls.internal", "true"))
}

#[test]
fn with_its_own_authority_everything_runs_encrypted() {
    let world = internal();
    assert!(world.url().starts_with("https://"), "{}", world.url());
    let board = world.board("sealed");
    board.answers();
    let claim: model::claim::Claim = world.claim("next").parse().unwrap();
    assert!(claim.authority.is_some(), "the claim names the authority");
    let local = LocalService::start(Talk::Greeting);
    world.service("greeting", local.port);
    let port = board.expose("greeting");
    let mut hello = [0; 5];
    testkit::until("a greeting", testkit::PATIENCE, || {
        use std::io::Read as _;
        let mut stream =
            std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
        stream.read_exact(&mut hello).map_err(|error| error.to_string())
    });
    assert_eq!(&hello, b"hello");
    world.cloud_restart();
    board.wait_online();
    board.restart();
    // Plain text on the encrypted port is not answered as if it were welcome.
    let plain = Client::new(&world.url().replace("https", "http"), &Trust::Public).unwrap();
    assert!(plain.get::<Value>("/v2").is_err());
}

#[test]
fn the_command_line_checks_the_authority() {
    let world = internal();
    let _ = world.s4t(&["board", "list", "-f", "json"]).json();
    // Without authority.pem beside it, the administrator's file alone does not do.
    let alone = world.folder().join("admin-alone.json");
    std::fs::copy(world.admin_file(), &alone).unwrap();
    let said = Said::of(world.s4t_command().env("S4T_ADMIN_FILE", &alone).args(["board", "list"]));
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.err.contains("--cacert"), "the cure is said: {said:?}");
    let authority = world.data().join("authority.pem");
    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", &alone).args(["board", "list", "--cacert"]).arg(authority);
    let _ = Said::of(&mut command).ok();
    let other = internal();
    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", &alone).args(["board", "list", "--cacert"]);
    let said = Said::of(command.arg(other.data().join("authority.pem")));
    assert_eq!(said.code, 8, "another authority is refused: {said:?}");
}

#[test]
fn a_machine_says_nothing_to_a_cloud_with_another_authority_or_key() {
    let (world, other) = (internal(), internal());
    let mut claim: model::claim::Claim = world.claim("careful").parse().unwrap();
    let theirs: model::claim::Claim = other.claim("careful").parse().unwrap();
    let machine = world.machine("careful", BoardOptions::default());
    claim.authority.clone_from(&theirs.authority);
    let said = machine.enrol(&claim.to_string());
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.to_lowercase().contains("tls"), "{said:?}");
    let mut claim: model::claim::Claim = world.claim("careful-2").parse().unwrap();
    claim.pin = theirs.pin;
    let said = machine.enrol(&claim.to_string());
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("not the cloud"), "{said:?}");
    let left: Value = world.admin().get("/v2/boards").unwrap();
    assert_eq!(left["items"], json!([]), "nothing was enrolled");
}

#[test]
fn a_certificate_from_elsewhere_is_served_as_given() {
    if lacks(Need::Program("openssl")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (authority, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    let made = |name: &str, usage: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}"), "-addext", usage]);
        openssl
    };
    let mut openssl = made("authority", "keyUsage=critical,keyCertSign");
    let _ = Said::of(openssl.arg("-keyout").arg(file("ca.key")).arg("-out").arg(&authority)).ok();
    let mut openssl = made("elsewhere", "subjectAltName=IP:127.0.0.1");
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-CA").arg(&authority).arg("-CAkey").arg(file("ca.key"));
    let _ = Said::of(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate)).ok();
    let world = World::start(
        WorldOptions::default()
            .set("tls.certificate", certificate.to_str().unwrap())
            .set("tls.key", key.to_str().unwrap()),
    );
    assert!(world.url().starts_with("https://"));
    let pem = std::fs::read_to_string(&authority).unwrap();
    let client = Client::new(world.url(), &Trust::Authority(pem)).unwrap();
    let discovery: Value = client.get("/identity/v3").unwrap();
    assert!(discovery["version"].is_object(), "{discovery}");
    let stranger = Client::new(world.url(), &Trust::Public).unwrap();
    assert!(stranger.get::<Value>("/identity/v3").is_err(), "nobody known signed it");
    let mut command = world.s4t_command();
    command
        .env("S4T_ADMIN_FILE", world.admin_file())
        .args(["claim", "create", "post", "-f", "value"]);
    let claim = Said::of(command.arg("--cacert").arg(&authority)).ok();
    let home = world.folder().join("post");
    std::fs::create_dir_all(&home).unwrap();
    let agent = |verb: &str| {
        let mut command = Command::new(testkit::program_path("lightning-rod"));
        command.arg(verb).arg("--home").arg(&home);
        command.env("LIGHTNING_ROD__CLOUD__AUTHORITIES", &authority);
        command
    };
    let _ = Said::of(agent("enrol").args(["--claim", claim.trim()])).ok();
    let log = world.folder().join("post.log");
    let mut running = Program::start("post", &mut agent("run"), &log);
    running.line(testkit::PATIENCE, |line| line.contains("online").then_some(()));

    // A renewal: another authority, the same files. Nothing is restarted, and what is connected stays.
    let mut openssl = made("elsewhere", "subjectAltName=IP:127.0.0.1");
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let _ = Said::of(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate)).ok();
    let renewed = Trust::Authority(std::fs::read_to_string(&certificate).unwrap());
    testkit::until("the renewed certificate", testkit::PATIENCE, || {
        let client = Client::new(world.url(), &renewed).map_err(|error| error.to_string())?;
        client.get::<Value>("/identity/v3").map(drop).map_err(|error| error.to_string())
    });
    assert!(client.get::<Value>("/identity/v3").is_ok(), "its connection stands");
}

#[test]
fn plain_text_beyond_loopback_is_refused_unless_said_in_so_many_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(testkit::program_path("iotronic"));
    command.args(["serve", "--data"]).arg(folder.path().join("data"));
    let said = Said::of(command.env("IOTRONIC__API__LISTEN", "0.0.0.0:0"));
    assert_ne!(said.code, 0);
    assert!(said.err.contains("tls.internal") && said.err.contains("allow_plain"), "{said:?}");
}
