//! So many connections at once, and no more. When all seats are taken, the connection that has been idle longest
//! gives its seat away: whoever opens connections and says nothing keeps nobody out.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The seats of one door.
#[derive(Debug)]
pub(super) struct Seats {
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
    /// A taken seat has become idle: somebody who waits for one may have it.
    went_idle: Notify,
}

/// Idle seats by the order in which they became idle.
#[derive(Debug, Default)]
struct Idle {
    next: u64,
    seats: BTreeMap<u64, Arc<Notify>>,
}

/// One connection's seat.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    /// Its key among the idle ones; [`BUSY`] while a request is being answered.
    idle_as: AtomicU64,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

/// Held while a request is being answered, the sending of its answer included.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

const BUSY: u64 = u64::MAX;

impl Seats {
    pub(super) fn new(count: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(count));
        Arc::new(Self { permits, idle: Mutex::default(), went_idle: Notify::new() })
    }

    /// Waits for a seat, if need be until an idle one is given away or a busy one becomes free.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Seat> {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Seat::new(self, permit);
            }
            // listening before looking: a seat that becomes idle in between is not missed
            let mut went_idle = pin!(self.went_idle.notified());
            went_idle.as_mut().enable();
            self.give_away_longest_idle();
            tokio::select! {
                Ok(permit) = Arc::clone(&self.permits).acquire_owned() => return Seat::new(self, permit),
                () = went_idle => {}
            }
        }
    }

    fn give_away_longest_idle(&self) {
        if let Some((_, leave)) = self.idle().seats.pop_first() {
            leave.notify_one();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn new(seats: &Arc<Seats>, permit: OwnedSemaphorePermit) -> Arc<Self> {
        let leave = Arc::default();
        let idle_as = AtomicU64::new(BUSY);
        let seat = Arc::new(Self { seats: Arc::clone(seats), idle_as, leave, _permit: permit });
        seat.rest();
        seat
    }

    /// A request has arrived.
    pub(super) fn work(self: &Arc<Self>) -> Busy {
        let key = self.idle_as.swap(BUSY, Ordering::AcqRel);
        self.seats.idle().seats.remove(&key);
        Busy(Arc::clone(self))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle_as.load(Ordering::Acquire) != BUSY
    }

    /// Returns when somebody else needs the seat more.
    pub(super) async fn wanted(&self) {
        self.leave.notified().await;
    }

    fn rest(&self) {
        let mut idle = self.seats.idle();
        let key = idle.next;
        idle.next += 1;
        idle.seats.insert(key, Arc::clone(&self.leave));
        self.idle_as.store(key, Ordering::Release);
        drop(idle);
        self.seats.went_idle.notify_waiters();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let key = *self.idle_as.get_mut();
        self.seats.idle().seats.remove(&key);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_seat_is_given_away_and_a_busy_one_is_not() {
        let seats = Seats::new(2);
        let first = seats.take().await;
        let second = seats.take().await;
        let work = first.work();

        let third = tokio::spawn({
            let seats = Arc::clone(&seats);
            async move { seats.take().await }
        });
        second.wanted().await;
        assert!(second.is_idle() && !first.is_idle());
        drop(second);
        let third = third.await.expect("a seat");
        let _work = third.work();

        let fourth = tokio::spawn({
            let seats = Arc::clone(&seats);
            async move { seats.take().await }
        });
        drop(work);
        first.wanted().await;
        drop(first);
        fourth.await.expect("a seat");
    }
}
