//! A schema with every kind of definition, random users of it, and random expressions over it.

use proptest::{collection::vec, option, prelude::*, sample::select};
use tessera_query_lang::{
    ast::{
        AttributeTest, Comparison, Decimal, Expr, NameRef, Presence, Spanned, TagPattern, Value,
    },
    name::{Glob, Name},
};

use super::memory::{MemoryDataset, User};
use crate::{
    ids::{AttributeId, GroupId, Location, PartitionId, SegmentId, TagId, UserId, ValueCode},
    schema::{
        AttributeDefinition, AttributeKind, GroupDefinition, Mutability, Notes, Schema,
        SegmentDefinition, TagDefinition, Timing, Validity, Vocabulary,
    },
    storage::{Holding, Source, StoredValue, UserRecord},
    time::{Length, LengthUnit},
};

pub(crate) const PARTITIONS: u16 = 3;
pub(crate) const TAGS: [&str; 5] = ["vip", "promo-a", "promo-b", "silent", "new"];
/// Those whose holdings start and end.
pub(crate) const TIMED_TAGS: [&str; 2] = ["promo-b", "silent"];
const THIRTY_DAYS: Length = Length {
    amount: 30,
    unit: LengthUnit::Day,
};
pub(crate) const GENDERS: [&str; 3] = ["f", "m", "x"];
pub(crate) const INTERESTS: [&str; 4] = ["golf", "chess", "art", "food"];
pub(crate) const NOTES: [&str; 3] = ["hello", "", "你好"];

pub(crate) const GENDER: AttributeId = AttributeId(0);
pub(crate) const INTEREST: AttributeId = AttributeId(1);
pub(crate) const AGE: AttributeId = AttributeId(2);
pub(crate) const SPEND: AttributeId = AttributeId(3);
pub(crate) const BORN: AttributeId = AttributeId(4);
pub(crate) const SEEN: AttributeId = AttributeId(5);
pub(crate) const ACTIVE: AttributeId = AttributeId(6);
pub(crate) const NOTE: AttributeId = AttributeId(7);
pub(crate) const INVITED_BY: AttributeId = AttributeId(8);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Tags in two groups, one of them without tags; an attribute of every type; saved segments.
pub(crate) fn schema() -> Schema {
    let mut schema = Schema::new();
    for (id, group) in ["promo", "empty"].into_iter().enumerate() {
        let id = GroupId(id as u32);
        schema.put_group(GroupDefinition::new(id, name(group)));
    }
    for (id, tag) in TAGS.into_iter().enumerate() {
        let group = tag.starts_with("promo").then_some(GroupId(0));
        let (validity, timing) = match TIMED_TAGS.contains(&tag) {
            true => (Validity::Dynamic(THIRTY_DAYS), Timing::Timed),
            false => (Validity::Static, Timing::Standing),
        };
        schema.put_tag(TagDefinition {
            group,
            validity,
            timing,
            ..TagDefinition::new(TagId(id as u32), name(tag))
        });
    }
    let attributes = [
        ("gender", AttributeKind::Enum(Vocabulary::Open)),
        ("interests", AttributeKind::Multi(Vocabulary::Closed)),
        ("age", AttributeKind::Integer),
        ("spend", AttributeKind::Decimal { scale: 2 }),
        ("born", AttributeKind::Date),
        ("seen", AttributeKind::Timestamp),
        ("active", AttributeKind::Boolean),
        ("note", AttributeKind::Text),
        ("invited_by", AttributeKind::Inviter),
    ];
    for (id, (attribute, kind)) in attributes.into_iter().enumerate() {
        schema.put_attribute(AttributeDefinition {
            id: AttributeId(id as u32),
            name: name(attribute),
            kind,
            mutability: Mutability::Mutable,
            notes: Notes::default(),
        });
    }
    for value in GENDERS {
        schema.add_value(GENDER, value);
    }
    for value in INTERESTS {
        schema.add_value(INTEREST, value);
    }
    let segments = [
        ("loyal", "tag:vip AND age >= 10"),
        ("nested", "segment:loyal OR NOT tag:silent"),
    ];
    for (id, (segment, text)) in segments.into_iter().enumerate() {
        schema.put_segment(SegmentDefinition {
            id: SegmentId(id as u32),
            name: name(segment),
            text: text.to_owned(),
            notes: Notes::default(),
        });
    }
    schema
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -40_i64..80, 1 => Just(i64::MIN), 1 => Just(i64::MAX), 1 => any::<i64>()]
}

fn record() -> impl Strategy<Value = UserRecord> {
    let codes = vec(0..INTERESTS.len() as u32, 1..3);
    let values = (
        option::of(0..GENDERS.len() as u32),
        option::of(codes),
        option::of(number()),
        option::of(-3000_i64..3000),
        option::of(-50_i64..50),
        option::of(-300_000_000_000_i64..300_000_000_000),
        option::of(0_u32..2),
        option::of(select(&NOTES)),
        option::of(0_u32..20),
    );
    let tags = vec((0..TAGS.len() as u32, holding()), 0..4);
    (values, tags).prop_map(|(values, tags)| {
        let (gender, interests, age, spend, born, seen, active, note, invited_by) = values;
        let mut record = UserRecord::default();
        let mut set =
            |attribute, value: Option<StoredValue>| drop(record.set_value(attribute, value));
        set(
            GENDER,
            gender.map(|code| StoredValue::Code(ValueCode(code))),
        );
        set(
            INTEREST,
            interests.map(|mut codes| {
                codes.sort_unstable();
                codes.dedup();
                StoredValue::Codes(codes.into_iter().map(ValueCode).collect())
            }),
        );
        set(AGE, age.map(StoredValue::Number));
        set(SPEND, spend.map(StoredValue::Number));
        set(BORN, born.map(StoredValue::Number));
        set(SEEN, seen.map(StoredValue::Number));
        set(
            ACTIVE,
            active.map(|code| StoredValue::Code(ValueCode(code))),
        );
        set(NOTE, note.map(|note| StoredValue::Text(note.to_owned())));
        set(
            INVITED_BY,
            invited_by.map(|user| StoredValue::Text(format!("u{user}"))),
        );
        for (tag, (source, since_s, length_s)) in tags {
            let is_timed = TIMED_TAGS.contains(&TAGS[tag as usize]);
            let holding = match length_s {
                Some(length_s) if is_timed => {
                    Holding::timed(source, since_s, Some(since_s + length_s))
                }
                None if is_timed => Holding::timed(source, since_s, None),
                Some(_) => Holding::standing(source, Some(since_s)),
                None => Holding::standing(source, None),
            };
            record.hold(TagId(tag), holding);
        }
        record
    })
}

/// A source, a start around the second 0, and a length if it ends.
fn holding() -> impl Strategy<Value = (Source, i64, Option<i64>)> {
    (
        select(&Source::ALL),
        -3_i64..3,
        option::weighted(0.7, 1_i64..5),
    )
}

/// Some users, spread over partitions, blocks and shards.
pub(crate) fn users() -> impl Strategy<Value = Vec<User>> {
    let place = (
        0..PARTITIONS,
        prop_oneof![0_u32..20, 65_530_u32..65_540, 1_048_570_u32..1_048_580],
    );
    vec((place, record()), 0..40).prop_map(|users| {
        let users = users
            .into_iter()
            .enumerate()
            .map(|(index, ((partition, user), record))| User {
                key: format!("u{index}"),
                location: Location {
                    partition: PartitionId(partition),
                    user: UserId(user),
                },
                record,
            });
        users.collect()
    })
}

/// [`users`] of the [`schema`].
pub(crate) fn dataset() -> impl Strategy<Value = MemoryDataset> {
    users().prop_map(|users| MemoryDataset::new(schema(), PARTITIONS, users))
}

fn value(value: Value) -> Spanned<Value> {
    Spanned::synthetic(value)
}

fn text(text: &str) -> Spanned<Value> {
    value(Value::Text(text.to_owned()))
}

fn integer() -> impl Strategy<Value = Spanned<Value>> {
    prop_oneof![
        number().prop_map(|number| value(Value::Integer(number))),
        (-400_i64..800, 0_u8..4)
            .prop_map(|(units, scale)| value(Value::Decimal(Decimal { units, scale }))),
    ]
}

fn decimal() -> impl Strategy<Value = Spanned<Value>> {
    (-40_000_i64..40_000, 0_u8..5)
        .prop_map(|(units, scale)| value(Value::Decimal(Decimal { units, scale })))
}

fn date() -> impl Strategy<Value = Spanned<Value>> {
    (-60_i32..60).prop_filter_map("a date", |days| {
        Some(value(Value::Date(crate::time::date_of_days(days)?)))
    })
}

fn moment() -> impl Strategy<Value = Spanned<Value>> {
    prop_oneof![
        date(),
        (-300_000_000_000_i64..300_000_000_000).prop_filter_map("a moment", |micros| {
            Some(value(Value::Timestamp(crate::time::timestamp_of_micros(
                micros,
            )?)))
        }),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    select(&[
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ])
}

fn ordered_test(
    values: impl Strategy<Value = Spanned<Value>> + Clone,
) -> impl Strategy<Value = AttributeTest> {
    prop_oneof![
        vec(values.clone(), 1..4).prop_map(AttributeTest::AnyOf),
        (option::of(values.clone()), values.clone()).prop_map(|(low, high)| {
            AttributeTest::Between {
                low,
                high: Some(high),
            }
        }),
        values.clone().prop_map(|low| AttributeTest::Between {
            low: Some(low),
            high: None
        }),
        (comparison(), values)
            .prop_map(|(comparison, value)| AttributeTest::Compare(comparison, value)),
        presence().prop_map(AttributeTest::Is),
    ]
}

fn named_test(values: &'static [&'static str]) -> impl Strategy<Value = AttributeTest> {
    prop_oneof![
        vec(select(values).prop_map(text), 1..3).prop_map(AttributeTest::AnyOf),
        (
            select(&[Comparison::Equal, Comparison::NotEqual]),
            select(values).prop_map(text)
        )
            .prop_map(|(comparison, value)| AttributeTest::Compare(comparison, value)),
        presence().prop_map(AttributeTest::Is),
    ]
}

fn presence() -> impl Strategy<Value = Presence> {
    select(&[Presence::Missing, Presence::Present])
}

fn attribute(
    attribute: &'static str,
    test: impl Strategy<Value = AttributeTest>,
) -> impl Strategy<Value = Expr> {
    test.prop_map(move |test| Expr::Attribute {
        name: Spanned::synthetic(name(attribute)),
        test,
    })
}

fn tag_pattern() -> impl Strategy<Value = Spanned<TagPattern>> {
    prop_oneof![
        5 => select(&TAGS).prop_map(|tag| TagPattern::Name(name(tag))),
        1 => select(&["promo-*", "*", "s*t"]).prop_map(|glob| TagPattern::Glob(Glob::new(glob).expect("a glob"))),
    ]
    .prop_map(Spanned::synthetic)
}

fn name_ref(names: &'static [&'static str]) -> impl Strategy<Value = Spanned<NameRef>> {
    select(names).prop_map(|text| Spanned::synthetic(NameRef::Name(name(text))))
}

fn leaf() -> BoxedStrategy<Expr> {
    prop_oneof![
        1 => Just(Expr::All),
        6 => vec(tag_pattern(), 1..3).prop_map(Expr::Tag),
        2 => attribute("gender", named_test(&GENDERS)),
        2 => attribute("interests", named_test(&INTERESTS)),
        4 => attribute("age", ordered_test(integer().boxed())),
        2 => attribute("spend", ordered_test(decimal().boxed())),
        2 => attribute("born", ordered_test(moment().boxed())),
        2 => attribute("seen", ordered_test(moment().boxed())),
        1 => attribute("active", named_test(&["true", "false"])),
        1 => attribute("note", named_test(&NOTES)),
        1 => attribute("invited_by", named_test(&["u1", "u7", "nobody"])),
        1 => (name_ref(&["promo", "empty"]), presence()).prop_map(|(name, is)| Expr::Group { name, is }),
        1 => vec(name_ref(&["loyal", "nested"]), 1..3).prop_map(Expr::Segment),
        1 => vec(select(&["u1", "u2", "u30", "nobody"]).prop_map(text), 1..4).prop_map(Expr::Users),
    ]
    .boxed()
}

/// An expression that resolves against [`schema`].
pub(crate) fn expr() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            vec(inner.clone(), 2..4).prop_map(Expr::And),
            vec(inner.clone(), 2..4).prop_map(Expr::Or),
            (0_u32..6, vec(inner, 1..5)).prop_map(|(threshold, of)| Expr::AtLeast {
                threshold: Spanned::synthetic(threshold),
                of
            }),
        ]
    })
}
