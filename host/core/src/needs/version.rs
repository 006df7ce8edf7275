//! The order of versions, as different makers write them: `2.4`, `v2.4.0-rc1`, `6.8.0-45-generic`.
//!
//! A version is numbers, then perhaps a word, then perhaps more of both; what stands between them does not count.
//! Numbers compare by their value and go on in zeros for ever: `2.4` is `2.4.0`. What a word follows comes before the
//! same with the word, unless the word announces it: `2.4-rc1` < `2.4` < `2.4-debian` < `2.4-4`.

use std::cmp::Ordering;

/// Words that announce a version instead of following it.
const EARLY: [&str; 6] = ["alpha", "beta", "dev", "pre", "preview", "rc"];

/// How two versions compare. Every text is a version.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (bare(one), bare(other));
    loop {
        let order = compare_numbers(&mut one, &mut other);
        let words = (take(&mut one, is_letter), take(&mut other, is_letter));
        let order = order.then_with(|| class(words.0).cmp(&class(words.1)));
        let order = order.then_with(|| lower(words.0).cmp(lower(words.1)));
        if order.is_ne() || words == ("", "") {
            return order;
        }
    }
}

/// `v2.4` is 2.4.
fn bare(version: &str) -> &str {
    let number = version.strip_prefix(['v', 'V']);
    number.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(version)
}

/// Compares the numbers up to the next words, and leaves those.
fn compare_numbers(one: &mut &str, other: &mut &str) -> Ordering {
    loop {
        let numbers = (take(one, is_digit), take(other, is_digit));
        let (first, second) = (numbers.0.trim_start_matches('0'), numbers.1.trim_start_matches('0'));
        let order = (first.len(), first).cmp(&(second.len(), second));
        if order.is_ne() || numbers == ("", "") {
            return order;
        }
    }
}

/// The next part, when it is of this sort; else nothing.
fn take<'a>(rest: &mut &'a str, sort: fn(char) -> bool) -> &'a str {
    let text = rest.trim_start_matches(|c| !is_digit(c) && !is_letter(c));
    let end = text.find(|c| !sort(c)).unwrap_or(text.len());
    let (part, after) = text.split_at(end);
    *rest = after;
    part
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_digit(c)
}

fn class(word: &str) -> u8 {
    match word {
        "" => 1,
        early if EARLY.iter().any(|known| known.eq_ignore_ascii_case(early)) => 0,
        _ => 2,
    }
}

fn lower(word: &str) -> impl Iterator<Item = u8> {
    word.bytes().map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From old to new; those on one line are the same.
    const ORDER: [&[&str]; 16] = [
        &["2.4-alpha", "2.4.0-ALPHA"],
        &["2.4-alpha.1"],
        &["2.4-beta"],
        &["2.4-rc1", "2.4.0rc1", "v2.4-rc.1"],
        &["2.4-rc2"],
        &["2.4", "2.4.0", "2.4.00", "v2.4", "02.4", "2_4"],
        &["2.4-debian"],
        &["2.4.0-debian-2"],
        &["2.4-4", "2.4.4"],
        &["2.4.4-45-generic"],
        &["2.10"],
        &["2.10.0.1"],
        &["3-rc"],
        &["3", "3.0.0"],
        &["20240101"],
        &["99999999999999999999999"],
    ];

    #[test]
    fn versions_are_in_order() {
        for (n, older) in ORDER.iter().enumerate() {
            for (m, newer) in ORDER.iter().enumerate() {
                for (one, other) in older.iter().flat_map(|one| newer.iter().map(move |other| (one, other))) {
                    assert_eq!(compare(one, other), n.cmp(&m), "{one} and {other}");
                }
            }
        }
    }

    #[test]
    fn every_text_is_a_version() {
        assert_eq!(compare("", "0.0"), Ordering::Equal);
        assert_eq!(compare("-", "early"), Ordering::Less);
        assert_eq!(compare("größe", "GrößE"), Ordering::Equal);
    }
}
