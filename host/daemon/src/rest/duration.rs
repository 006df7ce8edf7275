//! Spans of time as people write them in a query: `90s`, `5m`, `2h`, `1d`, `500ms`; a bare number counts seconds.

use std::str::FromStr;

/// A span in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub u64);

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(()),
        };
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).map(Self).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        assert_eq!("500ms".parse(), Ok(Span(500)));
        assert_eq!("90".parse(), Ok(Span(90_000)));
        assert_eq!("2h".parse(), Ok(Span(7_200_000)));
        for wrong in ["", "s", "-1s", "1.5h", "1w", "99999999999999999d"] {
            assert_eq!(wrong.parse::<Span>(), Err(()), "{wrong}");
        }
    }
}
