//! What a portrait of somebody costs beside what is known of that user.

use super::*;

/// How many rows, columns and tables were asked for since the database was opened.
fn reads(fixture: &Fixture) -> i64 {
    let status = fixture.db().status().unwrap();
    let of = |wanted: &str| {
        let found = status.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    match (of("cache_hits"), of("cache_misses")) {
        (Some(Datum::Integer(hits)), Some(Datum::Integer(misses))) => hits + misses,
        other => panic!("{other:?}"),
    }
}

/// The tags in a portrait, and how many reads it took.
fn portrait(fixture: &Fixture, key: &str) -> (Vec<String>, i64) {
    let before = reads(fixture);
    let rows = run(fixture, &format!("PORTRAIT {key}"));
    let took = reads(fixture) - before;
    let tags = rows.iter().filter(|row| row[0] == text("tag"));
    (tags.map(|row| key_of(&row[1..])).collect(), took)
}

#[test]
fn everybody_is_ranked_once_for_all_portraits_of_a_state() {
    let fixture = fixture(&[
        "DEFINE GROUP savers AS PERCENTILES OF spend (top: 50..100, low: OTHERWISE)",
        "DEFINE GROUP buyers AS PERCENTILES OF count(purchase, 30d) (often: 50..100, rare: ..50)",
        "SET \"a\" spend = 10",
        "SET \"b\" spend = 20",
        "TRACK a purchase",
        "TRACK a purchase",
        "TRACK b purchase",
    ]);
    let (tags, took) = portrait(&fixture, "a");
    assert_eq!(tags, strings(&["low", "often"]));
    assert!(took > 1, "{took}");
    // Whether the user did each of one kind of events: nothing of others.
    let one_user = 1;
    assert_eq!(
        portrait(&fixture, "b"),
        (strings(&["rare", "top"]), one_user)
    );
    check(&fixture, "tag:top", &["b"]);
    assert_eq!(
        portrait(&fixture, "a"),
        (strings(&["low", "often"]), one_user)
    );
    // A later state has another order.
    run(&fixture, "SET \"c\" spend = 1000");
    let (tags, took) = portrait(&fixture, "b");
    assert_eq!(tags, strings(&["low", "rare"]));
    assert!(took > one_user, "{took}");
    check(&fixture, "tag:top", &["c"]);
    // So has another day.
    at(&fixture, NOON + 30 * MICROS_PER_DAY);
    assert_eq!(portrait(&fixture, "b").0, strings(&["low"]));
    assert_eq!(portrait(&fixture, "b"), (strings(&["low"]), one_user));
}

#[test]
fn a_portrait_and_a_question_know_the_same_layers() {
    let fixture = fixture(&[
        "DEFINE GROUP tier AS high: spend >= 100, mid: spend >= 10 OR tag:vip, low: OTHERWISE",
        "DEFINE GROUP inner IN GROUP tier",
        "DEFINE TAG other IN GROUP tier",
        "DEFINE TAG deep IN GROUP inner",
        "SET \"a\" spend = 100",
        "SET \"b\" spend = 10",
        "SET \"c\" spend = 1",
        "SET \"d\" spend = 100",
        "SET \"e\" spend = 100",
        "SET \"f\" spend = 100",
        "TAG c WITH vip",
        "UNTAG d WITH high",
        "TAG e WITH other",
        "TAG f WITH deep",
        "UNTAG b WITH low",
    ]);
    check_ways(&fixture, &["high", "mid", "low", "other", "deep", "vip"]);
    check(&fixture, "tag:high", &["a"]);
    check(&fixture, "tag:mid", &["b", "c"]);
    check(&fixture, "tag:low", &[]);
}
