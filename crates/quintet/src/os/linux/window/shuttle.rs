//! The *shuttle*: memory for the bytes of large messages, which a sender lends to a receiver once.
//!
//! A message's record is published first, and says that its bytes are coming. Then the sender copies them into the shuttle, piece
//! by piece, and says after each how many have ever gone there; the receiver meanwhile copies out what is there. The two
//! copies run on two cores at once, in memory that both have mapped and warm, and together take little longer than one. The
//! message is there when its last byte is: who dies or is stopped before has sent nothing, and nobody waits for it.
//!
//! The receiver copies because nothing else gives it bytes that stay as they are, which a procedure that gets a `&[u8]` must be able to
//! rely on: what the sender has mapped, it can change. Memory that nobody can change any more cannot be mapped by the sender
//! (`data.rs`), so it is fresh for each message, which costs several times as much as a copy. And to read the sender's own memory
//! (`process_vm_readv`), which is one copy, the sender would have to let itself be traced, where the system asks for that.
//!
//! The sender reserves the memory before it writes there, more when more is needed, and gives it back when it was not used for a
//! while.

use super::lane::nonsense;
use super::words::{self, Words};
use crate::Result;
use crate::os::atomic::Ordering;
use crate::os::copy;
use crate::os::step::step;
use crate::os::types::MapMode;
use rustix::fd::OwnedFd;

/// The most bytes of a message.
pub(super) const SHUTTLE: usize = 4 << 20;

/// Bytes of a piece. Smaller ones cost more for telling, larger ones let the receiver wait longer for the first.
const PIECE: usize = if cfg!(loom) { 8 } else { 32 << 10 };

/// Where the bytes begin, in words: at a page. The first word is how many have ever gone there.
const HEAD: usize = if cfg!(loom) { 1 } else { 512 };

/// Memory is reserved for so many words at once, or twice as many, and so on.
const LEAST: usize = (64 << 10) / 8;

/// The sender's side.
#[derive(Debug)]
pub(super) struct ShuttleOut {
    words: Words,
    file: OwnedFd,
    /// How many bytes have ever gone there.
    gone: u64,
    /// For how many words of bytes there is memory.
    reserved: usize,
    /// What is there is still to be copied until the receiver has passed this position in the ring.
    pub(super) until: u64,
    /// Whether it was used since that was last asked.
    used: bool,
}

impl ShuttleOut {
    pub(super) fn make() -> Result<Self> {
        let (words, file) = Words::make(HEAD + SHUTTLE / 8, HEAD)?;
        Ok(ShuttleOut::new(words, file))
    }

    fn new(words: Words, file: OwnedFd) -> Self {
        ShuttleOut {
            words,
            file,
            gone: 0,
            reserved: 0,
            until: 0,
            used: false,
        }
    }

    /// For who writes there what he should not.
    #[cfg(all(test, not(loom)))]
    pub(super) fn words(&self) -> &[crate::os::atomic::AtomicU64] {
        self.words.all()
    }

    /// What is to be lent.
    pub(super) fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// How many bytes have ever gone there.
    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    /// Sees to it that there is memory for so many bytes.
    pub(super) fn reserve(&mut self, len: usize) -> Result<()> {
        let words = len.div_ceil(8);
        if words > self.reserved {
            let more = words.next_power_of_two().max(LEAST);
            words::reserve(&self.file, HEAD + self.reserved..HEAD + more)?;
            self.reserved = more;
        }
        Ok(())
    }

    /// Copies the bytes of a message there, for which there is memory and whose record has been published. `told`: after each
    /// piece, when it has been said.
    pub(super) fn fill(&mut self, bytes: &[u8], mut told: impl FnMut()) {
        self.used = true;
        let words = self.words.all();
        let (head, room) = words.split_at(HEAD);
        for (piece, room) in bytes.chunks(PIECE).zip(room.chunks(PIECE / 8)) {
            copy::into_words(piece, room);
            self.gone += piece.len() as u64;
            step();
            head[0].store(self.gone, Ordering::Release);
            step();
            told();
        }
    }

    /// Gives the memory back if it was not used since the last time; all that went there has been copied.
    pub(super) fn tidy(&mut self) {
        if !std::mem::take(&mut self.used) && self.reserved > 0 {
            // If that fails there is just as much memory in use as before.
            if words::give_back(&self.file, HEAD..HEAD + self.reserved).is_ok() {
                self.reserved = 0;
            }
        }
    }
}

/// The receiver's side.
#[derive(Debug)]
pub(super) struct ShuttleIn(Words);

impl ShuttleIn {
    /// Takes a shuttle from somebody who may have lied about it.
    pub(super) fn take(file: &OwnedFd) -> Result<Self> {
        Words::take(file, HEAD + SHUTTLE / 8, MapMode::ReadOnly).map(ShuttleIn)
    }

    /// Whether there are more of a message's bytes than were copied. `before`: how many had gone there before its first.
    #[inline]
    pub(super) fn has_more(&self, before: u64, copied: usize) -> bool {
        self.0.all()[0].load(Ordering::Acquire) != before.wrapping_add(copied as u64)
    }

    /// Copies what there is of a message of that length, behind what was copied of it already: whether that is all.
    pub(super) fn fetch(&self, before: u64, len: u64, copied: &mut Vec<u8>) -> Result<bool> {
        let len = usize::try_from(len)
            .ok()
            .filter(|len| (1..=SHUTTLE).contains(len))
            .ok_or_else(nonsense)?;
        let (head, room) = self.0.all().split_at(HEAD);
        let there = head[0].load(Ordering::Acquire).wrapping_sub(before);
        let there = usize::try_from(there)
            .ok()
            .filter(|there| *there == len || *there < len && there.is_multiple_of(8))
            .filter(|there| *there >= copied.len())
            .ok_or_else(nonsense)?;
        // No more is reserved than a shuttle has, whatever a sender says.
        copied.reserve(len - copied.len());
        let from = copied.len();
        copy::append(&room[from / 8..there.div_ceil(8)], there - from, copied);
        Ok(there == len)
    }
}

/// Both sides, in a model.
#[cfg(all(test, loom))]
pub(super) fn model(words: usize) -> (ShuttleOut, ShuttleIn) {
    let file = std::fs::File::open("/dev/null").unwrap();
    let words = Words::model(HEAD + words);
    // Nothing is reserved in a model.
    (ShuttleOut::new(words.clone(), file.into()), ShuttleIn(words))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    #[test]
    fn bytes_come_as_they_went_and_memory_is_given_back() {
        let mut out = ShuttleOut::make().unwrap();
        let there = ShuttleIn::take(out.file()).unwrap();
        let used = |out: &ShuttleOut| rustix::fs::fstat(out.file()).unwrap().st_blocks as usize * 512;
        let empty = used(&out);
        for len in [1, 7, 8, PIECE, PIECE + 1, 3 * PIECE - 5, SHUTTLE] {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + len) as u8).collect();
            let before = out.gone();
            out.reserve(len).unwrap();
            assert!(used(&out) >= empty + len);
            let (mut came, mut looks) = (Vec::new(), 0);
            out.fill(&bytes, || {
                assert!(there.has_more(before, came.len()));
                looks += 1;
                let whole = there.fetch(before, len as u64, &mut came).unwrap();
                assert_eq!(whole, came.len() == len);
            });
            assert!(!there.has_more(before, came.len()));
            assert_eq!((came == bytes, looks), (true, len.div_ceil(PIECE)));
            out.tidy();
            assert!(used(&out) >= empty + len, "it was just used");
        }
        out.tidy();
        assert_eq!(used(&out), empty);
    }

    proptest! {
        /// A sender may say anything, at any time.
        #[test]
        fn any_words_are_an_error_at_worst(
            says in proptest::collection::vec(prop_oneof![0..70_000u64, any::<u64>()], 1..20),
            before in prop_oneof![0..100u64, any::<u64>()],
            len in prop_oneof![0..70_000u64, any::<u64>()],
        ) {
            let mut out = ShuttleOut::make().unwrap();
            out.reserve(70_000).unwrap();
            let there = ShuttleIn::take(out.file()).unwrap();
            let mut came = Vec::new();
            for word in says {
                out.words.all()[0].store(word.wrapping_add(before), Ordering::Relaxed);
                there.has_more(before, came.len());
                match there.fetch(before, len, &mut came) {
                    Ok(whole) => {
                        prop_assert!(came.len() as u64 <= len);
                        if whole {
                            prop_assert_eq!(came.len() as u64, len);
                            break;
                        }
                    }
                    Err(error) => {
                        prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn memory_that_is_no_shuttle_is_refused() {
        let (_, file) = Words::make(512, 512).unwrap();
        assert_eq!(ShuttleIn::take(&file).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
