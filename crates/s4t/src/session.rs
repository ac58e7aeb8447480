//! Which cloud, and as whom. Looked for in this order: `--token` with `--url`, an administrator's file, a cloud of
//! clouds.yaml, the OpenStack environment variables, a remembered `s4t login`.
//!
//! Tokens are kept until shortly before they expire (one private file for each identity), so that a loop of commands signs in
//! once.

use crate::failure::Failure;
use api::client::{Client, Trust};
use api::identity::{
    AdminFile, Auth, CredentialMethod, Domain, Identity, PasswordMethod, PasswordUser, Reference,
    TokenAnswer, TokenRequest,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use model::Kind;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A kept token is used until so many seconds before its end.
const MARGIN_S: i64 = 60;

/// Options that say which cloud and as whom.
#[derive(Args, Default)]
pub(crate) struct Source {
    /// Address of the cloud, such as https://cloud.example:8812.
    #[arg(long, env = "S4T_URL", global = true, hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// A token had before.
    #[arg(long, env = "S4T_TOKEN", global = true, hide_env_values = true)]
    token: Option<String>,
    /// The administrator's file that the cloud wrote at its first start (DIR/admin.json).
    #[arg(long, env = "S4T_ADMIN_FILE", global = true)]
    admin_file: Option<PathBuf>,
    /// Name of a cloud in clouds.yaml.
    #[arg(long, env = "OS_CLOUD", global = true)]
    os_cloud: Option<String>,
    /// The authority that signed the cloud's certificate (PEM); otherwise the public ones.
    #[arg(long, env = "OS_CACERT", global = true)]
    pub(crate) cacert: Option<PathBuf>,
}

/// A remembered sign-in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remembered {
    pub(crate) url: String,
    pub(crate) credential_id: String,
    pub(crate) credential_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<String>,
}

/// Signed in.
pub(crate) struct Session {
    pub(crate) client: Client,
}

/// How to sign in, and where.
struct Plan {
    url: String,
    /// Path of the tokens below `url`.
    path: String,
    request: TokenRequest,
    trust: Trust,
    /// Whether the cloud's own address comes from the catalog.
    catalog: bool,
}

impl Session {
    pub(crate) fn open(source: &Source) -> Result<Self, Failure> {
        if let (Some(url), Some(token)) = (&source.url, &source.token) {
            let client =
                Client::new(url, &trust(source.cacert.as_deref())?)?.with_token(token.clone());
            return Ok(Self { client });
        }
        let plan = plan(source)?;
        sign_in(&plan)
    }
}

fn plan(source: &Source) -> Result<Plan, Failure> {
    if let Some(path) = &source.admin_file {
        return from_admin_file(source, path);
    }
    if let Some(name) = &source.os_cloud {
        return from_clouds_yaml(source, name);
    }
    if let Ok(url) = std::env::var("OS_AUTH_URL") {
        return from_cloud(source, &environment_cloud(url));
    }
    from_remembered(source)
}

fn from_admin_file(source: &Source, path: &Path) -> Result<Plan, Failure> {
    let text = read(path)?;
    let file: AdminFile = serde_json::from_str(&text).map_err(|error| {
        Failure::invalid(format!("{} is not an administrator's file: {error}", path.display()))
    })?;
    let beside = path.with_file_name("authority.pem");
    let authority = source.cacert.clone().or_else(|| beside.exists().then_some(beside));
    Ok(Plan {
        url: source.url.clone().unwrap_or(file.url),
        path: api::identity::TOKENS.into(),
        request: credential(file.application_credential_id, file.application_credential_secret),
        trust: trust(authority.as_deref())?,
        catalog: false,
    })
}

fn from_remembered(source: &Source) -> Result<Plan, Failure> {
    let path = remembered_path()?;
    if !path.exists() {
        return Err(Failure::new(Kind::Unauthenticated, "nobody is signed in")
            .help("sign in with `s4t login --url URL`, or set OS_CLOUD, S4T_ADMIN_FILE or S4T_TOKEN with S4T_URL"));
    }
    let remembered: Remembered = serde_json::from_str(&read(&path)?).map_err(|error| {
        Failure::invalid(format!("{} is damaged: {error}", path.display()))
            .help("sign in again with `s4t login`")
    })?;
    let trust = match (&source.cacert, remembered.authority) {
        (None, Some(pem)) => Trust::Authority(pem),
        (given, _) => trust(given.as_deref())?,
    };
    Ok(Plan {
        url: source.url.clone().unwrap_or(remembered.url),
        path: api::identity::TOKENS.into(),
        request: credential(remembered.credential_id, remembered.credential_secret),
        trust,
        catalog: false,
    })
}

/// One cloud of clouds.yaml, as far as signing in needs it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudEntry {
    auth: CloudAuth,
    cacert: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CloudAuth {
    auth_url: String,
    username: Option<String>,
    user_id: Option<String>,
    password: Option<String>,
    project_name: Option<String>,
    project_id: Option<String>,
    user_domain_name: Option<String>,
    project_domain_name: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CloudsFile {
    clouds: BTreeMap<String, CloudEntry>,
}

fn from_clouds_yaml(source: &Source, name: &str) -> Result<Plan, Failure> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let given = std::env::var_os("OS_CLIENT_CONFIG_FILE").map(PathBuf::from);
    let places = [
        given,
        Some("clouds.yaml".into()),
        Some(home.join(".config/openstack/clouds.yaml")),
        Some("/etc/openstack/clouds.yaml".into()),
    ];
    for path in places.into_iter().flatten().filter(|path| path.exists()) {
        let mut file: CloudsFile = serde_norway::from_str(&read(&path)?).map_err(|error| {
            Failure::invalid(format!("{} is not a clouds.yaml: {error}", path.display()))
        })?;
        if let Some(entry) = file.clouds.remove(name) {
            return from_cloud(source, &entry);
        }
    }
    Err(Failure::new(Kind::NotFound, format!("no clouds.yaml names the cloud {name:?}")).help(
        "looked in ./clouds.yaml, ~/.config/openstack/clouds.yaml and /etc/openstack/clouds.yaml",
    ))
}

fn environment_cloud(auth_url: String) -> CloudEntry {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    CloudEntry {
        auth: CloudAuth {
            auth_url,
            username: get("OS_USERNAME"),
            user_id: get("OS_USER_ID"),
            password: get("OS_PASSWORD"),
            project_name: get("OS_PROJECT_NAME").or_else(|| get("OS_TENANT_NAME")),
            project_id: get("OS_PROJECT_ID").or_else(|| get("OS_TENANT_ID")),
            user_domain_name: get("OS_USER_DOMAIN_NAME"),
            project_domain_name: get("OS_PROJECT_DOMAIN_NAME"),
            application_credential_id: get("OS_APPLICATION_CREDENTIAL_ID"),
            application_credential_name: get("OS_APPLICATION_CREDENTIAL_NAME"),
            application_credential_secret: get("OS_APPLICATION_CREDENTIAL_SECRET"),
        },
        cacert: None,
    }
}

fn from_cloud(source: &Source, entry: &CloudEntry) -> Result<Plan, Failure> {
    let auth = &entry.auth;
    if auth.auth_url.is_empty() {
        return Err(Failure::invalid("auth_url is missing: the address of the identity service"));
    }
    let base = auth.auth_url.trim_end_matches('/');
    let path = if base.ends_with("/v3") { "/auth/tokens" } else { "/v3/auth/tokens" };
    Ok(Plan {
        url: base.to_owned(),
        path: path.into(),
        request: cloud_request(auth)?,
        trust: trust(source.cacert.as_deref().or(entry.cacert.as_deref()))?,
        catalog: true,
    })
}

fn cloud_request(auth: &CloudAuth) -> Result<TokenRequest, Failure> {
    if let Some(secret) = &auth.application_credential_secret {
        let mut request =
            credential(auth.application_credential_id.clone().unwrap_or_default(), secret.clone());
        if let Some(method) = request.auth.identity.application_credential.as_mut() {
            method.id = auth.application_credential_id.clone();
            method.name.clone_from(&auth.application_credential_name);
            let user = Reference {
                id: auth.user_id.clone(),
                name: auth.username.clone(),
                domain: domain(auth.user_domain_name.as_ref()),
            };
            method.user = auth.application_credential_name.is_some().then_some(user);
        }
        return Ok(request);
    }
    let Some(password) = auth.password.clone() else {
        return Err(Failure::invalid(
            "neither a password nor an application credential is given for this cloud",
        ));
    };
    let user = PasswordUser {
        id: auth.user_id.clone(),
        name: auth.username.clone(),
        domain: domain(auth.user_domain_name.as_ref()).map(|domain| *domain),
        password,
    };
    let project = Reference {
        id: auth.project_id.clone(),
        name: auth.project_name.clone(),
        domain: domain(auth.project_domain_name.as_ref()),
    };
    Ok(password_request(user, (project.id.is_some() || project.name.is_some()).then_some(project)))
}

fn domain(name: Option<&String>) -> Option<Box<Reference>> {
    let name = name.cloned().unwrap_or_else(|| Domain::default().name);
    Some(Box::new(Reference { name: Some(name), ..Reference::default() }))
}

/// Signs in with a password.
pub(crate) fn password_request(user: PasswordUser, project: Option<Reference>) -> TokenRequest {
    let identity = Identity {
        methods: vec!["password".into()],
        password: Some(PasswordMethod { user }),
        ..Identity::default()
    };
    TokenRequest {
        auth: Auth {
            identity,
            scope: project.map(|project| serde_json::json!({ "project": project })),
        },
    }
}

fn credential(id: String, secret: String) -> TokenRequest {
    let method = CredentialMethod { id: Some(id), secret, ..CredentialMethod::default() };
    let identity = Identity {
        methods: vec!["application_credential".into()],
        application_credential: Some(method),
        ..Identity::default()
    };
    TokenRequest { auth: Auth { identity, scope: None } }
}

/// A token that was kept, with the cloud's address as the catalog gave it.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    url: String,
    expires_at: model::Timestamp,
}

fn sign_in(plan: &Plan) -> Result<Session, Failure> {
    let path = kept_path(plan);
    if let Some(kept) = path.as_deref().and_then(kept_token) {
        return Ok(Session { client: Client::new(&kept.url, &plan.trust)?.with_token(kept.token) });
    }
    let mut client = Client::new(&plan.url, &plan.trust)?;
    let (token, answer) = client.sign_in_at(&plan.path, &plan.request)?;
    let url = if plan.catalog { catalog_url(&answer)? } else { plan.url.clone() };
    if let Some(path) = path {
        keep(
            &path,
            &Kept { token: token.clone(), url: url.clone(), expires_at: answer.token.expires_at },
        );
    }
    Ok(Session { client: Client::new(&url, &plan.trust)?.with_token(token) })
}

fn catalog_url(answer: &TokenAnswer) -> Result<String, Failure> {
    let services = answer.token.catalog.iter().filter(|service| service.kind == "iot");
    let mut public = services
        .flat_map(|service| &service.endpoints)
        .filter(|endpoint| endpoint.interface == "public");
    public.next().map(|endpoint| endpoint.url.clone()).ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            "the identity service's catalog has no public endpoint of type iot",
        )
        .help(
            "register the cloud's address in Keystone's catalog, or name it with --url and --token",
        )
    })
}

fn cache() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(folder.join("s4t"))
}

fn kept_path(plan: &Plan) -> Option<PathBuf> {
    let identity = serde_json::to_vec(&plan.request).ok()?;
    let digest = Sha256::new()
        .chain_update(plan.url.as_bytes())
        .chain_update([0])
        .chain_update(identity)
        .finalize();
    let name = URL_SAFE_NO_PAD.encode(digest.as_slice().get(..18)?);
    Some(cache()?.join(format!("token-{name}.json")))
}

fn kept_token(path: &Path) -> Option<Kept> {
    let kept: Kept = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let end = kept.expires_at.micros() / 1_000_000 - MARGIN_S;
    (i64::try_from(now).ok()? < end).then_some(kept)
}

/// Keeping is a convenience: where it is not possible, the next command signs in again.
fn keep(path: &Path, kept: &Kept) {
    let Some(folder) = path.parent() else { return };
    if let Ok(json) = serde_json::to_vec(kept)
        && std::fs::create_dir_all(folder).is_ok()
    {
        let _ = base::secret::write_private(path, &json);
    }
}

/// Forgets kept tokens, so that the next command signs in.
pub(crate) fn forget_tokens() {
    let Some(folder) = cache() else { return };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("token-") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Where a sign-in is remembered.
pub(crate) fn remembered_path() -> Result<PathBuf, Failure> {
    std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
        .map(|folder| folder.join("s4t/login.json"))
        .ok_or_else(|| {
            Failure::invalid(
                "neither HOME nor XDG_CONFIG_HOME is set, so there is no place for a sign-in",
            )
        })
}

/// How to check the cloud's certificate.
pub(crate) fn trust(authority: Option<&Path>) -> Result<Trust, Failure> {
    authority.map_or(Ok(Trust::Public), |path| read(path).map(Trust::Authority))
}

/// Reads a file that the user named.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::invalid(format!("{} cannot be read: {error}", path.display())))
}
