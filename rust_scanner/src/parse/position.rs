//! Offsets in a text to positions as the Language Server Protocol counts them.

use ruff_text_size::{TextRange, TextSize};

use crate::syntax::Range;

/// The starts of a text's lines.
pub struct Positions<'a> {
    text: &'a str,
    starts: Vec<u32>,
}

impl<'a> Positions<'a> {
    /// Find the lines of `text`: they end in LF, CRLF or CR.
    pub fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes)
            .filter(|&end| bytes[end] == b'\n' || bytes.get(end + 1) != Some(&b'\n'));
        let starts =
            std::iter::once(0).chain(ends.map(|end| u32::try_from(end + 1).unwrap_or(u32::MAX)));
        Self { text, starts: starts.collect() }
    }

    /// The text itself.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The start of the statement whose name is at `offset`: the first word of that line.
    pub fn first_word_before(&self, offset: TextSize) -> TextSize {
        let start = self.starts[self.line(offset.to_u32())];
        let before = &self.text[start as usize..offset.to_usize()];
        let indent = before.len() - before.trim_start().len();
        TextSize::new(start + u32::try_from(indent).unwrap_or_default())
    }

    /// The protocol's form of a range of offsets.
    pub fn range(&self, range: TextRange) -> Range {
        Range {
            start: self.position(range.start().to_u32()),
            end: self.position(range.end().to_u32()),
        }
    }

    fn line(&self, offset: u32) -> usize {
        self.starts.partition_point(|start| *start <= offset) - 1
    }

    fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        let before = self.text.get(self.starts[line] as usize..offset as usize).unwrap_or_default();
        let column = if before.is_ascii() { before.len() } else { before.encode_utf16().count() };
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf16_and_lines_end_three_ways() {
        let positions = Positions::new("a\r\n\u{1f600}b\rc\n");
        let at = |offset: u32| positions.position(offset);
        assert_eq!(at(0), (0, 0));
        assert_eq!(at(3), (1, 0));
        assert_eq!(at(7), (1, 2));
        assert_eq!(at(9), (2, 0));
        assert_eq!(at(11), (3, 0));
    }
}
