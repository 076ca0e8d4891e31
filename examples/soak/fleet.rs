//! The processes of the tills: started, killed, stopped, and listened to.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fastrand::Rng;
use money_transfer_retailer::model::RequestId;
use tokio::time::{Instant, sleep};

use super::Trouble;
use super::arguments::{Options, Orders, Part};
use super::payloads::Secrets;
use super::said::Said;
use super::search;
use super::till;
use super::witness::Witness;

/// After how many kills the files of the killed till are searched for secrets.
const SEARCH_EVERY: u64 = 10;

/// All tills of a run.
pub(crate) struct Fleet {
    options: Options,
    url: String,
    /// Where the queues are.
    home: PathBuf,
    stuck: Vec<RequestId>,
    witness: Arc<Witness>,
    processes: Mutex<Vec<Option<Process>>>,
}

/// A till's process.
struct Process {
    child: Child,
    /// Reads what the till says, to the end.
    listener: JoinHandle<()>,
}

impl Fleet {
    pub(crate) fn new(
        options: Options,
        url: String,
        home: &Path,
        stuck: Vec<RequestId>,
        witness: Arc<Witness>,
    ) -> Fleet {
        Fleet {
            options,
            url,
            home: home.to_owned(),
            stuck,
            witness,
            processes: Mutex::new((0..options.tills).map(|_| None).collect()),
        }
    }

    pub(crate) fn tills(&self) -> std::ops::Range<usize> {
        0..self.options.tills
    }

    pub(crate) fn queue_of(&self, till: usize) -> PathBuf {
        self.home.join(format!("till-{till}"))
    }

    /// The ids of the processes that run, in the order of the tills.
    pub(crate) fn process_ids(&self) -> Vec<Option<u32>> {
        let processes = self.processes();
        let id = |process: &Option<Process>| process.as_ref().map(|one| one.child.id());
        processes.iter().map(id).collect()
    }

    pub(crate) fn start(&self, till: usize, part: Part) -> Result<(), Trouble> {
        let start = {
            let mut seen = self.witness.seen();
            seen.starts.push((till, Instant::now()));
            seen.starts.len() as u64
        };
        let orders = Orders {
            part,
            till,
            url: self.url.clone(),
            queue: self.queue_of(till),
            seed: self.options.seed,
            start,
            rate: self.options.rate,
            stuck: self.stuck[till],
        };
        let process = Process::start(till, &orders, Arc::clone(&self.witness))?;
        self.processes()[till] = Some(process);
        Ok(())
    }

    /// Ends tills at random moments, and starts them again, until `end`.
    pub(crate) async fn unrest(&self, mut random: Rng, end: Instant) -> Result<(), Trouble> {
        // The stuck advices have to get stuck first.
        sleep(Duration::from_secs(3)).await;
        let first = usize::from(self.options.tills > 1);
        while Instant::now() < end {
            self.look_after()?;
            let till = random.usize(first..self.options.tills);
            match random.u8(..100) < 70 {
                true => self.kill(till).await?,
                false => self.stop(till).await,
            }
            sleep(Duration::from_millis(random.u64(0..1_500))).await;
            self.start(till, Part::Traffic)?;
            sleep(Duration::from_millis(random.u64(1_000..5_000))).await;
        }
        Ok(())
    }

    /// A till that ended by itself is a finding, and is started again.
    fn look_after(&self) -> Result<(), Trouble> {
        for till in self.tills() {
            let ended = match &mut self.processes()[till] {
                Some(process) => process.child.try_wait()?,
                None => None,
            };
            if let Some(status) = ended {
                self.witness
                    .trouble(format!("till {till} ended by itself: {status}"));
                self.start(till, Part::Traffic)?;
            }
        }
        Ok(())
    }

    async fn kill(&self, till: usize) -> Result<(), Trouble> {
        let Some(mut process) = self.processes()[till].take() else {
            return Ok(());
        };
        process.child.kill()?;
        process.wait().await;
        let kills = {
            let mut seen = self.witness.seen();
            seen.kills += 1;
            seen.kills
        };
        if kills.is_multiple_of(SEARCH_EVERY) {
            self.search(till).await?;
        }
        Ok(())
    }

    /// Searches the files of a till that does not run for what must not be there.
    async fn search(&self, till: usize) -> Result<(), Trouble> {
        let (queue, secrets) = (self.queue_of(till), Secrets::of(self.options.seed, till));
        let found = move || search::secrets(&queue, &secrets.all());
        for secret in tokio::task::spawn_blocking(found).await?? {
            self.witness
                .trouble(format!("a killed till {till} left {secret} in its files"));
        }
        Ok(())
    }

    /// Asks a till to shut down, and waits until it has.
    async fn stop(&self, till: usize) {
        let process = self.processes()[till].take();
        if let Some(process) = process {
            self.witness.seen().stops += 1;
            self.ends_well(till, process).await;
        }
    }

    /// Stops all tills.
    pub(crate) async fn stop_all(&self) {
        for till in self.tills() {
            self.stop(till).await;
        }
    }

    /// Lets every till do `part`, and waits until all have ended well.
    pub(crate) async fn all_do(&self, part: Part) -> Result<(), Trouble> {
        for till in self.tills() {
            self.start(till, part)?;
        }
        for till in self.tills() {
            let deadline = Instant::now() + till::DRAIN + Duration::from_secs(30);
            while self.is_running(till)? && Instant::now() < deadline {
                sleep(Duration::from_millis(50)).await;
            }
            let process = self.processes()[till].take();
            if let Some(process) = process {
                self.ends_well(till, process).await;
            }
        }
        Ok(())
    }

    fn is_running(&self, till: usize) -> Result<bool, Trouble> {
        match &mut self.processes()[till] {
            Some(process) => Ok(process.child.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    async fn ends_well(&self, till: usize, mut process: Process) {
        // The end of its input is the word to go.
        drop(process.child.stdin.take());
        match process.wait().await {
            Some(status) if status.success() => {}
            Some(status) => self
                .witness
                .trouble(format!("till {till} failed: {status}")),
            None => self
                .witness
                .trouble(format!("till {till} did not shut down")),
        }
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Option<Process>>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    fn start(till: usize, orders: &Orders, witness: Arc<Witness>) -> Result<Process, Trouble> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("till")
            .arg(serde_json::to_string(orders)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the till has no output")?;
        let listener = std::thread::spawn(move || listen(till, stdout, &witness));
        Ok(Process { child, listener })
    }

    /// Waits for the end, and until all that was said is read. `None` if it had to be killed.
    async fn wait(mut self) -> Option<std::process::ExitStatus> {
        let ended = tokio::task::spawn_blocking(move || {
            let status = self.end_within(Duration::from_secs(20));
            let _panicked_or_read_all = self.listener.join();
            status
        });
        ended.await.ok().flatten()
    }

    fn end_within(&mut self, deadline: Duration) -> Option<std::process::ExitStatus> {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        for _ in 0..deadline.as_millis() / LOOK_EVERY.as_millis() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
        None
    }
}

fn listen(till: usize, stdout: ChildStdout, witness: &Witness) {
    for line in BufReader::new(stdout).lines() {
        // A killed till may leave half a line, which it had not finished saying.
        if let Ok(said) = line
            .map_err(Trouble::from)
            .and_then(|line| Said::read(&line))
        {
            witness.said(till, said);
        }
    }
}
