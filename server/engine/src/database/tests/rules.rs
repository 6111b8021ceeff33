//! Exclusive groups, write-once attributes, deleted users, idempotency keys, all or nothing.

use std::time::Duration;

use super::*;

#[test]
fn a_tag_of_an_exclusive_group_clears_its_siblings() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP lifecycle EXCLUSIVE",
        "DEFINE TAG new IN GROUP lifecycle",
        "DEFINE TAG active IN GROUP lifecycle",
        "DEFINE TAG lost IN GROUP lifecycle",
        "DEFINE TAG vip",
    ]);
    assert_eq!(fixture.changed(vec![tag("u1", &["vip", "new"])]), (1, 2));
    assert_eq!(fixture.changed(vec![tag("u1", &["active"])]), (1, 2));
    assert_eq!(fixture.tags("u1"), ["active", "vip"]);
    assert_eq!((fixture.holders("new"), fixture.holders("active")), (0, 1));
    // Of two siblings in one request the last one wins.
    assert_eq!(fixture.changed(vec![tag("u1", &["new", "lost"])]), (1, 2));
    assert_eq!(fixture.tags("u1"), ["lost", "vip"]);
    assert_eq!(fixture.changed(vec![tag("u1", &["lost"])]), (0, 0));
    fixture.check_consistent();
}

#[test]
fn a_write_once_value_stays() {
    let fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE born DATE WRITE ONCE",
        "DEFINE ATTRIBUTE seen MULTI WRITE ONCE",
        "DEFINE TAG vip",
    ]);
    let born = |day: &str| set("u1", "born", text(day));
    assert_eq!(fixture.changed(vec![born("2000-01-02")]), (1, 1));
    assert_eq!(fixture.changed(vec![born("2000-01-02")]), (0, 0));
    let message =
        "born of user \"u1\" is write-once and is 2000-01-02: it cannot become 2000-01-03";
    refused(
        fixture.write(vec![tag("u1", &["vip"]), born("2000-01-03")]),
        ErrorCode::Conflict,
        message,
    );
    refused(
        fixture.write(vec![set("u1", "born", Datum::Null)]),
        ErrorCode::Conflict,
        "cannot become missing",
    );
    // The same within one request.
    let twice = vec![
        set("u2", "born", text("2000-01-02")),
        set("u2", "born", text("2000-01-03")),
    ];
    refused(fixture.write(twice), ErrorCode::Conflict, "write-once");
    assert_eq!(fixture.location("u2"), None);
    assert_eq!(
        fixture.changed(vec![
            add("u1", "seen", &["a", "b"]),
            add("u1", "seen", &["a"])
        ]),
        (1, 2)
    );
    refused(
        fixture.write(vec![add("u1", "seen", &["c"])]),
        ErrorCode::Conflict,
        "(a, b)",
    );
    refused(
        fixture.write(vec![remove("u1", "seen", &["a"])]),
        ErrorCode::Conflict,
        "write-once",
    );
    assert_eq!(fixture.tags("u1"), Vec::<String>::new());
    fixture.define("ALTER ATTRIBUTE born MUTABLE").unwrap();
    assert_eq!(fixture.changed(vec![born("2000-01-03")]), (1, 1));
    fixture.check_consistent();
}

#[test]
fn a_deleted_user_is_gone_everywhere_and_comes_back_as_another() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG vip",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE nick TEXT",
        "DEFINE ATTRIBUTE invited_by USER WRITE ONCE",
    ]);
    let full = |user: &str| {
        vec![
            tag(user, &["vip"]),
            set(user, "age", Datum::Integer(-5)),
            set(user, "city", text("rome")),
            set(user, "nick", text("zed")),
        ]
    };
    fixture.changed(full("u1"));
    for number in 2..20 {
        fixture.changed(vec![set(&format!("u{number}"), "invited_by", text("u1"))]);
    }
    let before = fixture.location("u1").unwrap();
    // A reference that is set and one that is kept in the same request.
    let mutations = vec![
        set("u20", "invited_by", text("u1")),
        set("u21", "invited_by", text("u2")),
        delete("u1"),
    ];
    assert_eq!(fixture.changed(mutations), (21, 4 + 18 + 1));
    assert_eq!(
        (
            fixture.location("u1"),
            fixture.holders("vip"),
            fixture.count(RowId::Users)
        ),
        (None, 0, 20)
    );
    assert_eq!(fixture.value("u2", "invited_by"), None);
    assert_eq!(fixture.value("u21", "invited_by"), Some(text("u2")));
    fixture.check_consistent();
    fixture.changed(vec![ensure("u1")]);
    let after = fixture.location("u1").unwrap();
    assert!(after.user > before.user);
    assert_eq!(fixture.record("u1"), Some(UserRecord::default()));
    // Deleted and made again in one request is another user, too.
    assert_eq!(
        fixture.changed(vec![delete("u1"), tag("u1", &["vip"])]),
        (1, 1)
    );
    assert!(fixture.location("u1").unwrap().user > after.user);
    fixture.check_consistent();
}

#[test]
fn references_to_an_unknown_key_stay_when_it_is_deleted() {
    let fixture = Fixture::defined(&["DEFINE ATTRIBUTE friend USER"]);
    let refer = |user: &str| set(user, "friend", text("ghost"));
    let friend = |user: &str| fixture.value(user, "friend");
    for number in 0..10 {
        fixture.changed(vec![refer(&format!("u{number}"))]);
    }
    assert_eq!(fixture.changed(vec![delete("ghost")]), (0, 0));
    // Neither earlier references of the same request, nor when it is deleted again.
    let mutations = vec![refer("v"), delete("ghost"), refer("w"), delete("ghost")];
    assert_eq!(fixture.changed(mutations), (2, 2));
    assert_eq!(friend("u1"), Some(text("ghost")));
    assert_eq!(friend("v"), Some(text("ghost")));
    // Living since earlier in the request, and gone after it: what is set later stays.
    let mutations = vec![
        ensure("ghost"),
        refer("x"),
        delete("ghost"),
        refer("y"),
        delete("ghost"),
    ];
    assert_eq!(fixture.changed(mutations).1, 12 + 1);
    assert_eq!((friend("u1"), friend("v"), friend("x")), (None, None, None));
    assert_eq!(friend("y"), Some(text("ghost")));
    fixture.check_consistent();
    // Of two users one of whom has the beginning of the other's key, and with all in the store.
    fixture.changed(vec![
        ensure("gh"),
        ensure("ghost"),
        set("u1", "friend", text("gh")),
    ]);
    assert_eq!(fixture.changed(vec![delete("gh")]), (2, 1));
    assert_eq!(friend("y"), Some(text("ghost")));
    assert_eq!(fixture.changed(vec![delete("ghost")]), (2, 1));
    assert_eq!((friend("u1"), friend("y")), (None, None));
    fixture.check_consistent();
}

#[test]
fn a_timestamp_is_no_text() {
    let fixture = Fixture::defined(&[
        "DEFINE ATTRIBUTE email TEXT",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE friend USER",
    ]);
    for attribute in ["email", "city", "friend"] {
        refused(
            fixture.write(vec![set("u", attribute, Datum::Timestamp(0))]),
            ErrorCode::TypeMismatch,
            "a timestamp has no single text",
        );
    }
    fixture.changed(vec![set("u", "email", Datum::Date(0))]);
    assert_eq!(fixture.value("u", "email"), Some(text("1970-01-01")));
}

#[test]
fn the_same_request_again_changes_nothing() {
    let mut fixture = Fixture::with(|options| {
        options.limits.idempotency_keys_max = 2;
        options.limits.idempotency_seconds = 60;
    });
    fixture.define("DEFINE TAG vip").unwrap();
    let request = |fixture: &Fixture, key: u8, mutation: Mutation| {
        let (mutations, idempotency_key) = (vec![mutation], Some([key; 16]));
        let request = WriteRequest {
            mutations,
            idempotency_key,
            ..WriteRequest::default()
        };
        fixture
            .db()
            .write(request)
            .map(|summary| summary.users_changed)
    };
    assert_eq!(request(&fixture, 1, tag("u1", &["vip"])).unwrap(), 1);
    fixture.changed(vec![untag("u1", &["vip"])]);
    fixture.restart();
    assert_eq!(request(&fixture, 1, tag("u1", &["vip"])).unwrap(), 1);
    assert_eq!(fixture.tags("u1"), Vec::<String>::new());
    // A refused request is not remembered.
    assert!(request(&fixture, 2, tag("u1", &["nope"])).is_err());
    assert_eq!(request(&fixture, 2, tag("u2", &["vip"])).unwrap(), 1);
    // Forgotten by count, then by age.
    assert_eq!(request(&fixture, 3, tag("u3", &["vip"])).unwrap(), 1);
    assert_eq!(request(&fixture, 1, tag("u1", &["vip"])).unwrap(), 1);
    assert_eq!(fixture.tags("u1"), ["vip"]);
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(request(&fixture, 4, tag("u4", &["vip"])).unwrap(), 1);
    assert_eq!(request(&fixture, 1, tag("u1", &["vip"])).unwrap(), 0);
    fixture.check_consistent();
}

#[test]
fn a_refused_request_leaves_no_trace() {
    let fixture = Fixture::defined(&["DEFINE ATTRIBUTE city ENUM", "DEFINE ATTRIBUTE age INTEGER"]);
    let view = fixture.db().view();
    let mutations = vec![
        tag("u1", &["brand-new"]),
        set("u1", "city", text("atlantis")),
        set("u1", "age", text("old")),
    ];
    let request = WriteRequest {
        mutations,
        unknown_tags: UnknownTags::Define,
        idempotency_key: None,
    };
    refused(
        fixture.db().write(request),
        ErrorCode::TypeMismatch,
        "age of user \"u1\"",
    );
    let after = fixture.db().view();
    assert_eq!(after.version(), view.version());
    assert!(after.schema().tag("brand-new").is_none());
    assert_eq!(
        after
            .schema()
            .value_count(after.schema().attribute("city").unwrap().id),
        0
    );
    assert_eq!(fixture.location("u1"), None);
    let good = vec![tag("u1", &["brand-new"]), set("u1", "city", text("rome"))];
    let request = WriteRequest {
        mutations: good,
        unknown_tags: UnknownTags::Define,
        idempotency_key: None,
    };
    assert_eq!(fixture.db().write(request).unwrap().facts_changed, 2);
    assert_eq!(fixture.location("u1").unwrap().user.0, 0);
    fixture.check_consistent();
}

#[test]
fn unknown_names_come_with_the_nearest() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG vip",
        "DEFINE ATTRIBUTE gender ENUM (female, male)",
    ]);
    let hint = |mutation| fixture.write(vec![mutation]).unwrap_err().hint();
    assert_eq!(
        hint(tag("u1", &["vpi"])).as_deref(),
        Some("did you mean vip?")
    );
    assert_eq!(
        hint(set("u1", "gendre", text("f"))).as_deref(),
        Some("did you mean gender?")
    );
    assert_eq!(
        hint(set("u1", "gender", text("femal"))).as_deref(),
        Some("did you mean female?")
    );
    refused(
        fixture.write(vec![add("u1", "gender", &["male"])]),
        ErrorCode::TypeMismatch,
        "only multi",
    );
    refused(
        fixture.write(vec![ensure("")]),
        ErrorCode::TypeMismatch,
        "cannot be empty",
    );
    refused(
        fixture.write(vec![set("u1", "gender", list(&["male"]))]),
        ErrorCode::TypeMismatch,
        "not a list",
    );
}

#[test]
fn writing_where_sees_all_that_was_acknowledged() {
    let fixture = Fixture::defined(&["DEFINE TAG vip", "DEFINE TAG gold"]);
    fixture.changed((0..100).map(|n| tag(&format!("u{n}"), &["vip"])).collect());
    let summary = fixture.db().write_where(|view| {
        let mut mutations = Vec::new();
        for partition in (0..view.partition_count()).map(PartitionId) {
            view.for_each_user(partition, &mut |_, key, _| {
                mutations.push(tag(key, &["gold"]));
            })?;
        }
        Ok(mutations)
    });
    assert_eq!(summary.unwrap().users_changed, 100);
    assert_eq!(fixture.holders("gold"), 100);
    refused(
        fixture
            .db()
            .write_where(|_| Err::<Vec<_>, _>(Error::Cancelled)),
        ErrorCode::Cancelled,
        "cancelled",
    );
    assert_eq!(fixture.changed(vec![tag("u0", &["gold"])]), (0, 0));
}

#[test]
fn what_an_expression_finds_is_changed_whether_few_or_many() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG even",
        "DEFINE TAG rare",
        "DEFINE TAG done",
        "DEFINE TAG seen",
    ]);
    let user = |index: u32| format!("u{index}");
    let mutations = (0..400).map(|index| match (index % 2, index % 50) {
        (_, 0) => tag(&user(index), &["even", "rare"]),
        (0, _) => tag(&user(index), &["even"]),
        (_, _) => ensure(&user(index)),
    });
    fixture.write(mutations.collect()).unwrap();
    // Ids without a user among those that are read.
    let gone = (0..400).step_by(20).map(|index| delete(&user(index)));
    fixture.write(gone.collect()).unwrap();
    let check = |statement: &str, changed: u64, holders: &str, expected: u64| {
        let summary = fixture.db().execute(
            statement,
            &Parameters::default(),
            &Budget::unlimited(),
            &mut crate::exec::testing::Collected::default(),
        );
        assert_eq!(summary.unwrap().users_changed, changed, "{statement}");
        assert_eq!(fixture.holders(holders), expected, "{statement}");
        fixture.check_consistent();
    };
    check("TAG WHERE tag:even WITH done", 180, "done", 180);
    check("TAG WHERE tag:even WITH done", 0, "done", 180);
    check("TAG WHERE tag:rare WITH seen", 4, "seen", 4);
    check("UNTAG WHERE ALL WITH done", 180, "done", 0);
    check("TAG WHERE NOT ALL WITH done", 0, "done", 0);
}
