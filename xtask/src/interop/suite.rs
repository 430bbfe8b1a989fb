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
    /// Only cases with this in their titles.
    only: String,
    /// How many stages there were.
    stages: usize,
    passed: usize,
    failed: usize,
}

impl Suite {
    pub(crate) fn new(workspace: &Workspace, only: Option<&str>) -> Result<Self> {
        let folder = workspace.target(&format!("interop/run-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            only: only.unwrap_or_default().to_owned(),
            stages: 0,
            passed: 0,
            failed: 0,
        })
    }

    /// Runs one case and prints how it went; on a failure, with everything that its programs wrote. One that failed
    /// because Wine let a program fall is tried once more.
    pub(crate) fn case(&mut self, title: &str, body: impl Fn(&mut Stage) -> Result<()>) {
        if !title.contains(&self.only) {
            return;
        }
        for last in [false, true] {
            let mut stage = self.stage();
            let Err(error) = body(&mut stage) else {
                println!("ok  interop: {title}");
                self.passed += 1;
                return;
            };
            let again = !last && stage.fell_with_wine();
            let verdict = if again { "WINE FAILED, again" } else { "FAILED" };
            println!("{verdict}  interop: {title}: {error:#}\n{}", stage.transcript());
            if !again {
                self.failed += 1;
                return;
            }
        }
    }

    /// An object name, and so a stage, of its own for every try.
    fn stage(&mut self) -> Stage {
        self.stages += 1;
        let name = format!("quintet-interop-{}-{}", std::process::id(), self.stages);
        Stage::new(name, self.folder.clone())
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
