//! Name patterns: `*` for any run of characters, `?` for one. No classes, no escapes.

/// Whether the whole of `name` fits `pattern`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // where to go on when the last star has to swallow one byte more
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&rest| rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "web"),
            ("web", "web"),
            ("w?b", "web"),
            ("web-*-0-*", "web-vision-0-3f9a"),
            ("*:2.?", "registry.local/vision:2.1"),
            ("a*b*c", "aXbYbZc"),
        ] {
            assert!(matches(pattern, name), "`{pattern}` should fit `{name}`");
        }
        for (pattern, name) in [("", "x"), ("?", ""), ("web", "webs"), ("w?b", "wb"), ("a*b*c", "aXcYb")] {
            assert!(!matches(pattern, name), "`{pattern}` should not fit `{name}`");
        }
    }
}
