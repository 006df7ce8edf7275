//! An error and what caused it, in one line: for logs and for answers, where nobody walks the chain.

use std::error::Error;

/// The error and, after it, whatever caused it and is not said yet.
pub fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        next = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use std::io;

    #[test]
    fn the_cause_is_told_once() {
        let source = io::Error::other("the disk is gone");
        let silent = StoreError::Io { path: "/x".into(), source };
        assert_eq!(chain(&silent), "cannot use /x: the disk is gone");
        let telling = crate::RunError::RunDir { path: "/x".into(), source: io::Error::other("no room") };
        assert_eq!(chain(&telling), "the runtime directory /x cannot be used: no room");
    }
}
