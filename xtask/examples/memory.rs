//! The library as the peer of a foreign program, where the command has no verb for it: who holds shared memory, and looks
//! whether it still has its name.
//!
//!     memory NAME     does what it is told, a line each: create SIZE, name (yes or no), await-no-name, read OFFSET

use std::error::Error;
use std::io::BufRead;
use std::thread;
use std::time::Duration;

use quintet::shm::SharedMemory;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: memory NAME")?;
    let mut held = None;
    for order in std::io::stdin().lock().lines() {
        let order = order?;
        let words: Vec<&str> = order.split(' ').collect();
        let held = match (&held, words.as_slice()) {
            (None, ["create", size]) => {
                held = Some(SharedMemory::create_new(name.as_str(), size.parse()?)?);
                println!("created");
                continue;
            }
            (Some(memory), _) => memory,
            _ => return Err(format!("{order}: there is no memory yet").into()),
        };
        match words.as_slice() {
            ["name"] => println!("{}", if held.has_name() { "yes" } else { "no" }),
            ["await-no-name"] => {
                // Nothing tells of it; whoever runs us gives up in time.
                while held.has_name() {
                    thread::sleep(Duration::from_millis(2));
                }
                println!("gone");
            }
            ["read", offset] => println!("{}", char::from(held.read::<u8>(offset.parse()?)?)),
            _ => return Err(format!("unknown order {order}").into()),
        }
    }
    Ok(())
}
