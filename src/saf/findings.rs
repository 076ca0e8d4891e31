//! What an open found out of order, in the words of requests and advices.

use super::ledger::request_of;
use crate::model::RequestId;
use crate::store::{IndexFate, Oddity, Recovery};

/// Something that was not as it should be when the queue was opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The end of the journal was never finished: the process or the power went while it was being
    /// written. Nobody was told that it was durable.
    #[error("the last write before the end was not finished, and nobody was told that it was")]
    TornEnd,
    /// The index did not agree with the journal and was made anew. After a power cut that is normal.
    #[error("the index was made anew: {reason}")]
    IndexRebuilt {
        /// What was wrong with it.
        reason: String,
    },
    /// No index can be made on the disk. The queue works from memory until the next open.
    #[error("the index is kept in memory: {reason}")]
    IndexInMemory {
        /// Why it cannot be on the disk.
        reason: String,
    },
    /// An index held entries that the journal knows nothing of. They were not used.
    #[error("{count} entries of the index are unknown to the journal, and were set aside")]
    Unvouched {
        /// How many.
        count: u64,
    },
    /// Parts of the journal that had been durable cannot be read any more.
    #[error("records {first} to {last} of the journal are damaged")]
    Damaged {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The damaged record of a request was restored from the index.
    #[error("the record of request {request_id} was damaged, and is restored")]
    Restored {
        /// The request.
        request_id: RequestId,
    },
    /// What the till may have to print for a request cannot be read: it is damaged, or sealed with another
    /// key. The upstream can be asked for it.
    #[error("the receipt of request {request_id} cannot be read")]
    ReceiptLost {
        /// The request.
        request_id: RequestId,
    },
    /// The newest state of a request is lost. Nothing of it is sent: settle it with the upstream.
    #[error("the record of request {request_id} is lost: settle it with the upstream")]
    Lost {
        /// The request.
        request_id: RequestId,
    },
    /// The journal is damaged where nothing tells whose records were there. Every request that
    /// waited for an outcome or a decision is in doubt, and nothing of these is decided by itself.
    #[error("records are lost, and it is not known whose")]
    LostUnknown,
    /// A file of the queue is not as it was left.
    #[error("the file {name} {what}")]
    File {
        /// Its name.
        name: String,
        /// What is strange about it.
        what: &'static str,
    },
}

/// All that `recovery` has to tell, the worst last.
pub(crate) fn findings(recovery: &Recovery) -> Vec<Finding> {
    let mut findings: Vec<Finding> = recovery.oddities.iter().map(file).collect();
    findings.extend(recovery.is_torn.then_some(Finding::TornEnd));
    findings.extend(index(&recovery.index));
    let count = recovery.unvouched;
    findings.extend((count > 0).then_some(Finding::Unvouched { count }));
    findings.extend(recovery.missing.ranges().map(|range| Finding::Damaged {
        first: *range.start(),
        last: *range.end(),
    }));
    let requests = |keys: &[Vec<u8>]| -> Vec<RequestId> {
        keys.iter().filter_map(|key| request_of(key)).collect()
    };
    let restored = requests(&recovery.restored).into_iter();
    findings.extend(restored.map(|request_id| Finding::Restored { request_id }));
    let lost = requests(&recovery.lost).into_iter();
    findings.extend(lost.map(|request_id| Finding::Lost { request_id }));
    findings.extend(recovery.has_unknown_losses.then_some(Finding::LostUnknown));
    findings
}

fn index(fate: &IndexFate) -> Option<Finding> {
    match fate.clone() {
        IndexFate::Made | IndexFate::Proven => None,
        IndexFate::Rebuilt(reason) => Some(Finding::IndexRebuilt { reason }),
        IndexFate::InMemory(reason) => Some(Finding::IndexInMemory { reason }),
    }
}

fn file(oddity: &Oddity) -> Finding {
    let (name, what) = match oddity {
        Oddity::Stray(name) => (name, "does not belong to the queue, and is left alone"),
        Oddity::BadHeader(name) => (name, "has a damaged header"),
        Oddity::Short(name) => (name, "is shorter than it was made"),
        Oddity::Unreadable(name) => (name, "cannot be read whole"),
        Oddity::Foreign(name) => (name, "is of another queue, and is left alone: move it away"),
    };
    Finding::File {
        name: name.clone(),
        what,
    }
}
