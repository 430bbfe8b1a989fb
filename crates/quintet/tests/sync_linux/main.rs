//! Semaphores, mutexes and events on Linux: forks, namespaces, other users, foreign files, hostile memory, limits.
#![cfg(target_os = "linux")]

#[path = "../sync/help.rs"]
mod help;
#[path = "../sync/player.rs"]
mod player;
mod raw;

mod descriptors;
mod endings;
mod foreign_files;
mod forks;
mod hostile;
mod interruptions;
mod limits;
mod namespaces;
mod other_users;
mod places;
mod stopped;
mod turns;

use endings::ends_late;
use forks::{
    child_counts, child_drops, child_drops_guard, child_opens, child_uses, forks_and_dies,
    forks_during_first_wait, forks_while_busy, forks_while_handing,
};
use hostile::scribbles;
use interruptions::pestered;
use limits::{counts_descriptors, no_descriptors, no_inode, no_room, read_only, room_for_one};
use other_users::{looks_and_removes, masked, removes};
use player::{bystander, player};
use stopped::holds;

quintet_testkit::peers!(
    bystander,
    child_counts,
    child_drops,
    child_drops_guard,
    child_opens,
    child_uses,
    counts_descriptors,
    ends_late,
    forks_and_dies,
    forks_during_first_wait,
    forks_while_busy,
    forks_while_handing,
    holds,
    looks_and_removes,
    masked,
    no_descriptors,
    no_inode,
    no_room,
    pestered,
    player,
    read_only,
    removes,
    room_for_one,
    scribbles,
);
