#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use bytes::BytesMut;

use super::*;
use crate::{
    codec::{self, encode_client},
    message::{ClientMessage, Mutation, Request, RequestBody, RequestId, UnknownTags},
};

fn texts(all: &[&str]) -> PackedTexts {
    let mut texts = PackedTexts::default();
    all.iter().for_each(|text| texts.push(text).unwrap());
    texts
}

fn message(rows: LoadRows) -> ClientMessage {
    ClientMessage::Request(Request {
        id: RequestId(1),
        deadline_ms: 0,
        rows_messages_credit: 0,
        body: RequestBody::Load {
            idempotency_key: None,
            unknown_tags: UnknownTags::Refuse,
            rows,
        },
    })
}

fn rows(column: LoadColumn) -> LoadRows {
    LoadRows {
        keys: texts(&["a", "b"]),
        columns: vec![column],
    }
}

fn coded(entries: usize, codes: &[u32]) -> LoadColumn {
    LoadColumn::Coded {
        attribute: "x".to_owned(),
        dictionary: vec![Datum::Null; entries],
        codes: codes.to_vec(),
    }
}

fn integers(present: u8, numbers: &[i64]) -> LoadColumn {
    LoadColumn::Numbers {
        attribute: "x".to_owned(),
        form: NumberForm::Integer,
        present: vec![present],
        numbers: numbers.to_vec(),
    }
}

fn tags(names: usize, ends: &[u32], codes: &[u32]) -> LoadColumn {
    LoadColumn::Tags {
        names: vec!["t".to_owned(); names],
        ends: ends.to_vec(),
        codes: codes.to_vec(),
    }
}

fn there_and_back(rows: LoadRows) -> usize {
    let message = message(rows);
    let mut bytes = BytesMut::new();
    encode_client(&message, &mut bytes).unwrap();
    assert_eq!(codec::decode_client(&bytes), Ok(message));
    bytes.len()
}

#[test]
fn texts_are_cut_where_they_were_joined() {
    let all = ["", "a", "高价值", "", "é"];
    let packed = texts(&all);
    assert_eq!(packed.iter().collect::<Vec<_>>(), all);
    assert_eq!((packed.len(), packed.text_bytes()), (5, 12));
    assert_eq!((packed.get(2), packed.get(5)), (Some("高价值"), None));
    let (text, ends) = packed.clone().into_parts();
    assert_eq!(PackedTexts::new(text, ends), Ok(packed));
    assert!(texts(&[]).is_empty());
}

#[test]
fn texts_that_do_not_add_up_are_refused() {
    let check = |text: &str, ends: &[u32], expected: bool| {
        let packed = PackedTexts::new(text.to_owned(), ends.to_vec());
        assert_eq!(packed.is_ok(), expected, "{text} {ends:?}");
    };
    check("", &[], true);
    check("", &[0, 0], true);
    check("ab", &[1, 2], true);
    check("ab", &[], false);
    check("ab", &[1], false);
    check("ab", &[3], false);
    check("ab", &[2, 1, 2], false);
    check("é", &[2], true);
    check("é", &[1, 2], false);
}

#[test]
fn each_width_of_numbers_survives_at_both_ends() {
    let plain = there_and_back(rows(integers(3, &[0, 0])));
    let check = |numbers: [i64; 2], more_bytes: usize| {
        let bytes = there_and_back(rows(integers(3, &numbers)));
        assert_eq!(bytes, plain + more_bytes, "{numbers:?}");
    };
    check([-128, 127], 0);
    check([-129, 127], 2);
    check([-128, 128], 2);
    check([-32_768, 32_767], 2);
    check([-32_769, 0], 6);
    check([0, 32_768], 6);
    check([i32::MIN.into(), i32::MAX.into()], 6);
    check([i64::from(i32::MIN) - 1, 0], 14);
    check([0, i64::from(i32::MAX) + 1], 14);
    check([i64::MIN, i64::MAX], 14);
    let one = there_and_back(rows(coded(255, &[0, 255])));
    let two = there_and_back(rows(coded(256, &[0, 256])));
    // One entry more, and two codes of two bytes; the dictionary's length is longer, too.
    assert_eq!(two, one + 1 + 2);
    there_and_back(rows(coded(65_536, &[65_535, 65_536])));
    there_and_back(rows(tags(300, &[0, 3], &[299, 0, 1])));
}

#[test]
fn rows_that_contradict_themselves_are_neither_said_nor_heard() {
    let check = |column: LoadColumn, expected: Option<LoadError>| {
        let rows = rows(column);
        assert_eq!(rows.check().err(), expected, "{rows:?}");
        let mut bytes = BytesMut::new();
        let said = encode_client(&message(rows), &mut bytes);
        assert_eq!(
            said.err(),
            expected.map(|error| codec::EncodeError::Unsayable(error.to_string()))
        );
    };
    let of_rows = |found| {
        Some(LoadError::Rows {
            column: 0,
            found,
            rows: 2,
        })
    };
    let of_code = |code, entries| {
        Some(LoadError::Code {
            column: 0,
            code,
            entries,
        })
    };
    let of_lists = Some(LoadError::Lists { column: 0 });
    check(coded(1, &[0, 1]), None);
    check(coded(1, &[0, 2]), of_code(2, 1));
    check(coded(1, &[0]), of_rows(1));
    check(coded(0, &[0, u32::MAX]), of_code(u32::MAX, 0));
    let of_numbers = Some(LoadError::Numbers { column: 0 });
    check(integers(3, &[1, 2, 3]), of_numbers.clone());
    check(integers(3, &[1, 2]), None);
    check(integers(2, &[1]), None);
    check(integers(2, &[1, 2]), of_numbers);
    check(integers(4, &[1]), of_rows(8));
    let numbers = |form, present: &[u8], number: i64| LoadColumn::Numbers {
        attribute: "x".to_owned(),
        form,
        present: present.to_vec(),
        numbers: vec![number],
    };
    check(numbers(NumberForm::Integer, &[], 1), of_rows(0));
    check(numbers(NumberForm::Integer, &[1, 0], 1), of_rows(16));
    check(numbers(NumberForm::Timestamp, &[1], i64::MIN), None);
    let of_date = Some(LoadError::Date { column: 0 });
    check(numbers(NumberForm::Date, &[1], i32::MIN.into()), None);
    check(numbers(NumberForm::Date, &[1], 1 << 31), of_date);
    check(tags(1, &[1, 2], &[0, 0]), None);
    check(tags(1, &[1, 2], &[0, 1]), of_code(1, 1));
    check(tags(1, &[1, 1], &[0, 0]), of_lists.clone());
    check(tags(1, &[2, 1], &[0]), of_lists);
    check(tags(1, &[0], &[]), of_rows(1));
}

/// The bytes of one integer column of two rows, with its last part as given.
fn with_numbers(tail: &[u8]) -> Vec<u8> {
    let head = [
        1, 1, 0, 0, 3, 0, 0, // Request 1, Load, no key, refuse
        2, b'a', b'b', 1, 2, 1, 1, // two keys
        1, 1, 1, b'x', 0, 1, 3, // one column: Numbers "x", Integer, both rows
    ];
    [&head[..], tail].concat()
}

#[test]
fn hostile_lengths_are_refused_before_memory_is_asked_for() {
    let check = |tail: &[u8], expected: codec::DecodeError| {
        let bytes = with_numbers(tail);
        assert_eq!(codec::decode_client(&bytes), Err(expected), "{tail:?}");
    };
    use codec::DecodeError::{Claim, Malformed, Trailing, Truncated};
    assert!(codec::decode_client(&with_numbers(&[1, 2, 7, 8])).is_ok());
    check(&[1, 2, 7], Truncated);
    check(&[1, 2, 7, 8, 9], Trailing(1));
    check(&[8, 2, 7, 8], Truncated);
    check(&[1, 253, 0, 0, 0, 0, 0, 1, 0, 0], Claim);
    check(&[8, 253, 255, 255, 255, 255, 255, 255, 255, 255], Claim);
    check(&[0, 2], Malformed("numbers of 0 bytes".to_owned()));
    check(&[3, 1, 1, 2, 3], Malformed("numbers of 3 bytes".to_owned()));
    check(
        &[1, 1, 7],
        Malformed("column 0 does not have one number for each row that has one".to_owned()),
    );
}

#[test]
fn keys_that_do_not_add_up_are_refused() {
    let check = |keys: &[u8], expected: &str| {
        let bytes = [&[1, 1, 0, 0, 3, 0, 0], keys, &[0]].concat();
        let reason = codec::DecodeError::Malformed(expected.to_owned());
        assert_eq!(codec::decode_client(&bytes), Err(reason), "{keys:?}");
    };
    let cut = "texts are not cut where they end";
    check(&[2, b'a', b'b', 1, 1, 1], cut);
    check(&[2, b'a', b'b', 1, 1, 3], cut);
    check(&[2, 0xc3, 0xa9, 1, 2, 1, 1], cut);
    // Two lengths whose sum wraps around to the two bytes there are.
    let wraps = [2, b'a', b'b', 4, 2, 255, 255, 255, 255, 3, 0, 0, 0];
    check(&wraps, "more than can be counted in 32 bits");
}

#[test]
fn presence_is_a_bit_a_row() {
    let rows = [
        true, false, false, false, false, false, false, true, false, true,
    ];
    assert_eq!(presence(rows), [0b1000_0001, 0b10]);
    assert_eq!(presence([]), [0_u8; 0]);
}

fn example() -> LoadRows {
    LoadRows {
        keys: texts(&["a", "bb", "", "dddd"]),
        columns: vec![
            LoadColumn::Coded {
                attribute: "color".to_owned(),
                dictionary: vec![Datum::from("red"), Datum::from("blue"), Datum::Null],
                codes: vec![2, 0, 1, 3],
            },
            LoadColumn::Numbers {
                attribute: "age".to_owned(),
                form: NumberForm::Integer,
                present: presence([true, false, true, false]),
                numbers: vec![7, -9],
            },
            LoadColumn::Tags {
                names: vec!["x".to_owned(), "y".to_owned(), "z".to_owned()],
                ends: vec![2, 2, 3, 3],
                codes: vec![1, 0, 2],
            },
        ],
    }
}

#[test]
fn a_row_is_said_as_mutations_too() {
    let rows = example();
    let reader = rows.reader();
    let user = || "a".to_owned();
    let color = ("color".to_owned(), Datum::from("blue"));
    let age = ("age".to_owned(), Datum::Integer(7));
    let first = [
        Mutation::Set {
            user: user(),
            values: vec![color, age],
        },
        Mutation::Tag {
            user: user(),
            tags: vec!["y".to_owned(), "x".to_owned()],
        },
    ];
    assert_eq!(reader.mutations(0), first);
    let second = Mutation::Ensure {
        user: "bb".to_owned(),
    };
    assert_eq!(reader.mutations(1), [second]);
    let fourth = Mutation::Set {
        user: "dddd".to_owned(),
        values: vec![("color".to_owned(), Datum::Null)],
    };
    assert_eq!(reader.mutations(3), [fourth]);
    assert_eq!(reader.mutations(4), []);
}

#[test]
fn some_of_the_rows_say_what_they_said_and_name_nothing_else() {
    let rows = example();
    rows.check().unwrap();
    let check = |places: &[u32]| {
        let some = rows.select(places);
        some.check().unwrap();
        for (place, row) in places.iter().enumerate() {
            assert_eq!(
                some.reader().mutations(place),
                rows.reader().mutations(*row as usize)
            );
        }
        assert_eq!(some.len(), places.len());
    };
    check(&[]);
    check(&[0, 1, 2, 3]);
    check(&[3, 0]);
    check(&[2, 2, 1]);
    assert_eq!(rows.select(&[9]), rows.select(&[]));
    let LoadColumn::Tags { names, .. } = &rows.select(&[2]).columns[2] else {
        return assert_eq!(rows.columns.len(), 3, "the third one has tags");
    };
    assert_eq!(names, &["z"]);
}

#[test]
fn numbers_are_values_of_their_form() {
    let check = |form: NumberForm, expected: Datum| assert_eq!(form.datum(-7), expected);
    check(NumberForm::Integer, Datum::Integer(-7));
    check(NumberForm::Decimal { scale: 2 }, Datum::decimal(-7, 2));
    check(NumberForm::Date, Datum::Date(-7));
    check(NumberForm::Timestamp, Datum::Timestamp(-7));
}
