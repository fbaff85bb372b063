//! Work done by several threads, with results in the order in which the work came. How much is under way is up to the caller.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

type Task<J, R> = (J, SyncSender<R>);

/// Threads that do one kind of work. They end when the pool is dropped.
pub struct Pool<J, R> {
    work: fn(J) -> R,
    tasks: Option<SyncSender<Task<J, R>>>,
    results: VecDeque<Slot<R>>,
}

enum Slot<R> {
    Ready(R),
    UnderWay(Receiver<R>),
}

/// A worker thread ended without giving its result; it must have panicked.
#[derive(Debug, thiserror::Error)]
#[error("a worker thread ended unexpectedly; this is a bug in ctdl-dump")]
pub struct WorkerLost;

impl<J: Send + 'static, R: Send + 'static> Pool<J, R> {
    /// A pool of so many threads. With none, or when the system gives none, `push` does the work itself.
    pub fn new(threads: usize, work: fn(J) -> R) -> Self {
        let (sender, receiver) = sync_channel::<Task<J, R>>(threads.max(1));
        let receiver = Arc::new(Mutex::new(receiver));
        let started = (0..threads)
            .filter(|_| {
                let receiver = Arc::clone(&receiver);
                std::thread::Builder::new().spawn(move || run(&receiver, work)).is_ok()
            })
            .count();
        Pool { work, tasks: (started > 0).then_some(sender), results: VecDeque::new() }
    }

    /// Gives the next task to a thread; waits while all have enough to do.
    pub fn push(&mut self, job: J) {
        let job = match &self.tasks {
            None => job,
            Some(tasks) => {
                let (sender, receiver) = sync_channel(1);
                match tasks.send((job, sender)) {
                    Ok(()) => return self.results.push_back(Slot::UnderWay(receiver)),
                    Err(unsent) => unsent.0.0,
                }
            }
        };
        self.results.push_back(Slot::Ready((self.work)(job)));
    }

    /// Puts a result into the order without any work.
    pub fn push_result(&mut self, result: R) {
        self.results.push_back(Slot::Ready(result));
    }

    /// Waits for the oldest result that was not yet given; `None` if there is no task left.
    pub fn pop(&mut self) -> Option<Result<R, WorkerLost>> {
        Some(match self.results.pop_front()? {
            Slot::Ready(result) => Ok(result),
            Slot::UnderWay(receiver) => receiver.recv().map_err(|_| WorkerLost),
        })
    }

    /// Whether the oldest result that was not yet given can be had without waiting.
    pub fn is_ready(&mut self) -> bool {
        let Some(oldest) = self.results.front_mut() else { return false };
        if let Slot::UnderWay(receiver) = oldest
            && let Ok(result) = receiver.try_recv()
        {
            *oldest = Slot::Ready(result);
        }
        matches!(oldest, Slot::Ready(_))
    }

    /// How many results were not yet given.
    pub fn len(&self) -> usize {
        self.results.len()
    }
}

fn run<J, R>(tasks: &Mutex<Receiver<Task<J, R>>>, work: fn(J) -> R) {
    loop {
        let task = tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv();
        let Ok((job, sender)) = task else { return };
        // Nobody waits for the result when the pool was dropped.
        let _ = sender.send(work(job));
    }
}

impl<J, R> fmt::Debug for Pool<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("results", &self.results.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in 0..5 {
            let mut pool = Pool::new(threads, |number: u64| {
                std::thread::sleep(std::time::Duration::from_micros(number % 7 * 100));
                number * 2
            });
            let mut results = Vec::new();
            for number in 0..100 {
                pool.push(number);
                if pool.len() > 6 {
                    results.push(pool.pop().unwrap().unwrap());
                }
            }
            while pool.len() > 0 {
                if pool.is_ready() || pool.len() < 3 {
                    results.push(pool.pop().unwrap().unwrap());
                }
            }
            assert!(pool.pop().is_none() && !pool.is_ready());
            assert_eq!(results, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_worker_that_panics_is_an_error() {
        let mut pool = Pool::new(1, |number: u64| assert_ne!(number, 1));
        pool.push(0);
        pool.push(1);
        assert!(pool.pop().unwrap().is_ok());
        assert!(pool.pop().unwrap().is_err());
    }
}
