//! How an interpreter is told to run a guest: command line and the runner program it executes.
//!
//! Invariant: the runners lie in our own directory, not in a guest's. Python's is imported as a module,
//! so that its byte code is cached between calls. Not here: what the runners do (`python_runner.py`,
//! `node_runner.js`).

use crate::failure::Failure;
use crate::guest::{Language, Limits};
use std::fs;
use std::path::{Path, PathBuf};

const PYTHON: &str = include_str!("python_runner.py");
const NODE: &str = include_str!("node_runner.js");
/// Room for Node itself beside the JavaScript heap.
const NODE_OUTSIDE_HEAP: u64 = 64 << 20;
/// Smallest heap with which Node starts sensibly.
const NODE_LEAST_HEAP: u64 = 32 << 20;

/// Where the runners were written.
#[derive(Debug)]
pub(crate) struct Runners {
    dir: PathBuf,
}

impl Runners {
    /// Writes the runners of this version.
    pub(crate) fn write(base: &Path) -> Result<Self, Failure> {
        let dir = base.join(".runners");
        let failed = |error| Failure::disk("write the plugin runners", &error);
        fs::create_dir_all(&dir).map_err(failed)?;
        for (name, text) in [("s4t_runner.py", PYTHON), ("s4t_runner.js", NODE)] {
            let file = dir.join(name);
            // Unchanged files keep their time, and so the cached byte code stays valid.
            if fs::read_to_string(&file).is_ok_and(|present| present == text) {
                continue;
            }
            let fresh = dir.join(format!("{name}.{}", std::process::id()));
            fs::write(&fresh, text).map_err(failed)?;
            fs::rename(&fresh, &file).map_err(failed)?;
        }
        Ok(Self { dir })
    }

    pub(crate) fn arguments(&self, language: Language, limits: &Limits) -> Vec<String> {
        let dir = self.dir.display();
        match language {
            Language::Python => {
                let start = "import sys; sys.path.insert(0, sys.argv[1]); import s4t_runner; s4t_runner.main()";
                ["-I", "-S", "-X", "utf8", "-c", start, &dir.to_string()]
                    .map(str::to_owned)
                    .to_vec()
            }
            Language::Node => {
                let heap =
                    limits.memory_bytes.saturating_sub(NODE_OUTSIDE_HEAP).max(NODE_LEAST_HEAP);
                vec![
                    format!("--max-old-space-size={}", heap >> 20),
                    "--no-warnings".to_owned(),
                    format!("{dir}/s4t_runner.js"),
                ]
            }
        }
    }
}
