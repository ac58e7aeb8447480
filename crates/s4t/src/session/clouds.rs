//! A cloud of clouds.yaml, or of the OpenStack environment variables, as far as signing in needs it.

use super::request::{credential, password_request};
use super::{Address, Plan, Source, read, trust};
use crate::failure::Failure;
use api::identity::{Domain, PasswordUser, Reference, TokenRequest};
use model::Kind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

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

pub(super) fn from_clouds_yaml(source: &Source, name: &str) -> Result<Plan, Failure> {
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

/// The cloud that the environment describes.
pub(super) fn from_environment(source: &Source, auth_url: String) -> Result<Plan, Failure> {
    from_cloud(source, &environment_cloud(auth_url))
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
        address: Address::OfCatalog,
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
