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
