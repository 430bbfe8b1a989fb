//! A side of a row: the process that was started to be near or far.

use super::machine;
use super::wire::{Order, Ran, Said, Side, Switches};
use crate::row::{Result, Row};
use std::io::{BufRead, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// How long a side that is not ordered to end, but sees its orders end, may take to do so by itself.
const GRACE: Duration = Duration::from_millis(500);

/// What a row finds where it runs: a line to its other side for setting up, a name, a folder.
pub(crate) struct Place {
    orders: Receiver<Order>,
    folder: PathBuf,
}

impl Place {
    /// Tells the other side something, such as a name or an address. To be used before the first batch only.
    pub(crate) fn say(&self, text: &str) -> Result<()> {
        report(&Said::ToOther(text.to_owned()))
    }

    /// Waits for the next thing that the other side says.
    pub(crate) fn hear(&self) -> Result<String> {
        match self.orders.recv() {
            Ok(Order::Hear(text)) => Ok(text),
            Ok(order) => Err(format!("expected to hear from the other side, got {order:?}").into()),
            Err(_) => Err("the other side is gone".into()),
        }
    }

    /// A name that nobody else uses. What is in /dev/shm and begins with it and a hyphen is removed at the end, with all that
    /// is in it.
    pub(crate) fn unique_name(&self) -> String {
        unique_name()
    }

    /// A folder for files with names, removed with all that is in it at the end. (`$TMPDIR` is set to it.)
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn unique_name() -> String {
    format!("quintet-bench-{}", std::process::id())
}

/// Runs one side of a row, on `core`, until the director says that it is enough.
pub(crate) fn run_side(row: &Row, side: Side, core: usize, folder: PathBuf) -> Result<()> {
    let result = Folder::make(folder).and_then(|folder| serve(row, side, core, &folder));
    if let Err(error) = &result {
        // The director may be gone, and then nobody is to be told.
        let _ = report(&Said::Failed(error.to_string()));
    }
    result
}

fn serve(row: &Row, side: Side, core: usize, folder: &Folder) -> Result<()> {
    let orders = listen(folder.path.clone());
    row.work.before_pinning()?;
    machine::pin(core)?;
    let mut place = Place {
        orders,
        folder: folder.path.clone(),
    };
    let mut batch = match side {
        Side::Near => row.work.near(&mut place)?,
        Side::Far => row.work.far(&mut place)?,
    };
    report(&Said::Ready)?;
    loop {
        match place.orders.recv() {
            Ok(Order::Run(count)) => {
                let before = machine::switches();
                let start = Instant::now();
                let elapsed = batch(count)?;
                let wall = start.elapsed();
                let after = machine::switches();
                report(&Said::Ran(Ran {
                    elapsed: nanoseconds(elapsed),
                    wall: nanoseconds(wall),
                    switches: before.zip(after).map(|(before, after)| Switches {
                        voluntary: after.voluntary - before.voluntary,
                        involuntary: after.involuntary - before.involuntary,
                    }),
                }))?;
            }
            Ok(Order::End) => return Ok(()),
            Ok(order) => return Err(format!("expected a batch, got {order:?}").into()),
            Err(_) => return Err("the director is gone".into()),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads orders on a thread of its own, so that their end is seen in the middle of a batch too.
fn listen(folder: PathBuf) -> Receiver<Order> {
    let (sender, orders) = mpsc::channel();
    std::thread::spawn(move || {
        if pass_on(&sender) {
            return;
        }
        // Without waiting for the thread that runs the row: whoever it waits for may be gone.
        drop(sender);
        std::thread::sleep(GRACE);
        quintet::cleanup::release_names();
        let _ = std::fs::remove_dir_all(folder);
        remove_memory();
        std::process::exit(3);
    });
    orders
}

/// Whether the orders ended as they should.
fn pass_on(orders: &Sender<Order>) -> bool {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return false };
        let Ok(order) = serde_json::from_str(&line) else {
            return false;
        };
        let is_end = matches!(order, Order::End);
        if orders.send(order).is_err() || is_end {
            return is_end;
        }
    }
    false
}

fn report(said: &Said) -> Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}

/// Whoever comes first makes it, and each removes it at its end, as the other may be gone already. In an orderly run
/// both end when neither needs it any more.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(path: PathBuf) -> Result<Self> {
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(format!("cannot make {}: {error}", path.display()).into())
            }
            _ => Ok(Folder { path }),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        remove_memory();
    }
}

/// Other libraries have their memory there, and some leave it behind.
fn remove_memory() {
    let prefix = unique_name() + "-";
    let files = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    for file in files.filter(|file| file.file_name().to_string_lossy().starts_with(&prefix)) {
        let _ = match file.path().is_dir() {
            true => std::fs::remove_dir_all(file.path()),
            false => std::fs::remove_file(file.path()),
        };
    }
}
