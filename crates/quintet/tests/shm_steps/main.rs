//! Every operation of shared memory, with a death before each of its system calls in turn, and with each of them failing.
//!
//! What a process does between two calls nobody else can see, so these are all the moments at which a SIGKILL can hurt.
//! (On Windows the kernel keeps names and memory; `tests/shm` has deaths there.)
#![cfg(target_os = "linux")]

mod death;
mod failure;
mod operation;

use death::dies;
use failure::fails;
use operation::holds;

quintet_testkit::peers!(dies, fails, holds);
