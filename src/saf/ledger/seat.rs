//! Where the work is done that waits for the disk: on threads of its own. In a simulation, which has to
//! repeat itself, in a task among all the others.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::committer::Committer;
use super::{Job, LedgerError};
use crate::store::{Store, StoreError};

/// Where the committer works, and where the store is read.
pub(super) enum Seat {
    Threads(thread::JoinHandle<()>),
    #[cfg(test)]
    Task(simulated::Desk),
}

impl Seat {
    pub(super) fn threads(committer: Committer, jobs: Receiver<Job>) -> Result<Seat, StoreError> {
        let runtime = Handle::try_current().ok();
        let committer = thread::Builder::new()
            .name("money-transfer-committer".to_owned())
            .spawn(move || {
                // The schedule's clock is the runtime's, which tests can pause.
                let _clock = runtime.as_ref().map(Handle::enter);
                committer.run(&jobs);
            })
            .map_err(|error| StoreError::Thread {
                reason: error.to_string(),
            })?;
        Ok(Seat::Threads(committer))
    }

    /// How somebody reads who may wait, but must not keep a thread waiting that runs tasks.
    pub(super) fn reader(&self) -> Reader {
        match self {
            Seat::Threads(_) => Reader::Thread,
            #[cfg(test)]
            Seat::Task(_) => Reader::Here,
        }
    }

    /// There is a new job.
    pub(super) fn nudge(&self) {
        match self {
            // It waits at the channel.
            Seat::Threads(_) => {}
            #[cfg(test)]
            Seat::Task(desk) => desk.nudge(),
        }
    }

    /// Waits until the committer has finished what was waiting.
    pub(super) fn finish(self) {
        match self {
            // A committer that panicked has acknowledged nothing since; there is nothing to save.
            Seat::Threads(committer) => drop(committer.join()),
            // Finishes by itself.
            #[cfg(test)]
            Seat::Task(desk) => desk.nudge(),
        }
    }

    /// The same for a task.
    #[cfg(test)]
    pub(super) async fn finished(self) {
        match self {
            Seat::Threads(_) => self.finish(),
            Seat::Task(desk) => desk.finished().await,
        }
    }
}

/// Where the store is read.
#[derive(Clone, Copy)]
pub(super) enum Reader {
    Thread,
    #[cfg(test)]
    Here,
}

impl Reader {
    pub(super) async fn read<T: Send + 'static>(
        self,
        store: Arc<dyn Store>,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        match self {
            Reader::Thread => {
                let reading = tokio::task::spawn_blocking(move || read(&*store));
                // An error: the runtime is being shut down.
                Ok(reading.await.map_err(|_| LedgerError::Closed)??)
            }
            #[cfg(test)]
            Reader::Here => Ok(read(&*store)?),
        }
    }

    /// Begins to read, for somebody who comes for it later.
    pub(super) fn begin<T: Send + 'static>(
        self,
        store: Arc<dyn Store>,
        read: impl FnOnce(&dyn Store) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match self {
            Reader::Thread => tokio::task::spawn_blocking(move || read(&*store)),
            #[cfg(test)]
            Reader::Here => tokio::spawn(std::future::ready(read(&*store))),
        }
    }
}

#[cfg(test)]
pub(super) mod simulated {
    //! The committer as a task.

    use std::sync::mpsc::TryRecvError;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    /// How long the disk takes its time before the next commit.
    pub(crate) type DiskPause = Arc<dyn Fn() -> Duration + Send + Sync>;

    pub(in super::super) struct Desk {
        news: Arc<Notify>,
        committer: JoinHandle<()>,
    }

    impl Desk {
        pub(in super::super) fn new(
            committer: Committer,
            jobs: Receiver<Job>,
            pause: DiskPause,
        ) -> Desk {
            let news = Arc::new(Notify::new());
            let told = Arc::clone(&news);
            let committer = tokio::spawn(work(committer, jobs, told, pause));
            Desk { news, committer }
        }

        pub(super) fn nudge(&self) {
            self.news.notify_one();
        }

        pub(super) async fn finished(self) {
            self.nudge();
            drop(self.committer.await);
        }
    }

    async fn work(
        mut committer: Committer,
        jobs: Receiver<Job>,
        news: Arc<Notify>,
        pause: DiskPause,
    ) {
        loop {
            match jobs.try_recv() {
                Ok(first) => {
                    // What comes meanwhile is committed with it.
                    tokio::time::sleep(pause()).await;
                    committer.serve(first, &jobs);
                }
                Err(TryRecvError::Empty) => news.notified().await,
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}
