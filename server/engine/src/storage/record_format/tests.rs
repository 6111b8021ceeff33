//! What is written of records is read again, and what is damaged is refused.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use proptest::{option, prelude::*};

use super::*;
use crate::storage::{
    formats::encode_structure,
    holding::{Holding, Source},
};

fn written(record: &UserRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.write_to(&mut bytes).unwrap();
    bytes
}

fn value() -> impl Strategy<Value = StoredValue> {
    prop_oneof![
        any::<u32>().prop_map(|code| StoredValue::Code(ValueCode(code))),
        proptest::collection::btree_set(any::<u32>(), 0..5)
            .prop_map(|codes| StoredValue::Codes(codes.into_iter().map(ValueCode).collect())),
        (any::<i64>(), 0u32..64).prop_map(|(number, shift)| StoredValue::Number(number >> shift)),
        "\\PC{0,9}".prop_map(StoredValue::Text),
    ]
}

fn record() -> impl Strategy<Value = UserRecord> {
    let ids = || prop_oneof![0..20u32, any::<u32>()];
    (
        proptest::collection::btree_map(ids(), value(), 0..12),
        proptest::collection::btree_set(ids(), 0..20),
    )
        .prop_map(|(values, tags)| UserRecord {
            values: values
                .into_iter()
                .map(|(id, value)| (AttributeId(id), value))
                .collect(),
            tags: tags.into_iter().map(TagId).collect(),
            terms: Terms::default(),
        })
}

fn holding() -> impl Strategy<Value = Holding> {
    let second = || prop_oneof![0..3i64, -400_000_000_000..=400_000_000_000i64];
    let source = prop::sample::select(&Source::ALL);
    let length = prop_oneof![1..3u64, any::<u32>().prop_map(|s| u64::from(s) + 1)];
    (
        source,
        option::of(second()),
        second(),
        option::of(length),
        0..3u8,
    )
        .prop_map(|(source, known, since_s, length, kind)| match kind {
            0 => Holding::standing(source, known),
            1 => Holding::standing(source, Some(2)),
            _ => {
                let until_s = length.map(|length| since_s + length as i64);
                Holding::timed(source, since_s, until_s.filter(|s| *s <= 400_000_000_000))
            }
        })
}

/// A record whose tags are held in all ways.
fn held() -> impl Strategy<Value = UserRecord> {
    let ids = prop_oneof![0..20u32, any::<u32>()];
    (
        record(),
        proptest::collection::btree_map(ids, holding(), 0..20),
    )
        .prop_map(|(mut record, holdings)| {
            for (tag, holding) in holdings {
                record.hold(TagId(tag), holding);
            }
            record
        })
}

proptest! {
    #[test]
    fn what_was_written_is_read(record in held()) {
        let bytes = written(&record);
        prop_assert_eq!(UserRecord::read_from(&bytes), Ok(record));
    }

    #[test]
    fn what_format_1_wrote_is_read(record in record()) {
        let mut bytes = Vec::new();
        let first = FirstRecord { values: record.values.clone(), tags: record.tags.clone() };
        encode_structure(&first, &mut bytes).unwrap();
        prop_assert!(bytes.first().is_some_and(|first| *first < PLAIN_FORM));
        prop_assert_eq!(UserRecord::read_from(&bytes), Ok(record));
    }

    /// What is read from damaged bytes is a record too, and in order.
    #[test]
    fn damage_is_an_error_or_another_record(
        record in held(),
        place: prop::sample::Index,
        byte: u8,
    ) {
        let mut bytes = written(&record);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(record) = UserRecord::read_from(&bytes) {
            prop_assert_eq!(UserRecord::read_from(&written(&record)), Ok(record));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(mut bytes: Vec<u8>, form in PLAIN_FORM..=HELD_FORM) {
        bytes.insert(0, form);
        if let Ok(record) = UserRecord::read_from(&bytes) {
            let again = written(&record);
            if form == PLAIN_FORM {
                prop_assert_eq!(&again, &bytes);
            }
            prop_assert_eq!(UserRecord::read_from(&again), Ok(record));
        }
    }
}

#[test]
fn a_record_takes_few_bytes() {
    let record = UserRecord {
        values: vec![
            (AttributeId(0), StoredValue::Code(ValueCode(5))),
            (AttributeId(1), StoredValue::Number(90)),
            (AttributeId(4), StoredValue::Number(-1)),
        ],
        tags: vec![TagId(0), TagId(7), TagId(300)],
        terms: Terms::default(),
    };
    let bytes = [254, 3, 0, 2, 2 << 3 | 3, 5, 90, 0, 0, 6, 0xa4, 2];
    assert_eq!(written(&record), bytes);
    assert_eq!(written(&UserRecord::default()), [254, 0]);
}

#[test]
fn what_holdings_have_in_common_is_written_once() {
    let import = Holding::standing(Source::Import, Some(100));
    let mut record = UserRecord::default();
    for tag in [1, 2, 9] {
        record.hold(TagId(tag), import);
    }
    assert_eq!(written(&record), [255, 1 | 4, 0xc8, 1, 0, 1, 0, 6]);
    record.hold(TagId(2), Holding::timed(Source::Manual, 99, Some(109)));
    let bytes = [255, 1 | 4 | 8, 0xc8, 1, 0, 3, 1, 0, 6, 1, 4 | 8 | 16, 1, 10];
    assert_eq!(written(&record), bytes);
    // Now most are alike in another way.
    for tag in [1, 9] {
        record.hold(TagId(tag), Holding::standing(Source::Model, Some(0)));
    }
    let bytes = [255, 3 | 4 | 8, 0, 0, 3, 1, 0, 6, 1, 4 | 8 | 16, 0xc6, 1, 10];
    assert_eq!(written(&record), bytes);
}

#[test]
fn damage_is_refused() {
    let check = |bytes: &[u8]| {
        let read = UserRecord::read_from(bytes);
        assert!(read.is_err(), "{bytes:?} is {read:?}");
    };
    check(&[]);
    check(&[255]);
    check(&[254]);
    // More values than bytes, or than the memory holds.
    check(&[254, 1]);
    check(&[254, 2, 0]);
    check(&[254, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    // A kind that there is not.
    check(&[254, 1, 5, 0]);
    // A code and an attribute and a tag beyond all ids.
    check(&[254, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x10]);
    check(&[254, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0]);
    check(&[254, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    // A number beyond all numbers.
    check(&[254, 1, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    // Fewer codes, or a shorter text, than was said; a text that is none.
    check(&[254, 1, 1, 2, 0]);
    check(&[254, 1, 4, 2, b'a']);
    check(&[254, 1, 4, 1, 0xff]);
    // A tag that is cut off.
    check(&[254, 0, 0x80]);
    // Bits that mean nothing; seconds beyond the calendar.
    check(&[255, 16, 0, 1]);
    check(&[255, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1]);
    // More tags than bytes; no holding although one is said to be unlike; two for one tag.
    check(&[255, 8, 0, 9, 1]);
    check(&[255, 8, 0, 1, 1]);
    check(&[255, 8, 0, 1, 1, 0, 1, 0, 1]);
    // A holding of a tag that is not there, that ends and has no rows, that has rows and no
    // start, or that ends when it starts.
    check(&[255, 8, 0, 1, 1, 1, 1]);
    check(&[255, 8, 0, 1, 1, 0, 4 | 16, 0, 1]);
    check(&[255, 8, 0, 1, 1, 0, 8]);
    check(&[255, 8, 0, 1, 1, 0, 4 | 8 | 16, 0, 0]);
}

#[test]
fn what_does_not_rise_is_not_written() {
    let number = StoredValue::Number(1);
    let twice = vec![(AttributeId(1), number.clone()), (AttributeId(1), number)];
    let record = UserRecord {
        values: twice,
        ..UserRecord::default()
    };
    assert!(record.write_to(&mut Vec::new()).is_err());
    let record = UserRecord {
        tags: vec![TagId(2), TagId(1)],
        ..UserRecord::default()
    };
    assert!(record.write_to(&mut Vec::new()).is_err());
}
