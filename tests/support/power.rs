//! A disk whose power can be cut: an ext4 file system in an image file, on a loop device.
//!
//! ```text
//!  queue ──▶ page cache ──write back, sync──▶ loop device ──▶ image file
//!            lost by a cut                    kept by a cut
//! ```
//!
//! 1. A cut is the file system's own shutdown without a flush of its log: from then on every write
//!    and every sync fails, and only what the device had is there after the next mount.
//! 2. The file system does not commit by itself for minutes, so that only a sync saves anything.
//! 3. The device keeps all that it was given. A drive whose cache lies about a flush is not tested.
//! 4. Whatever happens, the file system is unmounted when the disk is dropped.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const IMAGE_BYTES: u64 = 256 * 1024 * 1024;

/// A commit of the journal brings the contents of files along, or their names and sizes alone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Journal {
    Ordered,
    /// What was not synced has its size after a cut, and is full of zeros or of old data.
    SizesOnly,
}

impl Journal {
    /// With a commit interval longer than any test runs.
    fn mount_options(self) -> &'static str {
        match self {
            Journal::Ordered => "loop,commit=900,data=ordered",
            Journal::SizesOnly => "loop,commit=900,data=writeback,nodelalloc",
        }
    }
}

/// The mount can be busy for a moment after its last user was killed.
const UNMOUNT_ATTEMPTS: u32 = 100;
const UNMOUNT_PAUSE: Duration = Duration::from_millis(20);

/// An ext4 file system in a file of its own, mounted.
pub(crate) struct Disk {
    directory: TempDir,
    journal: Journal,
    is_mounted: bool,
}

impl Disk {
    /// Makes a new disk and mounts it.
    ///
    /// # Panics
    /// Where this cannot be done, saying what is missing.
    pub(crate) fn new(journal: Journal) -> Disk {
        require_tools();
        let directory = tempfile::tempdir().unwrap();
        let mut disk = Disk {
            directory,
            journal,
            is_mounted: false,
        };
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(IMAGE_BYTES).unwrap();
        std::fs::create_dir(disk.mountpoint()).unwrap();
        run("mkfs.ext4", [OsStr::new("-q"), disk.image().as_os_str()]);
        disk.mount();
        disk
    }

    /// A directory on the disk.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.mountpoint().join(name)
    }

    /// Cuts the power: what the device has not got is lost.
    pub(crate) fn cut(&self) {
        let mountpoint = self.mountpoint();
        let arguments = ["-x", "-c", "shutdown"].map(OsStr::new);
        run(
            "xfs_io",
            arguments.into_iter().chain([mountpoint.as_os_str()]),
        );
        let after = std::fs::write(self.directory("after the cut"), "");
        assert!(after.is_err(), "the file system went on after the cut");
    }

    /// Brings the disk back after a cut. Nobody may use it any more.
    pub(crate) fn come_back(&mut self) {
        self.unmount();
        self.mount();
    }

    fn mount(&mut self) {
        let (image, mountpoint) = (self.image(), self.mountpoint());
        let options = ["-t", "ext4", "-o", self.journal.mount_options()].map(OsStr::new);
        let paths = [image.as_os_str(), mountpoint.as_os_str()];
        run("mount", options.into_iter().chain(paths));
        self.is_mounted = true;
    }

    fn unmount(&mut self) {
        for _ in 0..UNMOUNT_ATTEMPTS {
            // The loop device goes with its mount.
            let umount = Command::new("umount")
                .arg(self.mountpoint())
                .stderr(Stdio::null())
                .status();
            if umount.unwrap().success() {
                self.is_mounted = false;
                return;
            }
            thread::sleep(UNMOUNT_PAUSE);
        }
        panic!("{} stays busy", self.mountpoint().display());
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("disk.ext4")
    }

    fn mountpoint(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Lazily: where a test failed, a till may still be running.
            let _ = Command::new("umount")
                .arg("-l")
                .arg(self.mountpoint())
                .status();
        }
    }
}

/// Says which of the needed things is missing, rather than how its absence shows.
fn require_tools() {
    for (tool, package) in [
        ("xfs_io", "xfsprogs"),
        ("mkfs.ext4", "e2fsprogs"),
        ("mount", "mount"),
        ("umount", "mount"),
        ("losetup", "mount"),
    ] {
        let found = quiet(tool, ["-V"]).status().is_ok();
        assert!(found, "{tool} is missing: install the package {package}");
    }
    let user = Command::new("id").arg("-u").output().unwrap();
    assert_eq!(user.stdout, b"0\n", "only root may mount: run this as root");
    let has_loop_device = quiet("losetup", ["-f"]).status().unwrap().success();
    assert!(has_loop_device, "there is no free loop device");
}

fn quiet<'a>(tool: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn run<'a>(tool: &str, arguments: impl IntoIterator<Item = &'a OsStr>) {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{tool} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
