/// What buffers that begin on a page are aligned to.
pub(crate) const PAGE: usize = 4096;

/// A buffer that begins on a page.
///
/// Where it begins matters, so that it must not be left to luck where two rows are compared: on some processors `rep
/// movsb`, which memcpy and the kernel use, is ten times slower when the destination is 1 to 31 bytes further into its
/// page than the source (3 instead of 40 GB/s on a Zen 3).
pub(crate) struct Pages {
    memory: Vec<u8>,
    len: usize,
}

impl Pages {
    pub(crate) fn new(len: usize) -> Self {
        Pages {
            // Written to, so that its pages are there.
            memory: vec![7; len + PAGE],
            len,
        }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        let begin = self.memory.as_ptr().align_offset(PAGE);
        &mut self.memory[begin..][..self.len]
    }
}
