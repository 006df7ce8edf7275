//! From byte offsets, which everything inside uses, to lines and columns, which people use.
//!
//! A line ends with `\n`; columns count characters from 1.

/// Where the lines of a text begin.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Line and column of an offset; one past the end, or inside a character, is moved back.
    pub(crate) fn place(&self, offset: usize) -> (u32, u32) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.line_index(offset);
        let before = &self.text[self.starts[line]..offset];
        (count(line + 1), count(before.chars().count() + 1))
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        count(self.line_index(offset) + 1)
    }

    /// The offset of a column in bytes, both from 1, as serde_json counts.
    pub(crate) fn offset(&self, line: usize, byte_column: usize) -> usize {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        (start + byte_column.saturating_sub(1)).min(self.text.len())
    }

    fn line_index(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::of("ä: 1\nöö: 2\n");
        assert_eq!(lines.place(0), (1, 1));
        assert_eq!(lines.place(2), (1, 2));
        assert_eq!(lines.place(10), (2, 3));
        assert_eq!(lines.place(7), (2, 1), "inside a character");
        assert_eq!(lines.place(999), (3, 1), "past the end");
    }

    #[test]
    fn serde_json_columns_become_offsets() {
        let lines = Lines::of("{\n  1}");
        assert_eq!(lines.offset(2, 3), 4);
        assert_eq!(lines.offset(1, 0), 0);
        assert_eq!(lines.offset(9, 9), 6);
    }
}
