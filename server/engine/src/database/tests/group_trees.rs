//! Groups in groups.

use super::{upkeep::texts, *};

fn nested() -> Fixture {
    Fixture::defined(&[
        "DEFINE GROUP value EXCLUSIVE",
        "DEFINE GROUP spend IN GROUP value",
        "DEFINE GROUP bands IN GROUP spend",
        "DEFINE TAG none IN GROUP value",
        "DEFINE TAG some IN GROUP spend",
        "DEFINE TAG much IN GROUP bands",
        "DEFINE TAG most IN GROUP bands",
        "DEFINE TAG free",
    ])
}

#[test]
fn circles_and_depth_are_refused_with_the_way() {
    let fixture = nested();
    let refuse = |statement: &str, code: ErrorCode, message: &str| {
        refused(fixture.define(statement), code, message);
    };
    refuse(
        "ALTER GROUP value IN GROUP bands",
        ErrorCode::Conflict,
        "value → spend → bands → value",
    );
    refuse(
        "ALTER GROUP value IN GROUP value",
        ErrorCode::Conflict,
        "value → value",
    );
    refuse(
        "DEFINE GROUP deep IN GROUP bands",
        ErrorCode::LimitExceeded,
        "at most 3 levels: value → spend → bands → deep",
    );
    fixture.define("DEFINE GROUP top").unwrap();
    refuse(
        "ALTER GROUP value IN GROUP top",
        ErrorCode::LimitExceeded,
        "top → value → spend → bands",
    );
    refuse(
        "DEFINE GROUP x IN GROUP nowhere",
        ErrorCode::UnknownName,
        "nowhere",
    );
    refuse(
        "DROP GROUP spend",
        ErrorCode::Conflict,
        "used by tag:some, group:bands",
    );
    fixture.define("ALTER GROUP bands NO GROUP").unwrap();
    fixture.define("ALTER GROUP value IN GROUP top").unwrap();
    refuse(
        "ALTER GROUP top IN GROUP spend",
        ErrorCode::Conflict,
        "top → value → spend → top",
    );
}

#[test]
fn a_parent_means_all_beneath_it() {
    let mut fixture = nested();
    fixture.restart();
    for (user, name) in [
        ("a", "none"),
        ("b", "some"),
        ("c", "much"),
        ("d", "most"),
        ("e", "free"),
    ] {
        fixture.changed(vec![tag(user, &[name])]);
    }
    let check = |text: &str, columns: usize, expected: &[&str]| {
        assert_eq!(texts(&fixture, text, columns), expected, "{text}");
    };
    check("COUNT group:value IS PRESENT", 1, &["Integer(4)"]);
    check("COUNT group:spend IS PRESENT", 1, &["Integer(3)"]);
    check("COUNT group:bands IS MISSING", 1, &["Integer(3)"]);
    check(
        "DIMENSION group:spend ORDER BY group:spend",
        2,
        &[
            "most Integer(1)",
            "much Integer(1)",
            "some Integer(1)",
            "Null Integer(2)",
        ],
    );
    check(
        "SHOW GROUPS",
        4,
        &[
            "bands Boolean(false) Integer(2) spend",
            "spend Boolean(false) Integer(3) value",
            "value Boolean(true) Integer(4) Null",
        ],
    );
    check(
        "USAGES GROUP spend",
        3,
        &["tag some member", "group bands member"],
    );
}

#[test]
fn of_all_beneath_an_exclusive_group_one_tag_is_held() {
    let fixture = nested();
    fixture.changed(vec![tag("u", &["much", "none", "free"])]);
    assert_eq!(fixture.tags("u"), ["free", "none"]);
    fixture.changed(vec![tag("u", &["most"])]);
    assert_eq!(fixture.tags("u"), ["free", "most"]);
    let rows = LoadRequest {
        keys: ["v", "w"].into_iter().collect(),
        columns: vec![LoadColumn::Tags {
            names: strings(&["none", "some", "most"]),
            ends: vec![2, 3],
            codes: vec![0, 1, 2],
        }],
        ..LoadRequest::default()
    };
    fixture.db().load(rows).unwrap();
    assert_eq!(fixture.tags("v"), ["some"]);
    // Shared at the top, only what is beneath an exclusive one excludes itself.
    fixture.define("ALTER GROUP value SHARED").unwrap();
    fixture.define("ALTER GROUP bands EXCLUSIVE").unwrap();
    fixture.changed(vec![tag("u", &["none", "much"])]);
    assert_eq!(fixture.tags("u"), ["free", "much", "none"]);
    refused(
        fixture.define("ALTER GROUP value EXCLUSIVE"),
        ErrorCode::Conflict,
        "user \"u\" holds",
    );
    // What joins, itself or with its group, must not be held beside the others.
    fixture.define("DEFINE GROUP other EXCLUSIVE").unwrap();
    fixture.define("ALTER TAG free IN GROUP other").unwrap();
    refused(
        fixture.define("ALTER GROUP bands IN GROUP other"),
        ErrorCode::Conflict,
        "holds",
    );
    refused(
        fixture.define("ALTER TAG much IN GROUP other"),
        ErrorCode::Conflict,
        "holds",
    );
    fixture.changed(vec![untag("u", &["free"])]);
    fixture.define("ALTER GROUP bands IN GROUP other").unwrap();
    fixture.changed(vec![tag("u", &["free"])]);
    assert_eq!(fixture.tags("u"), ["free", "none"]);
    fixture.check_consistent();
}
