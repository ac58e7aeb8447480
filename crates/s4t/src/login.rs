//! Signing in for good: a password once, then an application credential of one's own that is remembered in a private file.

use crate::failure::Failure;
use crate::output::Output;
use crate::session::{
    Remembered, Session, Source, forget_tokens, password_request, read, remembered_path, trust,
};
use api::client::Client;
use api::client::Method;
use api::identity::{Domain, PasswordUser, Reference, SUBJECT_TOKEN, TOKENS, TokenAnswer};
use clap::Args;
use serde_json::{Value, json};
use std::io::IsTerminal as _;

/// Where the identity service is in a cloud.
const V3: &str = "/identity/v3";
/// Where tokens are made below it.
const AUTH_TOKENS: &str = "/auth/tokens";

/// Sign in and remember it.
#[derive(Args)]
pub(crate) struct Login {
    /// User name.
    #[arg(long, env = "OS_USERNAME", default_value = "admin")]
    user: String,
    /// Project name; the user's only one when left out.
    #[arg(long, env = "OS_PROJECT_NAME")]
    project: Option<String>,
    /// Read the password from standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    pub(crate) fn run(&self, source: &Source) -> Result<(), Failure> {
        let Some(url) = &source.url else {
            return Err(Failure::invalid(
                "which cloud? name it with --url, such as https://cloud.example:8812",
            ));
        };
        let trust = trust(source.cacert.as_deref())?;
        let there = elsewhere(&Client::new(url, &trust)?)?;
        let base = there.clone().unwrap_or_else(|| format!("{url}{V3}"));
        let mut client = Client::new(&base, &trust)?;
        let user = PasswordUser {
            name: Some(self.user.clone()),
            domain: Some(domain()),
            password: self.password()?,
            ..PasswordUser::default()
        };
        let project = self.project.clone().map(|name| Reference {
            name: Some(name),
            domain: Some(Box::new(domain())),
            ..Reference::default()
        });
        let (_, answer) = client.sign_in_at(AUTH_TOKENS, &password_request(user, project))?;
        let project = answer.token.project.ok_or_else(|| {
            let text = "you have roles in no project, or in several: name one with --project";
            Failure::invalid(text)
        })?;
        let (id, secret) = own_credential(&client, &answer.token.user.id)?;
        let authority = source.cacert.as_deref().map(read).transpose()?;
        remember(&Remembered {
            url: url.clone(),
            auth_url: there,
            credential_id: id,
            credential_secret: secret,
            authority,
        })?;
        eprintln!("signed in to {url} as {} in project {}", answer.token.user.name, project.name);
        Ok(())
    }

    fn password(&self) -> Result<String, Failure> {
        if let Ok(password) = std::env::var("OS_PASSWORD") {
            return Ok(password);
        }
        let unreadable = |error| Failure::invalid(format!("the password cannot be read: {error}"));
        if self.password_stdin || !std::io::stdin().is_terminal() {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map_err(unreadable)?;
            return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
        }
        rpassword::prompt_password(format!("password of {}: ", self.user)).map_err(unreadable)
    }
}

/// Where the cloud's people are, when that is a Keystone elsewhere.
fn elsewhere(cloud: &Client) -> Result<Option<String>, Failure> {
    let found: Value = cloud.get(V3)?;
    let link = found.pointer("/version/links/0/href").and_then(Value::as_str).unwrap_or_default();
    let link = link.trim_end_matches('/');
    // Our own names the cloud by its public address, which may be another one than was given.
    let is_own = link.is_empty() || link.ends_with(V3);
    Ok((!is_own).then(|| link.to_owned()))
}

fn domain() -> Reference {
    Reference { id: Some(Domain::default().id), ..Reference::default() }
}

fn own_credential(client: &Client, user: &str) -> Result<(String, String), Failure> {
    let name = format!("s4t-{}", base::secret::random_text::<6>());
    let body = json!({ "application_credential": { "name": name, "description": "s4t login" } });
    let answer: Value = client.post(&format!("/users/{user}/application_credentials"), &body)?;
    let part = |member: &str| {
        answer.get("application_credential")?.get(member)?.as_str().map(str::to_owned)
    };
    part("id").zip(part("secret")).ok_or_else(|| {
        Failure::new(
            model::Kind::Internal,
            format!("the cloud made no application credential at {TOKENS}'s side"),
        )
    })
}

fn remember(remembered: &Remembered) -> Result<(), Failure> {
    let path = remembered_path()?;
    let failed = |error: std::io::Error| {
        Failure::invalid(format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let json = serde_json::to_vec_pretty(remembered).unwrap_or_default();
    base::secret::write_private(&path, &json).map_err(failed)
}

/// Forgets the remembered sign-in, and kept tokens.
pub(crate) fn logout() -> Result<(), Failure> {
    forget_tokens();
    let path = remembered_path()?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::invalid(format!("{} cannot be removed: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Shows who one is signed in as.
pub(crate) fn whoami(session: &Session, out: &mut Output) -> Result<(), Failure> {
    let ask = || -> Result<TokenAnswer, api::client::Error> {
        let token = session.client.token().unwrap_or_default();
        let none: Option<&()> = None;
        session.client.request(&Method::GET, TOKENS, none, &[(SUBJECT_TOKEN, token.as_str())])
    };
    // The first time it may have asked about a token that was replaced meanwhile.
    let answer = ask().or_else(|_| ask())?;
    out.one(&answer.token, &["user.name", "project.name", "roles", "expires_at"])
}
