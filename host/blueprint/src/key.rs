//! Image keys: the ones a blueprint gives, and the ones made of image names.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::id::ImageKey;

const LONGEST: usize = 40;

/// A key like the image's name: `registry.local/Vision:2.1` gives `vision`, `/bin/sh` gives `sh`.
pub(crate) fn base(name: &str) -> String {
    let without_digest = name.split('@').next().unwrap_or(name);
    let last = without_digest.trim_end_matches('/').rsplit('/').next().unwrap_or(without_digest);
    let without_tag = last.split(':').next().unwrap_or(last);
    let slug: String = without_tag.chars().flat_map(char::to_lowercase).map(allowed).take(LONGEST).collect();
    match slug.trim_matches('-') {
        "" => "image".to_owned(),
        slug => slug.to_owned(),
    }
}

/// The keys of one blueprint.
#[derive(Default)]
pub(crate) struct Keys {
    taken: BTreeSet<ImageKey>,
    /// The last number tried for each base: thousands of images of one name stay cheap.
    numbers: BTreeMap<String, u32>,
}

impl Keys {
    /// Takes a key that the user chose; `false` when it was taken before.
    pub(crate) fn take(&mut self, key: &ImageKey) -> bool {
        self.taken.insert(key.clone())
    }

    /// Takes the first of `base`, `base-2`, `base-3`, … that is free.
    pub(crate) fn derive(&mut self, base: &str) -> Option<ImageKey> {
        let number = self.numbers.entry(base.to_owned()).or_insert(0);
        loop {
            *number = number.checked_add(1)?;
            let key = ImageKey::new(&numbered(base, *number)).ok()?;
            if self.taken.insert(key.clone()) {
                return Some(key);
            }
        }
    }
}

fn numbered(base: &str, n: u32) -> String {
    if n == 1 {
        return base.to_owned();
    }
    let suffix = format!("-{n}");
    let room = LONGEST.saturating_sub(suffix.len());
    let kept: String = base.chars().take(room).collect();
    format!("{}{suffix}", kept.trim_end_matches('-'))
}

fn allowed(c: char) -> char {
    if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_the_last_part_of_a_name() {
        assert_eq!(base("registry.local:5000/Team/Vision_2:2.1"), "vision-2");
        assert_eq!(base("vision@sha256:abc"), "vision");
        assert_eq!(base("/bin/sh"), "sh");
        assert_eq!(base("/opt/app/"), "app");
        assert_eq!(base("日本"), "image");
        assert_eq!(base(&"x".repeat(99)).len(), LONGEST);
    }

    #[test]
    fn a_taken_key_gets_a_number_and_stays_short() {
        let long = "x".repeat(40);
        let mut keys = Keys::default();
        assert!(keys.take(&ImageKey::new("a-2").expect("a key")));
        assert!(!keys.take(&ImageKey::new("a-2").expect("a key")));
        let mut derive = |base: &str| keys.derive(base).expect("a key").to_string();
        assert_eq!([derive("a"), derive("a"), derive("a")], ["a", "a-3", "a-4"]);
        assert_eq!([derive(&long), derive(&long)], [long, format!("{}-2", "x".repeat(38))]);
    }
}
