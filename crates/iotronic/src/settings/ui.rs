//! Settings of the dashboard's pages.
//!
//! Invariant: the origin of map tiles can stand in a Content-Security-Policy as it is.

use super::pmtiles;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[ui]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ui {
    /// Template of map tiles; empty shows outlines alone.
    pub tile_url: String,
    /// File of map tiles that the cloud serves itself.
    pub pmtiles: Option<PathBuf>,
    /// To whom the tiles are owed.
    pub attribution: String,
}

impl Ui {
    /// Says what is wrong with the template or the file of tiles.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(path) = &self.pmtiles {
            if !self.tile_url.is_empty() {
                return Err("ui.pmtiles and ui.tile_url exclude each other; set one of them".into());
            }
            pmtiles::check(path)?;
        }
        let url = &self.tile_url;
        let has_places = ["{z}", "{x}", "{y}"].iter().all(|place| url.contains(place));
        let is_own = url.starts_with('/') && !url.starts_with("//");
        if url.is_empty() || (has_places && (is_own || self.tile_origin().is_some())) {
            return Ok(());
        }
        Err(format!(
            "ui.tile_url: {url:?} is no template of map tiles; write it as https://tiles.example/{{z}}/{{x}}/{{y}}.png"
        ))
    }

    /// Which origin pages load tiles from, as a source of a Content-Security-Policy; `{s}` in the host is any subdomain.
    #[must_use]
    pub fn tile_origin(&self) -> Option<String> {
        let (scheme, rest) = self.tile_url.split_once("://")?;
        let host = rest.split('/').next()?.replace("{s}.", "*.");
        let is_host = |host: &str| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]*".contains(&byte))
        };
        (["http", "https"].contains(&scheme) && is_host(&host))
            .then(|| format!("{scheme}://{host}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui(tile_url: &str) -> Ui {
        Ui { tile_url: tile_url.into(), ..Ui::default() }
    }

    #[test]
    fn the_origin_of_tiles_can_stand_in_a_policy() {
        let origin = |url: &str| ui(url).tile_origin();
        let tiles = "https://{s}.tiles.example:8443/{z}/{x}/{y}.png";
        assert_eq!(origin(tiles).as_deref(), Some("https://*.tiles.example:8443"));
        for url in
            ["", "/own/{z}", "https://", "ftp://a/{z}", "https://a; script-src *", "https://a b/"]
        {
            assert_eq!(origin(url), None, "{url}");
        }
    }

    #[test]
    fn a_template_that_is_none_is_refused() {
        for url in ["", "/tiles/{z}/{x}/{y}", "http://a.example/{z}/{y}/{x}"] {
            assert!(ui(url).check().is_ok(), "{url}");
        }
        for url in
            ["https://a.example/", "//a/{z}/{x}/{y}", "a/{z}/{x}/{y}", "https://a;b/{z}/{x}/{y}"]
        {
            assert!(ui(url).check().unwrap_err().contains("ui.tile_url"), "{url}");
        }
    }
}
