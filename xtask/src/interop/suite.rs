use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::stage::Stage;
use crate::workspace::Workspace;

/// Runs cases one after the other, and counts.
#[derive(Debug)]
pub(crate) struct Suite {
    /// The programs' files, while a case runs.
    folder: PathBuf,
    passed: usize,
    failed: usize,
}

impl Suite {
    pub(crate) fn new(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target(&format!("interop/run-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            passed: 0,
            failed: 0,
        })
    }

    /// Runs one case and prints how it went; on a failure, with everything that its programs wrote.
    pub(crate) fn case(&mut self, title: &str, body: impl FnOnce(&mut Stage) -> Result<()>) {
        let number = self.passed + self.failed + 1;
        let name = format!("quintet-interop-{}-{number}", std::process::id());
        let mut stage = Stage::new(name, self.folder.clone());
        match body(&mut stage) {
            Ok(()) => {
                println!("ok  interop: {title}");
                self.passed += 1;
            }
            Err(error) => {
                println!("FAILED  interop: {title}: {error:#}\n{}", stage.transcript());
                self.failed += 1;
            }
        }
    }

    /// Prints the counts; whether there were cases and all of them passed.
    pub(crate) fn finish(self) -> bool {
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
