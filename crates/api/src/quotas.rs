//! Quotas: how much a project has and may have.

use model::ProjectId;
use model::quota::{Limit, Setting};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a project has and may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// The project.
    pub project: ProjectId,
    /// Boards that are not decommissioned.
    pub boards: Count,
    /// Services.
    pub services: Count,
    /// Plugins.
    pub plugins: Count,
    /// Bytes of the plugins' sources and parameters.
    pub plugin_bytes: Count,
}

/// One count of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = QuotaCount)]
pub struct Count {
    /// How many there are.
    pub used: u64,
    /// How many there may be; may be less than there are, and nothing is taken away.
    #[schema(value_type = NumberOrWord)]
    pub limit: Limit,
    /// Whether that was said about this project; otherwise it is the cloud's configuration.
    pub own: bool,
}

/// Other limits of a project; what is left out stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = QuotaChange)]
pub struct Change {
    /// Boards.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NumberOrWord>)]
    pub boards: Option<Setting>,
    /// Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NumberOrWord>)]
    pub services: Option<Setting>,
    /// Plugins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NumberOrWord>)]
    pub plugins: Option<Setting>,
    /// Bytes of plugins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NumberOrWord>)]
    pub plugin_bytes: Option<Setting>,
}

/// A limit: a number, `unlimited`, or (where one is said) `default`.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = QuotaLimit)]
pub enum NumberOrWord {
    /// So many.
    Number(u64),
    /// `unlimited` or `default`.
    Word(String),
}
