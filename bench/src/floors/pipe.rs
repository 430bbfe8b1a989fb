//! Two kernel pipes, one a direction.

use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row};
use crate::work::{End, Link, RoundTrip};
use rustix::fs::{CWD, Mode};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

pub(super) fn rows() -> Vec<Row> {
    let row = |name| {
        let work = RoundTrip {
            link: Pipes,
            bytes: 64,
            idle: None,
        };
        Row::new(Group::Floor, name, Measure::RoundTrip, work)
    };
    vec![
        row("pipe round trip 64 B, same core").on_one_core(),
        row("pipe round trip 64 B, asleep").asleep(Asleep::Both),
    ]
}

struct Pipes;

struct PipesEnd {
    from: File,
    to: File,
}

impl Link for Pipes {
    type End = PipesEnd;

    fn near(&self, place: &mut Place) -> Result<PipesEnd> {
        let far = place.hear()?;
        // Opening waits for the other side to open the same one, so both open them in the same order.
        let to = File::options().write(true).open(Path::new(&far).join("to-far"))?;
        let from = File::open(Path::new(&far).join("to-near"))?;
        Ok(PipesEnd { from, to })
    }

    fn far(&self, place: &mut Place) -> Result<PipesEnd> {
        let folder = place.folder();
        for name in ["to-far", "to-near"] {
            rustix::fs::mkfifoat(CWD, folder.join(name), Mode::RUSR | Mode::WUSR)?;
        }
        place.say(&folder.to_string_lossy())?;
        let from = File::open(folder.join("to-far"))?;
        let to = File::options().write(true).open(folder.join("to-near"))?;
        Ok(PipesEnd { from, to })
    }
}

impl End for PipesEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.to.write_all(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        buf.resize(len, 0);
        Ok(self.from.read_exact(buf)?)
    }
}
