//! Every operation of a semaphore, a mutex and an event, with a death before each of its steps in turn, and with each of
//! its system calls failing.
//!
//! What a process does between two steps nobody else can see, so these are all the moments at which a SIGKILL can hurt.
//!
//! On Linux, where a death at any of them loses nothing. On Windows some lose a permit, and none gives one too many: that
//! is shown beside the code, in `os/windows/sync/tests.rs`.
#![cfg(target_os = "linux")]

#[path = "../sync/help.rs"]
mod help;
#[path = "../sync/player.rs"]
mod player;

mod death;
mod failure;
mod operation;

use death::dies;
use failure::fails;
use player::{bystander, player};

quintet_testkit::peers!(bystander, dies, fails, player);
