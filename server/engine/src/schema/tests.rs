#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use tessera_query_lang::name::{Glob, Name};

use super::*;
use crate::{datum::Datum, storage::StoredValue};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn tag(id: u32, text: &str, group: Option<u32>) -> TagDefinition {
    TagDefinition {
        group: group.map(GroupId),
        ..TagDefinition::new(TagId(id), name(text))
    }
}

fn attribute(id: u32, text: &str, kind: AttributeKind) -> AttributeDefinition {
    let mutability = Mutability::Mutable;
    AttributeDefinition {
        id: AttributeId(id),
        name: name(text),
        kind,
        mutability,
        notes: Notes::default(),
    }
}

fn names<'a>(tags: impl IntoIterator<Item = &'a TagDefinition>) -> Vec<&'a str> {
    tags.into_iter().map(|tag| tag.name.as_str()).collect()
}

#[test]
fn tags_are_found_by_name_id_group_and_glob() {
    let mut schema = Schema::new();
    for (id, text, group) in [
        (0, "vip", Some(7)),
        (3000, "promo-b", None),
        (5, "promo-a", Some(7)),
    ] {
        schema.put_tag(tag(id, text, group));
    }
    assert_eq!(schema.tag("vip").map(|tag| tag.id), Some(TagId(0)));
    assert_eq!(
        schema.tag_by_id(TagId(3000)).map(|tag| tag.name.as_str()),
        Some("promo-b")
    );
    assert_eq!(schema.tag_by_id(TagId(4)), None);
    assert_eq!(names(schema.tags()), ["promo-a", "promo-b", "vip"]);
    assert_eq!(
        names(schema.tags_matching(&Glob::new("promo-*").unwrap())),
        ["promo-a", "promo-b"]
    );
    assert_eq!(names(schema.tags_of_group(GroupId(7))), ["promo-a", "vip"]);
    assert_eq!(schema.next_tag_id(), TagId(3001));
}

#[test]
fn a_copy_does_not_see_later_changes() {
    let mut schema = Schema::new();
    (0..3000).for_each(|id| schema.put_tag(tag(id, &format!("t{id}"), None)));
    let copy = schema.clone();
    schema.remove_tag(TagId(7));
    schema.put_tag(tag(8, "renamed", None));
    assert_eq!((schema.tag_count(), copy.tag_count()), (2999, 3000));
    assert_eq!((schema.tag("t7"), schema.tag("t8")), (None, None));
    assert!(copy.tag("t7").is_some() && copy.tag("t8").is_some());
    assert!(copy.tag("renamed").is_none() && schema.tag("renamed").is_some());
}

#[test]
fn ids_are_never_given_again() {
    let mut schema = Schema::new();
    schema.put_tag(tag(0, "a", None));
    schema.remove_tag(TagId(0));
    schema.remove_tag(TagId(0));
    assert_eq!((schema.next_tag_id(), schema.tag_count()), (TagId(1), 0));
    schema.reserve_ids(TagId(9), GroupId(8), AttributeId(7), SegmentId(6));
    assert_eq!(
        (schema.next_tag_id(), schema.next_segment_id()),
        (TagId(9), SegmentId(6))
    );
}

#[test]
fn values_are_numbered_in_the_order_of_first_sight() {
    let mut schema = Schema::new();
    let city = AttributeId(1);
    schema.put_attribute(attribute(1, "city", AttributeKind::Enum(Vocabulary::Open)));
    assert_eq!(schema.value_count(city), 0);
    let codes: Vec<_> = ["rome", "paris", "rome"]
        .iter()
        .map(|text| schema.add_value(city, text).0)
        .collect();
    assert_eq!(codes, [0, 1, 0]);
    assert_eq!(schema.value_code(city, "paris"), Some(ValueCode(1)));
    assert_eq!(schema.value_text(city, ValueCode(0)), Some("rome"));
    assert_eq!(schema.value_text(city, ValueCode(2)), None);
    assert_eq!(
        schema.values(city).collect::<Vec<_>>(),
        [(ValueCode(0), "rome"), (ValueCode(1), "paris")]
    );
    schema.remove_attribute(city);
    assert_eq!(schema.value_count(city), 0);
}

#[test]
fn a_boolean_has_two_values_by_nature() {
    let mut schema = Schema::new();
    schema.put_attribute(attribute(0, "active", AttributeKind::Boolean));
    let values: Vec<_> = schema
        .values(AttributeId(0))
        .map(|(code, text)| (code.0, text))
        .collect();
    assert_eq!(values, [(0, "false"), (1, "true")]);
    assert_eq!(
        schema.value_code(AttributeId(0), "true"),
        Some(ValueCode(1))
    );
    assert_eq!(schema.value_code(AttributeId(0), "maybe"), None);
}

#[test]
fn stored_values_read_as_what_was_sent() {
    let mut schema = Schema::new();
    let multi = attribute(0, "interests", AttributeKind::Multi(Vocabulary::Open));
    schema.put_attribute(multi.clone());
    schema.add_value(multi.id, "golf");
    schema.add_value(multi.id, "chess");
    let check = |attribute: &AttributeDefinition, value: StoredValue, expected: Datum| {
        assert_eq!(schema.datum(attribute, &value), expected);
    };
    let codes = StoredValue::Codes(vec![ValueCode(0), ValueCode(1)]);
    check(
        &multi,
        codes,
        Datum::List(vec!["chess".to_owned(), "golf".to_owned()]),
    );
    let decimal = attribute(1, "spend", AttributeKind::Decimal { scale: 2 });
    check(
        &decimal,
        StoredValue::Number(-5),
        Datum::Decimal {
            units: -5,
            scale: 2,
        },
    );
    check(
        &attribute(2, "day", AttributeKind::Date),
        StoredValue::Number(3),
        Datum::Date(3),
    );
    check(
        &attribute(2, "day", AttributeKind::Date),
        StoredValue::Number(i64::MAX),
        Datum::Null,
    );
    check(
        &attribute(3, "is", AttributeKind::Boolean),
        StoredValue::Code(ValueCode(1)),
        Datum::Boolean(true),
    );
    check(
        &attribute(4, "note", AttributeKind::Text),
        StoredValue::Text("x".to_owned()),
        Datum::Text("x".to_owned()),
    );
}
