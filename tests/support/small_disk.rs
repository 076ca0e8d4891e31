//! A disk so small that it can be filled: mounted for one process, and gone with it.
//!
//! The test starts itself again in a mount namespace of its own, so that nothing is left mounted however
//! it ends.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Names the directory on which the disk is mounted.
const DISK: &str = "SMALL_DISK";

/// What takes longer is stuck.
const LONGEST_RUN: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(20);

/// What a disk is made of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Memory. Room is taken as it is written to. Needs no more than a user namespace.
    Memory,
    /// ext4 on a loop device. It gives room away before it is there (delayed allocation). Needs root.
    Ext4,
}

/// Runs the ignored test `name` of this binary, with a disk of its own; `None` where that cannot be had,
/// and otherwise whether the test succeeded.
pub fn with_disk(
    kind: Kind,
    mebibytes: u32,
    name: &str,
    variables: &[(&str, String)],
) -> Option<bool> {
    let place = tempfile::tempdir().unwrap();
    let mounted = place.path().join("mounted");
    fs::create_dir(&mounted).unwrap();
    let mount = match kind {
        Kind::Memory => {
            format!("mount -t tmpfs -o size={mebibytes}m,mode=700 none \"$SMALL_DISK\"")
        }
        Kind::Ext4 => {
            let image = place.path().join("disk.ext4");
            let image = image.display();
            format!(
                "truncate -s {mebibytes}M {image} && mkfs.ext4 -q -m 0 {image} && mount -o loop {image} \"$SMALL_DISK\""
            )
        }
    };
    if !in_namespace(kind, &mounted, &mount)
        .arg("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        return None;
    }
    let mut run = in_namespace(kind, &mounted, &mount);
    run.arg(std::env::current_exe().unwrap());
    run.args(["--exact", name, "--ignored", "--nocapture"]);
    run.envs(variables.iter().map(|(name, value)| (name, value)));
    run.stderr(Stdio::inherit()).stdout(Stdio::inherit());
    let mut running = run.spawn().unwrap();
    for _ in 0..LONGEST_RUN.as_millis() / PAUSE.as_millis() {
        if let Some(status) = running.try_wait().unwrap() {
            return Some(status.success());
        }
        thread::sleep(PAUSE);
    }
    println!("it hangs");
    running.kill().unwrap();
    running.wait().unwrap();
    Some(false)
}

/// A command that runs the command in its arguments behind `mount`.
fn in_namespace(kind: Kind, mounted: &Path, mount: &str) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if let Kind::Memory = kind {
        command.arg("--map-root-user");
    }
    command.args(["sh", "-c", &format!("{mount} && exec \"$@\""), "sh"]);
    command.env(DISK, mounted);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The disk of this process, if it was started with one.
pub fn own_disk() -> Option<PathBuf> {
    std::env::var_os(DISK).map(PathBuf::from)
}

/// Somebody who takes all the room that there is, once or again and again.
pub struct Rival {
    hoard: PathBuf,
    is_over: Arc<AtomicBool>,
    eater: Option<JoinHandle<()>>,
}

impl Rival {
    /// Fills `disk`. A greedy one goes on eating whatever is released.
    pub fn fill(disk: &Path, is_greedy: bool) -> Rival {
        let hoard = disk.join("hoard");
        let mut file = File::create(&hoard).unwrap();
        eat(&mut file);
        let is_over = Arc::new(AtomicBool::new(false));
        let eater = is_greedy.then(|| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    eat(&mut file);
                    thread::sleep(Duration::from_millis(1));
                }
            })
        });
        Rival {
            hoard,
            is_over,
            eater,
        }
    }

    /// Gives everything back.
    pub fn leave(mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(eater) = self.eater.take() {
            eater.join().unwrap();
        }
        fs::remove_file(&self.hoard).unwrap();
    }
}

/// Writes until nothing more goes in, down to the last byte.
fn eat(file: &mut File) {
    let mut length = 1024 * 1024;
    while length > 0 {
        if file.write(&vec![7; length]).is_err() {
            length /= 2;
        }
    }
    // What was given away without being there comes to light.
    let _ = file.sync_all();
}
