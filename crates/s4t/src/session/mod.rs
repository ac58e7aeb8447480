//! Which cloud, and as whom. Looked for in this order: `--token` with `--url`, an administrator's file, a cloud of
//! clouds.yaml, the OpenStack environment variables, a remembered `s4t login`.
//!
//! Invariant: a token that the cloud refuses is replaced by signing in again, once for each request, wherever the means to
//! sign in are at hand; a token given by `--token` is used as it is.

mod clouds;
mod kept;
mod remembered;
mod request;

pub(crate) use kept::forget_tokens;
pub(crate) use remembered::{Remembered, remembered_path};
pub(crate) use request::password_request;

use crate::failure::Failure;
use api::client::{Client, Trust};
use api::identity::{AdminFile, TokenAnswer, TokenRequest};
use clap::Args;
use kept::{Kept, Place};
use model::Kind;
use request::credential;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    address: Address,
}

/// Where the cloud itself is.
enum Address {
    /// Where one signs in.
    AsGiven,
    /// Here, whatever the catalog says.
    Known(String),
    /// Where the identity service's catalog says.
    OfCatalog,
}

impl Session {
    pub(crate) fn open(source: &Source) -> Result<Self, Failure> {
        if let (Some(url), Some(token)) = (&source.url, &source.token) {
            let client =
                Client::new(url, &trust(source.cacert.as_deref())?)?.with_token(token.clone());
            return Ok(Self { client });
        }
        sign_in(plan(source)?)
    }
}

fn plan(source: &Source) -> Result<Plan, Failure> {
    if let Some(path) = &source.admin_file {
        return from_admin_file(source, path);
    }
    if let Some(name) = &source.os_cloud {
        return clouds::from_clouds_yaml(source, name);
    }
    if let Ok(url) = std::env::var("OS_AUTH_URL") {
        return clouds::from_environment(source, url);
    }
    remembered::from_remembered(source)
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
        address: Address::AsGiven,
    })
}

/// Takes the kept token, or signs in; and signs in again by itself when the cloud refuses what it has.
fn sign_in(plan: Plan) -> Result<Session, Failure> {
    let place = Place::of(&plan);
    let kept = match place.token() {
        Some(kept) => kept,
        None => fresh(&plan, &place)?,
    };
    let client = Client::new(&kept.url, &plan.trust)?.with_token(kept.token);
    let renew = move || fresh(&plan, &place).map(|kept| kept.token);
    Ok(Session { client: client.with_renewal(Arc::new(renew)) })
}

/// Signs in and keeps the token.
fn fresh(plan: &Plan, place: &Place) -> Result<Kept, api::client::Error> {
    let mut client = Client::new(&plan.url, &plan.trust)?;
    let (token, answer) = client.sign_in_at(&plan.path, &plan.request)?;
    let url = match &plan.address {
        Address::OfCatalog => catalog_url(&answer)?,
        Address::Known(url) => url.clone(),
        Address::AsGiven => plan.url.clone(),
    };
    let kept = Kept { token, url, expires_at: answer.token.expires_at };
    place.keep(&kept);
    Ok(kept)
}

fn catalog_url(answer: &TokenAnswer) -> Result<String, api::client::Error> {
    let services = answer.token.catalog.iter().filter(|service| service.kind == "iot");
    let mut public = services
        .flat_map(|service| &service.endpoints)
        .filter(|endpoint| endpoint.interface == "public");
    public.next().map(|endpoint| endpoint.url.clone()).ok_or_else(|| {
        api::client::Error::new(
            Kind::NotFound,
            "the identity service's catalog has no public endpoint of type iot; register the cloud's address in Keystone's \
             catalog, or name it with --url and --token"
                .into(),
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
