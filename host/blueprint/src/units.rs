//! Amounts with units: bytes, cpu time, durations. Exact: what is not a whole base unit is refused, not rounded.

use crate::path::quoted;

/// A decimal number and its unit, before anybody knows what it measures.
struct Measure<'a> {
    whole: u64,
    /// The digits after the point.
    fraction: &'a str,
    unit: &'a str,
}

const BYTES: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
const CPU: &[(&str, u64)] = &[("", 1000), ("m", 1)];
const DURATION: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// Bytes: `512 MB` (10⁶), `512 MiB` (2²⁰), a plain number.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    if let Some((unit, advice)) = measure(text).and_then(|it| Some((it.unit, loose_byte_unit(it.unit)?))) {
        return Err(format!("the unit {} is ambiguous: write {advice}", quoted(unit)));
    }
    convert(text, BYTES, "bytes", "a number of bytes such as `512 MB` (10⁶) or `512 MiB` (2²⁰)")
}

/// Millicores: `500m`, `0.5` and `2` cores.
pub(crate) fn millicores(text: &str) -> Result<u64, String> {
    convert(text, CPU, "millicores", "an amount of cpu such as `0.5` (cores) or `500m` (thousandths)")
}

/// Milliseconds: `10s`, `500ms`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    convert(text, DURATION, "milliseconds", "a time with its unit such as `10s`, `500ms`, `2m` or `1h`")
}

/// A whole number, written plainly: no sign, no leading zero, no exponent, no separator.
pub(crate) fn whole(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(not_one(text, "a whole number such as `3`"));
    }
    if text.len() > 1 && text.starts_with('0') {
        let plain = text.trim_start_matches('0');
        let plain = if plain.is_empty() { "0" } else { plain };
        return Err(format!("{} could be read as octal: write `{plain}`", quoted(text)));
    }
    text.parse().map_err(|_| format!("{} is too large", quoted(text)))
}

fn not_one(text: &str, example: &str) -> String {
    format!("{} is not {example}", quoted(text))
}

fn loose_byte_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "k" | "K" | "kb" | "KB" | "Kb" | "ki" | "Ki" | "kib" | "kiB" => "kB (1000) or KiB (1024)",
        "m" | "M" | "mb" | "Mb" | "mi" | "Mi" | "mib" => "MB (10⁶) or MiB (2²⁰)",
        "g" | "G" | "gb" | "Gb" | "gi" | "Gi" | "gib" => "GB (10⁹) or GiB (2³⁰)",
        "t" | "T" | "tb" | "Tb" | "ti" | "Ti" | "tib" => "TB (10¹²) or TiB (2⁴⁰)",
        _ => return None,
    })
}

fn measure(text: &str) -> Option<Measure<'_>> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if leading_zero || fraction.is_some_and(|f| f.is_empty() || f.contains('.')) {
        return None;
    }
    Some(Measure {
        whole: whole.parse().ok()?,
        fraction: fraction.unwrap_or(""),
        unit: unit.trim_start_matches(' '),
    })
}

fn convert(text: &str, units: &[(&str, u64)], base: &str, example: &str) -> Result<u64, String> {
    let known = measure(text).and_then(|it| Some((units.iter().find(|(name, _)| *name == it.unit)?.1, it)));
    let (factor, measure) = known.ok_or_else(|| not_one(text, example))?;
    let not_whole = || format!("{} is not a whole number of {base}", quoted(text));
    let fraction = measure.fraction.trim_end_matches('0');
    let digits = u32::try_from(fraction.len()).ok().filter(|n| *n <= 15).ok_or_else(not_whole)?;
    let scale = 10_u128.pow(digits);
    let tail = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().map_err(|_| not_whole())? };
    let total = (u128::from(measure.whole) * scale + tail) * u128::from(factor);
    if !total.is_multiple_of(scale) {
        return Err(not_whole());
    }
    // i64: what a store's integers hold
    let amount =
        i64::try_from(total / scale).map_err(|_| format!("{} is more than any node has", quoted(text)))?;
    Ok(amount.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_exact_and_units_unambiguous() {
        assert_eq!(bytes("512 MB"), Ok(512_000_000));
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("1.5 kB"), Ok(1500));
        assert_eq!(bytes("7"), Ok(7));
        assert_eq!(bytes("7 B"), Ok(7));
        assert_eq!(bytes("512m"), Err(r#"the unit "m" is ambiguous: write MB (10⁶) or MiB (2²⁰)"#.into()));
        for bad in [
            "",
            "MB",
            "-1 MB",
            "1e3",
            "010",
            "0.3 B",
            "1.MB",
            "1.2.3 MB",
            "99999999999 TB",
            "1 MB/s",
            "1_000",
        ] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cpu_is_in_cores_or_thousandths() {
        assert_eq!(millicores("500m"), Ok(500));
        assert_eq!(millicores("0.5"), Ok(500));
        assert_eq!(millicores("2"), Ok(2000));
        assert!(millicores("0.0001").is_err());
        assert!(millicores("1 core").is_err());
    }

    #[test]
    fn a_duration_needs_a_unit() {
        assert_eq!(duration("10s"), Ok(10_000));
        assert_eq!(duration("500ms"), Ok(500));
        assert_eq!(duration("2m"), Ok(120_000));
        assert_eq!(duration("1.5h"), Ok(5_400_000));
        assert_eq!(duration("0s"), Ok(0));
        assert!(duration("10").is_err());
    }

    #[test]
    fn whole_numbers_are_decimal_and_plain() {
        assert_eq!(whole("0"), Ok(0));
        assert_eq!(whole("1000"), Ok(1000));
        assert_eq!(whole("010"), Err(r#""010" could be read as octal: write `10`"#.into()));
        for bad in ["", "1e3", "0x10", "-1", "+1", "1_000", "1.0", "٣", "99999999999999999999"] {
            assert!(whole(bad).is_err(), "{bad}");
        }
    }
}
