//! What was published, and what somebody got of it.

use quintet::shm::Delivered;

/// The message with that number of that lane, of up to `longest` bytes: its length and all that is in it follow from these.
pub(crate) fn message(lane: usize, number: u64, longest: usize) -> Vec<u8> {
    let len = match number % 7 {
        0 => 0,
        1 => longest,
        2 => 1 + number as usize % 8,
        _ => number as usize * 37 % longest,
    };
    bytes(lane as u64 + 1, number, len.min(longest))
}

/// So many that follow from the two, no page of which is like another one.
pub(crate) fn bytes(seed: u64, number: u64, len: usize) -> Vec<u8> {
    let mut state = (seed << 40 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let page: Vec<u8> = (0..511)
        .flat_map(|_| {
            state = state.rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state.to_le_bytes()
        })
        .collect();
    let mut bytes = Vec::with_capacity(len.next_multiple_of(4096));
    for at in 0..len.div_ceil(4096) as u64 {
        bytes.extend_from_slice(&page[..8.min(len)]);
        bytes.extend_from_slice(&(at ^ state).to_le_bytes());
        bytes.extend_from_slice(&page[8..4088]);
    }
    bytes.truncate(len);
    bytes
}

/// What one subscriber got and missed.
#[derive(Debug)]
pub(crate) struct Seen {
    longest: usize,
    /// Of each lane the number that comes next if nothing is missed.
    pub(crate) next: Vec<u64>,
    pub(crate) received: u64,
    pub(crate) lost: u64,
}

impl Seen {
    /// From the first message on.
    pub(crate) fn new(longest: usize) -> Self {
        Seen {
            longest,
            next: Vec::new(),
            received: 0,
            lost: 0,
        }
    }

    /// Takes in a message: whole, in order, and with the right number missed before it.
    #[track_caller]
    pub(crate) fn add(&mut self, delivered: Delivered, got: &[u8]) {
        let lane = delivered.lane;
        self.next.resize(self.next.len().max(lane + 1), 0);
        assert_eq!(
            self.next[lane] + delivered.lost,
            delivered.sequence,
            "{delivered:?}"
        );
        self.next[lane] = delivered.sequence + 1;
        self.received += 1;
        self.lost += delivered.lost;
        assert_eq!(delivered.len, got.len());
        assert!(
            got == message(lane, delivered.sequence, self.longest),
            "torn, or another one: {delivered:?}"
        );
    }

    /// Whether it is at the end of so many lanes of so many messages each.
    pub(crate) fn is_all(&self, lanes: usize, each: u64) -> bool {
        self.next.len() == lanes && self.next.iter().all(|next| *next == each)
    }
}
