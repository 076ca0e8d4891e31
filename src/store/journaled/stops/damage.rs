//! What damage took is told, wherever the open that finds it is stopped, and however often.
//!
//! ```text
//!  lives ─▶ damage ─▶ open, stopped at n ─▶ power cut or kill ─▶ open ─▶ consequences ─▶ power cut ─▶ open
//! ```
//!
//! 1. A record that was durable is there with its newest value, or it is known to be lost, or it is known
//!    that nobody knows what is lost, and somebody has drawn the consequences. Where nothing of that is
//!    durable, nothing is missing, stale or risen again.
//! 2. Once the consequences are durable, the next open finds nothing.

use std::path::Path;

use super::super::Recovery;
use super::indexes::Shelf;
use super::till::World;
use super::*;
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::record::LOST;

const SECTOR: u64 = 512;

/// Of the operations of an open, one in so many is looked at; for each damage others.
const STRIDE: u64 = 5;

/// The same where there are indexes, which are on a real disk.
const INDEX_STRIDE: u64 = 3;

/// What the owner writes down once everything that waits is in doubt.
const TOLD: &str = "told";

/// What happens to a queue that nobody has open.
#[derive(Clone, Debug)]
enum Damage {
    Flip(String, u64),
    /// So many sectors are zeros.
    Zero(String, u64, u64),
    /// The file is gone.
    Remove(String),
}

impl Damage {
    fn inflict(&self, disk: &SimulatedDisk, journal: &Path) {
        match self {
            Damage::Flip(name, offset) => {
                let file = disk.open(&journal.join(name)).unwrap();
                let mut byte = [0];
                file.read_at(&mut byte, *offset).unwrap();
                file.write_at(&[byte[0] ^ 0x10], *offset).unwrap();
            }
            Damage::Zero(name, sector, count) => {
                let file = disk.open(&journal.join(name)).unwrap();
                let zeros = vec![0; (count * SECTOR) as usize];
                file.write_at(&zeros, sector * SECTOR).unwrap();
            }
            Damage::Remove(name) => disk.remove(&journal.join(name)).unwrap(),
        }
    }
}

/// Several lives whose newest records lie all over the journal.
fn past() -> Vec<Vec<Step>> {
    let first = vec![
        Step::Prepare,
        Step::Put(vec![("old", 100), ("older", 1_500)]),
        Step::Put(vec![("a", 20)]),
        Step::Prepare,
        Step::Feed,
        Step::Put(vec![("gone", 700)]),
        Step::Delete("gone"),
        Step::Put(vec![("a", 900), ("b", 30), ("c", 400)]),
        Step::Feed,
    ];
    let second = vec![
        Step::Put(vec![("d", 40), ("a", 300)]),
        Step::Delete("b"),
        Step::Put(vec![("e", 1_200)]),
        Step::Feed,
    ];
    let third = vec![
        Step::Put(vec![("f", 30), ("old", 50)]),
        Step::Prepare,
        Step::Put(vec![("a", 60)]),
        Step::Feed,
        // Of these the index knows nothing.
        Step::Put(vec![("g", 30)]),
        Step::Put(vec![("h", 30), ("c", 20)]),
    ];
    vec![first, second, third]
}

/// A queue with a past, as a kill left it.
fn till_with_a_past(directory: &Path) -> Till {
    let mut till = Till::new(SimulatedDisk::new(directory, 1), directory);
    for steps in past() {
        till.open_sound().unwrap();
        for step in &steps {
            till.step(step).unwrap();
        }
        till.close();
    }
    till.cut(Left::All)
}

/// The segments that hold something, with how many of their sectors do.
fn used_segments(disk: &SimulatedDisk, journal: &Path) -> Vec<(String, u64)> {
    let mut names = disk.names(journal).unwrap();
    names.sort();
    let used = names.into_iter().map(|name| {
        let file = disk.open(&journal.join(&name)).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let last = bytes.iter().rposition(|byte| *byte != 0);
        (name, last.map_or(0, |last| last as u64 / SECTOR + 1))
    });
    used.filter(|(_, sectors)| *sectors > 0).collect()
}

/// One kind of damage after the other, in every place.
fn damages(segments: &[(String, u64)]) -> Vec<Damage> {
    let mut damages = Vec::new();
    for (name, sectors) in segments {
        damages.push(Damage::Remove(name.clone()));
        for sector in 0..*sectors {
            damages.push(Damage::Flip(name.clone(), sector * SECTOR + 20));
            damages.push(Damage::Flip(name.clone(), sector * SECTOR + 130));
            damages.push(Damage::Zero(name.clone(), sector, 1));
            damages.push(Damage::Zero(name.clone(), sector, sectors - sector));
        }
    }
    damages
}

/// A damaged queue, and what its owner knows of it.
struct Scene<'a> {
    hurt: Till,
    truth: &'a World,
    /// Where the indexes lie, if there are any.
    shelf: Option<&'a Shelf<'a>>,
}

impl Scene<'_> {
    fn put_index(&self, from: &str) {
        if let Some(shelf) = self.shelf {
            shelf.copy(from, "queue");
        }
    }

    /// What an open that nobody stops finds, and how many operations there are until all is settled.
    fn measure(&self) -> (Recovery, u64) {
        self.put_index("hurt");
        let mut till = self.hurt.kill();
        let before = till.disk.operations();
        let report = settle(&mut till).expect("an open that nobody stops");
        let operations = till.disk.operations() - before;
        till.close();
        (report, operations)
    }

    /// Lets `fault` happen at the `n`-th operation.
    fn stop_at(&self, n: u64, fault: Fault, counts: &mut Counts) {
        self.put_index("hurt");
        let disk = self.hurt.disk.after_kill();
        let mut first = self.hurt.on(disk, &format!("{fault:?} at {n}"));
        first.disk.plan(n, fault);
        let _ = settle(&mut first);
        first.close();
        if let Some(shelf) = self.shelf {
            shelf.copy("queue", "left");
        }
        counts.points += 1;
        self.look(first.kill(), "left", n, counts);
        self.look(first.cut(Left::Nothing), "hurt", n, counts);
        let left = ["left", "hurt"][(n % 2) as usize];
        self.look(first.cut(Left::Some(n)), left, n, counts);
    }

    /// Opens what a stop left; sometimes it takes two attempts.
    fn look(&self, mut till: Till, index: &str, n: u64, counts: &mut Counts) {
        self.put_index(index);
        if n.is_multiple_of(2) {
            till.disk.plan(n * 7 % 23 + 1, Fault::Stops);
            let _ = settle(&mut till);
            till.close();
            till = till.cut(Left::Some(n));
        }
        settle(&mut till).expect("an open after a stop");
        let mut last = till.cut(Left::Nothing);
        till.close();
        let report = last.open_unsound().expect("an open after all is settled");
        assert!(report.missing.is_empty(), "{last}: {report:?}");
        assert!(!report.has_unknown_losses, "{last}: {report:?}");
        assert!(report.lost.is_empty() && report.restored.is_empty());
        self.check(&last);
        last.close();
        counts.states += 1;
        counts.opens += 2 + n.is_multiple_of(2) as u64;
    }

    fn check(&self, till: &Till) {
        let found = &till.worlds[0];
        if found.contains_key(&till::full(TOLD)) {
            return;
        }
        for (key, value) in self.truth {
            let named = found.get(key);
            let is_kept = named.is_some_and(|found| found == value || found == LOST);
            assert!(is_kept, "{till}: {key:?} is lost, and nobody was told");
        }
        let is_known = |key: &Vec<u8>| self.truth.contains_key(key) || found[key] == LOST;
        let risen = found.keys().find(|key| !is_known(key));
        assert_eq!(risen, None, "{till}: it has risen, and nobody was told");
    }
}

/// Opens the queue, and draws the consequences of what it lost, as its owner has to.
fn settle(till: &mut Till) -> Result<Recovery, StoreError> {
    let report = till.open_unsound()?;
    if report.has_unknown_losses {
        till.draw_consequences(TOLD)?;
    }
    Ok(report)
}

/// How many damages there were, and of how many it is said that nobody knows what is lost.
#[derive(Debug, Default)]
struct Tally {
    damages: u64,
    unknown: u64,
    undetectable: u64,
}

/// Hurts the queue in `directory` in every way that `is_wanted`. Of the operations of each open one in
/// `stride` is looked at.
fn hurt_and_stop(
    directory: &Path,
    shelf: Option<&Shelf<'_>>,
    stride: u64,
    is_wanted: impl Fn(u64, &Damage) -> bool,
) -> (Tally, Counts) {
    let (mut tally, mut counts) = (Tally::default(), Counts::default());
    let past = till_with_a_past(directory);
    if let Some(shelf) = shelf {
        shelf.copy("queue", "hurt");
    }
    let journal = directory.join("journal");
    let damages = damages(&used_segments(&past.disk, &journal));
    for (number, damage) in (0..)
        .zip(damages)
        .filter(|(number, one)| is_wanted(*number, one))
    {
        let disk = past.disk.after_kill();
        damage.inflict(&disk, &journal);
        let scene = Scene {
            hurt: past.on(disk.after_power_cut(Left::All), &format!("{damage:?}")),
            truth: &past.worlds[0],
            shelf,
        };
        let (report, operations) = scene.measure();
        tally.damages += 1;
        tally.unknown += u64::from(report.has_unknown_losses);
        if report.missing.is_empty() {
            // Nothing that is left tells that there was more.
            tally.undetectable += 1;
            continue;
        }
        for n in (1 + number % stride..=operations).step_by(stride as usize) {
            let faults = [Fault::Stops, Fault::Fails(ErrorKind::Other), Fault::Tears];
            scene.stop_at(n, faults[0], &mut counts);
            if n.is_multiple_of(3) {
                scene.stop_at(n, faults[1 + (n % 2) as usize], &mut counts);
            }
        }
    }
    println!("damage: {tally:?}, {counts:?}");
    (tally, counts)
}

#[test]
fn a_stop_while_damage_is_mended_lets_no_loss_be_forgotten() {
    let stride = (STRIDE / seeds()).max(1);
    let (tally, _) = hurt_and_stop(Path::new(NOWHERE), None, stride, |number, _| {
        number % stride == 0
    });
    assert!(tally.unknown > 0, "{tally:?}");
}

/// What the index knows, it tells; that nobody knows what came after that is as true as without it.
#[test]
fn a_stop_while_the_end_is_mended_of_which_the_index_knows_lets_no_loss_be_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let shelf = Shelf {
        place: place.path(),
    };
    let ends = |_, damage: &Damage| match damage {
        Damage::Remove(_) => true,
        Damage::Zero(_, sector, count) => *sector == 2 && *count > 2,
        Damage::Flip(..) => false,
    };
    let stride = (INDEX_STRIDE / seeds()).max(1);
    let (tally, _) = hurt_and_stop(&shelf.queue(), Some(&shelf), stride, ends);
    assert!(tally.unknown > 0, "{tally:?}");
}
