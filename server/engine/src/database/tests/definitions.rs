//! Changes of the definitions, allowed and refused.

use tessera_query_lang::{ast, name::Name};

use super::*;

#[track_caller]
fn conflict(fixture: &Fixture, statement: &str, message: &str) {
    refused(fixture.define(statement), ErrorCode::Conflict, message);
}

#[test]
fn names_are_unique_per_kind() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG x",
        "DEFINE GROUP x",
        "DEFINE ATTRIBUTE x DATE",
        "DEFINE SEGMENT x AS ALL",
    ]);
    for statement in [
        "DEFINE TAG x",
        "DEFINE GROUP x",
        "DEFINE ATTRIBUTE x DATE",
        "DEFINE SEGMENT x AS ALL",
    ] {
        conflict(&fixture, statement, "defined already");
        let kept = fixture
            .define(&format!("{statement} IF NOT EXISTS"))
            .unwrap();
        assert_eq!(kept.warnings.len(), 1);
    }
    refused(
        fixture.define("DROP TAG y"),
        ErrorCode::UnknownName,
        "there is no tag named \"y\"",
    );
    refused(
        fixture.define("ALTER GROUP xx SHARED"),
        ErrorCode::UnknownName,
        "xx",
    );
    assert_eq!(
        fixture
            .define("ALTER TAG xy NO GROUP")
            .unwrap_err()
            .hint()
            .as_deref(),
        Some("did you mean x?")
    );
}

#[test]
fn definitions_survive_a_restart() {
    let mut fixture = Fixture::defined(&[
        "DEFINE GROUP g EXCLUSIVE DESCRIPTION \"one of\"",
        "DEFINE TAG vip IN GROUP g OWNER \"ann\"",
        "DEFINE TAG gone",
        "DEFINE ATTRIBUTE size ENUM (s, m)",
        "DEFINE ATTRIBUTE spend DECIMAL(2) WRITE ONCE",
        "SAVE SEGMENT rich AS tag:vip AND spend >= 10",
        "ALTER ATTRIBUTE size ADD VALUES (l, s)",
        "ALTER TAG vip DESCRIPTION \"d\"",
        "DROP TAG gone",
    ]);
    let shown = |fixture: &Fixture| {
        let view = fixture.db().view();
        let schema = view.schema();
        let size = schema.attribute("size").unwrap().id;
        let values: Vec<_> = schema
            .values(size)
            .map(|(code, text)| (code.0, text.to_owned()))
            .collect();
        format!(
            "{:?} {:?} {:?} {:?} {values:?} {:?}",
            schema.tag("vip"),
            schema.group("g"),
            schema.attribute("spend"),
            schema.segment("rich"),
            schema.next_tag_id()
        )
    };
    let before = shown(&fixture);
    fixture.restart();
    assert_eq!(shown(&fixture), before);
    assert!(
        before.contains("(2, \"l\")") && before.contains("\"ann\"") && before.ends_with("TagId(2)"),
        "{before}"
    );
    fixture.define("ALTER TAG vip OWNER \"\"").unwrap();
    assert_eq!(
        fixture.db().view().schema().tag("vip").unwrap().notes.owner,
        None
    );
}

#[test]
fn a_group_cannot_become_exclusive_while_somebody_holds_two() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP g",
        "DEFINE TAG a IN GROUP g",
        "DEFINE TAG b IN GROUP g",
        "DEFINE TAG c",
    ]);
    fixture.changed(
        (0..50)
            .map(|n| tag(&format!("a{n}"), &["a", "c"]))
            .collect(),
    );
    fixture.changed(vec![tag("both", &["a", "b"])]);
    conflict(
        &fixture,
        "ALTER GROUP g EXCLUSIVE",
        "user \"both\" holds a and b",
    );
    fixture.changed(vec![untag("both", &["b"])]);
    fixture.define("ALTER GROUP g EXCLUSIVE").unwrap();
    conflict(&fixture, "ALTER TAG c IN GROUP g", "holds a and c");
    fixture.changed((0..50).map(|n| untag(&format!("a{n}"), &["c"])).collect());
    fixture.define("ALTER TAG c IN GROUP g").unwrap();
    fixture.changed(vec![tag("a1", &["c"])]);
    assert_eq!(fixture.tags("a1"), ["c"]);
    fixture.define("ALTER TAG c NO GROUP").unwrap();
    fixture.define("ALTER GROUP g SHARED").unwrap();
    fixture.changed(vec![tag("a1", &["a", "b"])]);
    assert_eq!(fixture.tags("a1"), ["a", "b", "c"]);
    fixture.check_consistent();
}

#[test]
fn what_is_in_use_is_not_dropped() {
    let fixture = Fixture::defined(&[
        "DEFINE GROUP g",
        "DEFINE TAG a IN GROUP g",
        "DEFINE TAG b",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE SEGMENT s AS NOT (tag:b OR age IS MISSING) AND group:g IS MISSING",
        "DEFINE SEGMENT t AS segment:s OR ALL",
    ]);
    conflict(&fixture, "DROP TAG b", "used by segment:s");
    conflict(&fixture, "DROP ATTRIBUTE age", "used by segment:s");
    conflict(&fixture, "DROP SEGMENT s", "used by segment:t");
    conflict(&fixture, "DROP GROUP g", "used by tag:a");
    fixture.define("ALTER TAG a NO GROUP").unwrap();
    conflict(&fixture, "DROP GROUP g", "used by segment:s");
    for statement in [
        "DROP SEGMENT t",
        "DROP SEGMENT s",
        "DROP GROUP g",
        "DROP TAG b",
        "DROP ATTRIBUTE age",
    ] {
        fixture.define(statement).unwrap();
    }
    assert_eq!(fixture.db().view().schema().segment_count(), 0);
}

#[test]
fn a_new_meaning_must_not_make_others_too_large() {
    let fixture = Fixture::defined(&["DEFINE TAG a", "SAVE SEGMENT e0 AS tag:a"]);
    for number in 1..=14 {
        let inner = number - 1;
        let text = format!("SAVE SEGMENT e{number} AS segment:e{inner} OR NOT segment:e{inner}");
        fixture.define(&text).unwrap();
    }
    let wide = ["tag:a"; 40].join(" OR ");
    let limit = |text: &str, message: &str| {
        refused(fixture.define(text), ErrorCode::LimitExceeded, message);
    };
    limit(
        &format!("SAVE SEGMENT e0 AS {wide}"),
        "\"e12\" contains it and would be too large",
    );
    limit(
        &format!("ALTER SEGMENT e1 AS {wide} OR {wide}"),
        "leaves after expansion",
    );
    limit(
        "SAVE SEGMENT e20 AS AT LEAST 1 OF (segment:e14, segment:e14, segment:e14, segment:e14, segment:e14)",
        "nodes after expansion",
    );
    fixture.define("SAVE SEGMENT e0 AS ALL").unwrap();
    // Chains are as deep as a query may be, and no deeper.
    for number in 0..200 {
        let text = match number {
            0 => "SAVE SEGMENT d0 AS ALL".to_owned(),
            _ => format!("SAVE SEGMENT d{number} AS segment:d{}", number - 1),
        };
        fixture.define(&text).unwrap();
    }
    let negations = "NOT ".repeat(90);
    limit(
        &format!("SAVE SEGMENT d0 AS {negations} ALL"),
        "\"d159\" contains it and would be too large: in the saved segment",
    );
}

#[test]
fn saved_segments_mean_something_by_themselves() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG a",
        "DEFINE SEGMENT s AS tag:a",
        "DEFINE SEGMENT t AS segment:s",
    ]);
    refused(
        fixture.define("SAVE SEGMENT x AS tag:b"),
        ErrorCode::UnknownName,
        "b",
    );
    refused(
        fixture.define("SAVE SEGMENT x AS tag:$1"),
        ErrorCode::TypeMismatch,
        "parameters",
    );
    refused(
        fixture.define("SAVE SEGMENT x AS segment:x"),
        ErrorCode::Conflict,
        "segment:x -> segment:x",
    );
    conflict(
        &fixture,
        "SAVE SEGMENT s AS NOT segment:t",
        "segment:s -> segment:t -> segment:s",
    );
    conflict(
        &fixture,
        "ALTER SEGMENT s AS segment:t AND tag:a",
        "segment:s -> segment:t -> segment:s",
    );
    fixture
        .define("SAVE SEGMENT s OWNER \"ann\" AS NOT tag:a")
        .unwrap();
    fixture.define("SAVE SEGMENT s AS ALL").unwrap();
    // A program may build what the parser would not take.
    let name = ast::Spanned::synthetic(Name::new("deep").unwrap());
    let filter = (0..200).fold(ast::Expr::All, |inner, _| ast::Expr::Not(Box::new(inner)));
    let saved = ast::SavedSegment {
        name,
        notes: ast::Notes::default(),
        filter,
    };
    let deep = fixture
        .db()
        .change_schema(SchemaStatement::SaveSegment(saved));
    refused(deep, ErrorCode::LimitExceeded, "cannot be saved");
    let view = fixture.db().view();
    let segment = view.schema().segment("s").unwrap();
    assert_eq!(
        (segment.text.as_str(), segment.notes.owner.as_deref()),
        ("ALL", Some("ann"))
    );
}

#[test]
fn attributes_with_bad_lists_are_refused() {
    let fixture = Fixture::defined(&["DEFINE ATTRIBUTE age INTEGER"]);
    refused(
        fixture.define("DEFINE ATTRIBUTE x ENUM (a, a)"),
        ErrorCode::Conflict,
        "listed twice",
    );
    refused(
        fixture.define("DEFINE ATTRIBUTE x ENUM (\"\")"),
        ErrorCode::TypeMismatch,
        "cannot be empty",
    );
    refused(
        fixture.define("ALTER ATTRIBUTE age ADD VALUES (x)"),
        ErrorCode::TypeMismatch,
        "only enum and multi",
    );
    refused(
        fixture.define("DEFINE TAG t IN GROUP nope"),
        ErrorCode::UnknownName,
        "nope",
    );
}

#[test]
fn what_is_dropped_takes_its_data_along_and_comes_back_empty() {
    let mut fixture = Fixture::defined(&[
        "DEFINE TAG vip",
        "DEFINE TAG other",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE nick TEXT",
    ]);
    for number in 0..20 {
        let user = format!("u{number}");
        fixture.changed(vec![
            tag(&user, &["vip", "other"]),
            set(&user, "age", Datum::Integer(number)),
            set(&user, "city", text("rome")),
            set(&user, "nick", text("n")),
        ]);
    }
    for statement in [
        "DROP TAG vip",
        "DROP ATTRIBUTE age",
        "DROP ATTRIBUTE city",
        "DROP ATTRIBUTE nick",
    ] {
        fixture.define(statement).unwrap();
    }
    fixture.check_consistent();
    fixture.restart();
    for statement in [
        "DEFINE TAG vip",
        "DEFINE ATTRIBUTE age DATE",
        "DEFINE ATTRIBUTE city ENUM",
    ] {
        fixture.define(statement).unwrap();
    }
    assert_eq!((fixture.holders("vip"), fixture.holders("other")), (0, 20));
    assert_eq!(
        (fixture.value("u1", "age"), fixture.value("u1", "city")),
        (None, None)
    );
    assert_eq!(
        fixture.changed(vec![
            set("u1", "age", Datum::Date(1)),
            set("u1", "city", text("oslo"))
        ]),
        (1, 2)
    );
    // What was dropped is no longer in a record that was written since.
    assert_eq!(fixture.record("u1").unwrap().values.len(), 2);
    assert_eq!(fixture.changed(vec![delete("u2")]), (1, 1));
    fixture.check_consistent();
}
