//! A cloud that was started once, the program run on it, and what is in it afterwards.

use base::secret::Secret;
use model::{PluginId, ProjectId, UserId};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use store::identity::{self, ProjectRow, UserRow};
use store::{
    Options, Page, Store, boards, exposures, fleets, injections, plugins, services, upstream,
};
use tempfile::TempDir;

pub(crate) const CITY: &str = "9e0f0000000000000000000000000001";
pub(crate) const LAMP_1: &str = "b0a4d000-0000-4000-8000-000000000001";

/// The dump that all tests begin from.
pub(crate) fn dump() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/iotronic.sql")
}

pub(crate) struct World {
    dir: TempDir,
}

impl World {
    /// A cloud with an administrator.
    pub(crate) async fn started() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        let store = world.open().await;
        store
            .write(|tx| {
                Box::pin(async move {
                    let project = ProjectRow::new(ProjectId::new(), "admin");
                    identity::create_project(tx, &project).await?;
                    let user = UserRow::new(UserId::new(), "admin", "!");
                    identity::create_user(tx, &user).await
                })
            })
            .await
            .unwrap();
        store.close().await;
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn open(&self) -> Store {
        // A program that another test starts holds the lock too, from its fork to its exec.
        let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            match Store::open(self.path(), Options::default()).await {
                Err(error) if error.kind() == model::Kind::Conflict => {
                    assert!(tokio::time::Instant::now() < patience, "{error}");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                opened => return opened.unwrap(),
            }
        }
    }

    /// Runs the program.
    pub(crate) fn run(&self, from: &str, more: &[&str], password: Option<&Secret>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iotronic"));
        command.arg("import").arg("--data").arg(self.path()).args(["--from", from]).args(more);
        if let Some(password) = password {
            command.env("IOTRONIC_IMPORT_PASSWORD", password.expose());
        }
        command.output().unwrap()
    }

    /// Runs the program, which must succeed, and gives its report.
    pub(crate) fn import(&self, from: &Path, more: &[&str]) -> Value {
        let output =
            self.run(from.to_str().unwrap(), &[&["--format", "json"], more].concat(), None);
        report(&output)
    }

    /// Everything that is compared between clouds, without times.
    pub(crate) async fn state(&self) -> Value {
        let store = self.open().await;
        let mut state = Vec::new();
        for board in
            boards::list(&store, None, &boards::Filter::default(), Page::default()).await.unwrap()
        {
            let known = upstream::get(&store, board.id).await.unwrap().unwrap();
            let injected = injections::list_for_board(&store, board.id).await.unwrap();
            let injected: Vec<Value> = injected
                .iter()
                .map(|row| json!([row.plugin, row.on_boot, row.state, row.revision_injected]))
                .collect();
            let exposed = exposures::list_for_board(&store, board.id).await.unwrap();
            let exposed: Vec<Value> = exposed
                .iter()
                .map(|row| json!([row.service, row.public_port, row.state]))
                .collect();
            state.push(json!({
                "id": board.id, "name": board.name, "project": board.project, "owner": board.owner,
                "fleet": board.fleet, "status": board.status, "position": board.position, "legacy": board.legacy,
                "serial": board.serial, "code": known.code, "kind": known.kind, "mobile": known.mobile,
                "config": known.config, "extra": known.extra, "connectivity": known.connectivity,
                "spent": known.connected_once, "agent": known.agent, "plugins": injected, "services": exposed,
            }));
        }
        let fleets = fleets::list(&store, None, Page::default()).await.unwrap();
        let fleets =
            fleets.into_iter().map(|row| json!([row.id, row.name, row.description, row.extra]));
        let services = services::list(&store, None, &services::Filter::default(), Page::default())
            .await
            .unwrap();
        let services = services.into_iter().map(|row| json!([row.id, row.name, row.port]));
        let whole = json!({
            "boards": state, "fleets": fleets.collect::<Vec<_>>(), "services": services.collect::<Vec<_>>(),
            "projects": identity::list_projects(&store).await.unwrap().into_iter()
                .filter(|row| row.name != "admin").map(|row| row.name).collect::<Vec<_>>(),
        });
        store.close().await;
        whole
    }

    pub(crate) async fn source(&self, plugin: &str) -> Option<String> {
        let store = self.open().await;
        let id: PluginId = plugin.parse().unwrap();
        let source = plugins::source(&store, id).await.ok().map(|(source, _)| source);
        store.close().await;
        source
    }
}

pub(crate) fn report(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}
