//! So many connections at once, and no more. When all seats are taken, the connection that has been idle longest
//! gives its seat away: whoever opens connections and says nothing keeps nobody out.

use std::collections::BTreeMap;
use std::pin::pin;
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
    /// Changed while [`Seats::idle`] is locked, and never locked before it.
    used: Mutex<Use>,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

/// What a seat is used for now.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// For so many things at once.
    Busy(usize),
    /// Its key among the idle ones.
    Idle(u64),
}

/// Held while a request is being answered, and while an answer is being sent.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

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
        let seat = Self { seats: Arc::clone(seats), used: Mutex::new(Use::Busy(1)), leave, _permit: permit };
        seat.less();
        Arc::new(seat)
    }

    /// A request has arrived, or an answer is on its way.
    pub(super) fn work(self: &Arc<Self>) -> Busy {
        let mut idle = self.seats.idle();
        let mut used = self.used();
        *used = match *used {
            Use::Busy(count) => Use::Busy(count + 1),
            Use::Idle(key) => {
                idle.seats.remove(&key);
                Use::Busy(1)
            }
        };
        drop(used);
        Busy(Arc::clone(self))
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(*self.used(), Use::Idle(_))
    }

    /// Returns when somebody else needs the seat more.
    pub(super) async fn wanted(&self) {
        self.leave.notified().await;
    }

    /// One thing less to do; without any the seat is idle.
    fn less(&self) {
        let mut idle = self.seats.idle();
        let mut used = self.used();
        if let Use::Busy(count @ 2..) = *used {
            *used = Use::Busy(count - 1);
            return;
        }
        let key = idle.next;
        idle.next += 1;
        idle.seats.insert(key, Arc::clone(&self.leave));
        *used = Use::Idle(key);
        drop((idle, used));
        self.seats.went_idle.notify_waiters();
    }

    fn used(&self) -> MutexGuard<'_, Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let used = *self.used.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Use::Idle(key) = used {
            self.seats.idle().seats.remove(&key);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.less();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seat_is_idle_once_nothing_is_left_to_do_on_it() {
        let seat = Seats::new(1).take().await;
        let (request, answer) = (seat.work(), seat.work());
        drop(request);
        assert!(!seat.is_idle());
        drop(answer);
        assert!(seat.is_idle());
    }

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
