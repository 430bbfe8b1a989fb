//! The command line of `hz`.

use super::parse_time;
use clap::{ValueHint, value_parser};
use quintet::Address;
use std::time::Duration;

/// Show how many messages a second go through a queue or a topic, or values into a mailbox
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line a second, until interrupted or --count. Of a queue: how many messages were pushed, how many were taken, how many are \
in it. Of a topic: how many messages were published, how many bytes, and how many each had, how many messages the subscribers \
received and lost, all together, and how many publish and subscribe. Of a mailbox: how many values were written, how many \
processes read them, and how long the last value is. At a terminal each line takes the place of the one before. It only looks: it takes \
nothing, and keeps nothing open. When what it looks at has gone it ends (exit code 1).

Examples:
  quintet hz queue://jobs
  quintet hz topic://camera
  quintet hz mailbox://camera
  # Once, over ten seconds, for a program
  quintet hz --interval 10 --count 1 --json queue://jobs")]
pub(crate) struct HzArgs {
    /// How long to look for each line, in seconds (or 500ms, 2m)
    #[arg(long, value_name = "TIME", default_value = "1", value_parser = parse_interval, allow_negative_numbers = true)]
    pub(crate) interval: Duration,

    /// How many lines [default: until interrupted]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Each line is a JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Which: queue://NAME, topic://NAME or mailbox://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// As `parse_time`, but not nothing: nothing can be counted in it.
pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_time(text)? {
        Duration::ZERO => Err("it has to be more than 0".into()),
        time => Ok(time),
    }
}
