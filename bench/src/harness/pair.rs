//! The director's end of a row: its two processes.

use super::machine::Chosen;
use super::wire::{Order, Ran, Said, Side};
use crate::row::{Cores, Result, Row};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long a process that was told to end, or whose orders ended, may take before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// The two processes of a row, set up. Dropping it ends them.
pub(super) struct Pair {
    near: Member,
    far: Member,
    said: Receiver<(Side, Option<Said>)>,
    deadline: Instant,
    folder: PathBuf,
}

struct Member {
    process: Child,
    /// Taken to say that there will be no more.
    orders: Option<ChildStdin>,
}

impl Pair {
    /// Starts them. All that they do must be over by `deadline`.
    pub(super) fn start(row: &Row, cores: Chosen, deadline: Instant) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "quintet-bench-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let far_core = match row.cores {
            Cores::One => cores.near,
            Cores::Two => cores.far.ok_or("it needs two cores, and there is one")?,
        };
        let (sender, said) = mpsc::channel();
        let far = Member::start(row, Side::Far, far_core, &folder, sender.clone())?;
        let near = match Member::start(row, Side::Near, cores.near, &folder, sender) {
            Ok(near) => near,
            Err(error) => {
                far.end();
                return Err(error);
            }
        };
        let mut pair = Pair {
            near,
            far,
            said,
            deadline,
            folder,
        };
        pair.set_up()?;
        Ok(pair)
    }

    /// Passes on what they tell each other until both are ready.
    fn set_up(&mut self) -> Result<()> {
        let mut ready = 0;
        while ready < 2 {
            match self.next()? {
                (side, Said::ToOther(text)) => self.order(side.other(), &Order::Hear(text))?,
                (_, Said::Ready) => ready += 1,
                (side, said) => return Err(format!("{} said {said:?} too early", side.word()).into()),
            }
        }
        Ok(())
    }

    /// Lets both run a batch: what near and what far say of it.
    pub(super) fn run(&mut self, count: u64) -> Result<(Ran, Ran)> {
        self.order(Side::Far, &Order::Run(count))?;
        self.order(Side::Near, &Order::Run(count))?;
        let (mut near, mut far) = (None, None);
        loop {
            match self.next()? {
                (Side::Near, Said::Ran(ran)) => near = Some(ran),
                (Side::Far, Said::Ran(ran)) => far = Some(ran),
                (side, said) => return Err(format!("{} said {said:?} in a batch", side.word()).into()),
            }
            if let (Some(near), Some(far)) = (near, far) {
                return Ok((near, far));
            }
        }
    }

    /// Lets both end in order.
    pub(super) fn end(mut self) -> Result<()> {
        self.order(Side::Near, &Order::End)?;
        self.order(Side::Far, &Order::End)
    }

    fn order(&mut self, side: Side, order: &Order) -> Result<()> {
        let member = match side {
            Side::Near => &mut self.near,
            Side::Far => &mut self.far,
        };
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        let orders = member.orders.as_mut().ok_or("no orders can be given any more")?;
        orders
            .write_all(&line)
            .map_err(|error| format!("{} takes no orders: {error}", side.word()).into())
    }

    fn next(&mut self) -> Result<(Side, Said)> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.said.recv_timeout(left) {
            Ok((side, Some(Said::Failed(why)))) => Err(format!("{}: {why}", side.word()).into()),
            Ok((side, Some(said))) => Ok((side, said)),
            Ok((side, None)) => Err(format!("{} ended unexpectedly", side.word()).into()),
            Err(RecvTimeoutError::Timeout) => {
                Err("it was not done by its deadline and has been ended".into())
            }
            Err(RecvTimeoutError::Disconnected) => Err("both ended unexpectedly".into()),
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.near.orders = None;
        self.far.orders = None;
        self.near.wait();
        self.far.wait();
        // They have done so, unless they had to be killed.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Member {
    fn start(
        row: &Row,
        side: Side,
        core: usize,
        folder: &PathBuf,
        said: Sender<(Side, Option<Said>)>,
    ) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["side", side.word(), &row.name, &core.to_string()])
            .arg(folder)
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // An interrupt from the keyboard is for the director. They notice its end and clean up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", side.word()))?;
        let reports = process.stdout.take().ok_or("it has no output")?;
        let orders = process.stdin.take();
        std::thread::spawn(move || {
            for line in BufReader::new(reports).lines() {
                let Some(report) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else {
                    break;
                };
                if said.send((side, Some(report))).is_err() {
                    return;
                }
            }
            let _ = said.send((side, None));
        });
        Ok(Member { process, orders })
    }

    fn end(mut self) {
        self.orders = None;
        self.wait();
    }

    /// Waits for its end, which it has been told of, and brings it about if need be.
    fn wait(&mut self) {
        let deadline = Instant::now() + GRACE;
        let mut pause = Duration::from_micros(200);
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
