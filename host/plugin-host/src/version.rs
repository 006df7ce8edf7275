//! Which of two versions of a plugin is the newer one.

use std::cmp::Ordering;

/// Dotted numbers, as many as there are, then what follows a `-`: a pre-release, which comes before its release.
/// Build metadata after a `+` says nothing about age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: Vec<u64>,
    pre_release: Option<String>,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.split('+').next()?;
        let (numbers, pre_release) = match text.split_once('-') {
            Some((numbers, pre_release)) => (numbers, Some(pre_release.to_owned())),
            None => (text, None),
        };
        let numbers = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some(Self { numbers, pre_release })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_pre_release = || match (&self.pre_release, &other.pre_release) {
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (mine, theirs) => mine.cmp(theirs),
        };
        self.numbers.cmp(&other.numbers).then_with(by_pre_release)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_is_greater() {
        let ascending =
            ["0.9", "0.9.1", "0.10.0-beta", "0.10.0", "0.10.1", "1.0.0-rc1", "1.0.0-rc2", "1.0.0", "10"];
        let versions: Vec<_> = ascending.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(Version::parse("1.2+debian"), Version::parse("1.2"));
    }

    #[test]
    fn what_is_no_version_is_none() {
        assert!(["", "one", "1..2", "v1", "1.x", "1.-2"].iter().all(|text| Version::parse(text).is_none()));
    }
}
