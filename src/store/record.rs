//! The envelope around every record: a format version and a checksum.
//!
//! ```text
//!  0        1          5                    n
//!  ┌────────┬──────────┬────────────────────┐
//!  │ format │ CRC-32   │ payload (JSON)     │
//!  │ u8     │ u32 LE   │                    │
//!  └────────┴──────────┴────────────────────┘
//! ```
//!
//! The checksum covers the key, the format and the payload, so that neither a flipped bit nor a
//! record under another record's key passes for a good one.

/// The format that this version writes.
pub(crate) const FORMAT: u8 = 1;

/// What stands in the place of a record that damage took: without it, an older one would.
pub(crate) const LOST: &[u8] = b"lost";

/// The key under which a queue notes that records of which nobody knows the keys are lost, until every
/// consequence of that is durable.
pub(crate) const UNKNOWN_LOSSES: &[u8] = b"d";

const HEADER_BYTES: usize = 5;

/// Why an envelope cannot be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("it is {length_bytes} bytes long, shorter than its own header")]
    TooShort { length_bytes: usize },
    #[error("damage on the disk took its newest state")]
    Lost,
    #[error("its checksum does not match")]
    Checksum,
    #[error("its format is {found}, this version knows up to {FORMAT}")]
    NewerFormat { found: u8 },
}

/// Puts `payload`, which will be stored under `key`, into an envelope.
pub(crate) fn seal_record(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEADER_BYTES + payload.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&checksum(key, FORMAT, payload).to_le_bytes());
    sealed.extend_from_slice(payload);
    sealed
}

/// Takes the payload out of an envelope that was found under `key`.
pub(crate) fn open_record<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], RecordError> {
    if sealed == LOST {
        return Err(RecordError::Lost);
    }
    let too_short = RecordError::TooShort {
        length_bytes: sealed.len(),
    };
    let Some((&[format, a, b, c, d], payload)) = sealed.split_first_chunk::<HEADER_BYTES>() else {
        return Err(too_short);
    };
    if checksum(key, format, payload) != u32::from_le_bytes([a, b, c, d]) {
        return Err(RecordError::Checksum);
    }
    if format > FORMAT {
        return Err(RecordError::NewerFormat { found: format });
    }
    Ok(payload)
}

/// The format of what was found under `key`, if only a later version can open it.
pub(crate) fn newer_format(key: &[u8], sealed: &[u8]) -> Option<u8> {
    // Nearly all need no more than a look at their first byte.
    if sealed.first().is_none_or(|format| *format <= FORMAT) {
        return None;
    }
    match open_record(key, sealed) {
        Err(RecordError::NewerFormat { found }) => Some(found),
        _ => None,
    }
}

fn checksum(key: &[u8], format: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(&[format]);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_can_be_opened() {
        let sealed = seal_record(b"key", b"payload");
        assert_eq!(open_record(b"key", &sealed), Ok(&b"payload"[..]));
    }

    #[test]
    fn no_single_flipped_bit_passes() {
        let sealed = seal_record(b"key", b"payload");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open_record(b"key", &damaged), Err(RecordError::Checksum));
        }
    }

    #[test]
    fn a_record_under_another_key_does_not_pass() {
        let sealed = seal_record(b"key", b"payload");
        assert_eq!(open_record(b"yek", &sealed), Err(RecordError::Checksum));
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut newer = vec![FORMAT + 1];
        newer.extend_from_slice(&checksum(b"key", FORMAT + 1, b"payload").to_le_bytes());
        newer.extend_from_slice(b"payload");
        let found = FORMAT + 1;
        assert_eq!(
            open_record(b"key", &newer),
            Err(RecordError::NewerFormat { found })
        );
    }

    #[test]
    fn a_record_cut_inside_its_header_is_an_error() {
        let sealed = seal_record(b"key", b"");
        for length_bytes in 0..HEADER_BYTES {
            let cut = &sealed[..length_bytes];
            assert_eq!(
                open_record(b"key", cut),
                Err(RecordError::TooShort { length_bytes })
            );
        }
    }
}
