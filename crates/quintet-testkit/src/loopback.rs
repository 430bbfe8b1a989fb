//! Addresses of this machine that no other test has.

use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

/// An address of this machine that this call alone gives, or nearly so: all of 127.0.0.0/8 is this machine.
///
/// A port that a test had, and will want again, can be another test's by then if both choose from those of 127.0.0.1.
/// Here each has 65,536 ports for itself: two meet only if 254 calls of one process lie between them, or their
/// processes' ids have the same lowest 16 bits.
pub fn loopback() -> Ipv4Addr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) % 254;
    let [.., high, low] = process::id().to_be_bytes();
    // Neither 127.0.0.1, which everybody uses, nor the broadcast address.
    Ipv4Addr::new(127, count + 1, high, low)
}
