//! Bytes that come in pieces, taken apart into lines.

/// The end of a line in an encoding whose shortest character has `width` bytes, 1 or (UTF-16) 2.
pub(crate) fn newline(width: usize) -> &'static [u8] {
    &b"\n\0"[..width]
}

/// Collects pieces and gives lines.
#[derive(Debug)]
pub(crate) struct Lines {
    width: usize,
    pending: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is no newline; like all newlines, at a multiple of `width` from `start`.
    searched: usize,
}

impl Lines {
    pub(crate) fn new(width: usize) -> Self {
        Lines {
            width,
            pending: Vec::new(),
            start: 0,
            searched: 0,
        }
    }

    /// Takes a piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.pending.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.pending.extend_from_slice(piece);
    }

    /// The next complete line, without its `\n` or `\r\n`.
    pub(crate) fn next_line(&mut self) -> Option<&[u8]> {
        let newline = newline(self.width);
        let mut characters = self.pending[self.searched..].chunks_exact(self.width);
        let all = characters.len();
        let found = characters.position(|character| character == newline);
        let end = self.searched + found.unwrap_or(all) * self.width;
        self.searched = end;
        found?;
        let line = &self.pending[self.start..end];
        self.start = end + self.width;
        self.searched = self.start;
        Some(line.strip_suffix(&b"\r\0"[..self.width]).unwrap_or(line))
    }

    /// What has come of a line that is not complete.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.pending[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of `bytes`, pushed in pieces that end at the `cuts`, and the rest.
    fn split(width: usize, bytes: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut lines = Lines::new(width);
        let mut found = Vec::new();
        for cut in cuts.windows(2) {
            lines.push(&bytes[cut[0]..cut[1]]);
            while let Some(line) = lines.next_line() {
                found.push(line.to_vec());
            }
        }
        (found, lines.rest().to_vec())
    }

    #[test]
    fn a_byte_of_a_wide_character_is_no_newline() {
        // U+0A00 and U+000A, then U+0D0A, then half a character.
        let (lines, rest) = split(2, b"\0\x0a\x0a\0\x0a\x0d\x0d\0\x0a\0\x41", &[]);
        assert_eq!(lines, [&b"\0\x0a"[..], b"\x0a\x0d"]);
        assert_eq!(rest, b"\x41");
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_pieces(
            text in "[a成ਊ\r\n]{0,30}",
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let (mut expected, rest) = text.rsplit_once('\n').map_or((vec![], &*text), |(lines, rest)| {
                (lines.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect(), rest)
            });
            prop_assert_eq!(
                split(1, text.as_bytes(), &cuts),
                (expected.iter().map(|line| line.as_bytes().to_vec()).collect(), rest.as_bytes().to_vec())
            );
            let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            prop_assert_eq!(
                split(2, &wide(&text), &cuts),
                (expected.drain(..).map(wide).collect(), wide(rest))
            );
        }
    }
}
