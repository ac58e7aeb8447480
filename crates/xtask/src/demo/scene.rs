//! Where the demo plays: a folder that is gone at the end, and the three programs as built.
//!
//! Invariant: nothing outside the folder is written. Deliberately not here: what is played (see `story`).

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::Fallible;
use crate::workspace::Workspace;

/// The folder and the programs.
pub(super) struct Scene {
    folder: PathBuf,
    programs: PathBuf,
}

impl Scene {
    pub(super) fn create(workspace: &Workspace) -> Fallible<Self> {
        let folder = std::env::temp_dir().join(format!("s4t-demo-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        Ok(Self { folder, programs: workspace.debug_dir() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The cloud's state.
    pub(super) fn cloud_data(&self) -> PathBuf {
        self.folder.join("cloud")
    }

    /// A board's state.
    pub(super) fn board_home(&self, board: &str) -> PathBuf {
        self.folder.join(board)
    }

    /// One of our programs, without settings of the person who runs the demo.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            if ["IOTRONIC_", "LIGHTNING_ROD_", "S4T_", "OS_"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(variable);
            }
        }
        command
    }

    /// Writes a file into the folder.
    pub(super) fn write(&self, name: &str, text: &str) -> Fallible<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}
