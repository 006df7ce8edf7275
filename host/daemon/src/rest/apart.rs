//! Work that blocks, apart from the thread that serves everybody: a few at once, and no longer than a deadline.
//!
//! What hangs, such as a file system that is gone, keeps its place until it returns: it costs threads up to the bound
//! and no more, and everybody else is told `busy`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::Problem;
use crate::node::AskError;

/// A kind of blocking work.
pub(super) struct Apart {
    /// What is read, for the problem that it could not be.
    what: &'static str,
    places: Arc<Semaphore>,
    deadline: Duration,
}

impl Apart {
    /// At most `places` at once; `deadline` is for the place and for the work, one after the other.
    pub(super) fn new(what: &'static str, places: usize, deadline: Duration) -> Self {
        Self { what, places: Arc::new(Semaphore::new(places)), deadline }
    }

    /// What `work` returns. Work that takes too long goes on, and nobody waits for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = timeout(self.deadline, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Problem::Ask(AskError::Busy)) };
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        match timeout(self.deadline, task).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Problem::System(self.what, error.to_string())),
            Err(_) => {
                let why = format!("it took longer than {} s", self.deadline.as_secs_f32());
                Err(Problem::System(self.what, why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn apart() -> Apart {
        Apart::new("a disk", 2, Duration::from_millis(200))
    }

    #[tokio::test]
    async fn what_hangs_is_not_waited_for_and_takes_no_more_than_its_places() {
        let apart = apart();
        let mut hanging = Vec::new();
        for _ in 0..2 {
            let (end, ended) = mpsc::sync_channel::<()>(1);
            hanging.push(end);
            let problem = apart.run(move || ended.recv().is_ok()).await.expect_err("it hangs");
            assert_eq!(problem.to_string(), "a disk cannot be read: it took longer than 0.2 s");
        }
        let problem =
            apart.run(|| panic!("there is no place for it")).await.expect_err("all places are taken");
        assert!(matches!(problem, Problem::Ask(AskError::Busy)), "{problem}");
        drop(hanging);
        assert_eq!(apart.run(|| 7).await.ok(), Some(7));
    }

    #[tokio::test]
    async fn the_thread_that_serves_goes_on_meanwhile() {
        let (end, ended) = mpsc::sync_channel::<()>(1);
        let apart = Apart::new("a disk", 1, Duration::from_secs(20));
        let working = apart.run(move || ended.recv().is_ok());
        let ending = async { end.send(()).expect("somebody waits") };
        assert_eq!(tokio::join!(working, ending).0.ok(), Some(true));
    }

    #[tokio::test]
    async fn work_that_panics_is_a_problem_and_frees_its_place() {
        let apart = apart();
        for _ in 0..3 {
            let problem = apart.run(|| panic!("a mistake of ours")).await.expect_err("it panicked");
            assert!(matches!(problem, Problem::System("a disk", _)), "{problem}");
        }
    }
}
