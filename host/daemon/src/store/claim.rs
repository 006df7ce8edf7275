//! Locks that say who uses a file. Whoever was just killed may hold his for an instant longer, while the system takes
//! his process apart: that instant is waited for.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::Duration;

/// How long one that is still held is tried for.
const PATIENCE: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock on `file`.
///
/// # Errors
/// [`TryLockError::WouldBlock`] when somebody else still has it a second later.
pub(super) fn claim(file: &File) -> Result<(), TryLockError> {
    claim_between(file, || thread::sleep(PAUSE))
}

fn claim_between(file: &File, mut pause: impl FnMut()) -> Result<(), TryLockError> {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => pause(),
            taken => return taken,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_in_time_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let open =
            || File::options().write(true).create(true).truncate(false).open(folder.path().join("lock"));
        let (held, wanted) = (open().expect("a file"), open().expect("a file"));
        held.try_lock().expect("it is free");
        let mut pauses = 0;
        let taken = claim_between(&wanted, || {
            pauses += 1;
            if pauses == 50 {
                held.unlock().expect("it was held");
            }
        });
        assert!(taken.is_ok() && pauses == 50, "{taken:?} after {pauses} pauses");

        let taken = claim_between(&held, || pauses += 1);
        assert!(matches!(taken, Err(TryLockError::WouldBlock)), "{taken:?}");
        assert_eq!(pauses, 100, "it is given up");
    }
}
