//! Splits a command line into arguments as a POSIX shell would, without expanding anything.
//!
//! Quotes and backslashes work as in POSIX XCU 2.2. `$`, `*`, `|`, `>` and `;` are ordinary characters: nothing here
//! runs a shell. Who wants one writes `[/bin/sh, -c, "…"]`.

/// Why a command line cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitError {
    #[error("a {0} quote is opened and not closed: close it, or write the command as a list")]
    OpenQuote(&'static str),
    #[error("a backslash at the end escapes nothing: double it, or write the command as a list")]
    TrailingBackslash,
}

/// The arguments of a command line.
pub(crate) fn split(line: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => single(&mut rest, word.get_or_insert_default())?,
            '"' => double(&mut rest, word.get_or_insert_default())?,
            '\\' => match rest.next().ok_or(SplitError::TrailingBackslash)? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), SplitError> {
    for c in rest {
        match c {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
    Err(SplitError::OpenQuote("single"))
}

fn double(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), SplitError> {
    let open = SplitError::OpenQuote("double");
    loop {
        match rest.next().ok_or(open)? {
            '"' => return Ok(()),
            '\\' => match rest.next().ok_or(open)? {
                '\n' => {}
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).expect("a command line")
    }

    #[test]
    fn splits_like_a_posix_shell() {
        assert_eq!(words("  serve  --port 80 "), ["serve", "--port", "80"]);
        assert_eq!(words(r#"sh -c 'echo "a  b"'"#), ["sh", "-c", r#"echo "a  b""#]);
        assert_eq!(words(r#"a"b c"d '' "\$x \n""#), ["ab cd", "", r"$x \n"]);
        assert_eq!(words(r"a\ b \'"), ["a b", "'"]);
        assert_eq!(words("a \\\n b"), ["a", "b"]);
        assert_eq!(words("echo $HOME | wc > *"), ["echo", "$HOME", "|", "wc", ">", "*"]);
        assert!(words("").is_empty());
    }

    #[test]
    fn an_open_quote_is_named() {
        assert_eq!(split("echo 'a"), Err(SplitError::OpenQuote("single")));
        assert_eq!(split(r#"echo "a\""#), Err(SplitError::OpenQuote("double")));
        assert_eq!(split("echo \\"), Err(SplitError::TrailingBackslash));
    }
}
