#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use super::*;
use crate::{
    schema::{Exclusivity, GroupDefinition},
    time::LengthUnit,
};
use tessera_query_lang::name::Name;

const STATIC: TagId = TagId(0);
const REPLACE: TagId = TagId(1);
const EXTEND: TagId = TagId(2);
const LATER: TagId = TagId(3);
/// Of an exclusive group: one static, two dynamic.
const BASIC: TagId = TagId(4);
const SILVER: TagId = TagId(5);
const GOLD: TagId = TagId(6);

const SECONDS: Length = Length {
    amount: 100,
    unit: LengthUnit::Second,
};

fn schema() -> Schema {
    let mut schema = Schema::new();
    let group = GroupId(0);
    schema.put_group(GroupDefinition {
        exclusivity: Exclusivity::Exclusive,
        ..GroupDefinition::new(group, Name::new("tier").unwrap())
    });
    let tags = [
        (STATIC, Validity::Static, OnRetag::Replace, None),
        (REPLACE, Validity::Dynamic(SECONDS), OnRetag::Replace, None),
        (EXTEND, Validity::Dynamic(SECONDS), OnRetag::Extend, None),
        (LATER, Validity::Dynamic(SECONDS), OnRetag::Later, None),
        (BASIC, Validity::Static, OnRetag::Replace, Some(group)),
        (
            SILVER,
            Validity::Dynamic(SECONDS),
            OnRetag::Replace,
            Some(group),
        ),
        (
            GOLD,
            Validity::Dynamic(SECONDS),
            OnRetag::Replace,
            Some(group),
        ),
    ];
    for (id, validity, on_retag, group) in tags {
        schema.put_tag(TagDefinition {
            validity,
            on_retag,
            group,
            ..TagDefinition::new(id, Name::new(&format!("t{}", id.0)).unwrap())
        });
    }
    schema
}

fn from(since_s: i64) -> HoldTerms {
    HoldTerms {
        since_s: Some(since_s),
        ..HoldTerms::default()
    }
}

fn until(until_s: i64) -> HoldTerms {
    HoldTerms {
        end: HoldEnd::At(until_s),
        ..HoldTerms::default()
    }
}

fn with(source: Source, terms: HoldTerms) -> HoldTerms {
    HoldTerms { source, ..terms }
}

/// Gives a tag at a second.
fn give(record: &mut UserRecord, at_s: i64, tag: TagId, terms: HoldTerms) {
    let schema = schema();
    let rules = Holdings {
        schema: &schema,
        at_s,
    };
    if let Some(holding) = rules.given(record, tag, &terms).unwrap() {
        rules.give(record, tag, holding);
    }
}

fn take(record: &mut UserRecord, at_s: i64, tag: TagId) {
    let schema = schema();
    let rules = Holdings {
        schema: &schema,
        at_s,
    };
    rules.take(record, tag);
}

fn timed(since_s: i64, until_s: i64) -> Option<Holding> {
    Some(Holding::timed(Source::Manual, since_s, Some(until_s)))
}

#[test]
fn what_is_not_said_follows_from_the_tag() {
    let check = |tag, terms, expected| {
        let mut record = UserRecord::default();
        give(&mut record, 1000, tag, terms);
        assert_eq!(record.holding(tag), Some(expected), "{tag:?} {terms:?}");
    };
    let standing = |source, since_s| Holding::standing(source, Some(since_s));
    check(STATIC, HoldTerms::default(), standing(Source::Manual, 1000));
    check(
        STATIC,
        with(Source::Model, from(5)),
        standing(Source::Model, 5),
    );
    let coming = Holding::timed(Source::Manual, 1001, None);
    check(STATIC, from(1001), coming);
    let timed = |since_s, until_s| Holding::timed(Source::Manual, since_s, Some(until_s));
    check(REPLACE, HoldTerms::default(), timed(1000, 1100));
    check(REPLACE, from(900), timed(900, 1000));
    check(REPLACE, until(1001), timed(1000, 1001));
    let ten = Length {
        amount: 10,
        unit: LengthUnit::Second,
    };
    let terms = HoldTerms {
        end: HoldEnd::After(ten),
        ..from(2000)
    };
    check(REPLACE, terms, timed(2000, 2010));
}

#[test]
fn what_cannot_be_is_refused() {
    let schema = schema();
    let rules = Holdings {
        schema: &schema,
        at_s: 1000,
    };
    let check = |tag, terms: HoldTerms, expected: fn(&WriteError) -> bool| {
        let given = rules.given(&UserRecord::default(), tag, &terms);
        assert!(given.as_ref().is_err_and(expected), "{given:?}");
    };
    check(STATIC, until(2000), |error| {
        matches!(error, WriteError::StaticEnds { .. })
    });
    check(REPLACE, until(1000), |error| {
        matches!(error, WriteError::EndsBeforeStart { .. })
    });
    // The wire has room for times of which no calendar knows.
    let beyond = [from(i64::MAX), from(i64::MIN), from(9_223_372_036_854)];
    for terms in beyond {
        for tag in [STATIC, REPLACE] {
            check(tag, terms, |error| {
                matches!(error, WriteError::BeyondCalendar(_))
            });
        }
    }
    check(REPLACE, until(300_000_000_000), |error| {
        matches!(error, WriteError::BeyondCalendar(_))
    });
}

#[test]
fn a_holding_is_not_extended_beyond_the_calendar() {
    let schema = schema();
    let rules = Holdings {
        schema: &schema,
        at_s: 1000,
    };
    let mut record = UserRecord::default();
    give(&mut record, 1000, EXTEND, until(200_000_000_000));
    let ever = HoldTerms {
        since_s: Some(i64::MIN),
        ..until(i64::MAX)
    };
    for terms in [until(200_000_000_000), ever] {
        let again = rules.given(&record, EXTEND, &terms);
        assert!(
            matches!(again, Err(WriteError::BeyondCalendar(_))),
            "{again:?}"
        );
    }
}

#[test]
fn a_static_tag_keeps_its_start() {
    let mut record = UserRecord::default();
    give(&mut record, 1000, STATIC, Source::Import.into());
    let check = |record: &UserRecord, source, since_s| {
        assert_eq!(
            record.holding(STATIC),
            Some(Holding::standing(source, Some(since_s)))
        );
    };
    give(&mut record, 1100, STATIC, Source::Import.into());
    check(&record, Source::Import, 1000);
    // The stronger word stays, whichever comes first.
    give(&mut record, 1200, STATIC, HoldTerms::default());
    check(&record, Source::Manual, 1000);
    give(&mut record, 1300, STATIC, Source::Import.into());
    check(&record, Source::Manual, 1000);
    give(&mut record, 1300, STATIC, from(7));
    check(&record, Source::Manual, 7);
    // One that has yet to come may come at once.
    let mut record = UserRecord::default();
    give(&mut record, 1000, STATIC, from(2000));
    give(&mut record, 1500, STATIC, HoldTerms::default());
    check(&record, Source::Manual, 1500);
}

#[test]
fn tagging_again_does_what_the_tag_says() {
    let check = |tag, first: HoldTerms, second: HoldTerms, expected| {
        let mut record = UserRecord::default();
        give(&mut record, 1000, tag, first);
        give(&mut record, 1050, tag, second);
        assert_eq!(
            record.holding(tag),
            expected,
            "{tag:?} {first:?} {second:?}"
        );
    };
    let plain = HoldTerms::default();
    check(REPLACE, plain, plain, timed(1050, 1150));
    check(EXTEND, plain, plain, timed(1000, 1200));
    check(LATER, plain, plain, timed(1000, 1150));
    check(REPLACE, until(2000), plain, timed(1050, 1150));
    check(EXTEND, until(2000), plain, timed(1000, 2100));
    check(LATER, until(2000), plain, timed(1000, 2000));
    check(EXTEND, plain, until(1060), timed(1000, 1110));
    // What has ended begins anew.
    check(EXTEND, until(1050), plain, timed(1050, 1150));
    check(LATER, until(1050), plain, timed(1050, 1150));
    // What is over ends nothing.
    check(REPLACE, plain, from(900), timed(1000, 1100));
    // A start in the future.
    check(REPLACE, plain, from(3000), timed(3000, 3100));
    check(LATER, from(3000), plain, timed(1050, 3100));
}

#[test]
fn a_weaker_word_does_not_replace_a_stronger_one() {
    let mut record = UserRecord::default();
    give(&mut record, 1000, REPLACE, HoldTerms::default());
    give(&mut record, 1050, REPLACE, Source::Import.into());
    assert_eq!(record.holding(REPLACE), timed(1000, 1100));
    give(&mut record, 1000, LATER, HoldTerms::default());
    give(&mut record, 1050, LATER, Source::Import.into());
    assert_eq!(record.holding(LATER), timed(1000, 1150));
    give(&mut record, 1100, REPLACE, Source::Import.into());
    let import = Holding::timed(Source::Import, 1100, Some(1200));
    assert_eq!(record.holding(REPLACE), Some(import));
    give(&mut record, 1150, REPLACE, HoldTerms::default());
    assert_eq!(record.holding(REPLACE), timed(1150, 1250));
}

#[test]
fn what_is_taken_of_a_dynamic_tag_has_ended() {
    let mut record = UserRecord::default();
    give(&mut record, 1000, STATIC, HoldTerms::default());
    give(&mut record, 1000, REPLACE, HoldTerms::default());
    give(&mut record, 1000, LATER, from(2000));
    for tag in [STATIC, REPLACE, LATER] {
        take(&mut record, 1030, tag);
    }
    assert_eq!(record.holding(STATIC), None);
    assert_eq!(record.holding(REPLACE), timed(1000, 1030));
    assert_eq!(record.holding(LATER), None);
    // What has ended stays as it is.
    take(&mut record, 1040, REPLACE);
    assert_eq!(record.holding(REPLACE), timed(1000, 1030));
    // Given and taken within a second: it never was.
    give(&mut record, 1050, REPLACE, HoldTerms::default());
    take(&mut record, 1050, REPLACE);
    assert_eq!(record.holding(REPLACE), None);
}

#[test]
fn one_tag_of_an_exclusive_group_ends_where_another_starts() {
    let mut record = UserRecord::default();
    give(&mut record, 1000, GOLD, HoldTerms::default());
    give(&mut record, 1010, SILVER, from(1050));
    assert_eq!(record.holding(GOLD), timed(1000, 1050));
    assert_eq!(record.holding(SILVER), timed(1050, 1150));
    // One that is over before the other begins is left alone.
    give(
        &mut record,
        1020,
        GOLD,
        HoldTerms {
            since_s: None,
            ..until(1040)
        },
    );
    assert_eq!(record.holding(GOLD), timed(1020, 1040));
    assert_eq!(record.holding(SILVER), timed(1050, 1150));
    // A static one stays for good.
    give(&mut record, 1030, BASIC, HoldTerms::default());
    assert_eq!(record.holding(GOLD), timed(1020, 1030));
    assert_eq!(record.holding(SILVER), None);
    give(&mut record, 1035, SILVER, from(1100));
    assert_eq!(record.holding(BASIC), None);
    assert_eq!(record.holding(SILVER), timed(1100, 1200));
}
