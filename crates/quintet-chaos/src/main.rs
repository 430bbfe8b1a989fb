//! Kill storms.
//!
//! A storm is some kinds of workers, processes that use a mechanism together and check all that they get. The driver
//! kills them at random moments and starts new ones, until it has killed enough. Then everything must be as if nothing
//! had happened: no worker has seen what it must not see, none has hung, nothing is left.
//!
//! The moments come from a seed, which is printed; how they fall on the work does not, so a failure may need some runs
//! to come again.

mod dice;
mod driver;
mod mailbox;
mod pipe;
mod queue;
mod quiet;
mod report;
mod socket;
mod sync;
mod topic;
mod window;

use clap::{Parser, ValueEnum};
use std::any::Any;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    about = "Kills processes that use a mechanism, at random moments, and checks that the others go on"
)]
struct Args {
    /// Which storm; all of them unless told
    #[arg(value_enum)]
    storm: Option<Storm>,

    /// How many processes to kill in each storm
    #[arg(long, default_value_t = 2000)]
    kills: u64,

    /// Where the random moments come from
    #[arg(long)]
    seed: Option<u64>,

    /// A worker that does nothing for so many seconds has hung
    #[arg(long, default_value_t = 30)]
    patience: u64,

    /// What a worker of a storm gets; the driver's business
    #[arg(long, hide = true, num_args = 4, value_names = ["STORM", "KIND", "SEED", "FOLDER"])]
    worker: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Storm {
    /// Servers that contend for a name, and their clients
    Pipe,
    /// Holders of permits and of a mutex
    Sync,
    /// Objects that come and go with their holders
    Names,
    /// Producers and consumers of a queue
    Queue,
    /// Writers and readers of a mailbox
    Mailbox,
    /// Publishers and subscribers of a topic
    Topic,
    /// Windows and those who send to them
    Window,
    /// Servers, clients, pushers and pullers of sockets
    Socket,
}

impl Storm {
    const ALL: [Storm; 8] = [
        Storm::Pipe,
        Storm::Sync,
        Storm::Names,
        Storm::Queue,
        Storm::Mailbox,
        Storm::Topic,
        Storm::Window,
        Storm::Socket,
    ];

    fn name(self) -> &'static str {
        match self {
            Storm::Pipe => "pipe",
            Storm::Sync => "sync",
            Storm::Names => "names",
            Storm::Queue => "queue",
            Storm::Mailbox => "mailbox",
            Storm::Topic => "topic",
            Storm::Window => "window",
            Storm::Socket => "socket",
        }
    }

    /// The kinds of workers, one for each process that runs at a time.
    fn workers(self) -> &'static [&'static str] {
        match self {
            Storm::Pipe => pipe::WORKERS,
            Storm::Sync => sync::WORKERS,
            Storm::Names => sync::OPENERS,
            Storm::Queue => queue::WORKERS,
            Storm::Mailbox => mailbox::WORKERS,
            Storm::Topic => topic::WORKERS,
            Storm::Window => window::WORKERS,
            Storm::Socket => socket::WORKERS,
        }
    }

    fn work(self, kind: &str, seed: u64, folder: &std::path::Path) -> Result<(), String> {
        match self {
            Storm::Pipe => pipe::work(kind, seed, folder),
            Storm::Sync | Storm::Names => sync::work(kind, seed, folder),
            Storm::Queue => queue::work(kind, seed, folder),
            Storm::Mailbox => mailbox::work(kind, seed, folder),
            Storm::Topic => topic::work(kind, seed, folder),
            Storm::Window => window::work(kind, seed, folder),
            Storm::Socket => socket::work(kind, seed, folder),
        }
    }

    /// What the driver holds while it lasts.
    fn begin(self, folder: &std::path::Path) -> Result<Box<dyn Any>, String> {
        match self {
            Storm::Sync => sync::begin(folder),
            Storm::Queue => queue::begin(folder),
            Storm::Mailbox => mailbox::begin(folder),
            Storm::Topic => topic::begin(folder),
            Storm::Window => window::begin(folder),
            Storm::Pipe | Storm::Names | Storm::Socket => Ok(Box::new(())),
        }
    }

    /// Whether workers may also be stopped for a while.
    fn stops(self) -> bool {
        !matches!(self, Storm::Pipe)
    }

    /// Whether everything is as it was; what is not, otherwise. `held` is what `begin` gave.
    fn aftermath(self, folder: &std::path::Path, held: Box<dyn Any>) -> Result<(), String> {
        match self {
            Storm::Pipe => pipe::aftermath(folder),
            Storm::Sync => {
                sync::aftermath(folder)?;
                drop(held);
                sync::nothing_left(folder)
            }
            Storm::Names => sync::nothing_left(folder),
            Storm::Socket => socket::aftermath(folder),
            Storm::Queue => {
                queue::aftermath(folder, &*held)?;
                drop(held);
                queue::nothing_left(folder)
            }
            Storm::Mailbox => {
                mailbox::aftermath(folder)?;
                drop(held);
                mailbox::nothing_left(folder)
            }
            Storm::Topic => {
                topic::aftermath(folder)?;
                drop(held);
                topic::nothing_left(folder)
            }
            Storm::Window => {
                drop(held);
                window::aftermath(folder)
            }
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(worker) = &args.worker {
        return work(worker);
    }
    let seed = args.seed.unwrap_or_else(dice::fresh_seed);
    for storm in Storm::ALL
        .into_iter()
        .filter(|storm| args.storm.is_none_or(|only| only == *storm))
    {
        let driver = driver::Driver {
            storm,
            kills: args.kills,
            seed,
            patience: Duration::from_secs(args.patience),
        };
        match driver.run() {
            Ok(summary) => println!("ok  {}: {summary}", storm.name()),
            Err(why) => {
                eprintln!("FAILED  {} (seed {seed}): {why}", storm.name());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// One worker: works until it is killed, or has seen what must not be.
fn work(worker: &[String]) -> ExitCode {
    let [storm, kind, seed, folder] = worker else {
        return ExitCode::FAILURE;
    };
    let storm = Storm::from_str(storm, false);
    let done = storm.and_then(|storm| {
        let seed = seed.parse().map_err(|error| format!("the seed: {error}"))?;
        storm.work(kind, seed, std::path::Path::new(folder))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
