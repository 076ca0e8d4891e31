//! How a journal is opened: what was found is made durable before anybody acts on it, and nothing is
//! appended to a segment of an earlier open.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use super::joining::{self, Joined};
use super::retirement::RetiredName;
use super::segment::{Segment, SegmentName};
use super::spares::{SPARES, Spares};
use super::survey::{Oddity, Replayed, Survey, SurveyError};
use super::{Counting, Journal, Segments, Writer, is_full, refused};
use crate::store::disk::Disk;
use crate::store::{Change, StoreError, Uptime};

/// The directories below the queue's own.
const JOURNAL_DIRECTORY: &str = "journal";
const AUDIT_DIRECTORY: &str = "audit";

/// Where a journal lies, and how it is cut.
#[derive(Clone)]
pub(crate) struct JournalSettings {
    pub(crate) disk: Arc<dyn Disk>,
    /// The queue's directory.
    pub(crate) directory: PathBuf,
    pub(crate) segment_bytes: u32,
    pub(crate) uptime: Uptime,
}

impl JournalSettings {
    /// Where the segments lie.
    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.join(JOURNAL_DIRECTORY)
    }

    /// Where the segment `name` lies.
    pub(crate) fn segment(&self, name: SegmentName) -> PathBuf {
        name.in_directory(&self.journal())
    }

    fn audit(&self) -> PathBuf {
        self.directory.join(AUDIT_DIRECTORY)
    }

    /// Makes the directories where they are missing, and reads what is in them. The `index` is asked
    /// for the queue that it is of where there are segments of several.
    pub(crate) fn survey(
        &self,
        index: impl FnOnce() -> Option<u64>,
    ) -> Result<Survey, SurveyError> {
        for directory in [self.journal(), self.audit()] {
            self.disk.create_directory(&directory)?;
            sync_upwards(&*self.disk, &directory)?;
        }
        Survey::read(&*self.disk, &self.journal(), index)
    }

    /// Reads every durable change behind `after`, in order.
    pub(crate) fn replay(
        &self,
        survey: &Survey,
        after: u64,
        visit: impl FnMut(Replayed<'_>),
    ) -> io::Result<()> {
        survey.replay(&*self.disk, &self.journal(), after, visit)
    }
}

impl Journal {
    /// Goes on with what `survey` found, in a segment of its own, and tells it of that. The first frame
    /// says `beginning`, unless one has to be written again.
    pub(crate) fn open(
        settings: JournalSettings,
        survey: &mut Survey,
        beginning: &[Change],
    ) -> Result<Journal, StoreError> {
        let path = settings.directory.clone();
        Journal::open_or_fail(settings, survey, beginning).map_err(|error| match error {
            OpenFailure::Io(error) if is_full(&error) => StoreError::Full { path },
            OpenFailure::Io(error) => refused(&path, "opened", &error),
            OpenFailure::Store(error) => error,
        })
    }

    fn open_or_fail(
        settings: JournalSettings,
        survey: &mut Survey,
        beginning: &[Change],
    ) -> Result<Journal, OpenFailure> {
        let first = match survey.unproven() {
            Some(last) => changes_of(&settings, survey, last)?,
            None => beginning.to_vec(),
        };
        let mut ground = Ground::prepare(&settings, survey)?;
        let (begun, first) = match &ground.joined {
            Some(joined) => {
                let begun = joined.begin(&settings, survey, ground.blank, &mut ground.segments)?;
                (begun, Vec::new())
            }
            None => (Begun::blank(ground.blank, survey), first),
        };
        let begins = begun.begins;
        let spares = Spares {
            next_number: ground.next_name.number,
            ready: ground.ready,
            refusal: None,
        };
        let epoch = ground.next_name.epoch;
        let journal = Journal::of(&settings, survey, begun, epoch, ground.segments, spares);
        // Whatever was the last frame is followed by one that was written when it was durable.
        journal.append(&first).map_err(OpenFailure::Store)?;
        if let Some(joined) = &ground.joined {
            survey.move_away(&joined.names, joined.first);
            journal.wipe_joined(&settings, joined);
        }
        for name in survey.retired() {
            // Nothing in it counts, and the next open tries again.
            if let Err(error) = journal.move_to_audit(name) {
                tracing::warn!(%error, %name, "a retired part of the queue cannot be moved away");
            }
        }
        let written = {
            let writer = journal.writer();
            (writer.current.name, writer.next_sequence - 1)
        };
        survey.add_written(written.0, begins, written.1);
        Ok(journal)
    }

    fn of(
        settings: &JournalSettings,
        survey: &Survey,
        begun: Begun,
        epoch: u64,
        segments: Segments,
        spares: Spares,
    ) -> Journal {
        Journal {
            disk: Arc::clone(&settings.disk),
            directory: settings.journal(),
            audit: settings.audit(),
            segment_bytes: settings.segment_bytes,
            epoch,
            queue: survey.queue,
            ran_before: survey.running_seconds,
            uptime: Arc::clone(&settings.uptime),
            writer: Mutex::new(Writer {
                current: begun.current,
                offset: begun.offset,
                next_sequence: begun.next_sequence,
                oldest: survey.oldest,
                has_failed: false,
            }),
            spares: Mutex::new(spares),
            segments: RwLock::new(segments),
        }
    }
}

/// What an open finds, and makes, before it writes the first frame.
struct Ground {
    /// Those that hold something, all of it durable.
    segments: Segments,
    /// The one to begin with.
    blank: Segment,
    /// Those that lie ready behind it.
    ready: VecDeque<Segment>,
    next_name: SegmentName,
    joined: Option<Joined>,
}

impl Ground {
    fn prepare(settings: &JournalSettings, survey: &mut Survey) -> io::Result<Ground> {
        let (disk, directory) = (&*settings.disk, settings.journal());
        let segments = durable_segments(disk, &directory, survey)?;
        let mut next_name = next_name(disk, &settings.audit(), survey)?;
        let mut ready = take_over_blanks(settings, survey, &mut next_name)?;
        let mut joined = None;
        if ready.len() < SPARES {
            let next = || next_name.take();
            ready.extend(joining::wipe_copied(settings, survey, next));
        }
        if ready.len() < SPARES {
            joined = Joined::find(settings, survey)?;
        }
        let blank = match ready.pop_front() {
            Some(blank) => blank,
            None => Segment::make(disk, &directory, next_name.take(), settings.segment_bytes)?,
        };
        disk.sync_directory(&directory)?;
        Ok(Ground {
            segments,
            blank,
            ready,
            next_name,
            joined,
        })
    }
}

/// The segment that an open begins.
pub(super) struct Begun {
    pub(super) current: Arc<Segment>,
    pub(super) offset: u32,
    /// The sequence that it begins with.
    pub(super) begins: u64,
    pub(super) next_sequence: u64,
}

impl Begun {
    fn blank(current: Segment, survey: &Survey) -> Begun {
        let next_sequence = survey.unproven().unwrap_or(survey.proven + 1);
        Begun {
            current: Arc::new(current),
            offset: 0,
            begins: next_sequence,
            next_sequence,
        }
    }
}

enum OpenFailure {
    Io(io::Error),
    Store(StoreError),
}

impl From<io::Error> for OpenFailure {
    fn from(error: io::Error) -> Self {
        OpenFailure::Io(error)
    }
}

/// A name that there never was, of an epoch of its own.
fn next_name(disk: &dyn Disk, audit: &Path, survey: &Survey) -> io::Result<SegmentName> {
    let retired = disk.names(audit)?;
    let retired = retired.iter().filter_map(|name| RetiredName::parse(name));
    let retired = retired.map(|name| name.segment.number);
    Ok(SegmentName {
        number: retired.max().unwrap_or(0).max(survey.last_number()) + 1,
        epoch: uuid::Uuid::new_v4().as_u64_pair().0,
    })
}

/// Takes over the segments that were never used, under names of this open: where the disk is full they
/// are all the room there is, and what is released goes to whoever is quickest.
fn take_over_blanks(
    settings: &JournalSettings,
    survey: &Survey,
    next_name: &mut SegmentName,
) -> io::Result<VecDeque<Segment>> {
    let (disk, directory) = (&*settings.disk, settings.journal());
    let mut ready = VecDeque::new();
    for blank in &survey.blank {
        let path = blank.in_directory(&directory);
        // One that was only begun, or does not give its zeros back, is worth nothing.
        let is_readable = !survey
            .oddities
            .contains(&Oddity::Unreadable(blank.to_string()));
        if !is_readable || ready.len() > SPARES || !is_durable(settings, &path)? {
            disk.remove(&path)?;
            continue;
        }
        let name = next_name.take();
        let renamed = name.in_directory(&directory);
        disk.rename(&path, &renamed)?;
        let file = disk.open(&renamed)?;
        ready.push_back(Segment { name, file });
    }
    for hidden in &survey.hidden {
        let taken = match ready.len() < SPARES {
            true => joining::wipe_hidden(settings, *hidden, next_name.take()).map(Some),
            false => disk
                .remove(&joining::hidden_path(&directory, *hidden))
                .map(|()| None),
        };
        match taken {
            Ok(blank) => ready.extend(blank),
            // It only takes room.
            Err(error) => tracing::warn!(%error, "a segment of the queue is not used again"),
        }
    }
    Ok(ready)
}

/// Whether all of a segment is on the disk. The process may have been killed before it could be synced.
fn is_durable(settings: &JournalSettings, path: &Path) -> io::Result<bool> {
    let file = settings.disk.open(path)?;
    Ok(file.length()? == u64::from(settings.segment_bytes) && file.sync().is_ok())
}

/// What the frame of `sequence` holds.
fn changes_of(
    settings: &JournalSettings,
    survey: &Survey,
    sequence: u64,
) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    settings.replay(survey, sequence - 1, |replayed| {
        changes.extend(replayed.change());
    })?;
    Ok(changes)
}

/// Opens the segments that hold something, and makes what can be read of them durable: after a
/// killed process it may be in the system's memory alone.
fn durable_segments(disk: &dyn Disk, directory: &Path, survey: &Survey) -> io::Result<Segments> {
    let mut segments = BTreeMap::new();
    for used in &survey.used {
        let name = used.name;
        let file = disk.open(&name.in_directory(directory))?;
        file.sync()?;
        let counting = Counting {
            segment: Arc::new(Segment { name, file }),
            begins: used.begins,
            whole: used.whole.clone(),
        };
        segments.insert(name.number, counting);
    }
    disk.sync_directory(directory)?;
    Ok(segments)
}

/// Makes the names of `directory`, and of every directory above it, durable: whoever made them may
/// have lost power before it could do so.
fn sync_upwards(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    for (height, directory) in directory.ancestors().enumerate() {
        match disk.sync_directory(directory) {
            // Two levels are ours. A directory above them may be one that we cannot read, or of a
            // file system that has no way to sync it.
            Err(error) if height > 1 && is_out_of_our_hands(&error) => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn is_out_of_our_hands(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::PermissionDenied | K::InvalidInput | K::Unsupported | K::NotFound
    )
}
