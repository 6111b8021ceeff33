//! Rules that are taken away, move, grow, or belong to tags that take no new holdings.

use super::*;

#[test]
fn a_group_can_do_without_its_rule() {
    let mut fixture = fixture(&[
        "DEFINE GROUP tier AS high: spend >= 100, low: OTHERWISE",
        "SET \"a\" spend = 100",
        "SET \"b\" spend = 1",
        "TAG c WITH low",
        "UNTAG b WITH low",
    ]);
    check(&fixture, "group:tier IS PRESENT", &["a", "c"]);
    refuse(&fixture, "MERGE TAG high INTO vip", "follows a rule");
    refuse(&fixture, "DROP TAG high", "group:tier");
    run(&fixture, "ALTER GROUP tier NO RULE");
    check(&fixture, "tag:high", &[]);
    check(&fixture, "tag:low", &["c"]);
    check(&fixture, "group:tier IS PRESENT", &["c"]);
    check_ways(&fixture, &["high", "low"]);
    // It stays exclusive.
    run(&fixture, "TAG c WITH high");
    check(&fixture, "tag:low", &[]);
    fixture.restart();
    fixture.check_consistent();
    run(&fixture, "ALTER GROUP tier SHARED");
    run(&fixture, "ALTER TAG low NO GROUP AS spend >= 1");
    check(&fixture, "tag:low", &["a"]);
    run(&fixture, "MERGE TAG high INTO vip");
    run(&fixture, "DROP GROUP tier");
    check(&fixture, "tag:vip", &["c"]);
    fixture.check_consistent();
    refuse(&fixture, "ALTER GROUP tier NO RULE", "no group named");
}

#[test]
fn a_group_moves_with_the_rule_that_it_gets() {
    let fixture = fixture(&[
        "DEFINE GROUP outer",
        "DEFINE GROUP one EXCLUSIVE",
        "DEFINE GROUP inner AS some: group:outer IS PRESENT, none: OTHERWISE",
        "DEFINE GROUP plain AS high: spend >= 1, low: OTHERWISE",
    ]);
    let way = "group:inner -> group:inner";
    refuse(&fixture, "ALTER GROUP inner IN GROUP outer", way);
    refuse(
        &fixture,
        "ALTER GROUP plain IN GROUP outer AS high: group:outer IS PRESENT",
        "group:plain -> group:plain",
    );
    refuse(
        &fixture,
        "ALTER GROUP plain IN GROUP one",
        "cannot stand in the exclusive group",
    );
    refuse(
        &fixture,
        "ALTER GROUP plain SHARED AS high: spend >= 2",
        "has a rule",
    );
    // With another rule, or none, it may.
    run(
        &fixture,
        "ALTER GROUP inner IN GROUP outer AS some: tag:vip, none: OTHERWISE",
    );
    run(&fixture, "ALTER GROUP plain IN GROUP one NO RULE");
    run(&fixture, "TAG a WITH vip");
    check(&fixture, "tag:some", &["a"]);
    check(&fixture, "group:outer IS PRESENT", &["a"]);
}

#[test]
fn nothing_is_counted_of_what_was_taken_of_dropped_tags() {
    let fixture = Fixture::with(|options| options.limits.user_tags_max = 3);
    at(&fixture, NOON);
    for statement in DEFINITIONS {
        run(&fixture, statement);
    }
    run(&fixture, "SET \"a\" spend = 1");
    for number in 0..3 {
        run(&fixture, &format!("DEFINE TAG r{number} AS spend >= 0"));
        run(&fixture, &format!("UNTAG a WITH r{number}"));
    }
    refuse(&fixture, "TAG a WITH vip", "at most 3 tags");
    run(&fixture, "DROP TAG r0");
    run(&fixture, "TAG a WITH vip");
    let vip = fixture.db().view().schema().tag("vip").unwrap().id;
    let record = fixture.record("a").unwrap();
    assert_eq!(record.tags, [vip]);
    assert_eq!(record.blocked().len(), 2);
    fixture.check_consistent();
}

#[test]
fn a_new_meaning_must_not_make_rules_too_large() {
    let fixture = fixture(&[
        "SAVE SEGMENT base AS tag:vip",
        "DEFINE TAG r0 AS segment:base",
        "SET \"a\" spend = 1",
    ]);
    for number in 1..=12 {
        let inner = number - 1;
        run(
            &fixture,
            &format!("DEFINE TAG r{number} AS tag:r{inner} OR NOT tag:r{inner}"),
        );
    }
    run(
        &fixture,
        "DEFINE GROUP tier AS high: spend >= 5, low: tag:r12",
    );
    run(&fixture, "SAVE SEGMENT s AS tag:low");
    let wide = ["tag:vip"; 40].join(" OR ");
    for statement in [
        format!("ALTER TAG r0 AS {wide}"),
        format!("SAVE SEGMENT base AS {wide}"),
    ] {
        refuse(&fixture, &statement, "the tag \"r1");
        refuse(
            &fixture,
            &statement,
            "contains it and would be too large: in the rule of",
        );
    }
    check(&fixture, "segment:s", &["a"]);
    run(&fixture, "ALTER TAG r0 AS ALL");
    // Within the limits it may grow.
    run(
        &fixture,
        &format!("ALTER GROUP tier AS high: {wide}, low: ALL"),
    );
    check(&fixture, "segment:s", &["a"]);
    // Groups are needed by the names of their tags, and by their own.
    let deep = "NOT ".repeat(90);
    run(
        &fixture,
        &format!("SAVE SEGMENT t0 AS {deep}group:tier IS PRESENT"),
    );
    run(&fixture, &format!("SAVE SEGMENT t AS {deep}segment:t0"));
    refuse(
        &fixture,
        &format!("ALTER GROUP tier AS high: {deep}tag:vip, low: ALL"),
        "the saved segment \"t\" contains it and would be too large",
    );
}

#[test]
fn tags_that_take_no_new_holdings_follow_their_rules() {
    let fixture = fixture(&[
        "DEFINE TAG buyer DEPRECATED DESCRIPTION \"use spender\" AS did:purchase",
        "DEFINE TAG old ARCHIVED AS did:purchase",
        "TRACK a purchase",
    ]);
    check(&fixture, "tag:buyer", &["a"]);
    check(&fixture, "tag:old", &["a"]);
    refuse(&fixture, "TAG b WITH buyer", "takes no new holdings");
    refuse(&fixture, "TAG b WITH old", "takes no new holdings");
    // Who does it now fits now.
    run(&fixture, "TRACK b purchase");
    check(&fixture, "tag:buyer", &["a", "b"]);
    // Against the rule it is taken, and given back to it.
    run(&fixture, "UNTAG b WITH buyer");
    check(&fixture, "tag:buyer", &["a"]);
    run(&fixture, "CLEAR TAG b WITH buyer");
    check(&fixture, "tag:buyer", &["a", "b"]);
    run(&fixture, "ALTER TAG buyer NO RULE");
    check(&fixture, "tag:buyer", &[]);
}
