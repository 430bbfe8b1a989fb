//! `quintet run`, the whole command.

use crate::floors::{Line, NOTHING, found, is_file};
use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common};
use std::path::{Path, PathBuf};

pub(super) fn rows() -> Vec<Row> {
    let why = quintet()
        .is_none()
        .then(|| "not built (cargo build --release -p quintet-cli), or set $QUINTET".into());
    vec![
        Alone::row(Group::Sync, "quintet run mutex:// and true", Run)
            .left_out(why)
            .against("flock(1) and true")
            .against("true, the command"),
    ]
}

/// The command, if it has been built. (A debug build would be no measure.)
fn quintet() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/quintet");
    let said = std::env::var_os("QUINTET").map(PathBuf::from);
    said.or(Some(built)).filter(|file| is_file(file))
}

struct Run;

impl Common for Run {
    type Side = Line;

    fn near(&self, place: &mut Place) -> Result<Line> {
        let quintet = quintet().ok_or("it is gone")?;
        let command = found("true").ok_or("there is no true in $PATH")?;
        let address = format!("mutex://{}", place.unique_name());
        Ok(Line(vec![
            quintet,
            "run".into(),
            address.into(),
            "--".into(),
            command,
        ]))
    }

    fn far(&self, _: &mut Place) -> Result<Line> {
        Ok(NOTHING)
    }
}
