//! What happens to one file of a queue: drawn from a seed, so that every trial can be had again.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::pristine::all_files;

const SECTOR: u64 = 512;

/// The parts of a queue; each is hurt about as often as the others, however many files it has.
const PARTS: [&str; 6] = ["journal", "journal", "index", "vault", "audit", "queue."];

/// What is done to a queue before it is opened.
#[derive(Clone, Debug)]
pub struct Wound {
    /// Below the queue's directory.
    path: PathBuf,
    harm: Harm,
}

#[derive(Clone, Debug)]
enum Harm {
    /// Where the index is gone, too, nobody else knows what stood there.
    FlipBit {
        offset: u64,
        bit: u8,
        without_index: bool,
    },
    Zero {
        offset: u64,
        length: u64,
    },
    Scramble {
        offset: u64,
        length: u64,
    },
    Truncate {
        length: u64,
    },
    RemoveFile,
    RemoveDirectory,
    /// A file that was not there, with the beginning of another one in it.
    Stray {
        from: Option<PathBuf>,
        length: u64,
    },
    /// A directory that was not there.
    StrayDirectory,
    /// A segment of another queue, or its beginning. Without the index nobody knows whose is whose.
    Foreign {
        from: PathBuf,
        length: u64,
        without_index: bool,
    },
}

impl Wound {
    /// Draws one for the queue in `directory`, if need be with a file of the queue in `other`.
    pub fn draw(directory: &Path, other: &Path, random: &mut fastrand::Rng) -> Wound {
        let files = all_files(directory);
        let part = *random.choice(PARTS.iter()).unwrap();
        let in_part = |file: &&PathBuf| {
            let inside = file.strip_prefix(directory).unwrap();
            inside.to_str().unwrap().starts_with(part)
        };
        let of_part: Vec<&PathBuf> = files.iter().filter(in_part).collect();
        let used: Vec<&&PathBuf> = of_part.iter().filter(|file| !is_blank(file)).collect();
        let file = match random.choice(&used) {
            Some(file) if random.u32(0..8) > 0 => (**file).clone(),
            _ if !of_part.is_empty() => (*random.choice(&of_part).unwrap()).clone(),
            _ => random.choice(&files).unwrap().clone(),
        };
        let path = file.strip_prefix(directory).unwrap().to_owned();
        match random.u32(0..22) {
            0..6 => Wound::bytes(&file, path, random, |offset, random| Harm::FlipBit {
                offset: offset + random.u64(0..SECTOR),
                bit: random.u8(0..8),
                without_index: random.bool(),
            }),
            6..10 => Wound::bytes(&file, path, random, |offset, random| Harm::Zero {
                offset,
                length: block(random),
            }),
            10..12 => Wound::bytes(&file, path, random, |offset, random| Harm::Scramble {
                offset,
                length: block(random),
            }),
            12..15 => Wound::bytes(&file, path, random, |offset, random| Harm::Truncate {
                length: offset + random.u64(0..SECTOR),
            }),
            15..17 => Wound {
                path,
                harm: Harm::RemoveFile,
            },
            17 => Wound {
                path: PathBuf::from(part.trim_end_matches('.')),
                harm: Harm::RemoveDirectory,
            },
            18..20 => Wound::stray(directory, &files, random),
            _ => Wound::foreign(other, random),
        }
    }

    fn bytes(
        file: &Path,
        path: PathBuf,
        random: &mut fastrand::Rng,
        harm: impl Fn(u64, &mut fastrand::Rng) -> Harm,
    ) -> Wound {
        let offset = used_sector(file, random);
        let harm = harm(offset, random);
        Wound { path, harm }
    }

    fn stray(directory: &Path, files: &[PathBuf], random: &mut fastrand::Rng) -> Wound {
        let generation = |name: &str| {
            let inside = files.iter().find(|file| file.ends_with("db"));
            let home = inside.and_then(|db| db.parent()?.strip_prefix(directory).ok());
            home.unwrap_or(Path::new("index")).join(name)
        };
        let path = match random.u32(0..12) {
            0 => generation("snap.00000000000000AA"),
            1 => generation("blobs/17"),
            2 => PathBuf::from("index/opening"),
            3 => PathBuf::from("index/0123456789abcdef0123456789abcdef/db"),
            4 => PathBuf::from("audit/notes.txt"),
            5 => PathBuf::from("journal/notes.txt"),
            6 => PathBuf::from("core"),
            7 => PathBuf::from("journal/ffffffffffffffff-0123456789abcdef.segment"),
            8 => PathBuf::from("journal/0000000000000000-0123456789abcdef.segment"),
            9 => PathBuf::from("journal/00000000000000ff-0123456789abcdef.segment"),
            10 => return Wound::comes_back(directory, files, random),
            _ => {
                return Wound {
                    path: PathBuf::from("index/fedcba9876543210fedcba9876543210"),
                    harm: Harm::StrayDirectory,
                };
            }
        };
        let from = random.bool().then(|| {
            let file = random.choice(files).unwrap();
            file.strip_prefix(directory).unwrap().to_owned()
        });
        let length = random.u64(0..1024 * 1024);
        let harm = Harm::Stray { from, length };
        Wound { path, harm }
    }

    /// A segment that was retired stands in the journal again, with its old states.
    fn comes_back(directory: &Path, files: &[PathBuf], random: &mut fastrand::Rng) -> Wound {
        let is_retired = |file: &&PathBuf| file.to_str().unwrap().contains(".segment@");
        let retired: Vec<&PathBuf> = files.iter().filter(is_retired).collect();
        let (from, name) = match random.choice(&retired) {
            Some(file) => {
                let name = file.file_name().unwrap().to_str().unwrap();
                let from = file.strip_prefix(directory).unwrap().to_owned();
                (Some(from), name.split('@').next().unwrap())
            }
            None => (None, "0000000000000001.segment"),
        };
        Wound {
            path: Path::new("journal").join(name),
            harm: Harm::Stray {
                from,
                length: u64::MAX,
            },
        }
    }

    /// At least so much of a segment that its header says whose it is.
    fn foreign(other: &Path, random: &mut fastrand::Rng) -> Wound {
        let mut segments = all_files(&other.join("journal"));
        segments.retain(|file| !is_blank(file));
        let from = random.choice(segments).unwrap();
        let whole = from.metadata().unwrap().len();
        let length = match random.bool() {
            true => whole,
            false => random.u64(SECTOR..whole),
        };
        Wound {
            path: Path::new("journal").join(from.file_name().unwrap()),
            harm: Harm::Foreign {
                from,
                length,
                without_index: random.bool(),
            },
        }
    }

    /// The name of the segment of another queue that it brings.
    pub fn foreign_segment(&self) -> Option<&str> {
        let is_foreign = matches!(self.harm, Harm::Foreign { .. });
        let name = self.path.file_name()?.to_str();
        name.filter(|_| is_foreign)
    }

    /// Whether nobody can tell which of two queues is the one that is opened.
    pub fn is_undecidable(&self) -> bool {
        let Harm::Foreign { without_index, .. } = self.harm else {
            return false;
        };
        without_index
    }

    /// Does it to the queue in `directory`.
    pub fn inflict(&self, directory: &Path, random: &mut fastrand::Rng) {
        let path = directory.join(&self.path);
        match &self.harm {
            Harm::FlipBit {
                offset,
                bit,
                without_index,
            } => {
                change(&path, *offset, 1, |byte| byte ^ (1 << bit));
                if *without_index {
                    fs::remove_dir_all(directory.join("index")).unwrap();
                }
            }
            Harm::Zero { offset, length } => change(&path, *offset, *length, |_| 0),
            Harm::Scramble { offset, length } => {
                change(&path, *offset, *length, |_| random.u8(..));
            }
            Harm::Truncate { length } => {
                let file = File::options().write(true).open(&path).unwrap();
                let whole = file.metadata().unwrap().len();
                file.set_len((*length).min(whole)).unwrap();
            }
            Harm::RemoveFile => fs::remove_file(&path).unwrap(),
            // Some parts are files, or are not there.
            Harm::RemoveDirectory => drop(fs::remove_dir_all(&path)),
            Harm::Stray { from, length } => {
                let mut bytes = match from {
                    Some(from) => fs::read(directory.join(from)).unwrap(),
                    None => Vec::new(),
                };
                bytes.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, bytes).unwrap();
            }
            Harm::StrayDirectory => fs::create_dir_all(&path).unwrap(),
            Harm::Foreign {
                from,
                length,
                without_index,
            } => {
                let mut bytes = fs::read(from).unwrap();
                bytes.truncate(*length as usize);
                fs::write(&path, bytes).unwrap();
                if *without_index {
                    fs::remove_dir_all(directory.join("index")).unwrap();
                }
            }
        }
    }

    pub fn kind(&self) -> &'static str {
        match self.harm {
            Harm::FlipBit { .. } => "flipped bit",
            Harm::Zero { .. } => "zeroed block",
            Harm::Scramble { .. } => "scrambled block",
            Harm::Truncate { .. } => "truncation",
            Harm::RemoveFile | Harm::RemoveDirectory => "removal",
            Harm::Stray { .. } | Harm::StrayDirectory => "stray file",
            Harm::Foreign { .. } => "segment of another queue",
        }
    }
}

impl fmt::Display for Wound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.harm, self.path.display())
    }
}

/// Spare segments are.
fn is_blank(file: &Path) -> bool {
    fs::read(file).unwrap().iter().all(|byte| *byte == 0)
}

fn block(random: &mut fastrand::Rng) -> u64 {
    *random.choice(&[1, 8, 8, 64, 1024]).unwrap() * SECTOR
}

/// Where a sector of `file` begins, mostly one with something in it: segments are full of zeros.
fn used_sector(file: &Path, random: &mut fastrand::Rng) -> u64 {
    let bytes = fs::read(file).unwrap();
    let sectors: Vec<u64> = bytes
        .chunks(SECTOR as usize)
        .enumerate()
        .filter(|(_, sector)| sector.iter().any(|byte| *byte != 0))
        .map(|(number, _)| number as u64 * SECTOR)
        .collect();
    match random.choice(&sectors) {
        Some(sector) if random.u32(0..10) > 0 => *sector,
        _ => random.u64(0..=bytes.len() as u64 / SECTOR) * SECTOR,
    }
}

/// Changes `length` bytes at `offset`, as far as there are so many.
fn change(path: &Path, offset: u64, length: u64, mut to: impl FnMut(u8) -> u8) {
    let mut bytes = fs::read(path).unwrap();
    let end = (offset + length).min(bytes.len() as u64);
    let start = offset.min(end);
    let changed = &mut bytes[start as usize..end as usize];
    for byte in changed.iter_mut() {
        *byte = to(*byte);
    }
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(changed, start).unwrap();
}
