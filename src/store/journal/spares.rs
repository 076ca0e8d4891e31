//! Segments that lie ready: an append never waits for one, and what room they take is there for
//! decisions when the disk is full.

use std::collections::VecDeque;
use std::io;

use super::segment::{Segment, SegmentName};
use super::{Journal, not_extended};
use crate::store::StoreError;

/// How many segments lie ready.
pub(super) const SPARES: usize = 2;

#[derive(Default)]
pub(super) struct Spares {
    pub(super) ready: VecDeque<Segment>,
    pub(super) next_number: u64,
    /// Why the last one could not be made.
    pub(super) refusal: Option<StoreError>,
}

impl Journal {
    /// Makes one more segment, if there are not enough. Says whether there are enough now.
    pub(crate) fn prepare(&self) -> io::Result<bool> {
        let mut spares = self.spares();
        if spares.ready.len() >= SPARES {
            return Ok(true);
        }
        self.make_spare(&mut spares)?;
        Ok(spares.ready.len() >= SPARES)
    }

    /// Whether there are fewer spare segments than there should be.
    pub(crate) fn lacks_spares(&self) -> bool {
        self.spares().ready.len() < SPARES
    }

    /// Refuses where the last segment could not be made: what room is left is for decisions.
    pub(crate) fn check_room(&self) -> Result<(), StoreError> {
        self.spares().refusal.clone().map_or(Ok(()), Err)
    }

    pub(super) fn make_spare(&self, spares: &mut Spares) -> io::Result<()> {
        let name = SegmentName {
            number: spares.next_number,
            epoch: self.epoch,
        };
        let made = Segment::make(&*self.disk, &self.directory, name, self.segment_bytes)
            .and_then(|segment| {
                self.disk.sync_directory(&self.directory)?;
                Ok(segment)
            })
            .inspect_err(|_| {
                // What was begun only takes room; an open would remove it, too.
                let _ = self.disk.remove(&name.in_directory(&self.directory));
            });
        let refusal = made.as_ref().err();
        spares.refusal = refusal.map(|error| not_extended(&self.path(), error));
        // Never again this name: nobody knows what a failed removal left of it.
        spares.next_number += 1;
        spares.ready.push_back(made?);
        Ok(())
    }
}
