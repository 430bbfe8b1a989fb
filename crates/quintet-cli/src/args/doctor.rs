//! The command line of `doctor`.

use clap::ValueHint;
use quintet::Address;

/// Find what dead processes left behind, and limits that are low; --fix removes what is left
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Something is stale when the system says that no process has it any more: each line says by what that was concluded. Nobody \
has to remove it, as the next who opens it replaces it; but until then it takes memory. What a process holds, or \
was made to stay, is never removed; nor is what is unknown: of another version, or damaged.

Exit code 1 if something is stale and was not removed. A low limit alone is no failure.

Examples:
  quintet doctor
  quintet doctor --fix
  # Only these
  quintet doctor --fix queue://jobs topic://camera
  quintet doctor --json")]
pub(crate) struct DoctorArgs {
    /// Remove what is stale
    #[arg(long)]
    pub(crate) fix: bool,

    /// A JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Only these objects, and no limits [default: all that this user can see]
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::Other)]
    pub(crate) addresses: Vec<Address>,
}
