//! What writes do to users.

use super::*;

#[test]
fn facts_are_written_once_and_counted_exactly() {
    let fixture = Fixture::defined(&[
        "DEFINE TAG vip",
        "DEFINE TAG gold",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE interests MULTI",
        "DEFINE ATTRIBUTE nick TEXT",
    ]);
    let mutations = || {
        vec![
            tag("u1", &["vip", "gold"]),
            set("u1", "city", text("rome")),
            set("u1", "age", Datum::Integer(-30)),
            set("u1", "interests", list(&["golf", "chess", "golf"])),
            set("u1", "nick", text("zed")),
            ensure("u2"),
        ]
    };
    assert_eq!(fixture.changed(mutations()), (2, 7));
    assert_eq!(fixture.changed(mutations()), (0, 0));
    fixture.check_consistent();
    assert_eq!(fixture.tags("u1"), ["gold", "vip"]);
    assert_eq!(fixture.value("u1", "city"), Some(text("rome")));
    assert_eq!(fixture.value("u1", "age"), Some(Datum::Integer(-30)));
    assert_eq!(
        fixture.value("u1", "interests"),
        Some(list(&["chess", "golf"]))
    );
    assert_eq!(fixture.count(RowId::Users), 2);
    // What a request does and undoes is no change.
    assert_eq!(
        fixture.changed(vec![untag("u1", &["vip"]), tag("u1", &["vip"])]),
        (0, 0)
    );
    assert_eq!(
        fixture.changed(vec![
            set("u1", "city", text("paris")),
            set("u1", "age", Datum::Null)
        ]),
        (1, 2)
    );
    assert_eq!(
        fixture.changed(vec![
            add("u1", "interests", &["go"]),
            remove("u1", "interests", &["golf"])
        ]),
        (1, 2)
    );
    assert_eq!(
        fixture.value("u1", "interests"),
        Some(list(&["chess", "go"]))
    );
    assert_eq!(
        fixture.changed(vec![remove("u1", "interests", &["chess", "go", "unheard"])]),
        (1, 2)
    );
    assert_eq!(fixture.value("u1", "interests"), None);
    fixture.check_consistent();
}

#[test]
fn taking_away_from_an_unknown_user_makes_no_user() {
    let fixture = Fixture::defined(&["DEFINE TAG vip", "DEFINE ATTRIBUTE interests MULTI"]);
    let mutations = vec![
        untag("u1", &["vip"]),
        remove("u1", "interests", &["golf"]),
        delete("u1"),
    ];
    assert_eq!(fixture.changed(mutations), (0, 0));
    assert_eq!(fixture.location("u1"), None);
    assert_eq!(fixture.changed(vec![tag("u1", &[])]), (1, 0));
    assert!(fixture.location("u1").is_some());
}
