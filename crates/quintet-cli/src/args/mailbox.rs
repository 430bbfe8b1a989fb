//! The command line of mailboxes.

use clap::value_parser;

/// How a mailbox is to be, if this makes it.
#[derive(Debug, clap::Args)]
pub(crate) struct MailboxArgs {
    /// Of a mailbox: how many values programs can read in place at a time; if it is there, how many at least [default: 2]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(0..=62))]
    pub(crate) in_place: Option<u32>,
}
