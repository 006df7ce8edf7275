//! How a place in a blueprint is written: `images[1].parameters.environment["A.B"]`.

use std::fmt::Write as _;

/// Characters of a key that a path shows.
const SHOWN: usize = 60;

/// Adds a key of a map.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '/';
    if key.is_empty() || key.len() > SHOWN || !key.chars().all(plain) {
        let _ = write!(path, "[{}]", quoted(key));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Adds a place in a list, from 0.
pub(crate) fn push_index(path: &mut String, index: usize) {
    let _ = write!(path, "[{index}]");
}

/// The path of a key of the map at `path`.
pub(crate) fn with_key(path: &str, key: &str) -> String {
    let mut longer = path.to_owned();
    push_key(&mut longer, key);
    longer
}

/// The path of an entry of the list at `path`.
pub(crate) fn with_index(path: &str, index: usize) -> String {
    let mut longer = path.to_owned();
    push_index(&mut longer, index);
    longer
}

/// A user's own text as messages show it: quoted, escaped, cut.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_quoted() {
        let mut path = with_index("images", 1);
        push_key(&mut path, "environment");
        push_key(&mut path, "A.B");
        assert_eq!(path, r#"images[1].environment["A.B"]"#);
        assert_eq!(with_key("", "service_name"), "service_name");
        assert_eq!(quoted(&"x".repeat(70)), format!("\"{}…\"", "x".repeat(60)));
    }
}
