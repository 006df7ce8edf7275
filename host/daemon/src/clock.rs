//! The two clocks of a node: one that orders, one for people.

use std::time::{SystemTime, UNIX_EPOCH};

use motey_core::id::Millis;
use rustix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME: goes on during suspend, never jumps. Everything is decided by it.
pub fn boot_time() -> Millis {
    let time = clock_gettime(ClockId::Boottime);
    let millis = time.tv_sec * 1_000 + time.tv_nsec / 1_000_000;
    Millis(u64::try_from(millis).unwrap_or(0))
}

/// Milliseconds since 1970, for people only: a Pi boots in 1970.
pub fn wall_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
