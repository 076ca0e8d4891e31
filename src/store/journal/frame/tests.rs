//! What was written is read back, and nothing else is.

#![allow(clippy::unwrap_used)]

use super::*;

const PLACE: Place = Place {
    epoch: 7,
    segment: 3,
    offset: 1_024,
};

fn changes() -> Vec<Change> {
    let put = |key: &[u8], value: Vec<u8>| Change::Put {
        key: key.to_vec(),
        value,
    };
    vec![
        put(b"a", b"first".to_vec()),
        Change::Delete { key: b"b".to_vec() },
        put(b"empty", Vec::new()),
        put(&[b'k'; 255], vec![9; 700]),
    ]
}

fn frame() -> Vec<u8> {
    encode_frame(PLACE, FrameHeader::new(5, 2, 60), &changes())
}

fn read(place: Place, bytes: &[u8]) -> Option<(FrameHeader, Vec<FoundChange<'_>>, bool)> {
    let header = FrameHeader::decode(place, bytes)?;
    let (found, is_complete) = decode_changes(place, &header, bytes);
    Some((header, found, is_complete))
}

fn is_as_written(found: &FoundChange<'_>, written: &Change) -> bool {
    match (found.value, written) {
        (FoundValue::Put(found_value), Change::Put { key, value }) => {
            found.key == key && found_value == value
        }
        (FoundValue::Deleted, Change::Delete { key }) => found.key == key,
        _ => false,
    }
}

#[test]
fn a_frame_is_read_as_it_was_written() {
    let bytes = frame();
    assert_eq!(bytes.len(), size_of(&changes()));
    assert!(bytes.len().is_multiple_of(SECTOR));
    let (header, found, is_complete) = read(PLACE, &bytes).unwrap();
    assert_eq!((header.sequence, header.oldest), (5, 2));
    assert_eq!((header.running_seconds, header.size()), (60, bytes.len()));
    assert!(is_complete && found.len() == changes().len());
    let mut offset = FRAME_HEADER;
    for (found, written) in found.iter().zip(&changes()) {
        assert!(is_as_written(found, written), "{found:?}");
        assert_eq!(found.offset as usize, offset);
        offset += change_size(written);
    }
}

#[test]
fn a_flipped_bit_never_makes_a_change_another_one() {
    let good = frame();
    let used = FRAME_HEADER + changes().iter().map(change_size).sum::<usize>();
    for bit in 0..used * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let Some((_, found, is_complete)) = read(PLACE, &bad) else {
            assert!(bit / 8 < FRAME_HEADER, "bit {bit} took the header along");
            continue;
        };
        let is_damaged = |change: &&FoundChange<'_>| change.value == FoundValue::Damaged;
        let damaged = found.iter().filter(is_damaged).count();
        assert_eq!(damaged + usize::from(!is_complete), 1, "bit {bit}");
        for (found, written) in found.iter().zip(&changes()) {
            let is_known = found.key == written.key();
            let is_damaged = found.value == FoundValue::Damaged;
            assert!(is_known && (is_damaged || is_as_written(found, written)));
        }
    }
}

#[test]
fn a_damaged_value_leaves_known_whose_it_was_and_what_follows() {
    let mut bytes = frame();
    bytes[FRAME_HEADER + CHANGE_HEADER + 1] ^= 0xff;
    let (_, found, is_complete) = read(PLACE, &bytes).unwrap();
    assert!(is_complete);
    assert_eq!(
        (found[0].key, found[0].value),
        (&b"a"[..], FoundValue::Damaged)
    );
    assert_eq!(found[1].value, FoundValue::Deleted);
}

#[test]
fn what_was_written_for_another_place_is_nothing_here() {
    let (bytes, mark) = (frame(), encode_mark(PLACE, 5));
    let elsewhere = [
        Place { epoch: 8, ..PLACE },
        Place {
            segment: 4,
            ..PLACE
        },
        Place {
            offset: 512,
            ..PLACE
        },
    ];
    for place in elsewhere {
        assert_eq!(FrameHeader::decode(place, &bytes), None);
        assert_eq!(decode_mark(place, &mark), None);
        assert_eq!(decode_change(place, &bytes, FRAME_HEADER), None);
    }
}

#[test]
fn a_frame_that_is_cut_off_is_not_complete() {
    let bytes = frame();
    for length in 0..FRAME_HEADER {
        assert_eq!(FrameHeader::decode(PLACE, &bytes[..length]), None);
    }
    let used = FRAME_HEADER + changes().iter().map(change_size).sum::<usize>();
    for length in FRAME_HEADER..used {
        let (_, found, is_complete) = read(PLACE, &bytes[..length]).unwrap();
        let is_damaged = |change: &FoundChange<'_>| change.value == FoundValue::Damaged;
        assert!(!is_complete || found.iter().any(is_damaged), "{length}");
    }
}

#[test]
fn no_mark_passes_with_a_flipped_bit() {
    let good = encode_mark(PLACE, 5);
    assert_eq!(decode_mark(PLACE, &good), Some(5));
    assert_eq!(decode_mark(PLACE, &good[..MARK - 1]), None);
    for bit in 0..MARK * 8 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode_mark(PLACE, &bad), None, "bit {bit}");
    }
}

#[test]
fn a_header_is_read_as_written_damaged_or_told_to_be_newer() {
    let header = SegmentHeader {
        number: 1,
        epoch: 2,
        queue: 3,
        length: 4_096,
    };
    let good = encode_segment_header(header);
    assert_eq!(decode_segment_header(&good), Ok(header));
    for bit in 0..SECTOR * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let decoded = decode_segment_header(&bad);
        assert_eq!(decoded, Err(NoHeader::Unreadable), "bit {bit}");
    }
    let mut newer = good;
    newer[4..8].copy_from_slice(&(FORMAT + 1).to_le_bytes());
    let crc = segment_checksum(&newer);
    newer[8..12].copy_from_slice(&crc.to_le_bytes());
    let told = Err(NoHeader::NewerFormat(FORMAT + 1));
    assert_eq!(decode_segment_header(&newer), told);
}
