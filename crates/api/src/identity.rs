//! Signing in: the part of Keystone's v3 API that clients need (`/identity/v3`), in Keystone's shapes.
//!
//! Unknown members are ignored here, as Keystone does, because its clients send more than is needed.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where tokens are made.
pub const TOKENS: &str = "/identity/v3/auth/tokens";
/// Header of a new token.
pub const SUBJECT_TOKEN: &str = "x-subject-token";
/// Header of a request made with a token.
pub const AUTH_TOKEN: &str = "x-auth-token";

/// `POST /identity/v3/auth/tokens`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// The request.
    pub auth: Auth,
}

/// How one signs in, and to what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Auth {
    /// How.
    pub identity: Identity,
    /// To which project; a credential has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub scope: Option<serde_json::Value>,
}

/// Methods and what they need.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Identity {
    /// `password`, `application_credential` or `token`.
    pub methods: Vec<String>,
    /// For `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordMethod>,
    /// For `application_credential`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_credential: Option<CredentialMethod>,
    /// For `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenMethod>,
}

/// Password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordMethod {
    /// Whose.
    pub user: PasswordUser,
}

/// A user named by id, or by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PasswordUser {
    /// Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Domain of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Reference>,
    /// Password.
    pub password: String,
}

/// Application credential.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CredentialMethod {
    /// Id; or the name together with the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose, when named by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Reference>,
    /// Secret.
    pub secret: String,
}

/// A token to be exchanged for another scope.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenMethod {
    /// The token.
    pub id: String,
}

/// Something named by id or name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Reference {
    /// Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Domain of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<Reference>>,
}

/// The answer; the token itself is in the `X-Subject-Token` header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenAnswer {
    /// The token's meaning.
    pub token: Token,
}

/// What a token means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// How it was had.
    pub methods: Vec<String>,
    /// Who.
    pub user: Named,
    /// In which project; none for a token that is for no project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Named>,
    /// As what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleReference>,
    /// Where the services are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catalog: Vec<Service>,
    /// The application credential by which it was had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub application_credential: Option<serde_json::Value>,
    /// From when.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Always false: the cloud has one domain.
    #[serde(default)]
    pub is_domain: bool,
    /// Ids for audit.
    pub audit_ids: Vec<String>,
}

/// Something with id, name and domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Domain; always `default` here, any in a Keystone elsewhere.
    pub domain: Domain,
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Domain {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

impl Default for Domain {
    fn default() -> Self {
        Self { id: "default".into(), name: "Default".into() }
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleReference {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// One service of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CatalogService)]
pub struct Service {
    /// Id.
    pub id: String,
    /// `iot`, `network` or `identity`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Where.
    pub endpoints: Vec<Endpoint>,
}

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Id.
    pub id: String,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// Region.
    pub region: String,
    /// Region, as clients want it too.
    pub region_id: String,
    /// Address.
    pub url: String,
}

/// `DIR/admin.json`: how the first administrator's programs sign in. Mode 0600.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminFile {
    /// The cloud's public URL.
    pub url: String,
    /// User name.
    pub user: String,
    /// Project name.
    pub project: String,
    /// Credential id.
    pub application_credential_id: String,
    /// Credential secret.
    pub application_credential_secret: String,
}
