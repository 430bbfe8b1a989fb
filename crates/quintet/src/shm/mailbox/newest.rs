/// Which value is the newest, and where it is: in memory, so that both are said by one store. 0: there was none yet.
///
/// | bits | what |
/// |---|---|
/// | 0–7 | the buffer |
/// | 8–63 | the number of the value; the first has 1 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest(pub(super) u64);

const BUFFER_BITS: u32 = 8;

impl Newest {
    fn new(number: u64, buffer: usize) -> Self {
        Newest(number << BUFFER_BITS | buffer as u64)
    }

    /// 0 if there is none.
    #[inline(always)]
    pub(super) fn number(self) -> u64 {
        self.0 >> BUFFER_BITS
    }

    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.number() == 0
    }

    #[inline(always)]
    pub(super) fn buffer(self) -> usize {
        (self.0 & ((1 << BUFFER_BITS) - 1)) as usize
    }

    /// The one behind this, in that buffer.
    pub(super) fn next(self, buffer: usize) -> Self {
        // At a million a second it is used up after two thousand years, or after a hostile word.
        let next = Newest::new(self.number().wrapping_add(1), buffer);
        if next.is_none() {
            Newest::new(1, buffer)
        } else {
            next
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_and_never_say_that_there_is_none() {
        let first = Newest(0).next(3);
        assert_eq!(
            (first.number(), first.buffer(), Newest(0).is_none()),
            (1, 3, true)
        );
        let second = first.next(255);
        assert_eq!((second.number(), second.buffer()), (2, 255));
        let after_the_last = Newest(u64::MAX).next(7);
        assert_eq!((after_the_last.number(), after_the_last.buffer()), (1, 7));
    }
}
