//! What of a hurt queue can still be read, told from its bytes alone: the newest record of a request
//! whose frame is as it was written.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::pristine::all_files;

const SECTOR: usize = 512;
const FRAME_HEADER: usize = 40;
const CHANGE_HEADER: usize = 16;

/// Where the newest record of each request stands in a journal that is not damaged.
pub struct Records {
    journal: PathBuf,
    newest: BTreeMap<Uuid, Place>,
}

struct Place {
    sequence: u64,
    segment: PathBuf,
    frame: Range<usize>,
}

impl Records {
    pub fn of(queue: &Path) -> Records {
        let journal = queue.join("journal");
        let mut newest: BTreeMap<Uuid, Place> = BTreeMap::new();
        for path in all_files(&journal) {
            let bytes = fs::read(&path).unwrap();
            let segment = path.strip_prefix(&journal).unwrap();
            for (sequence, frame) in frames(&bytes) {
                for id in requests_in(&bytes[frame.clone()]) {
                    if newest
                        .get(&id)
                        .is_some_and(|known| known.sequence > sequence)
                    {
                        continue;
                    }
                    let place = Place {
                        sequence,
                        segment: segment.to_owned(),
                        frame: frame.clone(),
                    };
                    newest.insert(id, place);
                }
            }
        }
        Records { journal, newest }
    }

    /// Those that stand in the hurt `queue` as they were written.
    pub fn readable_in(&self, queue: &Path) -> Vec<String> {
        let newest = self.newest.iter();
        let readable = newest.filter(|(_, place)| {
            let [written, found] =
                [&self.journal, &queue.join("journal")].map(|journal| place.bytes_in(journal));
            written.is_some() && written == found
        });
        readable.map(|(id, _)| id.to_string()).collect()
    }
}

impl Place {
    fn bytes_in(&self, journal: &Path) -> Option<Vec<u8>> {
        let bytes = fs::read(journal.join(&self.segment)).ok()?;
        bytes.get(self.frame.clone()).map(<[u8]>::to_vec)
    }
}

/// The frames of a segment: their sequences, and where they stand.
fn frames(bytes: &[u8]) -> Vec<(u64, Range<usize>)> {
    let mut frames = Vec::new();
    let mut offset = SECTOR;
    while offset + FRAME_HEADER <= bytes.len() {
        let header = &bytes[offset..offset + FRAME_HEADER];
        if !header.starts_with(b"MTRF") {
            offset += SECTOR;
            continue;
        }
        let sequence = u64::from_le_bytes(header[8..16].try_into().unwrap());
        let end = offset + FRAME_HEADER + number_at(header, 32);
        frames.push((sequence, offset..end));
        offset = end.next_multiple_of(SECTOR);
    }
    frames
}

/// The requests whose records `frame` puts: their keys are a `t` and the id.
fn requests_in(frame: &[u8]) -> Vec<Uuid> {
    let mut requests = Vec::new();
    let mut offset = FRAME_HEADER;
    while offset + CHANGE_HEADER <= frame.len() {
        let (key, length) = (offset + CHANGE_HEADER, usize::from(frame[offset + 1]));
        if let Some(id) = frame[key..key + length].strip_prefix(b"t") {
            requests.extend(Uuid::from_slice(id));
        }
        let value = if frame[offset] == 1 {
            number_at(frame, offset + 4)
        } else {
            0
        };
        offset = key + length + value;
    }
    requests
}

fn number_at(bytes: &[u8], offset: usize) -> usize {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize
}
