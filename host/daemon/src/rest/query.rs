//! Query parameters: each is asked for by name, and what nobody asked for is refused.

use std::str::FromStr;

use super::error::Problem;

/// The parameters of one request that nobody has taken yet.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The value of `key`. Given twice, it has none.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Problem> {
        let Some(at) = self.0.iter().position(|(name, _)| name == key) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(at);
        if self.0.iter().any(|(name, _)| name == key) {
            return Err(Problem::Query(format!("`{key}` is given twice")));
        }
        Ok(Some(value))
    }

    /// The value of `key`, read as a `T`; `expected` says what that is.
    pub(super) fn value<T: FromStr>(&mut self, key: &str, expected: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let wrong = || Problem::Query(format!("`{key}` wants {expected}, not {text:?}"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// A switch: absent is off; `key`, `key=1` and `key=true` are on.
    pub(super) fn switch(&mut self, key: &str) -> Result<bool, Problem> {
        match self.text(key)?.as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("" | "1" | "true") => Ok(true),
            Some(other) => Err(Problem::Query(format!("`{key}` wants true or false, not {other:?}"))),
        }
    }

    /// Nothing is left.
    pub(super) fn end(&self, known: &str) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(Problem::Query(format!("`{name}` means nothing here; no parameter does")))
            }
            Some((name, _)) => Err(Problem::Query(format!("`{name}` means nothing here; {known} would"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        Query::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn what_nobody_asked_for_is_refused_by_name() {
        let mut query = query(&[("limit", "7"), ("limt", "8")]);
        assert_eq!(query.value::<u32>("limit", "a number").expect("a number"), Some(7));
        let error = query.end("after and limit").expect_err("one is left");
        assert_eq!(error.to_string(), "the query is wrong: `limt` means nothing here; after and limit would");
    }

    #[test]
    fn a_value_is_given_once_and_is_of_its_kind() {
        assert!(query(&[("a", "1"), ("a", "1")]).text("a").is_err());
        assert!(query(&[("a", "-1")]).value::<u32>("a", "a number").is_err());
        assert!(query(&[("a", "")]).switch("a").expect("on"));
        assert!(query(&[("a", "yes")]).switch("a").is_err());
    }
}
