//! What the operator set for the dashboard's pages; everybody may read it, signed in or not.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Path of the settings.
pub const PATH: &str = "/v2/ui";

/// Settings of the pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ui {
    /// Template of map tiles, with `{z}`, `{x}` and `{y}`; without one the map shows outlines.
    pub tile_url: Option<String>,
    /// Where the cloud serves a PMTiles archive of map pictures, if it has one.
    #[serde(default)]
    pub pmtiles: Option<String>,
    /// To whom the tiles are owed, as text.
    pub attribution: Option<String>,
    /// Where users, projects and application credentials are looked after, when that is not here: the Keystone of this cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The cloud.
    pub cloud: Version,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Its version.
    pub version: String,
}
