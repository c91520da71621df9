use crate::{Position, Range};

/// Between two checkpoints a column is counted character by character, so this bounds the cost of one look-up
/// even in a file that is a single line of megabytes.
const CHECKPOINT: usize = 256;

/// Translates byte offsets of a text into lines and columns, and back.
///
/// A line ends with `\n`, `\r\n` or a lone `\r`, as editors have it. Offsets past the end mean the end, and one
/// inside a character means its start, so nothing here fails.
#[derive(Debug, Clone)]
pub struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// Scalars that begin before each multiple of `CHECKPOINT`.
    scalars: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Reads the text once.
    pub fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        let mut scalars = Vec::with_capacity(bytes.len() / CHECKPOINT + 1);
        let mut seen = 0;
        for (offset, &byte) in bytes.iter().enumerate() {
            if offset % CHECKPOINT == 0 {
                scalars.push(seen);
            }
            seen += usize::from(begins_scalar(byte));
            if byte == b'\n' || byte == b'\r' && bytes.get(offset + 1) != Some(&b'\n') {
                starts.push(offset + 1);
            }
        }
        if bytes.len().is_multiple_of(CHECKPOINT) {
            scalars.push(seen);
        }
        Self {
            text,
            starts,
            scalars,
        }
    }

    /// The line and column of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts[line - 1];
        Position::new(
            narrow(line),
            narrow(self.scalars_before(offset) - self.scalars_before(start) + 1),
        )
    }

    /// The stretch between two byte offsets, the end exclusive.
    pub fn range(&self, offsets: std::ops::Range<usize>) -> Range {
        Range::new(self.position(offsets.start), self.position(offsets.end))
    }

    /// The byte offset of a place; columns past the line's end mean its end.
    pub fn offset(&self, position: Position) -> usize {
        let line = self.line(position.line);
        let column = widen(position.column).saturating_sub(1);
        let within = self.text[line.clone()]
            .char_indices()
            .nth(column)
            .map_or(line.len(), |(at, _)| at);
        line.start + within
    }

    /// Where a line (from 1) lies in the text, in bytes and without its ending; empty past the last line.
    pub fn line(&self, line: u32) -> std::ops::Range<usize> {
        let index = widen(line).saturating_sub(1);
        let Some(&start) = self.starts.get(index) else {
            return self.text.len()..self.text.len();
        };
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\r', '\n']).len()
    }

    fn scalars_before(&self, offset: usize) -> usize {
        let checkpoint = offset / CHECKPOINT;
        let rest = &self.text.as_bytes()[checkpoint * CHECKPOINT..offset];
        self.scalars[checkpoint] + rest.iter().filter(|&&byte| begins_scalar(byte)).count()
    }
}

/// In UTF-8 every byte but a continuation (`10xxxxxx`) begins a scalar.
fn begins_scalar(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn widen(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, written without regard for speed.
    fn counted(text: &str, offset: usize) -> Position {
        let (mut line, mut column) = (1, 1);
        let mut chars = text[..offset].chars().peekable();
        let tail = text[offset..].chars().next();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied().or(tail);
            if c == '\n' || c == '\r' && next != Some('\n') {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        Position::new(line, column)
    }

    #[test]
    fn lines_end_as_editors_have_it() {
        let index = LineIndex::new("a\r\nbé\rc\n");
        let places: Vec<_> = [0, 1, 3, 4, 6, 7, 8, 9, 99]
            .map(|offset| index.position(offset))
            .iter()
            .map(|p| (p.line, p.column))
            .collect();
        assert_eq!(
            places,
            [
                (1, 1),
                (1, 2),
                (2, 1),
                (2, 2),
                (2, 3),
                (3, 1),
                (3, 2),
                (4, 1),
                (4, 1)
            ]
        );
        assert_eq!(index.line(2), 3..6);
        assert_eq!(index.line(9), 9..9);
    }

    #[test]
    fn an_offset_inside_a_character_means_its_start() {
        assert_eq!(LineIndex::new("é").position(1), Position::new(1, 1));
    }

    #[test]
    fn an_empty_text_has_one_line() {
        let index = LineIndex::new("");
        assert_eq!(index.position(0), Position::new(1, 1));
        assert_eq!(index.offset(Position::new(7, 7)), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_counting(text in "(\r\n|\n|\r|\t|[a-z]{1,90}|é|𝄞){0,60}") {
            let index = LineIndex::new(&text);
            for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
                let position = index.position(offset);
                prop_assert_eq!(position, counted(&text, offset));
                // Behind a line's ending there is nothing to come back to but the line's end.
                if !text[offset..].starts_with('\n') || !text[..offset].ends_with('\r') {
                    prop_assert_eq!(index.offset(position), offset);
                }
            }
        }
    }
}
