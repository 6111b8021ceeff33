//! What an operator asks of new names, and how many there may be.

use super::*;
use crate::schema::Naming;

fn strict(existing: &[&str]) -> Fixture {
    let mut fixture = Fixture::defined(existing);
    fixture.options.limits.naming = Naming::new("crm-*|web-*", 12).unwrap();
    fixture.options.limits.group_tags_max = 2;
    fixture.restart();
    fixture
}

#[test]
fn new_names_match_the_pattern_and_old_ones_stay() {
    let fixture = strict(&["DEFINE TAG old", "DEFINE TAG crm-a"]);
    let refuse = |statement: &str, message: &str| {
        refused(fixture.define(statement), ErrorCode::TypeMismatch, message);
    };
    let unlike = "does not match crm-* or web-*";
    refuse("DEFINE TAG vip", unlike);
    refuse("DEFINE GROUP tiers", unlike);
    refuse("RENAME TAG crm-a TO a", unlike);
    refuse("DEFINE GROUP web-t AS crm-x: ALL, low: OTHERWISE", unlike);
    refuse(
        "DEFINE TAG crm-much-too-long",
        "has 17 characters, and names have at most 12",
    );
    refuse("DEFINE ATTRIBUTE date_of_birth DATE", "has 13 characters");
    fixture.define("DEFINE ATTRIBUTE age INTEGER").unwrap();
    fixture.define("DEFINE TAG crm-vip").unwrap();
    fixture.define("ALTER TAG old OWNER \"crm\"").unwrap();
    fixture.changed(vec![tag("u", &["old"])]);
    fixture.define("RENAME TAG old TO web-old").unwrap();
    fixture.define("RENAME TAG web-old TO old").unwrap();
    let request = |name: &str| WriteRequest {
        mutations: vec![tag("u", &[name])],
        unknown_tags: UnknownTags::Define,
        ..WriteRequest::default()
    };
    refused(
        fixture.db().write(request("new")),
        ErrorCode::TypeMismatch,
        unlike,
    );
    fixture.db().write(request("crm-new")).unwrap();
    let load = LoadRequest {
        unknown_tags: UnknownTags::Define,
        keys: ["v"].into_iter().collect(),
        columns: vec![LoadColumn::Tags {
            names: strings(&["newer"]),
            ends: vec![1],
            codes: vec![0],
        }],
        ..LoadRequest::default()
    };
    refused(fixture.db().load(load), ErrorCode::TypeMismatch, unlike);
    assert!(fixture.record("v").is_none());
}

#[test]
fn a_group_has_room_for_so_many_tags() {
    let fixture = strict(&["DEFINE GROUP g", "DEFINE TAG crm-a"]);
    fixture.define("DEFINE TAG crm-b IN GROUP g").unwrap();
    fixture.define("ALTER TAG crm-a IN GROUP g").unwrap();
    let full = "a group has at most 2 tags, g would have more";
    refused(
        fixture.define("DEFINE TAG crm-c IN GROUP g"),
        ErrorCode::LimitExceeded,
        full,
    );
    fixture.define("DEFINE TAG crm-c").unwrap();
    refused(
        fixture.define("ALTER TAG crm-c IN GROUP g"),
        ErrorCode::LimitExceeded,
        full,
    );
    let layers = "DEFINE GROUP crm-t AS crm-x: tag:crm-a, crm-y: tag:crm-b, crm-z: OTHERWISE";
    refused(
        fixture.define(layers),
        ErrorCode::LimitExceeded,
        "a group has at most 2 tags, crm-t would have more",
    );
    let view = fixture.db().view();
    assert!(view.schema().tag("crm-x").is_none());
    assert!(view.schema().group("crm-t").is_none());
    // Who is in it stays in it.
    fixture.define("ALTER TAG crm-a IN GROUP g").unwrap();
}
