//! Every limit of writing, at its edge.

use super::*;

fn limited(change: impl FnOnce(&mut Limits)) -> Fixture {
    Fixture::with(|options| change(&mut options.limits))
}

#[track_caller]
fn exceeded(result: Result<Summary, Error>, message: &str) {
    refused(result, ErrorCode::LimitExceeded, message);
}

fn define_tags(fixture: &Fixture, user: &str, tags: &[&str]) -> Result<Summary, Error> {
    let mutations = vec![tag(user, tags)];
    fixture.db().write(WriteRequest {
        mutations,
        unknown_tags: UnknownTags::Define,
        idempotency_key: None,
    })
}

#[test]
fn requests_are_limited_in_mutations_and_bytes() {
    let fixture = limited(|limits| {
        limits.mutations_max = 2;
        limits.request_bytes_max = 10;
    });
    fixture.write(vec![ensure("a"), ensure("b")]).unwrap();
    exceeded(
        fixture.write(vec![ensure("a"), ensure("b"), ensure("c")]),
        "at most 2 mutations, this one has 3",
    );
    fixture.write(vec![ensure("0123456789")]).unwrap();
    exceeded(
        fixture.write(vec![ensure("0123456789a")]),
        "at most 10 bytes",
    );
}

#[test]
fn users_found_by_an_expression_are_limited() {
    let fixture = limited(|limits| limits.where_users_max = 2);
    fixture.define("DEFINE TAG vip").unwrap();
    let tag_all = || {
        let mut sink = crate::exec::testing::Collected::default();
        let (parameters, budget) = (Parameters::default(), Budget::unlimited());
        fixture
            .db()
            .execute("TAG WHERE ALL WITH vip", &parameters, &budget, &mut sink)
    };
    fixture.write(vec![ensure("a"), ensure("b")]).unwrap();
    assert_eq!(tag_all().unwrap().users_changed, 2);
    fixture.write(vec![ensure("c")]).unwrap();
    exceeded(tag_all(), "this WHERE finds 3");
}

#[test]
fn tags_and_values_of_a_user_are_limited() {
    let fixture = limited(|limits| {
        limits.user_tags_max = 2;
        limits.user_values_max = 2;
    });
    fixture.define("DEFINE ATTRIBUTE interests MULTI").unwrap();
    define_tags(&fixture, "u1", &["a", "b"]).unwrap();
    exceeded(
        define_tags(&fixture, "u1", &["c"]),
        "at most 2 tags, \"u1\"",
    );
    assert!(fixture.db().view().schema().tag("c").is_none());
    fixture
        .write(vec![add("u1", "interests", &["a", "b"])])
        .unwrap();
    exceeded(
        fixture.write(vec![add("u1", "interests", &["c"])]),
        "interests of user \"u1\"",
    );
}

#[test]
fn distinct_values_are_limited() {
    let fixture = limited(|limits| limits.attribute_values_max = 2);
    fixture.define("DEFINE ATTRIBUTE city ENUM").unwrap();
    let city = |name: &str| fixture.write(vec![set("u1", "city", text(name))]);
    city("a").unwrap();
    city("b").unwrap();
    exceeded(city("c"), "city would have more");
    city("a").unwrap();
    exceeded(
        fixture.define("DEFINE ATTRIBUTE size ENUM (s, m, l)"),
        "size would have more",
    );
    exceeded(
        fixture.define("ALTER ATTRIBUTE city ADD VALUES (x)"),
        "city would have more",
    );
}

#[test]
fn definitions_are_limited() {
    let fixture = limited(|limits| {
        limits.tags_max = 1;
        limits.groups_max = 1;
        limits.attributes_max = 1;
        limits.segments_max = 1;
    });
    let check = |first: &str, second: &str, message: &str| {
        fixture.define(first).unwrap();
        exceeded(fixture.define(second), message);
    };
    check("DEFINE TAG a", "DEFINE TAG b", "at most 1 tags");
    check("DEFINE GROUP a", "DEFINE GROUP b", "at most 1 groups");
    check(
        "DEFINE ATTRIBUTE a DATE",
        "DEFINE ATTRIBUTE b DATE",
        "at most 1 attributes",
    );
    check(
        "DEFINE SEGMENT a AS ALL",
        "SAVE SEGMENT b AS ALL",
        "at most 1 segments",
    );
    exceeded(define_tags(&fixture, "u1", &["b"]), "at most 1 tags");
}

#[test]
fn notes_are_limited() {
    let fixture = Fixture::new();
    let define = |what: &str, length: usize| {
        fixture.define(&format!(
            "DEFINE TAG t{length} {what} \"{}\"",
            "x".repeat(length)
        ))
    };
    define("OWNER", 256).unwrap();
    exceeded(define("OWNER", 257), "at most 256 bytes");
    define("DESCRIPTION", 4096).unwrap();
    exceeded(define("DESCRIPTION", 4097), "at most 4096 bytes");
}

#[test]
fn names_values_and_keys_are_limited() {
    let fixture = Fixture::defined(&["DEFINE ATTRIBUTE city ENUM", "DEFINE ATTRIBUTE note TEXT"]);
    let mismatch = |mutation, message: &str| {
        refused(
            fixture.write(vec![mutation]),
            ErrorCode::TypeMismatch,
            message,
        );
    };
    fixture.write(vec![ensure(&"x".repeat(256))]).unwrap();
    mismatch(ensure(&"x".repeat(257)), "at most 256 bytes");
    mismatch(
        set("u1", "city", text(&"x".repeat(257))),
        "at most 256 bytes",
    );
    mismatch(
        set("u1", "note", text(&"x".repeat(4097))),
        "at most 4096 bytes",
    );
    mismatch(tag("u1", &[&"x".repeat(257)]), "at most 256 bytes");
}

#[test]
fn user_ids_run_out_without_harm() {
    let fixture = Fixture::with(|options| options.partition_count = 1);
    let mut changes = crate::storage::Changes::default();
    let state = crate::storage::PartitionState {
        applied_offset: 1,
        users_next: u32::MAX - 1,
        users_live: 0,
    };
    changes
        .put::<crate::storage::Partitions>(&PartitionId(0), &state)
        .unwrap();
    fixture
        .db()
        .store
        .append(vec![changes], fixture.db().view().schema().clone(), 1)
        .unwrap();
    let mut fixture = fixture;
    fixture.restart();
    fixture.write(vec![ensure("last")]).unwrap();
    exceeded(
        fixture.write(vec![ensure("one too many")]),
        "no user ids left",
    );
    assert_eq!(fixture.location("last").unwrap().user.0, u32::MAX - 1);
    fixture.check_consistent();
}
