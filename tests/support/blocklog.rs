//! A disk that writes down all that it is told: every write and every flush, in their order.
//!
//! ```text
//!  queue ─▶ ext4, XFS ─▶ loop device ─▶ FUSE ─▶ raw ─▶ blklogwrites ─▶ image file
//!                                               │            └───────▶ log
//!                                               └(on demand)▶ blkdebug: EIO
//! ```
//!
//! 1. All but the file system is `qemu-storage-daemon`, which serves one message after the other:
//!    what was answered is in the log, and what comes later in the log began later.
//! 2. The daemon itself flushes nothing: the power is cut by replaying the log, not on this machine.
//! 3. A write or flush that was failed never reaches the log.
//! 4. The file system was made before the log begins; `base` is the image as it was then.
//! 5. Whatever happens to the test, a shell that outlives it unmounts and kills what is left.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// XFS wants more than 300 MiB.
const IMAGE_BYTES: u64 = 320 * 1024 * 1024;

const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// A file system that a queue may live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    pub(crate) const ALL: [FileSystem; 2] = [FileSystem::Ext4, FileSystem::Xfs];

    fn name(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
        }
    }

    fn make(self, image: &Path) {
        let file = std::fs::File::create(image).unwrap();
        file.set_len(IMAGE_BYTES).unwrap();
        match self {
            FileSystem::Ext4 => run("mkfs.ext4", ["-q", "-E", "nodiscard"], [image]),
            FileSystem::Xfs => run("mkfs.xfs", ["-q", "-K"], [image]),
        }
    }

    /// ext4 is not to commit by itself, so that only a sync saves anything.
    fn mount_options(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "loop,noatime,commit=900",
            FileSystem::Xfs => "loop,noatime",
        }
    }
}

/// What goes wrong, and whether once or from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    /// `write` or `flush`.
    pub(crate) what: &'static str,
    pub(crate) once: bool,
}

/// The disk, mounted.
pub(crate) struct LoggedDisk {
    /// The first field: it is the first to be dropped.
    _janitor: Janitor,
    mounted: Option<Mounted>,
    daemon: Option<Daemon>,
    file_system: FileSystem,
    directory: TempDir,
}

impl LoggedDisk {
    /// # Panics
    /// Where this cannot be done, saying what is missing.
    pub(crate) fn new(file_system: FileSystem) -> LoggedDisk {
        require_tools();
        let directory = tempfile::tempdir().unwrap();
        let mut disk = LoggedDisk {
            _janitor: Janitor::new(directory.path()),
            mounted: None,
            daemon: None,
            file_system,
            directory,
        };
        file_system.make(&disk.path("image"));
        copy_image(&disk.path("image"), &disk.base());
        std::fs::File::create(disk.log()).unwrap();
        disk.daemon = Some(Daemon::start(disk.directory.path(), NEW_LOG));
        disk.attach();
        disk
    }

    pub(crate) fn queue(&self) -> PathBuf {
        self.path("mounted").join("queue")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("log")
    }

    pub(crate) fn base(&self) -> PathBuf {
        self.path("base")
    }

    /// The image with the power cut at one moment, mounted. One at a time.
    pub(crate) fn mount_cut(&self, image: &Path) -> Mounted {
        Mounted::new(self.file_system, image, &self.path("cut"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Fails what is named, from now on and until it is repaired.
    pub(crate) fn fail(&mut self, failing: Failing) {
        let rule = format!(
            r#"{{"event": "none", "iotype": "{}", "errno": 5, "once": {}}}"#,
            failing.what, failing.once
        );
        let node = format!(
            r#"{{"driver": "blkdebug", "node-name": "failing", "image": "logged",
                 "inject-error": [{rule}]}}"#
        );
        self.daemon().execute("blockdev-add", &node);
        let top = r#"{"options": [{"driver": "raw", "node-name": "top", "file": "failing"}]}"#;
        self.daemon().execute("blockdev-reopen", top);
    }

    fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().unwrap()
    }

    /// Fails nothing any more. As after pulling the plug and putting it back, nobody remembers what
    /// was cached; the log goes on.
    pub(crate) fn repair(&mut self) {
        self.stop();
        self.daemon = Some(Daemon::start(self.directory.path(), SAME_LOG));
        self.attach();
    }

    /// Unmounts it and ends the daemon: nothing more is logged.
    pub(crate) fn stop(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount();
        }
        self.daemon = None;
    }

    fn attach(&mut self) {
        let (exported, at) = (self.path("exported"), self.path("mounted"));
        self.mounted = Some(Mounted::new(self.file_system, &exported, &at));
    }
}

/// A mounted file system. Its loop device goes with its mount.
pub(crate) struct Mounted {
    at: PathBuf,
}

impl Mounted {
    fn new(file_system: FileSystem, image: &Path, at: &Path) -> Mounted {
        std::fs::create_dir_all(at).unwrap();
        let options = file_system.mount_options();
        let arguments = ["-t", file_system.name(), "-o", options];
        run("mount", arguments, [image, at]);
        Mounted { at: at.to_owned() }
    }

    pub(crate) fn queue(&self) -> PathBuf {
        self.at.join("queue")
    }

    /// It can be busy for a moment after its last user was killed.
    pub(crate) fn unmount(self) {
        for _ in 0..ATTEMPTS {
            if succeeds("umount", [self.at.as_os_str()]) {
                return;
            }
            thread::sleep(PAUSE);
        }
        panic!("{} stays busy", self.at.display());
    }
}

/// Cleans up once the test lets go of its standard input, be it by a panic or by a kill.
struct Janitor(Child);

/// Patiently, where a till still has to end; and what is mounted before what it is mounted from.
const CLEANING: &str = r#"
cat >/dev/null
for at in cut mounted; do
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        mountpoint -q "$0/$at" || break
        umount "$0/$at" || sleep 0.2
    done
    mountpoint -q "$0/$at" && umount -l "$0/$at"
done
[ -f "$0/pid" ] && kill -9 "$(cat "$0/pid")"
mountpoint -q "$0/exported" && umount -l "$0/exported"
rm -rf "$0"
"#;

impl Janitor {
    fn new(directory: &Path) -> Janitor {
        let mut shell = Command::new("sh");
        shell.args(["-c", CLEANING]).arg(directory).current_dir("/");
        shell.stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        // In a group of its own: what interrupts the test does not interrupt this.
        Janitor(shell.process_group(0).spawn().unwrap())
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.0.stdin = None;
        let _ = self.0.wait();
    }
}

/// `qemu-storage-daemon`, with a line to command it.
struct Daemon {
    process: Child,
    monitor: Option<BufReader<UnixStream>>,
    directory: PathBuf,
}

impl Daemon {
    fn start(directory: &Path, log: &str) -> Daemon {
        let exported = directory.join("exported");
        std::fs::File::create(&exported).unwrap();
        let process = Command::new("qemu-storage-daemon")
            .current_dir(directory)
            .args(["--pidfile", "pid"])
            .args([
                "--chardev",
                "socket,id=line,path=monitor,server=on,wait=off",
            ])
            .args(["--monitor", "chardev=line"])
            .args([
                "--blockdev",
                "file,node-name=image,filename=image,cache.no-flush=on",
            ])
            .args([
                "--blockdev",
                "file,node-name=log,filename=log,cache.no-flush=on",
            ])
            .args(["--blockdev", &format!("{LOGGED},{log}")])
            .args(["--blockdev", "raw,node-name=top,file=logged"])
            .arg("--export")
            .arg(format!(
                "type=fuse,id=export,node-name=top,writable=on,mountpoint={}",
                exported.display()
            ))
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut daemon = Daemon {
            process,
            monitor: None,
            directory: directory.to_owned(),
        };
        daemon.wait_until_exported();
        daemon.listen(&directory.join("monitor"));
        daemon
    }

    fn wait_until_exported(&mut self) {
        for _ in 0..ATTEMPTS {
            let length = std::fs::metadata(self.directory.join("exported")).map(|file| file.len());
            if length.is_ok_and(|bytes| bytes == IMAGE_BYTES) {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "qemu-storage-daemon ended: {ended:?}");
            thread::sleep(PAUSE);
        }
        panic!("qemu-storage-daemon exports nothing by FUSE");
    }

    fn listen(&mut self, socket: &Path) {
        let monitor = UnixStream::connect(socket).unwrap();
        monitor.set_read_timeout(Some(ATTEMPTS * PAUSE)).unwrap();
        let mut monitor = BufReader::new(monitor);
        monitor.read_line(&mut String::new()).unwrap();
        self.monitor = Some(monitor);
        self.execute("qmp_capabilities", "{}");
    }

    fn execute(&mut self, command: &str, arguments: &str) {
        let monitor = self.monitor.as_mut().unwrap();
        let message = format!(r#"{{"execute": "{command}", "arguments": {arguments}}}"#);
        writeln!(monitor.get_mut(), "{message}").unwrap();
        let mut answer = String::new();
        monitor.read_line(&mut answer).unwrap();
        assert!(answer.contains(r#""return""#), "{message}: {answer}");
    }
}

/// With a count of entries that is never behind.
const LOGGED: &str = "blklogwrites,node-name=logged,file=image,log=log,log-super-update-interval=1";

/// With sectors as the loop device has them.
const NEW_LOG: &str = "log-sector-size=512";
const SAME_LOG: &str = "log-append=on";

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its number may soon be another's.
        let _ = std::fs::remove_file(self.directory.join("pid"));
        let exported = self.directory.join("exported");
        succeeds("umount", [OsStr::new("-l"), exported.as_os_str()]);
    }
}

/// Copies an image, holes as holes.
pub(crate) fn copy_image(from: &Path, to: &Path) {
    run("cp", ["--reflink=auto", "--sparse=always"], [from, to]);
}

/// Says which of the needed things is missing, rather than how its absence shows.
fn require_tools() {
    for (tool, package) in [
        ("qemu-storage-daemon", "qemu-utils or qemu-system-common"),
        ("mkfs.ext4", "e2fsprogs"),
        ("mkfs.xfs", "xfsprogs"),
        ("losetup", "mount"),
        ("mountpoint", "util-linux"),
    ] {
        let found = command(tool, [OsStr::new("-V")]).output().is_ok();
        assert!(found, "{tool} is missing: install the package {package}");
    }
    let user = Command::new("id").arg("-u").output().unwrap();
    assert_eq!(user.stdout, b"0\n", "only root may mount: run this as root");
    assert!(Path::new("/dev/fuse").exists(), "there is no /dev/fuse");
    let has_loop_device = succeeds("losetup", [OsStr::new("-f")]);
    assert!(has_loop_device, "there is no free loop device");
}

fn command<'a>(tool: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::null());
    command
}

fn succeeds<'a>(tool: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> bool {
    let output = command(tool, arguments).output();
    output.is_ok_and(|output| output.status.success())
}

fn run<const N: usize, const M: usize>(tool: &str, arguments: [&str; N], paths: [&Path; M]) {
    let arguments = arguments.into_iter().map(OsStr::new);
    let all = arguments.chain(paths.into_iter().map(Path::as_os_str));
    let output = command(tool, all).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} failed: {complaint}");
}
