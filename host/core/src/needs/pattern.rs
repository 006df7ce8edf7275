//! Shapes of text: `*` is any characters, `?` is exactly one. The whole text has to match.

/// Whether the text has that shape. Takes no longer than the product of both lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // where to go on when the last star has to be one character longer
    let mut again = None;
    loop {
        match (pattern.next(), text.clone().next()) {
            (Some('*'), _) => again = Some((pattern.clone(), text.clone())),
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => drop(text.next()),
            (None, None) => return true,
            _ => {
                let Some((after_star, from)) = &mut again else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "anything"),
            ("a*c", "abcbc"),
            ("a*b*c", "aXbYbZc"),
            ("?", "ä"),
            ("cc2?3*", "cc2531-rev4"),
            ("**a", "bca"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("?", ""), ("a*c", "abcb"), ("a", "A"), ("a?", "a"), ("*a*b", "ba")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let text = "a".repeat(10_000);
        assert!(!matches(&"a*".repeat(200), &(text.clone() + "b").replace('a', "b")));
        assert!(!matches(&("a*".repeat(200) + "b"), &text));
    }
}
