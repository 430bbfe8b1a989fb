use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::stage::{Role, Stage};
use super::suite::Suite;
use crate::apt::Apt;
use crate::workspace::Workspace;

/// Python's `multiprocessing.shared_memory` on Linux.
struct Python {
    script: PathBuf,
    quintet: PathBuf,
    /// The library where the command has no verb for it.
    memory: PathBuf,
}

/// A case of Quintet's programs and Python's, all with one name of memory.
struct Scene<'a> {
    python: &'a Python,
    stage: &'a mut Stage,
}

impl Scene<'_> {
    fn address(&self) -> String {
        self.stage.address_of("shm")
    }

    /// A Python program, which does what it is told.
    fn peer(&mut self) -> Result<Role> {
        let mut command = Command::new("python3");
        command.arg(&self.python.script).arg(self.stage.name());
        self.stage.start_for_orders(&mut command)
    }

    /// A program with the library, which does what it is told.
    fn holder(&mut self) -> Result<Role> {
        let mut command = Command::new(&self.python.memory);
        command.arg(self.stage.name());
        let holder = self.stage.start_for_orders(&mut command)?;
        self.ask(holder, "create 5000", "created")?;
        Ok(holder)
    }

    fn ask(&mut self, peer: Role, order: &str, expected: &str) -> Result<()> {
        self.stage.ask(peer, order, expected)
    }

    fn quintet(&mut self, verb: &str, words: &[&str], input: &[u8]) -> Result<Role> {
        let mut command = Command::new(&self.python.quintet);
        command.arg(verb).arg(self.address()).args(words);
        self.stage.start(&mut command, input)
    }

    fn writes(&mut self, offset: &str, text: &str) -> Result<()> {
        let quintet = self.quintet("write", &["--offset", offset], text.as_bytes())?;
        self.stage.finish_with(quintet, &[])
    }

    fn reads(&mut self, offset: &str, text: &str) -> Result<()> {
        let len = text.len().to_string();
        let quintet = self.quintet("read", &["--offset", offset, "--len", &len], &[])?;
        self.stage.finish_with(quintet, text.as_bytes())
    }

    fn there_is_none(&mut self) -> Result<()> {
        let quintet = self.quintet("read", &[], &[])?;
        self.stage.finish_saying(quintet, 1, "there is none")?;
        let path = Path::new("/dev/shm").join(self.stage.name());
        ensure!(!path.exists(), "{} was left behind", path.display());
        Ok(())
    }
}

/// Memory that either side makes and both use, and what becomes of its name.
pub(super) fn run(workspace: &Workspace, suite: &mut Suite) -> Result<()> {
    Apt::read()?.require(&["python3"], &[])?;
    let python = Python {
        script: workspace.path("xtask/interop/memory.py"),
        quintet: workspace.build(&["-p", "quintet-cli"], "quintet")?,
        memory: workspace.build(&["-p", "xtask", "--example", "memory"], "examples/memory")?,
    };
    let mut case = |title: &str, body: fn(&mut Scene<'_>) -> Result<()>| {
        suite.case(title, |stage| {
            let path = Path::new("/dev/shm").join(stage.name());
            let result = body(&mut Scene {
                python: &python,
                stage,
            });
            if result.is_err() {
                // What a case that failed in the middle may leave there.
                let _ = std::fs::remove_file(path);
            }
            result
        });
    };

    // No quintet here: when this fails, Python is to blame.
    case("two Python programs share memory", |scene| {
        let (one, other) = (scene.peer()?, scene.peer()?);
        scene.ask(one, "create 5000", "created")?;
        scene.ask(other, "open untracked", "opened 5000")?;
        scene.ask(one, "write 4990 hello", "written")?;
        scene.ask(other, "read 4990 5", "hello")?;
        scene.ask(other, "close", "closed")?;
        scene.ask(one, "unlink", "unlinked")?;
        scene.stage.dismiss(other)?;
        scene.stage.dismiss(one)
    });
    case(
        "Python's memory: `write` and `read`, which leave it there",
        |scene| {
            let peer = scene.peer()?;
            scene.ask(peer, "create 5000", "created")?;
            scene.writes("4990", "hello")?;
            scene.ask(peer, "read 4990 5", "hello")?;
            scene.ask(peer, "write 100 from-python", "written")?;
            scene.reads("100", "from-python")?;
            let stat = scene.quintet("stat", &["--json"], &[])?;
            let stat = String::from_utf8(scene.stage.finish(stat)?)?;
            for field in ["\"foreign\"", "5000"] {
                ensure!(stat.contains(field), "stat does not say {field}: {stat}");
            }
            // Not from under a program that has it mapped.
            let rm = scene.quintet("rm", &[], &[])?;
            scene
                .stage
                .finish_saying(rm, 1, "a program that is not Quintet's")?;
            scene.ask(peer, "unlink", "unlinked")?;
            scene.there_is_none()?;
            scene.stage.dismiss(peer)
        },
    );
    case(
        "Quintet's memory in a Python program that leaves its name alone",
        |scene| {
            let holder = scene.holder()?;
            let peer = scene.peer()?;
            scene.ask(peer, "create 5000", "FileExistsError")?;
            scene.ask(peer, "open untracked", "opened 5000")?;
            scene.ask(peer, "write 0 python", "written")?;
            scene.ask(holder, "read 0", "p")?;
            scene.reads("0", "python")?;
            scene.writes("4999", "!")?;
            scene.ask(peer, "read 4999 1", "!")?;
            scene.stage.dismiss(peer)?;
            scene.ask(holder, "name", "yes")?;
            scene.stage.dismiss(holder)?;
            scene.there_is_none()
        },
    );
    case("Quintet's memory lives as long as Python has it open", |scene| {
        let holder = scene.holder()?;
        let peer = scene.peer()?;
        scene.ask(peer, "open untracked", "opened 5000")?;
        scene.writes("7", "stays")?;
        scene.stage.kill(holder)?;
        scene.reads("7", "stays")?;
        scene.ask(peer, "unlink", "unlinked")?;
        scene.stage.dismiss(peer)?;
        scene.there_is_none()
    });
    case(
        "a Python program that ends takes the name along, and `has_name` notices",
        |scene| {
            let holder = scene.holder()?;
            let peer = scene.peer()?;
            scene.ask(peer, "open", "opened 5000")?;
            scene.ask(holder, "name", "yes")?;
            scene.stage.dismiss(peer)?;
            scene.ask(holder, "await-no-name", "gone")?;
            scene.ask(holder, "read 0", "\0")?;
            scene.there_is_none()?;
            // Whoever comes now gets another memory, which the first holder's end leaves alone.
            let other = scene.holder()?;
            scene.stage.dismiss(holder)?;
            scene.ask(other, "name", "yes")?;
            scene.stage.dismiss(other)?;
            scene.there_is_none()
        },
    );
    Ok(())
}
