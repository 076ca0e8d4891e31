//! A disk in memory that keeps no more than it has to, and fails where a test tells it to.
//!
//! ```text
//!  write ─▶ what a reader sees ──(unsynced sectors)──sync──▶ what a power cut leaves
//!  create, rename, remove ─▶ names ──(unsynced names)──sync_directory──▶ names after a power cut
//! ```
//!
//! 1. A power cut keeps of the unsynced sectors and names all, none, or any part of them; of a rename
//!    within one directory all or nothing.
//! 2. A killed process takes nothing along: the system still has what was written.
//! 3. A failed sync behaves like the one of Linux: what it could not write stays readable, and no
//!    later sync makes it durable.
//! 4. Every operation that changes something has a number, from 1. At one of them the disk fails,
//!    tears what is written, or stops for good.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operation fails, and nothing of it is done.
    Fails(io::ErrorKind),
    /// So does every later one.
    Breaks(io::ErrorKind),
    /// Some of the sectors are written, and then the operation fails.
    Tears,
    /// The operation is the last one. Of a sync nothing is done.
    Stops,
}

/// What is left of the unsynced sectors and names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    All,
    Nothing,
    /// Whatever this seed says.
    Some(u64),
}

/// Clones share one disk.
#[derive(Clone)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

/// A name leads to a directory, or to a file by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Directory,
    File(usize),
}

/// What becomes of a name.
type NameChange = (PathBuf, Option<Node>);

#[derive(Clone)]
struct State {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    /// In the order in which they were made. What is together happens together.
    unsynced_names: Vec<Vec<NameChange>>,
    /// The number of the last operation.
    operations: u64,
    fault: Option<(u64, Fault)>,
    is_stopped: bool,
    /// No file can grow.
    is_full: bool,
    random: fastrand::Rng,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// The sectors that the next sync makes durable.
    unsynced: BTreeSet<usize>,
}

/// What is to be done with an operation.
enum Verdict {
    Do,
    DoAndStop,
    Tear,
}

impl SimulatedDisk {
    /// An empty disk with the directory `root`.
    pub(crate) fn new(root: &Path, seed: u64) -> SimulatedDisk {
        let names = BTreeMap::from([(root.to_owned(), Node::Directory)]);
        SimulatedDisk(Arc::new(Mutex::new(State {
            files: Vec::new(),
            durable_names: names.clone(),
            names,
            unsynced_names: Vec::new(),
            operations: 0,
            fault: None,
            is_stopped: false,
            is_full: false,
            random: fastrand::Rng::with_seed(seed),
        })))
    }

    /// Lets `fault` happen at the `operation`-th operation from here on.
    pub(crate) fn plan(&self, operation: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations + operation, fault));
    }

    /// Lets somebody else take all the room that there is: from here on no file can grow.
    pub(crate) fn fill(&self) {
        self.state().is_full = true;
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether the planned fault has happened.
    pub(crate) fn has_failed(&self) -> bool {
        let state = self.state();
        state.fault.is_some_and(|(at, _)| at <= state.operations)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state().is_stopped
    }

    /// The disk as a new process finds it after the last one was killed.
    pub(crate) fn after_kill(&self) -> SimulatedDisk {
        let mut state = self.state().clone();
        state.fault = None;
        state.is_stopped = false;
        SimulatedDisk(Arc::new(Mutex::new(state)))
    }

    /// The disk as it is found when the power is back.
    pub(crate) fn after_power_cut(&self, left: Left) -> SimulatedDisk {
        let mut state = self.state().clone();
        if let Left::Some(seed) = left {
            state.random = fastrand::Rng::with_seed(seed);
        }
        // Some cuts take nearly everything, some nearly nothing.
        let share = [0.05, 0.5, 0.95][state.random.usize(..3)];
        let mut random = state.random.clone();
        let mut is_left = |_: usize| match left {
            Left::All => true,
            Left::Nothing => false,
            Left::Some(_) => random.f64() < share,
        };
        for file in &mut state.files {
            file.cut_power(&mut is_left);
        }
        for changes in std::mem::take(&mut state.unsynced_names) {
            if is_left(0) {
                for (path, node) in changes {
                    set_name(&mut state.durable_names, &path, node);
                }
            }
        }
        state.durable_names = reachable(&state.durable_names);
        state.names = state.durable_names.clone();
        state.fault = None;
        state.is_stopped = false;
        SimulatedDisk(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_name(names: &mut BTreeMap<PathBuf, Node>, path: &Path, node: Option<Node>) {
    match node {
        Some(node) => names.insert(path.to_owned(), node),
        None => names.remove(path),
    };
}

/// What lies in directories that are there. The first name is that of the root.
fn reachable(names: &BTreeMap<PathBuf, Node>) -> BTreeMap<PathBuf, Node> {
    let mut found = BTreeMap::new();
    for (path, node) in names {
        let parent = path.parent().and_then(|parent| found.get(parent));
        if found.is_empty() || parent == Some(&Node::Directory) {
            found.insert(path.clone(), *node);
        }
    }
    found
}

impl File {
    fn write(&mut self, bytes: &[u8], offset: usize, mut is_written: impl FnMut() -> bool) {
        let end = offset + bytes.len();
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            if !is_written() {
                continue;
            }
            let (from, to) = (
                offset.max(sector * SECTOR),
                end.min(sector * SECTOR + SECTOR),
            );
            if self.bytes.len() < to {
                self.bytes.resize(to, 0);
            }
            self.bytes[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
            self.unsynced.insert(sector);
        }
    }

    /// Makes the unsynced sectors durable, those apart that are not `kept`.
    fn settle(&mut self, mut is_kept: impl FnMut(usize) -> bool) {
        self.durable.resize(self.bytes.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(self.bytes.len());
            if from < to && is_kept(sector) {
                self.durable[from..to].copy_from_slice(&self.bytes[from..to]);
            }
        }
    }

    fn cut_power(&mut self, is_left: &mut impl FnMut(usize) -> bool) {
        if self.bytes.len() == self.durable.len() || is_left(0) {
            self.settle(is_left);
        }
        // Without the new length, nothing of what was written is taken to be there.
        self.unsynced.clear();
        self.bytes = self.durable.clone();
    }
}

impl State {
    /// Counts an operation, and says what becomes of it.
    fn begin(&mut self) -> io::Result<Verdict> {
        self.check_running()?;
        self.operations += 1;
        match self.fault {
            Some((at, Fault::Breaks(kind))) if at <= self.operations => Err(kind.into()),
            Some((at, fault)) if at == self.operations => match fault {
                Fault::Fails(kind) | Fault::Breaks(kind) => Err(kind.into()),
                Fault::Tears => Ok(Verdict::Tear),
                Fault::Stops => {
                    self.is_stopped = true;
                    Ok(Verdict::DoAndStop)
                }
            },
            _ => Ok(Verdict::Do),
        }
    }

    fn check_running(&self) -> io::Result<()> {
        match self.is_stopped {
            true => Err(io::Error::other("the disk has stopped")),
            false => Ok(()),
        }
    }

    /// A rename within a directory is one change, as it is for every file system that has a journal.
    fn rename_now(&mut self, changes: &[(&Path, Option<Node>)]) {
        let mut unsynced: Vec<Vec<NameChange>> = Vec::new();
        for (path, node) in changes {
            set_name(&mut self.names, path, *node);
            let parent = |one: &Path| one.parent().map(Path::to_owned);
            let together = unsynced
                .iter_mut()
                .find(|some| parent(&some[0].0) == parent(path));
            match together {
                Some(together) => together.push((path.to_path_buf(), *node)),
                None => unsynced.push(vec![(path.to_path_buf(), *node)]),
            }
        }
        self.unsynced_names.append(&mut unsynced);
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let node = self.names.get(path).copied();
        node.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file_number(&self, path: &Path) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(number) => Ok(number),
            Node::Directory => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// Does the change of names of an operation that was begun.
    fn change_names(
        &mut self,
        verdict: &Verdict,
        changes: &[(&Path, Option<Node>)],
    ) -> io::Result<()> {
        if matches!(verdict, Verdict::Tear) {
            return Err(failure());
        }
        self.rename_now(changes);
        self.check_running()
    }
}

/// What the system says when the device fails.
fn failure() -> io::Error {
    io::Error::other("the disk fails")
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_running()?;
        if state.names.contains_key(directory) {
            return Ok(());
        }
        let verdict = state.begin()?;
        state.change_names(&verdict, &[(directory, Some(Node::Directory))])
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_running()?;
        state.node(directory)?;
        let paths = state.names.keys();
        let inside = paths.filter(|path| path.parent() == Some(directory));
        let names = inside.filter_map(|path| path.file_name());
        Ok(names
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let verdict = state.begin()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.files.len();
        state.files.push(File::default());
        state.change_names(&verdict, &[(path, Some(Node::File(number)))])?;
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            number,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state();
        state.check_running()?;
        Ok(Box::new(SimulatedFile {
            number: state.file_number(path)?,
            disk: self.clone(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let verdict = state.begin()?;
        let node = state.node(from)?;
        state.change_names(&verdict, &[(to, Some(node)), (from, None)])
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let verdict = state.begin()?;
        state.file_number(path)?;
        state.change_names(&verdict, &[(path, None)])
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_running()?;
        if !state.names.contains_key(directory) {
            // One above the root, which is durable.
            return Ok(());
        }
        match state.begin()? {
            Verdict::Do => {}
            Verdict::DoAndStop | Verdict::Tear => return Err(failure()),
        }
        for changes in std::mem::take(&mut state.unsynced_names) {
            if changes[0].0.parent() != Some(directory) {
                state.unsynced_names.push(changes);
                continue;
            }
            for (path, node) in changes {
                set_name(&mut state.durable_names, &path, node);
            }
        }
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
}

impl SimulatedFile {
    fn read<T>(&self, read: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let state = self.disk.state();
        state.check_running()?;
        read(&state.files[self.number])
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        self.read(|file| Ok(file.bytes.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = offset as usize;
        self.read(|file| {
            let bytes = file.bytes.get(from..from + buffer.len());
            buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let is_torn = matches!(state.begin()?, Verdict::Tear);
        if state.is_full && offset as usize + bytes.len() > state.files[self.number].bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let State { files, random, .. } = &mut *state;
        files[self.number].write(bytes, offset as usize, || !is_torn || random.bool());
        match is_torn {
            true => Err(failure()),
            false => state.check_running(),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_running()?;
        let verdict = state.begin();
        let State { files, random, .. } = &mut *state;
        let file = &mut files[self.number];
        match verdict {
            Ok(Verdict::Do) => {
                file.settle(|_| true);
                Ok(())
            }
            Ok(Verdict::DoAndStop) => Err(failure()),
            Ok(Verdict::Tear) => {
                file.settle(|_| random.bool());
                Err(failure())
            }
            Err(error) => {
                file.unsynced.clear();
                Err(error)
            }
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let verdict = state.begin()?;
        if matches!(verdict, Verdict::Tear) {
            return Err(failure());
        }
        let file = &mut state.files[self.number];
        file.bytes.resize(length as usize, 0);
        state.check_running()
    }
}
