//! Less memory than data: every answer is the same, and the budget is kept.

use super::*;
use crate::{
    budget::Budget,
    datum::{Header, Row, Stopped},
    parameters::Parameters,
};

/// More than two blocks of one partition.
const USERS: u32 = 140_000;
/// The least there is: less than a quarter of what the rows and columns below take.
const SMALL_CACHE_BYTES: u64 = 1 << 20;
const NUMBERS: u32 = 8;

const QUESTIONS: [&str; 6] = [
    "COUNT tag:half AND NOT tag:third",
    "COUNT AT LEAST 2 OF (tag:half, tag:third, tag:fifth)",
    "DIMENSION band MEASURE count, sum(n0), avg(n1) WHERE tag:half",
    "DIMENSION tag WHERE band:b3",
    "SEGMENT tag:third AND tag:fifth RETURN n2 ORDER BY n3 DESC LIMIT 50",
    "SEGMENT tag:third LIMIT 200",
];

#[derive(Default)]
struct Rows(Vec<Row>);

impl ResultSink for Rows {
    fn header(&mut self, _header: Header) -> Result<(), Stopped> {
        Ok(())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        self.0.extend(rows);
        Ok(())
    }
}

fn answers(fixture: &Fixture) -> Vec<Vec<Row>> {
    let of_numbers = (0..NUMBERS).flat_map(|number| {
        [
            format!("COUNT n{number} >= 30000 AND n{number} < 50000"),
            format!("DIMENSION band MEASURE sum(n{number}), max(n{number})"),
        ]
    });
    QUESTIONS
        .map(str::to_owned)
        .into_iter()
        .chain(of_numbers)
        .map(|question| {
            let mut rows = Rows::default();
            let outcome = fixture.db().execute(
                &question,
                &Parameters::default(),
                &Budget::unlimited(),
                &mut rows,
            );
            assert!(outcome.is_ok(), "{question}: {outcome:?}");
            rows.0
        })
        .collect()
}

/// Scattered, so that rows are bitmaps and columns are wide.
fn scattered(user: u32) -> u32 {
    user.wrapping_mul(2_654_435_761).rotate_left(11) % 65_521
}

fn portrait_of(user: u32) -> [Mutation; 2] {
    let key = format!("u{user}");
    let score = scattered(user);
    let tags = [("half", 2), ("third", 3), ("fifth", 5)]
        .iter()
        .filter(|(_, nth)| score.is_multiple_of(*nth))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let numbers = (0..NUMBERS).map(|number| {
        let value = scattered(user.wrapping_add(number << 20));
        (format!("n{number}"), Datum::Integer(i64::from(value)))
    });
    let band = Datum::Text(format!("b{}", score % 7));
    let values = numbers.chain([("band".to_owned(), band)]).collect();
    [
        Mutation::Tag {
            user: key.clone(),
            tags,
        },
        Mutation::Set { user: key, values },
    ]
}

#[test]
fn data_of_four_times_the_budget_is_answered_all_the_same() {
    let mut fixture = Fixture::with(|options| {
        options.partition_count = 1;
        options.cache_bytes = SMALL_CACHE_BYTES;
    });
    for tag in ["half", "third", "fifth"] {
        fixture.define(&format!("DEFINE TAG {tag}")).unwrap();
    }
    fixture.define("DEFINE ATTRIBUTE band ENUM").unwrap();
    for number in 0..NUMBERS {
        let statement = format!("DEFINE ATTRIBUTE n{number} INTEGER");
        fixture.define(&statement).unwrap();
    }
    for first in (0..USERS).step_by(20_000) {
        fixture.changed((first..first + 20_000).flat_map(portrait_of).collect());
    }
    fixture.restart();
    let with_little = answers(&fixture);
    let small = fixture.db().store.cache_usage();
    assert!(
        0 < small.bytes && small.bytes <= small.bytes_max,
        "{small:?}"
    );

    fixture.options.cache_bytes = 64 << 20;
    fixture.restart();
    assert_eq!(answers(&fixture), with_little);
    assert_eq!(answers(&fixture), with_little);
    let large = fixture.db().store.cache_usage();
    assert!(
        large.bytes >= 4 * small.bytes_max && large.hits > 0,
        "{large:?}"
    );
    assert!(with_little.iter().all(|rows| !rows.is_empty()));
}
