//! Semaphores, mutexes, events, and waiting for several: what holds on both systems, with real processes.

mod help;
mod player;

mod all;
mod any;
#[cfg(target_os = "linux")]
mod ending;
mod events;
mod fairness;
mod handing;
mod lifetime;
mod mutexes;
mod permits;
mod semaphores;
mod storms;

use all::takes_all_the_time;
use any::waits_for_any;
use fairness::hot;
use lifetime::{exits, opens_and_closes};
use mutexes::counts;
use player::{bystander, player};
use storms::{opens_again, toils};

quintet_testkit::peers!(
    bystander,
    counts,
    exits,
    hot,
    opens_again,
    opens_and_closes,
    player,
    takes_all_the_time,
    toils,
    waits_for_any,
);
