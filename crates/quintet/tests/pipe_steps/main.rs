//! Every operation of a pipe, with a death before each of its system calls in turn, and with each of them failing.
//!
//! What a process has done between two system calls nobody else can see, so these are all the moments at which a
//! SIGKILL can hurt.

mod death;
mod failure;
mod operation;

quintet_testkit::peers!(dies, fails);

use death::dies;
use failure::fails;
