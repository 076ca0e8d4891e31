//! Whatever lies where the index should be, the journal alone says what the queue holds.

use std::fs;
use std::path::Path;

use super::super::IndexFate;
use super::*;

/// One in so many operations is looked at: these indexes are on a real disk.
const STRIDE: u64 = 23;

/// What may be found in the place of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// As it was when the queue stopped.
    LeftBehind,
    /// As it was when this life began.
    Older,
    /// As it was later on in a life that the journal knows nothing of.
    Newer,
    /// That of another queue.
    Foreign,
    Damaged,
}

const ALL: [Found; 6] = [
    Found::Nothing,
    Found::LeftBehind,
    Found::Older,
    Found::Newer,
    Found::Foreign,
    Found::Damaged,
];

#[test]
fn an_index_of_any_kind_changes_nothing_of_what_the_journal_says() {
    let place = tempfile::tempdir().unwrap();
    let shelf = Shelf {
        place: place.path(),
    };
    shelf.make_foreign();
    let (mut counts, mut proven) = (Counts::default(), 0);
    at_every_operation(&shelf.queue(), &mut counts, |life, steps, n, counts| {
        if n == 1 {
            // The life without a stop has just ended, the one before it a life ago.
            shelf.copy("newer", "older");
            shelf.copy("queue", "newer");
        }
        if !n.is_multiple_of(STRIDE) {
            return;
        }
        shelf.copy("older", "queue");
        let till = live(life, steps, n, Fault::Stops);
        shelf.copy("queue", "left");
        for found in ALL {
            proven += shelf.look(&till, found, n, counts);
        }
        shelf.copy("newer", "queue");
    });
    println!("indexes: {counts:?}, proven {proven}");
    assert!(proven > 0, "an index that was left behind is used again");
}

/// Directories with one index each.
pub(super) struct Shelf<'a> {
    pub(super) place: &'a Path,
}

impl Shelf<'_> {
    pub(super) fn queue(&self) -> std::path::PathBuf {
        self.place.join("queue")
    }

    fn make_foreign(&self) {
        let directory = self.place.join("foreign");
        let mut till = Till::new(SimulatedDisk::new(&directory, 2), &directory);
        till.open_sound().unwrap();
        for step in &lives()[0] {
            till.step(step).unwrap();
        }
        till.close();
    }

    /// Puts the index of `from`, if there is one, in the place of that of `to`.
    pub(super) fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.place.join(name).join("index"));
        let _ = fs::remove_dir_all(&to);
        if from.exists() {
            copy_tree(&from, &to);
        }
    }

    fn put(&self, found: Found, seed: u64) {
        match found {
            Found::Nothing => self.copy("nowhere", "queue"),
            Found::LeftBehind => self.copy("left", "queue"),
            Found::Older => self.copy("older", "queue"),
            Found::Newer => self.copy("newer", "queue"),
            Found::Foreign => self.copy("foreign", "queue"),
            Found::Damaged => {
                self.copy("left", "queue");
                damage(
                    &self.queue().join("index"),
                    &mut fastrand::Rng::with_seed(seed),
                );
            }
        }
    }

    /// Opens what the stopped `till` left, once after a kill and once after a power cut. Says how
    /// often the index was used again.
    fn look(&self, till: &Till, found: Found, n: u64, counts: &mut Counts) -> u64 {
        let mut proven = 0;
        for mut stopped in [till.kill(), till.cut(Left::Some(n))] {
            self.put(found, n);
            counts.states += 1;
            counts.opens += 2;
            if found == Found::Newer {
                look_at_newer(stopped);
                continue;
            }
            let report = stopped.open_sound().expect("an open after a stop");
            // An older one may know keys of which the journal has forgotten even the deletion.
            let may_know_more = matches!(found, Found::Older | Found::Foreign | Found::Damaged);
            assert!(may_know_more || report.unvouched == 0, "{report:?}");
            proven += u64::from(report.index == IndexFate::Proven);
            stopped.step(&Step::Put(vec![("new", 10)])).unwrap();
            stopped.step(&Step::Feed).unwrap();
            stopped.retire_all().expect("every segment can be retired");
            stopped.look().unwrap();
            let mut second = stopped.kill();
            stopped.close();
            let report = second.open_sound().expect("an open after an open");
            assert_eq!(report.index, IndexFate::Proven, "{found:?}");
        }
        proven
    }
}

/// An index never knows more than the journal. Where it does, the journal lost something, and that
/// is said, unless it is the index of another queue altogether.
fn look_at_newer(mut till: Till) {
    let worlds = till.worlds.clone();
    let report = till.open_unsound().expect("an open with damage");
    // Towards the end of a life, it may know nothing more after all.
    let is_sound = report.index == IndexFate::Proven && worlds.contains(&till.worlds[0]);
    let is_told = !report.missing.is_empty() || matches!(report.index, IndexFate::Rebuilt(_));
    assert!(is_sound || is_told, "{report:?}");
    till.step(&Step::Put(vec![("new", 10)])).unwrap();
    let told = till.contents().unwrap();
    let mut second = till.kill();
    till.close();
    let report = second.open_unsound().expect("an open after the mending");
    assert!(report.missing.is_empty(), "{report:?}");
    assert_eq!(second.contents().unwrap(), told);
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Flips bytes in every file below `directory`.
fn damage(directory: &Path, random: &mut fastrand::Rng) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path, random);
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        // Most of a file is room that nothing was written to.
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for _ in 0..used.min(4) {
            bytes[random.usize(..used)] ^= random.u8(1..);
        }
        fs::write(&path, bytes).unwrap();
    }
}
