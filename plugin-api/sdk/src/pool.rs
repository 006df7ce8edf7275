//! At most a few threads for the calls that end soon. They come with the work and leave when there is none, so that an
//! idle plugin has no thread at all.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

pub(crate) type Job = Box<dyn FnOnce() + Send>;

const THREADS: usize = 4;
const WAITING_JOBS: usize = 1024;
const LEAVE_AFTER: Duration = Duration::from_secs(10);

/// The queue is full, or no thread could be started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

pub(crate) struct Pool {
    name: String,
    leave_after: Duration,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(name: String) -> Arc<Self> {
        Self::leaving_after(LEAVE_AFTER, name)
    }

    fn leaving_after(leave_after: Duration, name: String) -> Arc<Self> {
        Arc::new(Self { name, leave_after, state: Mutex::default(), work: Condvar::new() })
    }

    /// Never blocks. Jobs start in the order of their coming and must not panic.
    pub(crate) fn submit(self: &Arc<Self>, job: Job) -> Result<(), Full> {
        let mut state = self.state();
        if state.jobs.len() >= WAITING_JOBS || state.closed {
            return Err(Full);
        }
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle {
            self.work.notify_one();
            return Ok(());
        }
        self.grow(state)
    }

    /// The threads leave as they finish; waiting jobs are dropped.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let dropped = std::mem::take(&mut state.jobs);
        self.work.notify_all();
        drop(state);
        drop(dropped);
    }

    fn grow(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> Result<(), Full> {
        if state.threads >= THREADS {
            return Ok(());
        }
        let pool = Arc::clone(self);
        match thread::Builder::new().name(self.name.clone()).spawn(move || pool.work()) {
            Ok(_) => state.threads += 1,
            // the others will come to it
            Err(_) if state.threads > 0 => {}
            Err(_) => {
                state.jobs.pop_back();
                return Err(Full);
            }
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    /// The next job; `None` tells the thread, already counted out, to leave.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        let until = Instant::now() + self.leave_after;
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn four_work_at_once_and_the_queue_has_an_end() {
        let pool = Pool::new("test".into());
        let (started, starts) = mpsc::sync_channel(WAITING_JOBS);
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock().unwrap();
        for _ in 0..THREADS {
            let (gate, started) = (gate.clone(), started.clone());
            pool.submit(Box::new(move || {
                started.send(()).unwrap();
                drop(gate.lock());
            }))
            .unwrap();
        }
        (0..THREADS).for_each(|_| starts.recv_timeout(SOON).unwrap());
        for _ in 0..WAITING_JOBS {
            let started = started.clone();
            pool.submit(Box::new(move || started.send(()).unwrap())).unwrap();
        }
        assert_eq!(pool.submit(Box::new(|| {})), Err(Full));
        drop(held);
        (0..WAITING_JOBS).for_each(|_| starts.recv_timeout(SOON).unwrap());
    }

    #[test]
    fn without_work_no_thread_stays() {
        let pool = Pool::leaving_after(Duration::from_millis(20), "test".into());
        let (ran, runs) = mpsc::sync_channel(WAITING_JOBS);
        for _ in 0..2 {
            let ran = ran.clone();
            pool.submit(Box::new(move || ran.send(()).unwrap())).unwrap();
            runs.recv_timeout(SOON).unwrap();
            wait_until_empty(&pool);
        }
    }

    #[test]
    fn a_closed_pool_takes_nothing_and_empties_at_once() {
        let pool = Pool::new("test".into());
        let (ran, runs) = mpsc::sync_channel(WAITING_JOBS);
        pool.submit(Box::new(move || ran.send(()).unwrap())).unwrap();
        runs.recv_timeout(SOON).unwrap();
        pool.close();
        wait_until_empty(&pool);
        assert_eq!(pool.submit(Box::new(|| {})), Err(Full));
    }

    fn wait_until_empty(pool: &Pool) {
        let until = Instant::now() + SOON;
        while pool.state().threads > 0 {
            assert!(Instant::now() < until, "a thread stays");
            thread::yield_now();
        }
    }
}
