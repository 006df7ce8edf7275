//! How much a blueprint may be. Each bound is far above what people write and far below what hurts a small node.

use std::ops::RangeInclusive;

/// The longest blueprint, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Lists and maps inside one another.
pub(crate) const MAX_DEPTH: usize = 64;

/// Keys and values, every alias counted as what it stands for.
pub(crate) const MAX_NODES: usize = 50_000;

/// Bytes of text in all scalars, every alias counted as what it stands for.
pub(crate) const MAX_TEXT: usize = 2 * MAX_BYTES;

/// Milliseconds of grace before a kill: one hour.
pub(crate) const MAX_GRACE: u64 = 3_600_000;

/// Milliseconds between two checks of an instance: what is asked more often costs more than it tells.
pub(crate) const CHECK_INTERVAL: RangeInclusive<u64> = 1_000..=3_600_000;

/// Milliseconds that a check may take.
pub(crate) const CHECK_TIMEOUT: RangeInclusive<u64> = 100..=60_000;

/// Failures in a row that make an instance unhealthy.
pub(crate) const CHECK_RETRIES: RangeInclusive<u64> = 1..=100;

/// Milliseconds in which failures do not count.
pub(crate) const CHECK_START: RangeInclusive<u64> = 0..=3_600_000;

/// Ports that one image publishes.
pub(crate) const MAX_PORTS: usize = 128;

/// Bytes of a path that is asked for by HTTP.
pub(crate) const MAX_PATH: usize = 1024;

/// Bytes of one argument or variable: Linux refuses to start a program with a longer one.
pub(crate) const MAX_ARGUMENT: usize = 128 * 1024 - 1;

/// Diagnostics that one answer lists; one more says how many there were.
pub(crate) const MAX_DIAGNOSTICS: usize = 100;
