//! Writes the manifest's JSON at compile time, so that it lies in its section without any code having run.

use motey_plugin_abi::ABI;

/// What [`plugin!`](crate::plugin) was told.
pub struct Parts {
    pub id: &'static str,
    pub name: &'static str,
    pub version: &'static str,
    pub author: &'static str,
    pub website: &'static str,
    pub description: &'static str,
    pub category: &'static str,
    pub features: &'static [&'static str],
}

/// The first of a list that is never empty.
pub const fn first(texts: &[&'static str]) -> &'static str {
    texts[0]
}

impl Parts {
    /// How many bytes [`render`](Self::render) writes.
    pub const fn length(&self) -> usize {
        self.write::<0>().length
    }

    /// # Panics
    /// At compile time: when the id is not `[a-z0-9-]{1,40}`, or `N` is not [`length`](Self::length).
    pub const fn render<const N: usize>(&self) -> [u8; N] {
        assert!(is_id(self.id), "a plugin's id is 1 to 40 characters of a-z, 0-9 and -");
        let page = self.write::<N>();
        assert!(page.length == N);
        page.bytes
    }

    const fn write<const N: usize>(&self) -> Page<N> {
        let mut page = Page { bytes: [0; N], length: 0 }
            .raw(b"{\"id\":")
            .text(self.id)
            .raw(b",\"name\":")
            .text(self.name)
            .raw(b",\"version\":")
            .text(self.version)
            .raw(b",\"author\":")
            .text(self.author)
            .raw(b",\"website\":")
            .text(self.website)
            .raw(b",\"description\":")
            .text(self.description)
            .raw(b",\"abi\":")
            .number(ABI)
            .raw(b",\"category\":")
            .text(self.category)
            .raw(b",\"features\":[");
        let mut at = 0;
        while at < self.features.len() {
            page = if at > 0 { page.raw(b",") } else { page };
            page = page.text(self.features[at]);
            at += 1;
        }
        page.raw(b"]}")
    }
}

const fn is_id(id: &str) -> bool {
    let id = id.as_bytes();
    let mut at = 0;
    while at < id.len() {
        if !matches!(id[at], b'a'..=b'z' | b'0'..=b'9' | b'-') {
            return false;
        }
        at += 1;
    }
    at >= 1 && at <= 40
}

/// Counts what does not fit, so that the first writing measures for the second.
struct Page<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Page<N> {
    const fn byte(mut self, byte: u8) -> Self {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
        self
    }

    const fn raw(mut self, bytes: &[u8]) -> Self {
        let mut at = 0;
        while at < bytes.len() {
            self = self.byte(bytes[at]);
            at += 1;
        }
        self
    }

    const fn number(self, number: u32) -> Self {
        let page = if number >= 10 { self.number(number / 10) } else { self };
        page.byte(b'0' + (number % 10) as u8)
    }

    /// RFC 8259 §7: quote, backslash and the control characters are escaped.
    const fn text(self, text: &str) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let text = text.as_bytes();
        let mut page = self.byte(b'"');
        let mut at = 0;
        while at < text.len() {
            page = match text[at] {
                byte @ (b'"' | b'\\') => page.byte(b'\\').byte(byte),
                byte @ 0..0x20 => {
                    page.raw(b"\\u00").byte(HEX[(byte >> 4) as usize]).byte(HEX[(byte & 15) as usize])
                }
                byte => page.byte(byte),
            };
            at += 1;
        }
        page.byte(b'"')
    }
}

#[cfg(test)]
mod tests {
    use motey_plugin_ops::{Category, Manifest};

    use super::*;

    const PARTS: Parts = Parts {
        id: "my-engine2",
        name: "My \"engine\" – quoted",
        version: "1.2.3",
        author: first(&["A\\B", "unused"]),
        website: "",
        description: "two\nlines\u{1}",
        category: "val",
        features: &["command", "logs"],
    };
    static RENDERED: [u8; PARTS.length()] = PARTS.render();

    #[test]
    fn what_is_written_is_what_is_read() {
        let manifest: Manifest = serde_json::from_slice(&RENDERED).unwrap();
        assert_eq!((manifest.id.as_str(), manifest.name.as_str()), (PARTS.id, PARTS.name));
        assert_eq!((manifest.author.as_str(), manifest.description.as_str()), ("A\\B", PARTS.description));
        assert_eq!((manifest.abi, manifest.category), (ABI, Category::Val));
        assert_eq!(manifest.features, ["command", "logs"].map(str::to_owned).into());
        assert_eq!(Page::<4> { bytes: [0; 4], length: 0 }.number(4070).bytes, *b"4070");
    }

    #[test]
    fn an_id_is_a_name_for_urls_and_files() {
        assert!(is_id("a") && is_id(&"x".repeat(40)));
        assert!(!is_id("") && !is_id("A") && !is_id("a_b") && !is_id(&"x".repeat(41)));
    }
}
