//! Whole commands: a process is started, does nothing, and is waited for.

use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common, Operation};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Alone::row(Group::Floor, "true, the command", Bare).left_out(missing("true")),
        Alone::row(Group::Floor, "flock(1) and true", Flock)
            .left_out(missing("flock"))
            .against("true, the command"),
    ]
}

/// Where a program is in `$PATH`.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_file(file))
}

pub(crate) fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file())
}

fn missing(program: &str) -> Option<String> {
    found(program)
        .is_none()
        .then(|| format!("there is no {program} in $PATH"))
}

/// A command to be run again and again.
pub(crate) struct Line(pub(crate) Vec<PathBuf>);

impl Operation for Line {
    fn run(&mut self) -> Result<()> {
        let (program, arguments) = self.0.split_first().ok_or("no command")?;
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{}: {status}", program.display()).into())
        }
    }
}

/// Far has no part in it.
pub(crate) const NOTHING: Line = Line(Vec::new());

struct Bare;

impl Common for Bare {
    type Side = Line;

    fn near(&self, _: &mut Place) -> Result<Line> {
        Ok(Line(vec![found("true").ok_or("it is gone")?]))
    }

    fn far(&self, _: &mut Place) -> Result<Line> {
        Ok(NOTHING)
    }
}

struct Flock;

impl Common for Flock {
    type Side = Line;

    fn near(&self, place: &mut Place) -> Result<Line> {
        let [flock, command] = ["flock", "true"].map(|program| found(program).ok_or("it is gone"));
        Ok(Line(vec![flock?, place.folder().join("lock"), command?]))
    }

    fn far(&self, _: &mut Place) -> Result<Line> {
        Ok(NOTHING)
    }
}
