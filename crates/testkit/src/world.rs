//! A cloud that runs, and everything a test asks of it.
//!
//! Invariant: a world has its own data folder, ports and home of the command line; its cloud comes back on the same
//! address after [`World::cloud_restart`].

use crate::board::{Board, BoardOptions};
use crate::command_line::Said;
use crate::program::{Program, program_path};
use crate::raw_http::RawHttp;
use crate::slot::Slot;
use crate::wait::PATIENCE;
use crate::world_options::WorldOptions;
use api::claims::Made;
use api::client::{Client, Error, Method, Trust, escape};
use api::identity::{AdminFile, Auth, CredentialMethod, Identity, TokenRequest};
use api::identity::{PasswordMethod, PasswordUser, Reference};
use api::operations::Operation;
use api::plugins::Plugin;
use api::services::Service;
use model::access::Role;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

/// How long a cloud may take to stop in order: its grace, and what a busy machine adds.
const STOP: Duration = Duration::from_secs(60);
/// Seconds for which a command is waited for, the longest the API allows.
const WAIT_S: u32 = 60;

/// A running cloud in a folder of its own.
#[derive(Debug)]
pub struct World {
    cloud: Mutex<Program>,
    url: String,
    options: WorldOptions,
    slot: Slot,
    admin: Mutex<Option<Client>>,
    // Last, so that it goes after the processes that write into it.
    folder: TempDir,
}

impl World {
    /// Starts a cloud and waits until all its listeners accept.
    ///
    /// # Panics
    /// It does not come up.
    #[track_caller]
    #[must_use]
    pub fn start(options: WorldOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("s4t-world-").tempdir().unwrap();
        let slot = Slot::take();
        let (cloud, url) = start_cloud(folder.path(), &options, &slot);
        let (cloud, admin) = (Mutex::new(cloud), Mutex::new(None));
        Self { cloud, url, options, slot, admin, folder }
    }

    /// A cloud with default settings.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        Self::start(WorldOptions::default())
    }

    /// The cloud's address as it says it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host and port of the API.
    #[must_use]
    pub fn at(&self) -> String {
        format!("{}:{}", self.options.address, self.slot.api_port())
    }

    /// The world's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The cloud's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("cloud")
    }

    /// Host and port where boards of upstream's dialect are let in, when they are.
    #[must_use]
    pub fn upstream_at(&self) -> String {
        format!("{}:{}", self.options.address, self.slot.upstream_ports()[0])
    }

    /// The public ports that the cloud may hand out.
    #[must_use]
    pub fn service_ports(&self) -> (u16, u16) {
        service_ports(&self.slot, &self.options)
    }

    /// Works with the cloud's process.
    pub fn cloud<T>(&self, work: impl FnOnce(&mut Program) -> T) -> T {
        work(&mut self.cloud.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// SIGKILL.
    pub fn cloud_kill(&self) {
        self.cloud(Program::kill);
    }

    /// Stops the cloud in order.
    ///
    /// # Panics
    /// It takes too long, or does not exit with 0.
    pub fn cloud_stop(&self) {
        let status = self.cloud(|cloud| cloud.stop(STOP));
        assert_eq!(status.code(), Some(0), "the cloud ends with 0 on SIGTERM");
    }

    /// Starts the cloud again on the same folder and address, killed or stopped before or not.
    pub fn cloud_restart(&self) {
        self.cloud(|cloud| {
            cloud.kill();
            *cloud = start_cloud(self.folder.path(), &self.options, &self.slot).0;
        });
    }

    /// The path of the file by which administrators sign in.
    #[must_use]
    pub fn admin_file(&self) -> PathBuf {
        self.data().join("admin.json")
    }

    /// How the cloud's certificate is checked.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match std::fs::read_to_string(self.data().join("authority.pem")) {
            Ok(pem) => Trust::Authority(pem),
            Err(_) => Trust::Public,
        }
    }

    /// Signed in as administrator.
    ///
    /// # Panics
    /// The cloud refuses.
    #[track_caller]
    #[must_use]
    pub fn admin(&self) -> Client {
        let mut admin = self.admin.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        admin.get_or_insert_with(|| self.sign_in()).clone()
    }

    #[track_caller]
    fn sign_in(&self) -> Client {
        administrator(&self.url, &self.trust(), &self.data())
    }

    /// A user of another project with one role there, signed in.
    ///
    /// # Panics
    /// The cloud refuses.
    #[track_caller]
    #[must_use]
    pub fn tenant(&self, project: &str, role: Role) -> Client {
        let admin = self.admin();
        let all: Value = admin.get("/identity/v3/projects").unwrap();
        let known = all["projects"].as_array().unwrap().iter().find(|row| row["name"] == project);
        let id = match known {
            Some(row) => row["id"].clone(),
            None => {
                let body = json!({ "project": { "name": project } });
                admin.post::<Value>("/identity/v3/projects", &body).unwrap()["project"]["id"]
                    .clone()
            }
        };
        self.member(&format!("{project}-{role}"), project, id.as_str().unwrap(), role)
    }

    /// A user with one role in the administrator's own project, signed in.
    ///
    /// # Panics
    /// The cloud refuses.
    #[track_caller]
    #[must_use]
    pub fn colleague(&self, name: &str, role: Role) -> Client {
        let mine: Value = self.admin().get("/identity/v3/auth/projects").unwrap();
        let project = &mine["projects"][0];
        let (id, project) = (project["id"].as_str().unwrap(), project["name"].as_str().unwrap());
        self.member(name, project, id, role)
    }

    #[track_caller]
    fn member(&self, name: &str, project: &str, id: &str, role: Role) -> Client {
        let admin = self.admin();
        let body = json!({ "user": { "name": name, "password": "correct horse" } });
        let user = admin.post::<Value>("/identity/v3/users", &body).unwrap()["user"]["id"].clone();
        let user = user.as_str().unwrap();
        let path = format!("/identity/v3/projects/{id}/users/{user}/roles/{role}");
        admin.request::<Value>(&Method::PUT, &path, None::<&()>, &[]).unwrap();
        let mut client = Client::new(&self.url, &self.trust()).unwrap();
        client.sign_in(&password(name, "correct horse", project)).unwrap();
        client
    }

    /// HTTP by hand as administrator.
    #[must_use]
    pub fn raw(&self) -> RawHttp {
        RawHttp { at: self.at(), token: self.admin().token() }
    }

    /// HTTP by hand as nobody.
    #[must_use]
    pub fn raw_stranger(&self) -> RawHttp {
        RawHttp { at: self.at(), token: None }
    }

    /// The command line, with nothing of the caller's environment and nobody signed in.
    #[must_use]
    pub fn s4t_command(&self) -> Command {
        let home = self.folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(program_path("s4t"));
        command.env_clear().env("HOME", &home).current_dir(&home);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("XDG_CONFIG_HOME", home.join("config"));
        command.env("XDG_CACHE_HOME", home.join("cache"));
        command
    }

    /// The command line as administrator.
    #[must_use]
    pub fn s4t(&self, words: &[&str]) -> Said {
        Said::of(self.s4t_command().env("S4T_ADMIN_FILE", self.admin_file()).args(words))
    }

    /// A claim for one board.
    #[track_caller]
    #[must_use]
    pub fn claim(&self, name: &str) -> String {
        self.claim_with(&json!({ "name": name })).claim
    }

    /// A claim as wanted, [`api::claims::New`].
    #[track_caller]
    #[must_use]
    pub fn claim_with(&self, new: &Value) -> Made {
        self.admin().post(api::claims::PATH, new).unwrap()
    }

    /// A board that is claimed, enrolled, running and online.
    #[track_caller]
    #[must_use]
    pub fn board(&self, name: &str) -> Board {
        self.board_with(name, BoardOptions::default())
    }

    /// As [`World::board`], with options.
    #[track_caller]
    #[must_use]
    pub fn board_with(&self, name: &str, options: BoardOptions) -> Board {
        let claim = self.claim(name);
        let board = self.machine(name, options);
        let _ = board.enrol(&claim).ok();
        board.start();
        board.wait_online();
        board
    }

    /// A machine with an empty home, not enrolled and not running.
    #[track_caller]
    #[must_use]
    pub fn machine(&self, name: &str, options: BoardOptions) -> Board {
        let folder = self.folder.path().join("boards");
        std::fs::create_dir_all(&folder).unwrap();
        Board::new(name, &folder, options, self.admin())
    }

    /// A plugin in the cloud. `new` lacks only what is usual: [`api::plugins::New`].
    #[track_caller]
    pub fn plugin(&self, name: &str, language: &str, mode: &str, source: &str) -> Plugin {
        let new = json!({ "name": name, "language": language, "mode": mode, "source": source });
        self.admin().post(api::plugins::PATH, &new).unwrap()
    }

    /// A service in the cloud.
    #[track_caller]
    pub fn service(&self, name: &str, port: u16) -> Service {
        self.admin().post(api::services::PATH, &json!({ "name": name, "port": port })).unwrap()
    }

    /// Gives a command and waits up to a minute for its end.
    ///
    /// # Errors
    /// The cloud refuses it.
    pub fn command(&self, method: &Method, path: &str, body: &Value) -> Result<Operation, Error> {
        command(&self.admin(), method, path, body)
    }

    /// How an operation stands; waits up to so many seconds for its end.
    #[track_caller]
    #[must_use]
    pub fn operation(&self, id: model::OperationId, wait_s: u32) -> api::operations::Detail {
        self.admin().get(&format!("{}/{id}?wait={wait_s}", api::operations::PATH)).unwrap()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Whoever the `admin.json` in a cloud's data folder names, signed in.
///
/// # Panics
/// The cloud refuses.
#[track_caller]
#[must_use]
pub fn administrator(url: &str, trust: &Trust, data: &Path) -> Client {
    let text = std::fs::read_to_string(data.join("admin.json")).unwrap();
    let file: AdminFile = serde_json::from_str(&text).unwrap();
    let method = CredentialMethod {
        id: Some(file.application_credential_id),
        secret: file.application_credential_secret,
        ..CredentialMethod::default()
    };
    let identity = Identity {
        methods: vec!["application_credential".into()],
        application_credential: Some(method),
        ..Identity::default()
    };
    let mut client = Client::new(url, trust).unwrap();
    client.sign_in(&TokenRequest { auth: Auth { identity, scope: None } }).unwrap();
    client
}

/// Signs in with a password.
#[must_use]
pub(crate) fn password(user: &str, password: &str, project: &str) -> TokenRequest {
    let user = PasswordUser {
        name: Some(user.to_owned()),
        domain: Some(Reference { id: Some("default".into()), ..Reference::default() }),
        password: password.to_owned(),
        ..PasswordUser::default()
    };
    let identity = Identity {
        methods: vec!["password".into()],
        password: Some(PasswordMethod { user }),
        ..Identity::default()
    };
    let scope = json!({ "project": { "name": project, "domain": { "id": "default" } } });
    TokenRequest { auth: Auth { identity, scope: Some(scope) } }
}

pub(crate) fn command(
    client: &Client,
    method: &Method,
    path: &str,
    body: &Value,
) -> Result<Operation, Error> {
    let mark = if path.contains('?') { '&' } else { '?' };
    client.request(method, &format!("{path}{mark}wait={WAIT_S}"), Some(body), &[])
}

/// Path of a board's part.
pub(crate) fn board_path(board: &str, rest: &str) -> String {
    format!("{}/{}{rest}", api::boards::PATH, escape(board))
}

fn service_ports(slot: &Slot, options: &WorldOptions) -> (u16, u16) {
    let first = slot.first_service_port();
    (first, first + options.service_ports - 1)
}

fn start_cloud(folder: &Path, options: &WorldOptions, slot: &Slot) -> (Program, String) {
    let mut command = Command::new(program_path("iotronic"));
    command.arg("serve").arg("--data").arg(folder.join("cloud"));
    let (first, last) = service_ports(slot, options);
    command.env("IOTRONIC__API__LISTEN", format!("{}:{}", options.address, slot.api_port()));
    command.env("IOTRONIC__SERVICES__PORTS", format!("{first}-{last}"));
    for (listener, port) in ["WAMP", "WSTUN"].into_iter().zip(slot.upstream_ports()) {
        let address = format!("{}:{port}", options.address);
        command.env(format!("IOTRONIC__{listener}__LISTEN"), address);
    }
    command.envs(options.settings.iter().map(|(key, value)| (key, value)));
    let mut cloud = Program::start("cloud", &mut command, &folder.join("cloud.log"));
    let url = cloud.line(PATIENCE, |line| {
        let words = line.strip_prefix("ready ")?;
        words.split(' ').find_map(|word| word.strip_prefix("url=")).map(str::to_owned)
    });
    (cloud, url)
}
