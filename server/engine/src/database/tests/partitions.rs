//! Requests that concern several partitions: worked off on several threads, and as if on one.

use std::collections::BTreeMap;

use super::*;
use crate::{exec::testing::Collected, storage::FamilyId};

fn with_threads(threads: usize) -> Fixture {
    let fixture = Fixture::with(|options| options.threads = threads);
    for statement in [
        "DEFINE TAG vip",
        "DEFINE TAG short DYNAMIC FOR 2d",
        "DEFINE ATTRIBUTE city ENUM",
        "DEFINE ATTRIBUTE age INTEGER WRITE ONCE",
        "DEFINE ATTRIBUTE interests MULTI",
        "DEFINE ATTRIBUTE nick TEXT",
        "DEFINE ATTRIBUTE invited_by USER",
        "DEFINE EVENT login (device ENUM)",
    ] {
        fixture.define(statement).unwrap();
    }
    fixture
}

fn run(fixture: &Fixture, text: &str) -> Result<Summary, Error> {
    let mut sink = Collected::default();
    let parameters = Parameters::default();
    let db = fixture.db();
    db.execute(text, &parameters, &Budget::unlimited(), &mut sink)
}

/// Every key and value of the store.
fn bytes_of(fixture: &Fixture) -> BTreeMap<(&'static str, Vec<u8>), Vec<u8>> {
    let snapshot = fixture.db().store.rocks().snapshot();
    let mut all = BTreeMap::new();
    for family in FamilyId::ALL {
        snapshot
            .walk(family, &[], |key, value| {
                all.insert((family.name(), key.to_vec()), value.to_vec());
                Ok(())
            })
            .unwrap();
    }
    all
}

fn key(number: usize) -> String {
    format!("u{number}")
}

fn many_changes() -> Vec<Mutation> {
    let of_user = |number: usize| {
        let user = key(number % 120);
        let track = Mutation::Track {
            user: user.clone(),
            event: "login".to_owned(),
            at_us: None,
            id: number.is_multiple_of(3).then(|| format!("e{}", number % 7)),
            values: vec![("device".to_owned(), text(&format!("d{}", number % 5)))],
        };
        let new_value = format!("c{}", number % 11);
        [
            set(&user, "city", text(&new_value)),
            add(&user, "interests", &[&new_value, "golf"]),
            set(&user, "nick", text(&format!("n{number}"))),
            set(&user, "invited_by", text(&key(number % 120 + 1))),
            tag(
                &user,
                if number.is_multiple_of(2) {
                    &["vip"]
                } else {
                    &["short"]
                },
            ),
            match number % 13 {
                0 => delete(&key((number + 5) % 120)),
                _ => track,
            },
        ]
    };
    (0..200).flat_map(of_user).collect()
}

#[test]
fn how_many_threads_there_are_makes_no_difference() {
    let stored = [1, 3].map(|threads| {
        let fixture = with_threads(threads);
        let first = fixture.write(many_changes()).unwrap();
        fixture.check_consistent();
        let mut changed = vec![(first.users_changed, first.facts_changed)];
        for statement in [
            "SET WHERE tag:vip city = rome, interests += (chess, go)",
            "TAG WHERE NOT tag:short WITH short, vip",
            "UNTAG WHERE city:rome WITH vip",
            "SET WHERE tag:short interests -= golf, nick = MISSING",
        ] {
            let summary = run(&fixture, statement).unwrap();
            changed.push((summary.users_changed, summary.facts_changed));
        }
        let deleted = fixture.write((0..40).map(|number| delete(&key(number))).collect());
        changed.push((deleted.unwrap().users_changed, 0));
        fixture.check_consistent();
        (changed, bytes_of(&fixture))
    });
    let [(one, one_bytes), (several, several_bytes)] = stored;
    assert_eq!(one, several);
    assert!(one.iter().all(|(users, _)| *users > 0), "{one:?}");
    assert_eq!(one_bytes, several_bytes);
}

#[test]
fn of_several_mutations_that_are_refused_the_first_is_told() {
    let fixture = with_threads(3);
    fixture.changed(
        (0..40)
            .map(|n| set(&key(n), "age", Datum::Integer(1)))
            .collect(),
    );
    let check = |numbers: &[usize], refused_number: usize| {
        let mutations = numbers.iter().map(|number| match number {
            // All others set what is there.
            0..10 => set(&key(*number), "age", Datum::Integer(2)),
            _ => set(&key(*number), "age", Datum::Integer(1)),
        });
        let message = format!("{:?}", key(refused_number));
        refused(
            fixture.write(mutations.collect()),
            ErrorCode::Conflict,
            &message,
        );
    };
    check(&[11, 3, 7, 5], 3);
    check(&[11, 7, 5, 3], 7);
    for first in 0..10 {
        let mut numbers: Vec<usize> = (10..40).collect();
        numbers.push(first);
        numbers.extend((0..10).rev());
        check(&numbers, first);
    }
    // Nothing of a refused request stays.
    assert_eq!(fixture.value("u3", "age"), Some(Datum::Integer(1)));
    fixture.check_consistent();
}
