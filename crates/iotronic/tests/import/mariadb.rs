//! Imports from a real MariaDB server, which loaded the dump, by mysqldump and by URL.
//!
//! The server has a folder and a socket of its own and listens on no network. Without `mariadbd` the test is skipped.

use crate::world::{World, dump, report};
use base::secret::Secret;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PASSWORD: &str = "p'a\"s\\s @;$(x)";

struct Server {
    dir: TempDir,
    child: Child,
}

impl Server {
    fn start(program: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let mut install = Command::new("mariadb-install-db");
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        install.arg(format!("--datadir={}", data.display())).arg("--user=root");
        let installed = install.output().unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let mut command = Command::new(program);
        command.args([
            "--no-defaults",
            "--skip-networking",
            "--user=root",
            "--innodb-buffer-pool-size=8M",
        ]);
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--socket={}", dir.path().join("socket").display()));
        command.arg(format!("--pid-file={}", dir.path().join("pid").display()));
        let log = File::create(dir.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        let server = Self { dir, child };
        server.wait();
        server
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = UnixStream::connect(self.socket()) {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server does not come up: {error}\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn load(&self, sql: &str) {
        let mut command = Command::new("mariadb");
        command
            .args(["--no-defaults", "--user=root"])
            .arg(format!("--socket={}", self.socket().display()));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn dump_to(&self, path: &Path, words: &[&str]) {
        let mut command = Command::new("mysqldump");
        command
            .args(["--no-defaults", "--user=root"])
            .arg(format!("--socket={}", self.socket().display()));
        let output = command.args(words).stdout(File::create(path).unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program; without one the test is counted as skipped, and under CI it fails.
fn program() -> Option<&'static str> {
    let found = ["mariadbd", "/usr/sbin/mariadbd"].into_iter().find(|program| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    if found.is_some() {
        return found;
    }
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "the import is tried with a real server: install mariadb-server");
    eprintln!("skipped: there is no mariadbd; install mariadb-server");
    if let Some(path) = std::env::var_os("S4T_SKIPS") {
        let mut file = File::options().append(true).open(path).unwrap();
        writeln!(file, "the import from a real server needs mariadbd").unwrap();
    }
    None
}

#[tokio::test]
async fn a_real_server_gives_the_same_cloud_as_its_dump() {
    let Some(program) = program() else { return };
    let from_file = World::started().await;
    let expected = from_file.import(&dump(), &[]);
    let state = from_file.state().await;

    let server = Server::start(program);
    let rows = std::fs::read_to_string(dump()).unwrap();
    let quoted = PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
    server.load(&format!(
        "CREATE DATABASE other; CREATE TABLE other.boards (id INT); INSERT INTO other.boards VALUES (1);\n\
         CREATE DATABASE iotronic CHARACTER SET utf8mb4; USE iotronic;\n{rows}\n\
         CREATE USER 'iot'@'localhost' IDENTIFIED BY '{quoted}';\nGRANT SELECT, SHOW VIEW ON iotronic.* TO 'iot'@'localhost';\n"
    ));

    for words in [
        &["iotronic"][..],
        &["--all-databases"],
        &["--complete-insert", "--skip-extended-insert", "--hex-blob", "iotronic"],
    ] {
        let world = World::started().await;
        let path = world.path().join("dump.sql");
        server.dump_to(&path, words);
        let report = world.import(&path, &[]);
        assert_eq!(report["counts"], expected["counts"], "{words:?}");
        assert_eq!(world.state().await, state, "{words:?}");
    }

    let world = World::started().await;
    let url = format!("mysql://iot@localhost/iotronic?socket={}", server.socket().display());
    let secret = Secret::from(PASSWORD.to_owned());
    let refused = world.run(&url, &[], Some(&Secret::from("wrong".to_owned())));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("mysqldump failed"), "{said}");
    let done = report(&world.run(&url, &["--format", "json"], Some(&secret)));
    assert_eq!(done["counts"], expected["counts"]);
    assert!(!done.to_string().contains(PASSWORD));
    assert_eq!(world.state().await, state);
}
