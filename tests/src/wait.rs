//! Waiting for a condition. The pause between two looks is no synchronisation: only the condition ends the wait.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What a loaded machine is given for anything that takes milliseconds on an idle one.
pub const SOON: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(5);

/// Panics with `what` when the condition does not hold within `at_most`.
#[track_caller]
pub fn wait_until(at_most: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(at_most, || if holds() { Ok(()) } else { Err(what.to_owned()) });
}

/// Waits until there is a value, and returns it. Panics with the last look's words: what is missing, and what was seen.
#[track_caller]
pub fn wait_for<T>(at_most: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + at_most;
    loop {
        // the last look is after the deadline, so that a slow look is not a failure
        let late = Instant::now() >= deadline;
        match look() {
            Ok(value) => return value,
            Err(missing) => assert!(!late, "not within {at_most:?}: {missing}"),
        }
        thread::sleep(PAUSE);
    }
}
