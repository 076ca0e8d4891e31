//! At an open: the journal is read, what it lost is looked for, and the index is proven or made anew.
//!
//! 1. The journal is made durable before anything is done with what was read.
//! 2. An index is used again only if it agrees with every single record of the journal.
//! 3. What the journal lost to damage is restored from the index where that knows it undamaged, in
//!    its own sequence, and named as lost where not. An older state never takes its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::index::{Index, IndexChange, IndexEntry, Indexed, KeyState, MemoryIndex};
use super::super::journal::{
    FoundValue, Journal, JournalSettings, Oddity, Position, Replayed, Sequences, Survey,
    SurveyError,
};
use super::super::record::{LOST, UNKNOWN_LOSSES, seal_record};
use super::super::sled::{
    FoundIndex, SledIndex, check_format, find_index, new_index, queue_of_index, remove_others,
};
use super::super::vault::FileVault;
use super::super::{Change, StoreError};
use super::Shared;
use super::feeder::Feeder;

const APPLIED_AT_ONCE: usize = 256;

/// What an open found.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) index: IndexFate,
    /// Bytes at the end of the journal that nobody was told to be durable.
    pub(crate) is_torn: bool,
    pub(crate) oddities: Vec<Oddity>,
    /// The sequences of what was durable and could not be read.
    pub(crate) missing: Sequences,
    /// The keys that were restored.
    pub(crate) restored: Vec<Vec<u8>>,
    /// The keys whose newest value is lost.
    pub(crate) lost: Vec<Vec<u8>>,
    /// Whether changes are lost of which not even the keys are known.
    pub(crate) has_unknown_losses: bool,
    /// How many entries of an index the journal knows nothing of.
    pub(crate) unvouched: u64,
}

/// What became of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum IndexFate {
    /// There was none.
    #[default]
    Made,
    /// It agreed with the journal.
    Proven,
    /// It did not, for this reason, and a new one was made.
    Rebuilt(String),
    /// None can be made on the disk, for this reason, and it is in memory.
    InMemory(String),
}

/// An index of this size is left as it is, whatever it holds.
const BULKY_BYTES: u64 = 64 * 1024 * 1024;

/// How many times the room of what it holds an index may take.
const BULK: u64 = 8;

/// What a store is made of.
pub(super) struct Recovered {
    pub(super) journal: Journal,
    pub(super) index: Arc<dyn Index>,
    pub(super) live_bytes: u64,
    /// What is to be committed before anything else.
    pub(super) mending: Mending,
}

/// What damage makes necessary.
#[derive(Debug, Default)]
pub(super) struct Mending {
    changes: Vec<Change>,
    is_needed: bool,
}

impl Mending {
    fn puts(&self, wanted: &[u8]) -> bool {
        let is_put = |change: &Change| matches!(change, Change::Put { key, .. } if key == wanted);
        self.changes.iter().any(is_put)
    }
}

pub(super) fn recover(settings: JournalSettings) -> Result<(Recovered, Recovery), StoreError> {
    check_formats(&settings)?;
    let mut survey = settings
        .survey(|| queue_of_index(&settings.directory))
        .map_err(|error| survey_error(&settings, error))?;
    let mut report = Recovery {
        is_torn: survey.is_torn,
        oddities: survey.oddities.clone(),
        ..Recovery::default()
    };
    let found = Witness::ask(find_index(&settings.directory, survey.queue), &mut survey)
        .map_err(|error| survey_error(&settings, error))?;
    report.missing = survey.missing();
    let known = found.testimony(&report.missing);
    let is_damaged = !report.missing.is_empty();
    report.has_unknown_losses = is_damaged && (known.is_none() || survey.has_lost_its_end());
    // That the end is lost is a thing of the past once there is a frame behind it.
    let beginning = report.has_unknown_losses.then(note_of_losses);
    found.is_at_rest();
    let journal = Journal::open(settings.clone(), &mut survey, beginning.as_slice())?;
    found.is_asked_again();
    let mut recovered = match (found, report.missing.is_empty()) {
        (Witness::Usable(index), true) => match prove(&settings, &survey, &index)? {
            Ok(live_bytes) => {
                report.index = IndexFate::Proven;
                index.is_proven();
                remove_others(&settings.directory, Some(&index));
                Recovered {
                    journal,
                    index: Arc::new(index),
                    live_bytes,
                    mending: Mending::default(),
                }
            }
            Err(doubt) => {
                report.index = IndexFate::Rebuilt(doubt);
                report.unvouched = count_unvouched(&survey, &index);
                drop(index);
                rebuild(&settings, &survey, journal, Vec::new(), &mut report)?
            }
        },
        (Witness::Usable(index), false) => {
            report.index = IndexFate::Rebuilt("the journal is damaged".to_owned());
            drop(index);
            rebuild(
                &settings,
                &survey,
                journal,
                known.unwrap_or_default(),
                &mut report,
            )?
        }
        (Witness::None(fate), _) => {
            report.index = fate;
            rebuild(&settings, &survey, journal, Vec::new(), &mut report)?
        }
    };
    recovered.mending.is_needed = is_damaged;
    keep_losses_known(&mut recovered, &mut report)?;
    Ok((recovered, report))
}

/// That `index` takes no more room than is sensible: its files never shrink, and a backlog that was
/// delivered long ago stays in them.
fn check_bulk(index: &SledIndex, live_bytes: u64) -> Result<u64, String> {
    let size_bytes = index.size_bytes().map_err(|error| error.to_string())?;
    match is_bulky(size_bytes, live_bytes) {
        true => Err("it takes far more room than what it holds".to_owned()),
        false => Ok(live_bytes),
    }
}

fn is_bulky(size_bytes: u64, live_bytes: u64) -> bool {
    size_bytes > BULKY_BYTES && size_bytes > BULK * live_bytes
}

/// What is mended looks whole at the next open: that something is lost of which nobody knows whose it
/// was is therefore noted before anything is mended, and stays noted until somebody has drawn the
/// consequences.
fn keep_losses_known(recovered: &mut Recovered, report: &mut Recovery) -> Result<(), StoreError> {
    let noted = recovered.index.get(UNKNOWN_LOSSES)?;
    let is_noted = noted.is_some_and(|noted| noted.state != KeyState::Gone);
    // Damage may have come to the note, too.
    let is_mended = recovered.mending.puts(UNKNOWN_LOSSES);
    report.has_unknown_losses |= is_noted || is_mended;
    if report.has_unknown_losses && !is_noted {
        recovered.mending.changes.insert(0, note_of_losses());
    }
    Ok(())
}

fn note_of_losses() -> Change {
    Change::Put {
        key: UNKNOWN_LOSSES.to_vec(),
        value: seal_record(UNKNOWN_LOSSES, b""),
    }
}

/// Refuses what a later version wrote, before anything is touched.
fn check_formats(settings: &JournalSettings) -> Result<(), StoreError> {
    check_format(&settings.directory)?;
    FileVault::check_format(&*settings.disk, &settings.directory)
}

fn survey_error(settings: &JournalSettings, error: SurveyError) -> StoreError {
    let path = settings.directory.clone();
    match error {
        SurveyError::Io(error) => StoreError::Io {
            path,
            doing: "opened",
            reason: error.to_string(),
        },
        SurveyError::NewerFormat {
            part,
            name,
            found,
            known,
        } => StoreError::NewerFormat {
            part,
            path: settings.segment(name),
            found,
            known,
        },
        SurveyError::Mixed => StoreError::Mixed {
            path: settings.journal(),
        },
    }
}

/// An index that was found, before anything is believed of it.
enum Witness {
    /// It belongs to this queue.
    Usable(SledIndex),
    None(IndexFate),
}

impl Witness {
    /// Lets the index testify up to where the queue was durable.
    fn ask(found: FoundIndex, survey: &mut Survey) -> Result<Witness, SurveyError> {
        let mut index = match found {
            FoundIndex::Absent => return Ok(Witness::None(IndexFate::Made)),
            FoundIndex::Unusable(reason) => {
                return Ok(Witness::None(IndexFate::Rebuilt(reason)));
            }
            FoundIndex::Opened(index) => index,
        };
        let doubt = match index.applied() {
            Ok(Some(applied)) if applied.queue == survey.queue || !survey.is_queue_known => {
                // Where every segment is gone, the index alone knows that there was a queue.
                survey.queue = applied.queue;
                survey.is_queue_known = true;
                survey.add_witness(applied.sequence);
                index.belongs_to(applied.queue);
                return Ok(Witness::Usable(index));
            }
            // What lost its header may be all that is left of the queue that the index is of.
            Ok(Some(_)) if survey.has_presumed => {
                // So that it says the same at the next open.
                index.is_proven();
                return Err(SurveyError::Mixed);
            }
            Ok(Some(_)) => "it belongs to another queue".to_owned(),
            Ok(None) => "it does not say up to where it goes".to_owned(),
            Err(error) => error.to_string(),
        };
        Ok(Witness::None(IndexFate::Rebuilt(doubt)))
    }

    fn is_at_rest(&self) {
        if let Witness::Usable(index) = self {
            index.is_at_rest();
        }
    }

    fn is_asked_again(&self) {
        if let Witness::Usable(index) = self {
            index.is_asked_again();
        }
    }

    /// What it knows of the `missing` sequences; `None` where it does not know all of it.
    fn testimony(&self, missing: &Sequences) -> Option<Vec<IndexEntry>> {
        match self {
            Witness::Usable(index) if !missing.is_empty() => testimony(index, missing),
            _ => None,
        }
    }
}

/// Feeds `index` what it has not got, and compares it with every record of the journal. The inner
/// error is the doubt that is left.
fn prove(
    settings: &JournalSettings,
    survey: &Survey,
    index: &SledIndex,
) -> Result<Result<u64, String>, StoreError> {
    let applied = match index.applied() {
        Ok(applied) => applied.map_or(0, |applied| applied.sequence),
        Err(error) => return Ok(Err(error.to_string())),
    };
    // What was written again has another place now.
    let known = applied.min(survey.settled());
    if let Err(error) = feed(settings, survey, index, known, survey.proven)? {
        return Ok(Err(error.to_string()));
    }
    let mut agreeing = 0;
    let mut doubt = None;
    replay(settings, survey, 0, |replayed| {
        if doubt.is_none() {
            match agrees(index, &replayed) {
                Ok(is_newest) => agreeing += u64::from(is_newest),
                Err(why) => doubt = Some(why),
            }
        }
    })?;
    Ok(match doubt {
        Some(doubt) => Err(doubt),
        None => no_more_than(index, agreeing, survey.oldest)
            .and_then(|live_bytes| check_bulk(index, live_bytes)),
    })
}

/// Whether `replayed` is the newest change of its key; an error where the index contradicts it.
fn agrees(index: &SledIndex, replayed: &Replayed<'_>) -> Result<bool, String> {
    let entry = index.get(replayed.key).map_err(|error| error.to_string())?;
    let entry = entry.ok_or("a record is missing in it")?;
    let order = |position: &Position| (position.sequence, position.change);
    match order(&entry.position).cmp(&order(&replayed.position)) {
        std::cmp::Ordering::Less => Err("a record in it is too old".to_owned()),
        std::cmp::Ordering::Greater => Ok(false),
        std::cmp::Ordering::Equal => {
            let is_same = match (&entry.state, replayed.value) {
                (KeyState::Value(stored), FoundValue::Put(value)) => stored == value,
                (KeyState::Gone, FoundValue::Deleted) => true,
                _ => false,
            };
            match is_same && entry.position == replayed.position {
                true => Ok(true),
                false => Err("a record in it is not that of the journal".to_owned()),
            }
        }
    }
}

/// That `index` has exactly `count` entries; how many bytes its values take.
fn no_more_than(index: &SledIndex, count: u64, oldest: u64) -> Result<u64, String> {
    let (mut entries, mut live_bytes) = (0, 0);
    let damaged = index.walk(|key, indexed| match indexed.state {
        // The journal forgot this key a moment before the index could.
        KeyState::Gone if indexed.position.sequence < oldest => {}
        KeyState::Value(value) => {
            entries += 1;
            live_bytes += (key.len() + value.len()) as u64;
        }
        KeyState::Gone | KeyState::InJournal => entries += 1,
    });
    match damaged {
        Err(error) => Err(error.to_string()),
        Ok(0) if entries == count => Ok(live_bytes),
        Ok(0) => Err("it has records that the journal has not".to_owned()),
        Ok(_) => Err("a record in it is damaged".to_owned()),
    }
}

fn count_unvouched(survey: &Survey, index: &SledIndex) -> u64 {
    let mut unvouched = 0;
    // One that cannot be read to its end has said what it can.
    let _ = index.walk(|_, indexed| {
        let sequence = indexed.position.sequence;
        unvouched += u64::from(sequence < survey.oldest || sequence > survey.proven);
    });
    unvouched
}

fn testimony(index: &SledIndex, missing: &Sequences) -> Option<Vec<IndexEntry>> {
    let applied = index.applied().ok()??;
    if applied.sequence < missing.last() {
        return None;
    }
    let mut known = Vec::new();
    let damaged = index.walk(|key, indexed| {
        if missing.contains(indexed.position.sequence) {
            known.push((key.to_vec(), indexed));
        }
    });
    (damaged.ok()? == 0).then_some(known)
}

/// Makes a new index of what the journal holds, and finds out what of `known` is newer than that.
fn rebuild(
    settings: &JournalSettings,
    survey: &Survey,
    journal: Journal,
    known: Vec<IndexEntry>,
    report: &mut Recovery,
) -> Result<Recovered, StoreError> {
    // Until what was lost is mended, the new index must not say that it knows all there was.
    let vouched = match report.missing.is_empty() {
        true => survey.proven,
        false => 0,
    };
    let made = new_index(&settings.directory, survey.queue)
        .and_then(|index| Ok((feed(settings, survey, &index, 0, vouched)??, index)));
    let (index, live_bytes): (Arc<dyn Index>, u64) = match made {
        Ok((_, index)) => {
            remove_others(&settings.directory, Some(&index));
            let live_bytes = no_more_than(&index, 0, 0).unwrap_or_default();
            (Arc::new(index), live_bytes)
        }
        Err(error) => {
            report.index = IndexFate::InMemory(error.to_string());
            let index = MemoryIndex::default();
            feed(settings, survey, &index, 0, vouched)??;
            (Arc::new(index), 0)
        }
    };
    let changes = mending(settings, survey, &*index, known, report)?;
    Ok(Recovered {
        journal,
        index,
        live_bytes,
        mending: Mending {
            changes,
            is_needed: false,
        },
    })
}

/// What has to be committed so that no older state takes the place of what was lost.
fn mending(
    settings: &JournalSettings,
    survey: &Survey,
    index: &dyn Index,
    known: Vec<IndexEntry>,
    report: &mut Recovery,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = BTreeMap::new();
    for (key, indexed) in known {
        let current = index
            .get(&key)?
            .map_or(0, |current| current.position.sequence);
        if current < indexed.position.sequence {
            report.restored.push(key.clone());
            changes.insert(key, indexed);
        }
    }
    let mut damaged = BTreeMap::new();
    replay(settings, survey, 0, |replayed| {
        if replayed.value == FoundValue::Damaged {
            damaged.insert(replayed.key.to_vec(), replayed.position);
        }
    })?;
    let mut mended: Vec<Change> = Vec::new();
    for (key, position) in damaged {
        let current = index
            .get(&key)?
            .map_or(0, |current| current.position.sequence);
        let restored = changes.get(&key).map_or(0, |one| one.position.sequence);
        if current.max(restored) < position.sequence {
            changes.remove(&key);
            report.lost.push(key.clone());
            mended.push(Change::Put {
                key,
                value: LOST.to_vec(),
            });
        }
    }
    mended.extend(
        changes
            .into_iter()
            .map(|(key, indexed)| match indexed.state {
                KeyState::Value(value) => Change::Put { key, value },
                KeyState::Gone | KeyState::InJournal => Change::Delete { key },
            }),
    );
    Ok(mended)
}

/// Gives `index` every change behind `after`; it may vouch for what is not behind `vouched`. The inner
/// error is the index's own.
fn feed(
    settings: &JournalSettings,
    survey: &Survey,
    index: &dyn Index,
    after: u64,
    vouched: u64,
) -> Result<Result<(), StoreError>, StoreError> {
    let mut waiting = Vec::with_capacity(APPLIED_AT_ONCE);
    let mut outcome = Ok(());
    replay(settings, survey, after, |replayed| {
        let state = match replayed.value {
            FoundValue::Put(value) => KeyState::Value(value.to_vec()),
            FoundValue::Deleted => KeyState::Gone,
            FoundValue::Damaged => return,
        };
        let position = replayed.position;
        let indexed = Indexed { position, state };
        waiting.push(IndexChange::Set(replayed.key.to_vec(), indexed));
        if waiting.len() == APPLIED_AT_ONCE && outcome.is_ok() {
            // Of the last frame something may be left to come.
            let applied = vouched.min(position.sequence - 1);
            outcome = index.apply(std::mem::take(&mut waiting), applied);
        }
    })?;
    Ok(outcome
        .and_then(|()| index.apply(waiting, vouched))
        .and_then(|()| index.flush()))
}

fn replay(
    settings: &JournalSettings,
    survey: &Survey,
    after: u64,
    visit: impl FnMut(Replayed<'_>),
) -> Result<(), StoreError> {
    let replayed = settings.replay(survey, after, visit);
    replayed.map_err(|error| survey_error(settings, SurveyError::Io(error)))
}

impl Shared {
    /// Commits what damage makes necessary, and moves the damaged segments out of the way.
    pub(super) fn mend(&self, mending: Mending, feeder: &mut Feeder) -> Result<(), StoreError> {
        // One at a time: together they may be longer than a segment.
        for change in mending.changes.chunks(1) {
            self.commit(change)?;
        }
        if mending.is_needed {
            feeder.retire_all()?;
            // What is damaged may be the whole of a segment, and so not among those.
            self.journal.forget_what_is_gone()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_bulky_that_is_large_for_what_it_holds() {
        for (size_bytes, live_bytes, expected) in [
            (BULKY_BYTES, 0, false),
            (BULKY_BYTES + 1, 0, true),
            (10 * BULKY_BYTES, 10 * BULKY_BYTES / BULK, false),
            (10 * BULKY_BYTES, BULKY_BYTES, true),
        ] {
            let found = is_bulky(size_bytes, live_bytes);
            assert_eq!(found, expected, "{size_bytes} for {live_bytes}");
        }
    }
}
