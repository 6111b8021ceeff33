//! Groups whose rules deal users to layers: by conditions, bands and percentiles.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_user_is_in_the_first_layer_that_fits() {
    let fixture = fixture(&[
        "DEFINE GROUP tier AS high: spend >= 100, mid: spend >= 10 OR tag:vip, low: OTHERWISE",
        "SET \"a\" spend = 100",
        "SET \"b\" spend = 99.99",
        "SET \"c\" spend = 1",
        "TAG d WITH vip",
        "SET \"e\" spend = 1000",
        "TAG e WITH vip",
    ]);
    check(&fixture, "tag:high", &["a", "e"]);
    check(&fixture, "tag:mid", &["b", "d"]);
    check(&fixture, "tag:low", &["c"]);
    check(&fixture, "group:tier IS MISSING", &[]);
    check_ways(&fixture, &["high", "mid", "low"]);
    // Given by hand, one is in that layer only; taken, in none.
    run(&fixture, "TAG a WITH low");
    run(&fixture, "UNTAG e WITH high");
    check(&fixture, "tag:high", &[]);
    check(&fixture, "tag:low", &["a", "c"]);
    check(&fixture, "group:tier IS MISSING", &["e"]);
    run(&fixture, "TAG a WITH high");
    check(&fixture, "tag:high", &["a"]);
    run(&fixture, "TAG a WITH mid SOURCE import");
    check(&fixture, "tag:high", &["a"]);
    check_ways(&fixture, &["high", "mid", "low"]);
    run(&fixture, "CLEAR TAG a, e WITH high");
    check(&fixture, "tag:high", &["a", "e"]);
    let groups = run(&fixture, "DIMENSION group:tier MEASURE count");
    assert_eq!(groups.len(), 3, "{groups:?}");
    // Another rule keeps the layers that it names, and the others as tags of the group.
    run(
        &fixture,
        "ALTER GROUP tier AS top: spend >= 1000, high: spend >= 50",
    );
    check(&fixture, "tag:top", &["e"]);
    check(&fixture, "tag:high", &["a", "b"]);
    check(&fixture, "tag:mid", &[]);
    check(&fixture, "group:tier IS MISSING", &["c", "d"]);
    run(&fixture, "TAG b WITH mid");
    check(&fixture, "tag:high", &["a"]);
    fixture.check_consistent();
}

#[test]
fn bands_measure_users() {
    let fixture = fixture(&[
        "DEFINE GROUP spenders AS BANDS OF sum(purchase.amount, 90d) (whale: 1000.., mid: 100..1000, small: OTHERWISE)",
        "DEFINE GROUP savers AS BANDS OF spend (much: 100.., some: ..100)",
        "TRACK a purchase WITH amount = 1000",
        "TRACK b purchase WITH amount = 999.99",
        "TRACK c purchase WITH amount = 99",
        "TRACK c purchase WITH amount = 1",
        "TRACK d purchase WITH amount = 99",
        "SET \"e\" spend = 100",
        "SET \"f\" spend = -1",
    ]);
    check(&fixture, "tag:whale", &["a"]);
    check(&fixture, "tag:mid", &["b", "c"]);
    check(&fixture, "tag:small", &["d", "e", "f"]);
    check(&fixture, "tag:much", &["e"]);
    check(&fixture, "tag:some", &["f"]);
    check(&fixture, "group:savers IS MISSING", &["a", "b", "c", "d"]);
    check_ways(&fixture, &["whale", "mid", "small", "much", "some"]);
}

/// The percentile of each measure, as it is defined, by counting.
fn in_percentiles(measures: &[(String, f64)], low: f64, high: f64) -> Vec<String> {
    let count = measures.len() as f64;
    let is_in = |measure: f64| {
        let less = measures
            .iter()
            .filter(|(_, other)| *other < measure)
            .count() as f64;
        low * count <= 100.0 * less && 100.0 * less <= high * count
    };
    let found = measures.iter().filter(|(_, measure)| is_in(*measure));
    let mut keys: Vec<String> = found.map(|(key, _)| key.clone()).collect();
    keys.sort();
    keys
}

#[test]
fn percentiles_rank_those_who_have_the_measure() {
    let measures = [
        "count(purchase)",
        "days(purchase)",
        "sum(purchase.amount)",
        "avg(purchase.amount)",
        "min(purchase.amount)",
        "max(purchase.amount)",
        "first(purchase)",
        "last(purchase)",
        "spend",
    ];
    let fixture = fixture(&["TAG nobody WITH vip"]);
    let mut of_users: Vec<Vec<(String, f64)>> = vec![Vec::new(); measures.len()];
    for user in 0..17_u32 {
        let key = format!("u{user:02}");
        let amounts: Vec<i64> = (0..=user % 4)
            .map(|n| i64::from((user * 7 + n * 5) % 11) - 3)
            .collect();
        let days: Vec<i64> = (0..=user % 4)
            .map(|n| i64::from((user * 3 + n * 2) % 5))
            .collect();
        for (amount, day) in amounts.iter().zip(&days) {
            run(
                &fixture,
                &format!(
                    "TRACK {key} purchase AT 2024-02-{:02}T00:00:00Z WITH amount = {amount}",
                    10 + day
                ),
            );
        }
        let spend = i64::from(user * user % 6) - 2;
        run(&fixture, &format!("SET \"{key}\" spend = {spend}"));
        let sum: i64 = amounts.iter().sum();
        let figures = [
            amounts.len() as f64,
            days.iter().collect::<BTreeSet<_>>().len() as f64,
            sum as f64,
            sum as f64 / amounts.len() as f64,
            *amounts.iter().min().unwrap() as f64,
            *amounts.iter().max().unwrap() as f64,
            *days.iter().min().unwrap() as f64,
            *days.iter().max().unwrap() as f64,
            spend as f64,
        ];
        for (of, figure) in of_users.iter_mut().zip(figures) {
            of.push((key.clone(), figure));
        }
    }
    for (index, measure) in measures.iter().enumerate() {
        let name = format!("g{index}");
        run(
            &fixture,
            &format!(
                "DEFINE GROUP {name} AS PERCENTILES OF {measure} (t{index}: 90..100, m{index}: 33.3..90, l{index}: ..33.3)"
            ),
        );
        let of = &of_users[index];
        let top = in_percentiles(of, 90.0, 100.0);
        let low = in_percentiles(of, 0.0, 33.3);
        let mut mid = in_percentiles(of, 33.3, 90.0);
        mid.retain(|key| !top.contains(key));
        let mut rest = low;
        rest.retain(|key| !top.contains(key) && !mid.contains(key));
        assert_eq!(found(&fixture, &format!("tag:t{index}")), top, "{measure}");
        assert_eq!(found(&fixture, &format!("tag:m{index}")), mid, "{measure}");
        assert_eq!(found(&fixture, &format!("tag:l{index}")), rest, "{measure}");
        check(&fixture, &format!("group:{name} IS MISSING"), &["nobody"]);
    }
    check_ways(&fixture, &["t0", "m2", "l8"]);
}
