//! A Keystone elsewhere in the place of our own identity service: it says who somebody is and which roles they have.
//!
//! Invariants: an answer is believed for a minute at most, so what is taken away there is gone here within that minute; while
//! Keystone is away, tokens it spoke of within that minute go on and all others are told to wait. Deliberately not here: users,
//! projects and roles are changed in Keystone alone.

mod answer;
mod ask;
mod cache;
mod mirror;

pub use answer::{Meaning, read as read_answer};
pub use ask::Silence;

use crate::identity::grants::{Grant, Through};
use crate::identity::sign_in::{Named, Refused, Scope};
use crate::identity::tokens::{Bad, Method, Statement};
use crate::settings::Roles;
use api::client::Trust;
use ask::{Asker, Told};
use base::secret::Secret;
use cache::{Cache, Found, Name, name};
use model::access::Principal;
use model::{ProjectId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use store::Store;

/// Longest token that is asked about.
const MAX_TOKEN: usize = 4096;
/// Most projects that are shown to choose from.
const MAX_PROJECTS: usize = 1000;

/// The Keystone of this cloud.
pub struct Keystone {
    asker: Asker,
    cache: Cache,
    roles: Roles,
}

/// What Keystone said of a token, in our words.
pub(crate) struct Known {
    said: Statement,
    grant: Option<Arc<Grant>>,
}

impl Keystone {
    /// The Keystone at `url`, with roles worth this.
    ///
    /// # Errors
    /// The authority of its certificate cannot be used.
    pub fn new(url: &str, trust: &Trust, roles: Roles) -> Result<Self, api::client::Error> {
        let base = url.trim_end_matches('/');
        let base = if base.ends_with("/v3") { base.to_owned() } else { format!("{base}/v3") };
        Ok(Self { asker: Asker::new(&base, trust)?, cache: Cache::default(), roles })
    }

    /// Its address, which ends in `/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.asker.base()
    }

    /// What a token says.
    ///
    /// # Errors
    /// Keystone does not know it, or cannot be asked.
    pub(crate) async fn read(
        &self,
        store: &Store,
        token: &str,
        now: Timestamp,
    ) -> Result<Statement, Refused> {
        if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Bad::Strange.into());
        }
        let name = name(token);
        let known = match self.cache.find(&name, now) {
            Found::Fresh(known) => known,
            Found::Stale(_) | Found::Nothing => {
                self.ask(store, name, Arc::new(token.to_owned().into()), now).await?
            }
        };
        if known.said.expires_at <= now {
            return Err(Bad::Expired.into());
        }
        Ok(known.said.clone())
    }

    /// What the bearer of a token that was read is and may do now; none when that is nothing any more.
    ///
    /// # Errors
    /// Keystone cannot be asked.
    pub(crate) async fn grant(
        &self,
        store: &Store,
        said: &Statement,
        now: Timestamp,
    ) -> Result<Option<Arc<Grant>>, Refused> {
        let known = match self.cache.find(&said.audit, now) {
            Found::Fresh(known) => known,
            Found::Nothing => return Ok(None),
            Found::Stale(token) => match self.ask(store, said.audit, token, now).await {
                Ok(known) => known,
                Err(Refused::Bad(_)) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(known.grant.clone().filter(|_| now < known.said.expires_at))
    }

    async fn ask(
        &self,
        store: &Store,
        name: Name,
        token: Arc<Secret>,
        now: Timestamp,
    ) -> Result<Arc<Known>, Refused> {
        match self.asker.look(Arc::clone(&token)).await {
            Ok(told) => self.learn(store, name, token.expose(), &told, now).await,
            Err(Silence::No) => {
                self.cache.forget(&name);
                Err(Bad::Strange.into())
            }
            Err(silence) => Err(silence.into()),
        }
    }

    async fn learn(
        &self,
        store: &Store,
        name: Name,
        token: &str,
        told: &Told,
        now: Timestamp,
    ) -> Result<Arc<Known>, Refused> {
        let meaning = answer::read(&told.body).map_err(|what| {
            tracing::warn!(what, url = self.url(), "an answer of Keystone cannot be understood");
            Silence::Away("its answer cannot be understood".to_owned())
        })?;
        mirror::mirror(store, &meaning).await?;
        let known = Arc::new(self.known(name, meaning));
        self.cache.keep(name, token, Arc::clone(&known), now);
        Ok(known)
    }

    fn known(&self, name: Name, meaning: Meaning) -> Known {
        let Meaning { user: (user, user_name), project, roles, .. } = meaning;
        let is_scoped = project.is_some();
        let (project, project_name) =
            project.unwrap_or_else(|| (ProjectId::nowhere(), String::new()));
        let worth = self.roles.worth_of_all(roles.iter().map(|role| role.name.as_str()));
        let credential = meaning.credential.map(|credential| Through {
            id: credential.id,
            name: credential.name,
            unrestricted: credential.unrestricted,
            access: credential.access,
        });
        let said = Statement {
            user: user.clone(),
            project: project.clone(),
            credential: credential.as_ref().map(|through| through.id),
            method: if credential.is_some() { Method::Credential } else { Method::Password },
            issued_at: meaning.issued_at,
            expires_at: meaning.expires_at,
            audit: name,
        };
        let grant = Grant {
            principal: Principal { user, project, roles: worth },
            user_name,
            project_name,
            roles,
            expires_at: None,
            credential,
            tokens_since: Timestamp::from_micros(i64::MIN),
        };
        let is_somebody = !is_scoped || !grant.roles.is_empty();
        Known { said, grant: is_somebody.then(|| Arc::new(grant)) }
    }

    /// Signs in by password; answers the token.
    ///
    /// # Errors
    /// Keystone refuses, or cannot be asked.
    pub(crate) async fn by_password(
        &self,
        store: &Store,
        (who, password): (&Named, &Secret),
        scope: Scope<'_>,
        now: Timestamp,
    ) -> Result<(String, Statement), Refused> {
        let mut user = named(who);
        if let Some(members) = user.as_object_mut() {
            members.insert("password".into(), password.expose().into());
        }
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        match scope {
            Scope::Of(project) => self.sign_in(store, identity, Some(named(project)), now).await,
            _ => {
                let (token, said) = self.sign_in(store, identity, None, now).await?;
                self.somewhere(store, token, said, now).await
            }
        }
    }

    /// Somebody without a project of the own choice gets the first by name.
    async fn somewhere(
        &self,
        store: &Store,
        token: String,
        said: Statement,
        now: Timestamp,
    ) -> Result<(String, Statement), Refused> {
        if !said.project.is_nowhere() {
            return Ok((token, said));
        }
        let mut projects = self.projects(&token).await?;
        projects.sort_by(|one, other| one.1.cmp(&other.1));
        let Some((first, _)) = projects.into_iter().next() else { return Err(Refused::Wrong) };
        self.by_token(store, &token, &Named::Id(first.into()), now).await
    }

    /// Exchanges a token for one of another project.
    ///
    /// # Errors
    /// Keystone refuses, or cannot be asked.
    pub(crate) async fn by_token(
        &self,
        store: &Store,
        token: &str,
        project: &Named,
        now: Timestamp,
    ) -> Result<(String, Statement), Refused> {
        let identity = json!({ "methods": ["token"], "token": { "id": token } });
        self.sign_in(store, identity, Some(named(project)), now).await
    }

    async fn sign_in(
        &self,
        store: &Store,
        identity: Value,
        project: Option<Value>,
        now: Timestamp,
    ) -> Result<(String, Statement), Refused> {
        let mut auth = json!({ "identity": identity });
        if let (Some(members), Some(project)) = (auth.as_object_mut(), project) {
            members.insert("scope".into(), json!({ "project": project }));
        }
        let body = json!({ "auth": auth }).to_string();
        let told = match self.asker.sign_in(body).await {
            Err(Silence::No) => return Err(Refused::Wrong),
            told => told?,
        };
        let token = told.token.clone().filter(|token| token.len() <= MAX_TOKEN);
        let token = token.ok_or_else(|| Silence::Away("it answered without a token".to_owned()))?;
        let known = self.learn(store, name(&token), &token, &told, now).await?;
        Ok((token, known.said.clone()))
    }

    /// The projects that a token's user may sign in to.
    ///
    /// # Errors
    /// Keystone refuses, or cannot be asked.
    pub(crate) async fn projects(&self, token: &str) -> Result<Vec<(ProjectId, String)>, Refused> {
        let told = match self.asker.projects(Arc::new(token.to_owned().into())).await {
            Err(Silence::No) => return Err(Bad::Strange.into()),
            told => told?,
        };
        let many: Projects = serde_json::from_slice(&told.body)
            .map_err(|error| Silence::Away(format!("its projects cannot be read: {error}")))?;
        let open = many.projects.into_iter().filter(|project| project.enabled);
        let read = open.filter_map(|project| Some((project.id.parse().ok()?, project.name)));
        Ok(read.take(MAX_PROJECTS).collect())
    }

    /// Ends a token there and here. Here it is forgotten even while Keystone is away.
    ///
    /// # Errors
    /// Keystone cannot be asked, so the token may live on there.
    pub(crate) async fn end(&self, said: &Statement) -> Result<(), Refused> {
        let Some(token) = self.cache.token(&said.audit) else { return Ok(()) };
        self.cache.forget(&said.audit);
        match self.asker.end(token).await {
            Ok(_) | Err(Silence::No) => Ok(()),
            Err(silence) => Err(silence.into()),
        }
    }
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// In Keystone's words; names are of the default domain.
fn named(named: &Named) -> Value {
    match named {
        Named::Id(id) => json!({ "id": id }),
        Named::Name(name) => json!({ "name": name, "domain": { "id": "default" } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something that was said.
    pub(super) fn known() -> Known {
        Known {
            said: Statement {
                user: model::UserId::new(),
                project: ProjectId::new(),
                credential: None,
                method: Method::Password,
                issued_at: Timestamp::default(),
                expires_at: Timestamp::default(),
                audit: Name::default(),
            },
            grant: None,
        }
    }

    #[test]
    fn its_address_ends_in_its_version_however_it_was_written() {
        for url in ["http://k:5000", "http://k:5000/", "http://k:5000/v3", "http://k:5000/v3/"] {
            let keystone = Keystone::new(url, &Trust::Public, Roles::default()).unwrap();
            assert_eq!(keystone.url(), "http://k:5000/v3");
        }
    }
}
