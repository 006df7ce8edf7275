//! The line format of every file in an instance's directory but the log: fields separated by tabs, one record a line, `end` last.
//!
//! It needs no parser worth the name, which is why it is not JSON: the shim reads and writes it with a few hundred bytes. A file
//! without its last line was cut short (a power loss after the rename) and is refused as damaged rather than half believed.

/// Builds one file's text.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// Adds a record; tabs, line breaks and backslashes in a field are escaped.
    #[must_use]
    pub fn line(mut self, fields: &[&str]) -> Self {
        for (i, field) in fields.iter().enumerate() {
            if i > 0 {
                self.0.push('\t');
            }
            escape(field, &mut self.0);
        }
        self.0.push('\n');
        self
    }

    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push_str("end\n");
        self.0
    }
}

/// The records of a file, or `None` when it is not whole.
pub fn read(text: &str) -> Option<Vec<Vec<String>>> {
    let body = text.strip_suffix("end\n")?;
    if !body.is_empty() && !body.ends_with('\n') {
        return None;
    }
    body.lines().map(|line| line.split('\t').map(unescape).collect()).collect()
}

fn escape(field: &str, out: &mut String) {
    for c in field.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}

fn unescape(field: &str) -> Option<String> {
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives() {
        let fields = ["key", "a\tb", "c\\nd", "line\nbreak\r\n", "", "größe", "end"];
        let text = Writer::default().line(&fields).line(&["end"]).line(&[""]).finish();
        let records = read(&text).expect("whole");
        assert_eq!(records, [fields.to_vec(), vec!["end"], vec![""]]);
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        let text = Writer::default().line(&["label", "motey.node", "end"]).line(&["x"]).finish();
        for cut in 0..text.len() {
            assert_eq!(read(&text[..cut]), None, "cut at {cut}");
        }
        assert_eq!(read("end\n"), Some(vec![]));
    }

    #[test]
    fn an_unknown_escape_is_refused() {
        assert_eq!(read("a\\q\nend\n"), None);
        assert_eq!(read("a\\\nend\n"), None);
    }
}
