//! Every operation of a pipe, with a death before each of its system calls in turn, and with each of them failing.
//!
//! What a process has done between two system calls nobody else can see, so these are all the moments at which a
//! SIGKILL can hurt.

mod death;
mod failure;
mod one_way;
mod operation;

#[cfg(target_os = "linux")]
quintet_testkit::peers!(dies, fails, one_way_fails, relays);
#[cfg(windows)]
quintet_testkit::peers!(dies, fails, relays);

use death::dies;
use failure::fails;
#[cfg(target_os = "linux")]
use one_way::one_way_fails;
use one_way::relays;
