//! The host's wish that an open call end.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Tells a running call that it is no longer wanted. Clones are the same wish.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Closing the writer is what makes the reader readable; gone = cancelled.
    writer: Mutex<Option<io::PipeWriter>>,
    reader: io::PipeReader,
    changed: Condvar,
}

impl Cancel {
    /// A wish nobody has yet: for a plugin's own tests.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self(Arc::new(Inner { writer: Mutex::new(Some(writer)), reader, changed: Condvar::new() })))
    }

    /// For good, and for every clone.
    pub fn cancel(&self) {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.changed.notify_all();
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Sleeps until cancelled or until the time is over (`None`: as long as it takes). True when cancelled.
    pub fn wait(&self, at_most: Option<Duration>) -> bool {
        let until = at_most.and_then(|time| Instant::now().checked_add(time));
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        while writer.is_some() {
            let Some(until) = until else {
                writer = self.0.changed.wait(writer).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            writer = self.0.changed.wait_timeout(writer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Readable (hung up) once cancelled, and never before: for the poll of a call that waits for its engine too.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, thread};

    use super::*;

    #[test]
    fn a_wait_ends_with_its_time_or_with_the_wish() {
        let cancel = Cancel::new().unwrap();
        assert!(!cancel.wait(Some(Duration::from_millis(5))));
        let clone = cancel.clone();
        let waiting = thread::spawn(move || clone.wait(None));
        cancel.cancel();
        assert!(waiting.join().unwrap());
        assert!(cancel.is_cancelled() && cancel.wait(None));
    }

    #[test]
    fn the_descriptor_tells_of_the_wish() {
        let cancel = Cancel::new().unwrap();
        let mut end = io::PipeReader::from(cancel.fd().try_clone_to_owned().unwrap());
        let reading = thread::spawn(move || end.read(&mut [0]).unwrap());
        cancel.cancel();
        assert_eq!(reading.join().unwrap(), 0);
    }
}
