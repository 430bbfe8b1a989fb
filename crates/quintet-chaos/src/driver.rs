use crate::Storm;
use crate::dice::Dice;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Runs one storm.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) storm: Storm,
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    pub(crate) patience: Duration,
}

/// A worker that runs.
struct Worker {
    place: usize,
    child: Child,
    last_sign: Instant,
    errors: thread::JoinHandle<String>,
}

/// A line from the worker of that pid.
type Line = (u32, String);

impl Driver {
    /// Kills until it is enough, then looks at what is left: a summary.
    pub(crate) fn run(&self) -> Result<String, String> {
        let folder = Folder::new()?;
        let held = self.storm.begin(&folder.0)?;
        let mut dice = Dice::new(self.seed);
        let (lines, said) = mpsc::channel();
        let mut counts = BTreeMap::new();
        let mut workers = Vec::new();
        let result = self.storm_on(&folder.0, &mut dice, &lines, &said, &mut workers, &mut counts);
        for mut worker in workers {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
        // In any case, since it also takes away what the killed have left.
        let aftermath = self.storm.aftermath(&folder.0, held);
        result.and(aftermath)?;
        let counts: Vec<String> = counts
            .iter()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        if counts.is_empty() {
            return Err("the workers have got nothing done".into());
        }
        Ok(format!(
            "{} kills, seed {}: {}",
            self.kills,
            self.seed,
            counts.join(", ")
        ))
    }

    fn storm_on(
        &self,
        folder: &Path,
        dice: &mut Dice,
        lines: &Sender<Line>,
        said: &Receiver<Line>,
        workers: &mut Vec<Worker>,
        counts: &mut BTreeMap<String, u64>,
    ) -> Result<(), String> {
        for place in 0..self.storm.workers().len() {
            workers.push(self.start(place, folder, dice, lines)?);
        }
        let mut killed = 0;
        while killed < self.kills {
            // Mostly within the time that a worker needs to begin, sometimes much later.
            let range = if dice.roll(8) == 0 { 60_000 } else { 6_000 };
            let until = Instant::now() + Duration::from_micros(dice.roll(range));
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let Ok((pid, line)) = said.recv_timeout(left) else {
                    break;
                };
                *counts.entry(line).or_insert(0) += 1;
                if let Some(worker) = workers.iter_mut().find(|worker| worker.child.id() == pid) {
                    worker.last_sign = Instant::now();
                }
                if left.is_zero() {
                    break;
                }
            }
            for worker in workers.iter_mut() {
                if let Ok(Some(status)) = worker.child.try_wait() {
                    let kind = self.storm.workers()[worker.place];
                    let errors = std::mem::replace(&mut worker.errors, thread::spawn(String::new));
                    return Err(format!(
                        "a {kind} ended by itself, {status}: {}",
                        errors.join().unwrap_or_default()
                    ));
                }
                if worker.last_sign.elapsed() > self.patience {
                    let kind = self.storm.workers()[worker.place];
                    return Err(format!(
                        "the {kind} with pid {} has done nothing for {:?}{}",
                        worker.child.id(),
                        self.patience,
                        what_it_does(worker.child.id())
                    ));
                }
            }
            if self.storm.stops() && dice.roll(4) == 0 {
                let victim = &workers[dice.roll(workers.len() as u64) as usize];
                stop_for(victim.child.id(), Duration::from_micros(dice.roll(8_000)));
            }
            let victim = dice.roll(workers.len() as u64) as usize;
            let mut worker = workers.swap_remove(victim);
            let _ = worker.child.kill();
            let _ = worker.child.wait();
            killed += 1;
            workers.push(self.start(worker.place, folder, dice, lines)?);
        }
        Ok(())
    }

    fn start(
        &self,
        place: usize,
        folder: &Path,
        dice: &mut Dice,
        lines: &Sender<Line>,
    ) -> Result<Worker, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let mut child = Command::new(program)
            .args(["--worker", self.storm.name(), self.storm.workers()[place]])
            .arg(dice.next().to_string())
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start a worker: {error}"))?;
        let (Some(out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("a worker without output".into());
        };
        let (pid, lines) = (child.id(), lines.clone());
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = lines.send((pid, line));
            }
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        Ok(Worker {
            place,
            child,
            last_sign: Instant::now(),
            errors,
        })
    }
}

/// Stops a process, as a debugger does, and lets it go on after a while.
#[cfg(target_os = "linux")]
fn stop_for(pid: u32, time: Duration) {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return;
    };
    // SAFETY: takes plain values. It is a child that has not been waited for, so the number is its own.
    unsafe { libc::kill(pid, libc::SIGSTOP) };
    thread::sleep(time);
    // SAFETY: as above.
    unsafe { libc::kill(pid, libc::SIGCONT) };
}

#[cfg(not(target_os = "linux"))]
fn stop_for(_pid: u32, _time: Duration) {}

/// Where each thread of a process sleeps, where the system tells.
fn what_it_does(pid: u32) -> String {
    let mut text = String::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let stack = std::fs::read_to_string(task.path().join("stack")).unwrap_or_default();
        text += &format!("\n  thread {}:\n{stack}", task.file_name().to_string_lossy());
    }
    text
}

/// A folder for the storm alone, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("qchaos-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
